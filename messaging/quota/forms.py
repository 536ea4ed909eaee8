"""What administrators type about quotas."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.quota.models import Quota

# More than all phones of the world could send.
_MOST = 10**12
_LEVELS = "80, 100"
_MOST_LEVELS = 10


def _amount(**options: Any) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"class": "w-auto", "inputmode": "numeric"})
    return forms.IntegerField(max_value=_MOST, widget=widget, **options)


class QuotaForm(forms.Form):
    """A quota; `fields_of` gives what is stored of a valid one. Its unit stays what it was."""

    amount = _amount(label=gettext_lazy("How much"), min_value=0)
    unit = forms.ChoiceField(
        label=gettext_lazy("Of what"),
        choices=Quota.Unit.choices,
        initial=Quota.Unit.SEGMENTS,
        help_text=gettext_lazy(
            "A long text is several segments, and each is paid for. This cannot be changed later."
        ),
    )
    every = forms.ChoiceField(
        label=gettext_lazy("How often"),
        choices=Quota.Every.choices,
        initial=Quota.Every.MONTH,
        help_text=gettext_lazy("By the calendar, in the time zone of the workspace."),
    )
    renews = forms.BooleanField(
        label=gettext_lazy("It renews by itself"),
        help_text=gettext_lazy("Without this it ends with its period, until somebody renews it."),
        required=False,
        initial=True,
    )
    carries = forms.BooleanField(
        label=gettext_lazy("What is left is carried over into the next period"), required=False
    )
    carries_most = _amount(
        label=gettext_lazy("Of that at most"),
        min_value=1,
        required=False,
        help_text=gettext_lazy("Empty for all of it."),
    )
    over = forms.ChoiceField(
        label=gettext_lazy("Messages for which nothing is left"),
        choices=Quota.Over.choices,
        initial=Quota.Over.WAIT,
        widget=forms.RadioSelect,
    )
    levels = forms.CharField(
        label=gettext_lazy("Write a mail when so many percent are used"),
        initial=_LEVELS,
        max_length=60,
        required=False,
        help_text=gettext_lazy("Such as 80, 100. Empty for no mail."),
    )
    webhook = forms.URLField(
        label=gettext_lazy("Call this address too"),
        help_text=gettext_lazy(
            "For a chat or a monitor of yours: it gets the quota and the level as JSON, by POST."
        ),
        assume_scheme="https",
        max_length=500,
        required=False,
    )

    def __init__(self, quota: Quota | None, data: Any = None) -> None:
        super().__init__(data, initial=_said(quota) if quota else None)
        if quota:
            del self.fields["unit"]

    def clean_levels(self) -> list[int]:
        """Give percents in rising order."""
        words = self.cleaned_data["levels"].replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 100 for word in words):
            raise forms.ValidationError(_("Write percents from 1 to 100, with commas between."))
        levels = sorted({int(word) for word in words})
        if len(levels) > _MOST_LEVELS:
            raise forms.ValidationError(
                _("%(count)s levels are the most.") % {"count": _MOST_LEVELS}
            )
        return levels

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not data.get("carries"):
            data["carries_most"] = None
        elif not data.get("renews") or data.get("every") == Quota.Every.ONCE:
            self.add_error("carries", _("Only a quota that renews by itself has a next period."))
        if data.get("webhook") and not data.get("levels", True):
            self.add_error("levels", _("Say at which levels the address is called."))
        return data

    @property
    def fields_of(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


def _said(quota: Quota) -> dict[str, Any]:
    said = {
        name: getattr(quota, name)
        for name in ("amount", "every", "renews", "carries", "carries_most", "over", "webhook")
    }
    return said | {"levels": ", ".join(map(str, quota.levels))}


class CreditForm(forms.Form):
    """More for the period that runs, and why; a negative amount takes back."""

    amount = _amount(
        label=gettext_lazy("How much more"),
        min_value=-_MOST,
        help_text=gettext_lazy("For the period that runs. A negative number takes back."),
    )
    words = forms.CharField(label=gettext_lazy("Why"), max_length=200)

    def clean_amount(self) -> int:
        amount: int = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError(_("Nothing is no credit."))
        return amount
