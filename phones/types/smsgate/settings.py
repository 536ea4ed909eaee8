"""What people fill in: where the app is reached, and what it asks for."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import is_base
from phones.base import PhoneType

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class SettingsForm(PhoneType.Settings):
    """Where the app is reached, and what it asks for."""

    advanced = ("sim", "hours")

    where = forms.ChoiceField(
        label=_("Server"),
        help_text=_(
            "As chosen in the app. The handset itself can be called from the same network or a VPN only."
        ),
        choices=(
            ("cloud", _("SMSGate's cloud")),
            ("private", _("A private server")),
            ("local", _("The handset itself (local server)")),
        ),
    )
    base_url = forms.CharField(
        label=_("Address"),
        help_text=_(
            "Of your private server (https://sms.example.org) or of the handset "
            "(http://192.168.1.20:8080). Leave it empty for the cloud."
        ),
        max_length=200,
        required=False,
    )
    username = forms.CharField(
        label=_("User name"),
        help_text=_("The app shows it on its first page, under the mode you chose."),
        max_length=100,
    )
    password = forms.CharField(
        label=_("Password"),
        help_text=_("Under the user name."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    signing_key = forms.CharField(
        label=_("Signing key"),
        help_text=_(
            "In the app: Settings → Webhooks → Signing Key. It signs what the app tells us."
        ),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    device_id = forms.RegexField(
        r"^[A-Za-z0-9_-]+$",
        label=_("Device ID"),
        help_text=_(
            "Under the password in the app. Messages then leave by this handset only, and one "
            "whose outcome is unknown can be handed over again without being sent twice. The "
            "local server needs none."
        ),
        max_length=40,
        required=False,
        error_messages={"invalid": _("A device ID has letters, digits, _ and - only.")},
    )
    number = forms.CharField(
        label=_("Number"),
        help_text=_("Of its SIM card, with country: +33 6 12 34 56 78. Only shown to you."),
        max_length=30,
        required=False,
    )
    sim = forms.ChoiceField(
        label=_("SIM card"),
        help_text=_("For a handset with several."),
        choices=(("", _("As the app decides")), ("1", "1"), ("2", "2"), ("3", "3")),
        required=False,
    )
    hours = forms.IntegerField(
        label=_("Give up after hours"),
        help_text=_(
            "A message that the handset could not send by then fails. Empty: it waits for ever."
        ),
        min_value=1,
        max_value=720,
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
                gettext("Write an address such as http://192.168.1.20:8080, without ? or #.")
            )
        return url

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        where = given.get("where")
        if where in ("private", "local") and given.get("base_url") == "":
            self.add_error("base_url", gettext("Say where the server is."))
        if where == "cloud" and given.get("base_url"):
            self.add_error("base_url", gettext("The cloud has its own address: leave this empty."))
        return given
