"""The forms of a phone's limits, and of how its failures are watched."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from phones.models import Period, Unit, Watch

_WINDOWS = (
    (15, gettext_lazy("15 minutes")),
    (60, gettext_lazy("an hour")),
    (360, gettext_lazy("6 hours")),
    (1440, gettext_lazy("24 hours")),
)
_MARGINS = (
    (0, gettext_lazy("none")),
    (15, gettext_lazy("15 minutes")),
    (30, gettext_lazy("30 minutes")),
    (60, gettext_lazy("an hour")),
)
MOST = 1_000_000_000


class LimitForm(forms.Form):
    """One limit: it is added, or replaces that of the same period and unit."""

    amount = forms.IntegerField(label=gettext_lazy("At most"), min_value=1, max_value=MOST)
    unit = forms.ChoiceField(label=gettext_lazy("Of what"), choices=Unit.choices)
    period = forms.ChoiceField(
        label=gettext_lazy("In"),
        choices=Period.choices,
        help_text=gettext_lazy(
            "Days, weeks and months are those of the calendar, in the workspace's time zone; 24 hours and "
            "days with a number are counted back from any moment."
        ),
    )
    spill = forms.ChoiceField(
        label=gettext_lazy("When it is reached"),
        choices=[
            ("", gettext_lazy("messages wait for it")),
            ("1", gettext_lazy("other phones take those that may leave by them")),
        ],
        help_text=gettext_lazy("Nothing is lost or fails: what cannot leave waits."),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("unit") == Unit.PEOPLE and data.get("period") not in (Period.MONTH, None):
            self.add_error("period", _("Different people are counted by the month only."))
        return data


class WatchForm(forms.Form):
    """How failures are watched; with both rates empty they are not."""

    failed = forms.IntegerField(
        label=gettext_lazy("Percent that failed"),
        help_text=gettext_lazy("Wrong numbers, switched-off handsets and opt-outs do not count."),
        min_value=1,
        max_value=100,
        required=False,
    )
    unknown = forms.IntegerField(
        label=gettext_lazy("Percent with an unknown outcome"),
        help_text=gettext_lazy("Leave both empty to watch nothing."),
        min_value=1,
        max_value=100,
        required=False,
    )
    window = forms.TypedChoiceField(
        label=gettext_lazy("Within"), choices=_WINDOWS, coerce=int, initial=60
    )
    least = forms.IntegerField(
        label=gettext_lazy("Of at least so many messages"), min_value=1, max_value=MOST, initial=20
    )
    margin = forms.TypedChoiceField(
        label=gettext_lazy("Leave out the latest"),
        choices=_MARGINS,
        coerce=int,
        initial=0,
        help_text=gettext_lazy("For networks that are slow to report."),
    )
    action = forms.ChoiceField(
        label=gettext_lazy("Then"),
        choices=Watch.Action.choices,
        initial=Watch.Action.ALERT,
        help_text=gettext_lazy(
            "Owners and administrators get a mail in any case. A phone that rests goes on by itself once a "
            "few messages have arrived; one that is paused waits for somebody to start it."
        ),
    )
    webhook = forms.URLField(
        label=gettext_lazy("Call this address too"),
        help_text=gettext_lazy(
            "For a chat or a monitor of yours: it gets the phone and the reason as JSON, by POST."
        ),
        assume_scheme="https",
        max_length=500,
        required=False,
    )
