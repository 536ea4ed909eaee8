"""What people do in the Twilio Console: make an account, and paste our addresses."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint, Words

SETUP = (
    _("Open the Twilio Console (console.twilio.com) and copy the Account SID and Auth token."),
    _(
        "Buy a number under Phone Numbers → Manage → Buy a number, or make a Messaging Service "
        "under Messaging → Services. A name needs no purchase; some countries want it registered."
    ),
    _("Enable the countries you write to under Messaging → Settings → Geo permissions."),
    _("Fill in the form, save it and test the connection. Nothing is sent."),
    _("Let us set the addresses at Twilio, or paste them yourself."),
)


def _open_number(field: Words) -> tuple[Words, ...]:
    """Give the steps that lead to a field of a number's page in the Twilio Console."""
    return (
        _("In the Twilio Console open Phone Numbers → Manage → Active numbers and choose yours."),
        field,
        _("Paste the address, choose HTTP POST, and save."),
    )


ENDPOINTS = (
    Endpoint(
        "status",
        _("Delivery"),
        _("Tells what became of a message. Without it, messages stay at “sent”."),
        methods=("POST", "GET"),
        automatic=True,
    ),
    Endpoint(
        "incoming",
        _("Incoming messages"),
        _("Brings what people write to your number. Without it, no reply arrives."),
        paste=(
            *_open_number(_("Under Messaging Configuration find “A message comes in”.")),
            _(
                "With a Messaging Service, paste it instead under Messaging → Services → yours → "
                "Integration, at “Send a webhook”."
            ),
        ),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call",
        _("Incoming calls"),
        _("Tells who is ringing; the caller hears a busy tone. Without it, nobody knows."),
        paste=_open_number(_("Under Voice Configuration find “A call comes in”.")),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call_end",
        _("End of a call"),
        _("Tells how a call ended. Without it, only its beginning is shown."),
        paste=_open_number(_("Under Voice Configuration find “Call status changes”.")),
        methods=("POST", "GET"),
    ),
)
