"""What people fill in, what they do at textbee, and the one address it calls."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import is_base
from phones.base import Endpoint, PhoneType

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")

SETUP = (
    _("Make an account at textbee.dev and install the app textbee on the handset."),
    _("In textbee's dashboard make an API key, and scan its QR code with the app."),
    _("Copy the API key and the handset's ID into this form."),
    _("Let the app send SMS, and take it out of Android's battery saving."),
    _("Make up a signing secret: any long random text. textbee is told it with the address."),
    _("Save, test the connection, and let us set the address."),
)

ENDPOINTS = (
    Endpoint(
        "incoming",
        _("Everything that happens"),
        _("Brings messages and deliveries. Without it, they come minutes late."),
        paste=(
            _("In textbee's dashboard open Webhooks and create one."),
            _("Paste the address as delivery URL, and your signing secret."),
            _("Choose the events message received, sent, delivered and failed, and save."),
        ),
    ),
)


class SettingsForm(PhoneType.Settings):
    """The account, the handset, and the secret that signs callbacks."""

    advanced = ("sim", "base_url")

    api_key = forms.CharField(
        label=_("API key"),
        help_text=_("In textbee's dashboard under API keys. It is shown once, when it is made."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    device_id = forms.RegexField(
        r"^[A-Za-z0-9_-]+$",
        label=_("Device ID"),
        help_text=_("In textbee's dashboard under Devices, and in the app."),
        max_length=50,
        error_messages={"invalid": _("A device ID has letters, digits, _ and - only.")},
    )
    signing_secret = forms.CharField(
        label=_("Signing secret"),
        help_text=_(
            "Make up any long random text of at least 20 characters. It signs what textbee tells us."
        ),
        min_length=20,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    number = forms.CharField(
        label=_("Number"),
        help_text=_("Of its SIM card, with country: +33 6 12 34 56 78. Only shown to you."),
        max_length=30,
        required=False,
    )
    sim = forms.IntegerField(
        label=_("SIM card"),
        help_text=_(
            "The subscription ID of the SIM card to send with, as textbee's dashboard shows it for a "
            "handset with several. Empty: the handset's own choice."
        ),
        min_value=0,
        max_value=1_000_000,
        required=False,
    )
    base_url = forms.CharField(
        label=_("Address of the API"),
        help_text=_(
            "Of a server of your own, such as https://textbee.example.org/api/v1. Leave it empty for "
            "textbee.dev."
        ),
        max_length=200,
        required=False,
    )

    def clean_number(self) -> str:
        number = re.sub(r"\(0\)|[\s().\-]", "", self.cleaned_data["number"])
        if number and not _NUMBER.fullmatch(number):
            raise forms.ValidationError(
                gettext("Write the number with + and its country, such as +33 6 12 34 56 78.")
            )
        return number

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"].rstrip("/")
        if url and not is_base(url):
            raise forms.ValidationError(
                gettext("Write an address such as https://textbee.example.org/api/v1.")
            )
        return url
