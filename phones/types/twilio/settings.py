"""What people fill in: the account, and who the messages come from."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import is_base
from phones.base import PhoneType

# What a sender can be: a number with its country, a Messaging Service, a name that networks show.
NUMBER = re.compile(r"\+[1-9]\d{6,14}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +\-_&]{1,11}")
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY = re.compile(r"SK[0-9a-fA-F]{32}")


class SettingsForm(PhoneType.Settings):
    """The account, and who the messages come from."""

    advanced = ("api_key_sid", "api_key_secret", "webhook_secret", "base_url", "edge", "region")

    account_sid = forms.CharField(
        label=_("Account SID"),
        help_text=_("On the first page of the Twilio Console. It starts with AC."),
        max_length=64,
    )
    auth_token = forms.CharField(
        label=_("Auth token"),
        help_text=_("Under the Account SID. Twilio also signs its callbacks with it."),
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        help_text=_(
            "Your Twilio number (+33 6 12 34 56 78), a name of up to 11 characters, or the SID of a "
            "Messaging Service (MG…). Nobody can answer a name."
        ),
        max_length=40,
    )
    api_key_sid = forms.CharField(
        label=_("API key SID"),
        help_text=_(
            "Sends with an API key (SK…) in place of the auth token. The auth token is still needed "
            "to verify callbacks."
        ),
        max_length=64,
        required=False,
    )
    api_key_secret = forms.CharField(
        label=_("API key secret"),
        help_text=_("Twilio shows it once, when the key is made."),
        max_length=100,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    webhook_secret = forms.CharField(
        label=_("Shared key for callbacks"),
        help_text=_("Only if your account signs callbacks with a shared key, not the auth token."),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    base_url = forms.CharField(
        label=_("Address of the API"),
        help_text=_("For a server that speaks Twilio's API. Leave it empty for Twilio itself."),
        max_length=200,
        required=False,
    )
    edge = forms.RegexField(
        r"^[a-z0-9-]+$",
        label=_("Edge"),
        help_text=_("Where requests enter Twilio's network, such as dublin."),
        max_length=40,
        required=False,
        error_messages={"invalid": _("An edge has only small letters, digits and dashes.")},
    )
    region = forms.RegexField(
        r"^[a-z0-9-]+$",
        label=_("Region"),
        help_text=_("Where Twilio keeps your data, such as ie1. Each region has its own token."),
        max_length=40,
        required=False,
        error_messages={"invalid": _("A region has only small letters, digits and dashes.")},
    )

    def clean_sender(self) -> str:
        written = " ".join(self.cleaned_data["sender"].split())
        number = re.sub(r"\(0\)|[\s().\-]", "", written)
        if NUMBER.fullmatch(number):
            return number
        if SERVICE.fullmatch(written) or _NAME.fullmatch(written):
            return written
        raise forms.ValidationError(
            gettext(
                "This is no sender. Write a number with + and its country, such as "
                "+33 6 12 34 56 78, a name of at most 11 letters and digits, or a Messaging Service "
                "SID: MG and 32 characters."
            )
        )

    def clean_api_key_sid(self) -> str:
        sid: str = self.cleaned_data["api_key_sid"]
        if sid and not _KEY.fullmatch(sid):
            raise forms.ValidationError(gettext("An API key SID is SK and 32 characters."))
        return sid

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"].rstrip("/")
        if url and not is_base(url):
            raise forms.ValidationError(
                gettext("Write an address such as https://twilio.example.org, without ? or #.")
            )
        return url

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        sid = given.get("account_sid", "")
        # Compatible servers name their accounts as they like.
        if sid and not given.get("base_url") and not _ACCOUNT.fullmatch(sid):
            self.add_error("account_sid", gettext("An Account SID is AC and 32 characters."))
        if given.get("api_key_sid") and not given.get("api_key_secret"):
            self.add_error("api_key_secret", gettext("This API key needs its secret."))
        if given.get("api_key_secret") and "api_key_sid" in given and not given["api_key_sid"]:
            self.add_error("api_key_sid", gettext("This secret needs the SID of its API key."))
        return given
