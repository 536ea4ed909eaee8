"""What people fill in, and what they do at OVH."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint, PhoneType

_PASSWORD = {"autocomplete": "new-password"}

UNSIGNED = _("OVH does not sign its callbacks. Only OVH knows their secret address.")
STATUS = Endpoint(
    "status",
    _("Delivery"),
    _(
        "Tells at once what became of a message. Without it we ask OVH every minute, "
        "which takes longer when there is much to ask about."
    ),
    paste=(
        _("In the OVHcloud Control Panel open Telecom → SMS and choose your account."),
        _("Open Options and find the URL that is called when a state changes."),
        _("Paste the address and save."),
    ),
    methods=("GET", "POST"),
)
ACCOUNT = _(
    "In the OVHcloud Control Panel open Telecom → SMS: the name of your account looks like "
    "sms-ab12345-1."
)
KEYS = _(
    "Make keys at https://eu.api.ovh.com/createToken/index.cgi?GET=/sms&GET=/sms/*&POST=/sms/*&"
    "PUT=/sms/* with the validity “Unlimited”. OVH shows three: copy them all."
)
TEST = _("Fill in the form, save it and test the connection. Nothing is sent.")
PASTE = _("Let us set the address at OVH, or paste it yourself.")


class OvhSettings(PhoneType.Settings):
    """The account and its keys. Each type adds who the messages come from."""

    advanced: tuple[str, ...] = ("region", "credit_price", "currency")

    service_name = forms.RegexField(
        r"^sms-[a-z0-9]+-[0-9]+$",
        label=_("SMS account"),
        help_text=_("Its name in the OVHcloud Control Panel, such as sms-ab12345-1."),
        max_length=60,
        error_messages={"invalid": _("An account is named like sms-ab12345-1.")},
    )
    app_key = forms.CharField(
        label=_("Application key"),
        help_text=_("The first of the three keys that OVH shows when you make them."),
        max_length=100,
        widget=forms.PasswordInput(attrs=_PASSWORD),
    )
    app_secret = forms.CharField(
        label=_("Application secret"),
        help_text=_("The second of the three."),
        max_length=100,
        widget=forms.PasswordInput(attrs=_PASSWORD),
    )
    consumer_key = forms.CharField(
        label=_("Consumer key"),
        help_text=_(
            "The third. It must be valid for an unlimited time, else sending ends with it."
        ),
        max_length=100,
        widget=forms.PasswordInput(attrs=_PASSWORD),
    )
    region = forms.ChoiceField(
        label=_("Region"),
        help_text=_("Where your OVH account is. Each region has its own keys."),
        choices=[("", _("Europe")), ("ovh-ca", _("Canada")), ("ovh-us", _("United States"))],
        required=False,
    )
    credit_price = forms.CharField(
        label=_("Price of a credit"),
        help_text=_(
            "What one SMS credit costs you, such as 0.065. OVH counts in credits; with this, costs "
            "and balance are shown in money."
        ),
        max_length=12,
        required=False,
    )
    currency = forms.CharField(
        label=_("Currency of that price"),
        help_text=_("Three letters, such as EUR. Empty is EUR."),
        max_length=3,
        required=False,
    )

    def clean_credit_price(self) -> str:
        written: str = self.cleaned_data["credit_price"].replace(",", ".")
        if written and not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", written):
            raise forms.ValidationError(gettext("Write a price such as 0.065."))
        return written

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].upper()
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            raise forms.ValidationError(gettext("Write the three letters of a currency: EUR."))
        return currency
