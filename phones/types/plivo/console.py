"""What people do in the Plivo console: buy a number, and paste our addresses."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint

SETUP = (
    _("Open the Plivo console (cx.plivo.com) and copy the Auth ID and Auth Token."),
    _("Buy a number under Phone Numbers → Buy Numbers, with the capability SMS."),
    _("Enable the countries you write to under Messaging → Geo Permissions."),
    _("Fill in the form, save it and test the connection. Nothing is sent."),
    _("Make an application with this site's addresses, and give it to your number."),
)

_APPLICATION = (
    _("In the Plivo console open Messaging → Applications (for calls Voice → Applications)."),
    _("Open your application or make one. The same application can take messages and calls."),
)
_NUMBERS = _("Under Phone Numbers → Your Numbers choose your number and give it this application.")

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
            _("Paste the address at Message URL, choose POST, and save."),
            _NUMBERS,
        ),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call",
        _("Incoming calls"),
        _("Tells who is ringing; the caller hears a busy tone. Without it, nobody knows."),
        paste=(
            *_APPLICATION,
            _("Paste the address at Answer URL, choose POST, and save."),
            _NUMBERS,
        ),
        methods=("POST", "GET"),
    ),
    Endpoint(
        "call_end",
        _("End of a call"),
        _("Tells how a call ended. Without it, only its beginning is shown."),
        paste=(
            *_APPLICATION,
            _("Paste the address at Hangup URL, choose POST, and save."),
            _NUMBERS,
        ),
        methods=("POST", "GET"),
    ),
)
