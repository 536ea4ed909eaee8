"""Octopush with a virtual number, which people can answer (docs/phones/octopush_number.md)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import e164
from phones.base import Capabilities, no, yes
from phones.types._octopush import Octopush
from phones.types._octopush.console import (
    CREDIT,
    INCOMING,
    KEYS,
    PASTE,
    STATUS,
    TEST,
    OctopushSettings,
)


class OctopushNumber(Octopush):
    label = _("Octopush virtual number")
    provider = "Octopush"
    what = _("a number of your own, mostly France; people can answer")
    can = Capabilities(
        send=yes(),
        receive=yes(),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("With Premium quality")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=no(_("Messages come from the number")),
        unicode=yes(),
        long=yes(_("Up to 1224 characters")),
        balance=yes(),
        price=yes(_("Said when a message is taken")),
        polling=no(),
        bulk=yes(_("500 at once")),
        safe_retry=yes(_("For 24 hours")),
        signed=no(),
        opt_out=yes(),
    )
    endpoints = (STATUS, INCOMING)
    setup = (
        KEYS,
        CREDIT,
        _("Rent a virtual number at octopush.com and wait until it is active."),
        TEST,
        PASTE,
    )

    class Settings(OctopushSettings):
        number = forms.CharField(
            label=_("Virtual number"),
            help_text=_(
                "Your number at Octopush with + and its country, such as +33 7 57 59 00 00."
            ),
            max_length=30,
        )
        field_order = ("login", "api_key", "number")

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

    def sender(self) -> dict[str, Any]:
        return {"sender": self.address(), "with_replies": True}
