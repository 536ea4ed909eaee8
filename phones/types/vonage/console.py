"""What people do in the Vonage dashboard: rent a number, and paste our addresses."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint

SETUP = (
    _("Open the Vonage dashboard (dashboard.vonage.com) and copy API key and API secret."),
    _("Under API Settings copy the signature secret, and see which API your account uses for SMS."),
    _("Rent a number under Numbers → Buy numbers. A name needs no number."),
    _("Fill in the form, save it and test the connection. Nothing is sent."),
    _("To receive messages and calls, paste this site's addresses at Vonage."),
)

_APPLICATION = (
    _("In the Vonage dashboard open Applications and choose yours, or make one."),
    _("Your number must be linked to this application, at the bottom of its page."),
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
            *_APPLICATION,
            _("Switch on Messages, paste the address at Inbound URL, choose version v1, and save."),
            _("With the SMS API, paste it instead under API Settings at Inbound SMS webhooks."),
        ),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call",
        _("Incoming calls"),
        _("Tells who is ringing; the call is not taken. Without it, nobody knows."),
        paste=(
            *_APPLICATION,
            _("Switch on Voice, paste the address at Answer URL, choose POST, and save."),
        ),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call_end",
        _("End of a call"),
        _("Tells how a call ended. Without it, only its beginning is shown."),
        paste=(
            *_APPLICATION,
            _("Switch on Voice, paste the address at Event URL, choose POST, and save."),
        ),
        methods=("POST", "GET"),
    ),
)
