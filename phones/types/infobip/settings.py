"""What people fill in: the account's own address, its key, and who the messages come from."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import is_base
from phones.base import PhoneType

_NUMBER = re.compile(r"\+?[1-9]\d{8,14}")
_SHORT_CODE = re.compile(r"\d{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


class SettingsForm(PhoneType.Settings):
    """The account, and who the messages come from."""

    base_url = forms.CharField(
        label=_("Base URL"),
        help_text=_(
            "Your account's own address, such as https://xxxxx.api.infobip.com. The home page of the "
            "Infobip portal shows it."
        ),
        max_length=200,
    )
    api_key = forms.CharField(
        label=_("API key"),
        help_text=_("Under it on the same page, or under Developer Tools → API keys."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        help_text=_(
            "Your Infobip number (+33 6 12 34 56 78), a short code, or a name of up to 11 letters. "
            "Nobody can answer a name."
        ),
        max_length=40,
    )

    def clean_base_url(self) -> str:
        written: str = self.cleaned_data["base_url"].rstrip("/")
        url = written if "://" in written else f"https://{written}"
        if is_base(url, path=False):
            return url
        raise forms.ValidationError(
            gettext("Write an address such as https://xxxxx.api.infobip.com, and nothing after it.")
        )

    def clean_sender(self) -> str:
        written = " ".join(self.cleaned_data["sender"].split())
        number = re.sub(r"\(0\)|[\s().\-]", "", written)
        if _NUMBER.fullmatch(number):
            return "+" + number.removeprefix("+")
        if _SHORT_CODE.fullmatch(number):
            return number
        if _NAME.fullmatch(written):
            return written
        raise forms.ValidationError(
            gettext(
                "This is no sender. Write a number with + and its country, a short code, or a name "
                "of at most 11 letters and digits."
            )
        )
