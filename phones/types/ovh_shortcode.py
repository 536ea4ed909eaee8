"""OVH with a name or its short code as sender (docs/phones/ovh_shortcode.md)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import Capabilities, Misconfigured, no, yes
from phones.types._ovh import Ovh
from phones.types._ovh.api import NotThere
from phones.types._ovh.console import ACCOUNT, KEYS, PASTE, STATUS, TEST, OvhSettings

_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ._\-]{1,11}")


class OvhShortcode(Ovh):
    label = _("OVH short code")
    provider = "OVH"
    what = _("names worldwide, and a short code that French mobiles can answer")
    can = Capabilities(
        send=yes(),
        receive=yes(_("To the short code: French mobiles, within 48 hours; asked every minute")),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=yes(_("Up to 11 characters, validated by OVH")),
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
            "To show a name, add it under Senders and wait until OVH has validated it, which takes "
            "up to three days. Without a name, messages come from a short code."
        ),
        TEST,
        PASTE,
    )

    class Settings(OvhSettings):
        sender = forms.CharField(
            label=_("Sender name"),
            help_text=_(
                "A name that OVH has validated, up to 11 characters; nobody can answer it. Leave it "
                "empty for a short code that French mobiles can answer for 48 hours."
            ),
            max_length=40,
            required=False,
        )
        marketing = forms.BooleanField(
            label=_("Marketing messages"),
            help_text=_(
                "OVH adds a STOP text to each, which makes it longer, and holds it back at night and "
                "on Sundays. Required for marketing in France."
            ),
            required=False,
        )
        field_order = (
            "service_name",
            "app_key",
            "app_secret",
            "consumer_key",
            "sender",
            "marketing",
        )

        def clean_sender(self) -> str:
            name = " ".join(self.cleaned_data["sender"].split())
            if name and not _NAME.fullmatch(name):
                raise forms.ValidationError(
                    gettext(
                        "Write a name of up to 11 letters without accents, digits and spaces, or "
                        "leave it empty."
                    )
                )
            return name

    def address(self) -> str:
        return str(self.settings.get("sender") or "")

    def manner(self) -> dict[str, Any]:
        sender = {"sender": self.address()} if self.address() else {"senderForResponse": True}
        return {**sender, "noStopClause": not self.settings.get("marketing")}

    def sender_words(self) -> str:
        name = self.address()
        if not name:
            return gettext("Messages come from a short code.")
        try:
            said = self.api.get(f"{self.account}/senders/{quote(name, safe='')}")
        except NotThere:
            raise Misconfigured(
                gettext("OVH does not know the sender %(name)s. Add it under Senders at OVH.")
                % {"name": name}
            ) from None
        status = str(said.get("status") or "") if isinstance(said, dict) else ""
        if status != "enable":
            raise Misconfigured(
                gettext("OVH has not validated the sender %(name)s: %(status)s.")
                % {"name": name, "status": status}
            )
        return gettext("Messages show the name %(name)s.") % {"name": name}
