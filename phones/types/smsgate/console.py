"""What people do in the app, and the addresses it calls."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint

SETUP = (
    _("Install “SMS Gateway for Android” (sms-gate.app) on the handset and let it send SMS."),
    _("Switch on Cloud server or Local server and press the button at the foot: Online."),
    _("Copy user name, password and device ID from there into this form."),
    _("Copy the signing key from Settings → Webhooks → Signing Key."),
    _("Take the app out of Android's battery saving, else it falls asleep."),
    _("Save, test the connection, and let us set the addresses."),
)

_BUTTON = _("Press the button: it registers this address with the app.")

ENDPOINTS = (
    Endpoint(
        "status",
        _("Delivery"),
        _("Tells what became of a message. Without it, we ask every two minutes."),
        paste=(
            _BUTTON,
            _(
                "By hand, in SMSGate's web dashboard: register it as webhook for sms:sent, "
                "sms:delivered, sms:failed and sms:cancelled, one by one."
            ),
        ),
    ),
    Endpoint(
        "incoming",
        _("Incoming messages"),
        _("Brings what people write to the handset. Without it, no reply arrives."),
        paste=(
            _BUTTON,
            _(
                "By hand, in SMSGate's web dashboard: register it as webhook for sms:received, "
                "mms:received and mms:downloaded, one by one."
            ),
        ),
        carries_media=True,
    ),
)
