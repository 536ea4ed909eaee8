"""Octopush with a name or a random short code as sender (docs/phones/octopush_shortcode.md)."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import Capabilities, no, yes
from phones.types._octopush import Octopush
from phones.types._octopush.console import (
    CREDIT,
    KEYS,
    PASTE,
    STATUS,
    TEST,
    OctopushSettings,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ]{1,9}[A-Za-z0-9]")


class OctopushShortcode(Octopush):
    label = _("Octopush short code")
    provider = "Octopush"
    what = _("names and short codes, mostly France; sends only")
    can = Capabilities(
        send=yes(),
        receive=no(_("A virtual number of Octopush receives")),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("With Premium quality")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=yes(_("3 to 11 letters, digits and spaces")),
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
    endpoints = (STATUS,)
    setup = (
        KEYS,
        CREDIT,
        _("Choose a name that people see as the sender, or leave it empty for a short code."),
        TEST,
        PASTE,
    )

    class Settings(OctopushSettings):
        sender = forms.CharField(
            label=_("Sender name"),
            help_text=_(
                "3 to 11 letters, digits and spaces. Leave it empty and Octopush sends from a short "
                "code, which may be another one each time. Nobody can answer either."
            ),
            max_length=40,
            required=False,
        )
        field_order = ("login", "api_key", "sender")

        def clean_sender(self) -> str:
            name = " ".join(self.cleaned_data["sender"].split())
            if name and not _NAME.fullmatch(name):
                raise forms.ValidationError(
                    gettext(
                        "Write a name of 3 to 11 letters without accents, digits and spaces, or "
                        "leave it empty."
                    )
                )
            return name

    def address(self) -> str:
        return str(self.settings.get("sender") or "")

    def sender(self) -> dict[str, Any]:
        return {"sender": self.address()} if self.address() else {}
