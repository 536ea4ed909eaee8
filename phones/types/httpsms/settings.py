"""What people fill in: the account, the handset's number, and the key that signs callbacks."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import is_base
from phones.base import PhoneType

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class SettingsForm(PhoneType.Settings):
    """The account, the handset's number, and the key that signs callbacks."""

    advanced = ("base_url",)

    api_key = forms.CharField(
        label=_("API key"),
        help_text=_("On httpsms.com under Settings."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    number = forms.CharField(
        label=_("Number"),
        help_text=_("Of the handset, as the app shows it: +33 6 12 34 56 78."),
        max_length=30,
    )
    signing_key = forms.CharField(
        label=_("Signing key"),
        help_text=_("Make up any long random text. It signs what httpSMS tells us."),
        min_length=16,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    base_url = forms.CharField(
        label=_("Address of the API"),
        help_text=_("Of a server of your own. Leave it empty for httpsms.com."),
        max_length=200,
        required=False,
    )

    def clean_number(self) -> str:
        number = re.sub(r"\(0\)|[\s().\-]", "", self.cleaned_data["number"])
        if not _NUMBER.fullmatch(number):
            raise forms.ValidationError(
                gettext("Write the number with + and its country, such as +33 6 12 34 56 78.")
            )
        return number

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"].rstrip("/")
        if url and not is_base(url, path=False):
            raise forms.ValidationError(
                gettext("Write an address such as https://httpsms.example.org.")
            )
        return url
