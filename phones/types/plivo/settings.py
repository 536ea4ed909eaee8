"""What people fill in: the account, and who the messages come from."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import PhoneType

_ACCOUNT = r"[MS]A[A-Z0-9]{18}"
NUMBER = re.compile(r"\+?[1-9]\d{8,14}")
_SHORT_CODE = re.compile(r"\d{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
POWERPACK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SettingsForm(PhoneType.Settings):
    """The account, and who the messages come from."""

    auth_id = forms.RegexField(
        _ACCOUNT,
        label=_("Auth ID"),
        help_text=_("On the first page of the Plivo console. It starts with MA, or with SA."),
        max_length=20,
        error_messages={"invalid": _("An Auth ID is MA or SA and 18 letters and digits.")},
    )
    auth_token = forms.CharField(
        label=_("Auth Token"),
        help_text=_("Beside the Auth ID. Plivo also signs its callbacks with it."),
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        help_text=_(
            "Your Plivo number (+33 6 12 34 56 78), a short code, a name of up to 11 letters, or "
            "the UUID of a Powerpack. Nobody can answer a name."
        ),
        max_length=40,
    )

    def clean_sender(self) -> str:
        written = " ".join(self.cleaned_data["sender"].split())
        number = re.sub(r"\(0\)|[\s().\-]", "", written)
        if NUMBER.fullmatch(number):
            return "+" + number.removeprefix("+")
        if _SHORT_CODE.fullmatch(number):
            return number
        if POWERPACK.fullmatch(written.lower()):
            return written.lower()
        if _NAME.fullmatch(written):
            return written
        raise forms.ValidationError(
            gettext(
                "This is no sender. Write a number with + and its country, a short code, a name "
                "of at most 11 letters and digits, or the UUID of a Powerpack."
            )
        )
