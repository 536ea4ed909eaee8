"""Mails of ours: plain text, in the language of the request."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from accounts import mailing, site


def goes_out() -> bool:
    """Say whether mails leave this machine; without a mail server they are put into files."""
    backend = settings.EMAIL_BACKEND
    if backend == f"{mailing.__name__}.{mailing.Backend.__name__}":
        backend = settings.EMAIL_BACKEND_OTHERWISE
    return bool(site.current().mail_host) or not backend.endswith("filebased.EmailBackend")


def send(to: str, subject: str, template: str, **names: Any) -> None:
    """Send one mail. Raises OSError when the mail server does not take it (smtplib's are OSErrors)."""
    _written(to, subject, template, names).send()


def send_by(server: mailing.Server | None, to: str, subject: str, template: str) -> None:
    """Send one mail by a certain server, None for ours. Raises OSError."""
    message = _written(to, subject, template, {})
    if server:
        message.connection = mailing.Backend(server=server)
    message.send()


def _written(to: str, subject: str, template: str, names: dict[str, Any]) -> EmailMessage:
    """Write a mail. A line break in a subject would start another header, so there is none."""
    one_line = " ".join(subject.split())
    body = render_to_string(template, names).strip() + "\n"
    return EmailMessage(one_line, body, settings.DEFAULT_FROM_EMAIL, [to])
