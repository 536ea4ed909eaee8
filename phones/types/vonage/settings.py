"""What people fill in: the account, which of its two APIs, and who the messages come from."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import PhoneType

MESSAGES, SMS = "messages", "sms"
_NUMBER = re.compile(r"\+?[1-9]\d{8,14}")
_SHORT_CODE = re.compile(r"\d{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


class SettingsForm(PhoneType.Settings):
    """The account, and who the messages come from."""

    advanced = ("signature_method",)

    account = forms.RegexField(
        r"^[A-Za-z0-9]+$",
        label=_("API key"),
        help_text=_("The short name of your account, at the top of the Vonage dashboard."),
        max_length=40,
        error_messages={"invalid": _("An API key has only letters and digits.")},
    )
    api_secret = forms.CharField(
        label=_("API secret"),
        help_text=_("Beside the API key, or under API Settings."),
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        help_text=_(
            "Your Vonage number (+33 6 12 34 56 78), a short code, or a name of up to 11 letters. "
            "Nobody can answer a name."
        ),
        max_length=40,
    )
    api = forms.ChoiceField(
        label=_("API"),
        help_text=_(
            "As it stands under API Settings → SMS settings. The Messages API can send pictures, the SMS "
            "API flash messages."
        ),
        choices=((MESSAGES, _("Messages API")), (SMS, _("SMS API"))),
        initial=MESSAGES,
    )
    signature_secret = forms.CharField(
        label=_("Signature secret"),
        help_text=_(
            "Under API Settings: Vonage signs its callbacks with it. With the SMS API leave it empty "
            "unless Vonage signs callbacks for you."
        ),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    signature_method = forms.ChoiceField(
        label=_("Signature method"),
        help_text=_("Under API Settings. Only for the SMS API."),
        choices=(
            ("md5hash", _("MD5 hash")),
            ("md5", _("MD5 HMAC")),
            ("sha1", _("SHA-1 HMAC")),
            ("sha256", _("SHA-256 HMAC")),
            ("sha512", _("SHA-512 HMAC")),
        ),
        initial="md5hash",
        required=False,
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

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("api") == MESSAGES and not given.get("signature_secret"):
            self.add_error(
                "signature_secret",
                gettext("The Messages API signs its callbacks: we need the secret to verify them."),
            )
        return given
