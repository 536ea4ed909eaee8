"""What people type about those they write to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib import e164


class OptOutForm(forms.Form):
    number = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "dir": "ltr"}),
        help_text=gettext_lazy("As you would dial it, or with + and the country code."),
    )
    detail = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("For those who ask later, such as “asked by telephone”."),
    )

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country

    def clean_number(self) -> str:
        """Give the number as E.164."""
        try:
            return e164.parse(self.cleaned_data["number"], self.country)
        except e164.Invalid as error:
            raise forms.ValidationError(_why(error)) from None


def _why(error: e164.Invalid) -> str:
    words = {
        "too_short": _("%(number)s is too short for a phone number."),
        "too_long": _("%(number)s is too long for a phone number."),
        "country": _("%(number)s has no country code that exists."),
    }
    otherwise = _("%(number)s is no phone number.")
    return words.get(error.why, otherwise) % {"number": error.written}
