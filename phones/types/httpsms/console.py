"""What people do at httpsms.com, and the one address it calls."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint

SETUP = (
    _("Make an account at httpsms.com and install the app httpSMS on the handset."),
    _("Copy the API key from httpsms.com → Settings into the app and into this form."),
    _("Let the app send SMS, and take it out of Android's battery saving."),
    _("Make up a signing key: any long random text. httpSMS is told it with the address."),
    _("Save, test the connection, and let us set the address."),
)

ENDPOINTS = (
    Endpoint(
        "incoming",
        _("Everything that happens"),
        _("Brings messages, deliveries and missed calls. Without it, they come minutes late."),
        paste=(
            _("Open httpsms.com → Settings → Webhooks and add a webhook."),
            _("Paste the address and your signing key, and choose the number."),
            _("Choose all events that begin with “message”, and save."),
        ),
    ),
)
