"""Mails that a mail service hands over by HTTP, read and verified by django-anymail.

Anymail's views are asked directly, without an address of their own: they know how each service wraps and
signs a mail (https://anymail.dev/en/stable/inbound/). "raw" is the mail itself as the body, as a mail
server's own script would post it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from email.message import EmailMessage
from io import BytesIO
from typing import Any

from anymail.exceptions import AnymailError, AnymailInsecureWebhookWarning
from anymail.webhooks.mailersend import MailerSendInboundWebhookView
from anymail.webhooks.mailgun import MailgunInboundWebhookView
from anymail.webhooks.postmark import PostmarkInboundWebhookView
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http.multipartparser import MultiPartParserError

from lib.mail import parse

RAW = "raw"
# Service → its view, and what that calls the key that it signs with ("" = it does not sign).
_SERVICES: Mapping[str, tuple[Any, str]] = {
    "mailgun": (MailgunInboundWebhookView, "webhook_signing_key"),
    "mailersend": (MailerSendInboundWebhookView, "inbound_secret"),
    "postmark": (PostmarkInboundWebhookView, ""),
}
_UNREADABLE = (
    AnymailError,
    ImproperlyConfigured,
    SuspiciousOperation,
    MultiPartParserError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


class Forged(Exception):
    """The call does not come from the service."""


def signs(service: str) -> bool:
    """Say whether a service signs what it posts."""
    return bool(_SERVICES.get(service, (None, ""))[1])


def verify(service: str, key: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raise Forged unless a call was signed with `key`; services that do not sign pass."""
    if not signs(service):
        return
    if not key:
        raise Forged("The signing key of the mail service is missing in the phone's settings.")
    try:
        _view(service, key).run_validators(_request(headers, body))
    except _UNREADABLE as error:
        raise Forged(str(error)) from None


def read(service: str, key: str, headers: Mapping[str, str], body: bytes) -> list[EmailMessage]:
    """Give the mails of a call. Raises ValueError for one that cannot be read."""
    if service == RAW:
        mail = parse(body)
        if not mail.keys():
            raise ValueError("The body is no mail.")
        return [mail]
    try:
        events = _view(service, key).parse_events(_request(headers, body))
    except _UNREADABLE as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return [event.message for event in events]


def _view(service: str, key: str) -> Any:
    view, name = _SERVICES[service]
    with warnings.catch_warnings():
        # The address is secret, and the page says what that is worth.
        warnings.simplefilter("ignore", AnymailInsecureWebhookWarning)
        return view(**({name: key or "none"} if name else {}))


def _request(headers: Mapping[str, str], body: bytes) -> WSGIRequest:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return WSGIRequest(
        {
            **named,
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "443",
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }
    )
