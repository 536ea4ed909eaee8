"""Mails of ours: plain text, in the language of the request."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string


def goes_out() -> bool:
    """Say whether mails leave this machine; without a mail server they are put into files."""
    return not settings.EMAIL_BACKEND.endswith("filebased.EmailBackend")


def send(to: str, subject: str, template: str, **names: Any) -> None:
    """Send one mail. Raises OSError when the mail server does not take it (smtplib's are OSErrors).

    A line break in a subject would start another header, so there is none.
    """
    one_line = " ".join(subject.split())
    body = render_to_string(template, names).strip() + "\n"
    EmailMessage(one_line, body, settings.DEFAULT_FROM_EMAIL, [to]).send()
