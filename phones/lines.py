"""From a phone's row to a phone type at work, with its secrets hidden from what it writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from django.conf import settings

from lib.http import Guard, Http, Trace
from lib.mail import Mail
from lib.redact import Redactor
from phones.base import PhoneError, PhoneType
from phones.models import Exchange, Phone


def secrets_of(phone: Phone) -> list[str]:
    """Give the values that must never be shown: its secret settings and its callback token."""
    stored = phone.settings
    return [phone.token, *(str(stored.get(name) or "") for name in phone.kind.secret_fields())]


def redactor_of(phone: Phone) -> Redactor:
    return Redactor(secrets_of(phone))


def hushed(phone: Phone, error: PhoneError) -> PhoneError:
    """Give the error, secrets hidden: its words are stored, shown and mailed, and some providers
    repeat in them what they were told."""
    redactor = redactor_of(phone)
    error.words, error.code = redactor.text(error.words), redactor.text(error.code)
    return error


def guard_of(phone: Phone) -> Guard:
    """Allow what the operator allows, and the hosts the operator himself set for this type."""
    given = settings.PHONE_SETTINGS.get(phone.type, {}).values()
    hosts = {urlsplit(str(value)).hostname or "" for value in given} - {""}
    return Guard(frozenset({*settings.ALLOW_PRIVATE_ADDRESSES, *hosts}))


def line(
    phone: Phone, record: Callable[[Trace], None] = lambda trace: None, *, connections: int = 4
) -> PhoneType:
    """Give the phone's type ready to talk; `record` gets each redacted exchange."""
    http = Http(
        guard=guard_of(phone),
        secrets=secrets_of(phone),
        record=record,
        connections=connections,
    )
    kind = phone.kind(phone.full_settings, http, phone.addresses)
    kind.mail = Mail(guard=guard_of(phone), redactor=http.redactor, record=record)
    return kind


def exchange(phone: Phone, trace: Trace, message: int = 0) -> Exchange:
    """Give the row, not yet saved, that keeps one of our own requests."""
    return Exchange(
        phone=phone,
        message=message,
        direction=Exchange.Direction.OUT,
        method=trace.method,
        url=trace.url,
        sent=trace.sent,
        received=trace.received,
        status=trace.status,
        ms=trace.ms,
        error=trace.error,
    )


def keep(phone: Phone, traces: Iterable[Trace], message: int = 0) -> None:
    """Store exchanges so that people can read them on the phone's page."""
    Exchange.objects.bulk_create([exchange(phone, trace, message) for trace in traces])
