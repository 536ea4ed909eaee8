"""OVH with a virtual number, which people can answer (docs/phones/ovh_number.md)."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import e164
from phones.base import BadAnswer, Capabilities, Misconfigured, no, yes
from phones.types._ovh import Ovh
from phones.types._ovh.console import ACCOUNT, KEYS, PASTE, STATUS, TEST, OvhSettings
from phones.types._ovh.news import digits


class OvhNumber(Ovh):
    label = _("OVH virtual number")
    provider = "OVH"
    what = _("a number of your own that people in France can answer")
    can = Capabilities(
        send=yes(_("To France only")),
        receive=yes(_("Asked every minute")),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=no(_("Messages come from the number")),
        unicode=yes(),
        long=yes(_("Up to 918 characters")),
        balance=yes(_("In credits")),
        price=yes(
            _("By its price list; once you write what a credit costs you, with each message")
        ),
        polling=yes(),
        bulk=yes(_("500 at once")),
        safe_retry=no(_("OVH is asked whether it took a message, and may not know yet")),
        signed=no(),
        opt_out=yes(_("From the STOP list of the account")),
    )
    endpoints = (STATUS,)
    setup = (
        ACCOUNT,
        KEYS,
        _(
            "Order a virtual number for this account under Telecom → SMS, and wait until it is there."
        ),
        TEST,
        PASTE,
    )

    class Settings(OvhSettings):
        number = forms.CharField(
            label=_("Virtual number"),
            help_text=_("Your number at OVH with + and its country, such as +33 7 57 59 00 00."),
            max_length=30,
        )
        field_order = ("service_name", "app_key", "app_secret", "consumer_key", "number")

        def clean_number(self) -> str:
            try:
                # No country: a national number could be read in many ways.
                return e164.parse(self.cleaned_data["number"], "")
            except e164.Invalid:
                raise forms.ValidationError(
                    gettext("Write the number with + and its country, such as +33 7 57 59 00 00.")
                ) from None

    def address(self) -> str:
        return str(self.settings.get("number", ""))

    def home(self) -> str:
        return f"{self.account}/virtualNumbers/00{digits(self.address())}"

    def sender_words(self) -> str:
        numbers = self.api.get(f"{self.account}/virtualNumbers")
        if not isinstance(numbers, list):
            raise BadAnswer(gettext("OVH did not list the numbers of the account."))
        number = {"number": self.address()}
        if digits(self.address()) not in {digits(str(item)) for item in numbers}:
            raise Misconfigured(gettext("The account does not own the number %(number)s.") % number)
        return gettext("Messages come from %(number)s.") % number
