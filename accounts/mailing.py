"""The mail server that mails leave by: the one that administrators have set, else that of the environment.

It is looked up for each mail, so that every process uses a new one at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.db import DatabaseError

from accounts.models import Site
from lib.vault import Unreadable

PLAIN, STARTTLS, TLS = "none", "starttls", "tls"


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server: `security` is PLAIN, STARTTLS or TLS, `sender` whom mails come from ("" = as ever)."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""

    def connection(self, **options: Any) -> BaseEmailBackend:
        return EmailBackend(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.security == STARTTLS,
            use_ssl=self.security == TLS,
            timeout=settings.EMAIL_TIMEOUT,
            **options,
        )


def stored() -> Server | None:
    """Give the server that administrators have set. Raises OSError where it cannot be read."""
    try:
        row = Site.objects.defer("logo").filter(pk=1).exclude(mail_host="").first()
        secrets = row.mail_secrets if row else {}
    except (DatabaseError, Unreadable) as error:
        raise OSError(f"The mail server's settings cannot be read: {error}") from error
    if row is None:
        return None
    return Server(
        host=row.mail_host,
        port=row.mail_port,
        security=row.mail_security,
        user=row.mail_user,
        password=str(secrets.get("password", "")),
        sender=row.mail_from,
    )


class Backend(BaseEmailBackend):
    """Django's way in (EMAIL_BACKEND). Sends by `server`, else by the one that is stored, else as the
    environment says. Raises OSError (smtplib's are OSErrors) unless it should fail silently."""

    def __init__(self, fail_silently: bool = False, server: Server | None = None, **_: Any) -> None:
        super().__init__(fail_silently)
        self._server = server
        self._open: BaseEmailBackend | None = None

    def open(self) -> bool | None:
        self._open = self._connection()
        return self._open.open()

    def close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        connection = self._open or self._connection()
        server = self._server
        for message in email_messages:
            if server and server.sender and message.from_email == settings.DEFAULT_FROM_EMAIL:
                message.from_email = server.sender
        try:
            return connection.send_messages(email_messages) or 0
        except OSError:
            # Django's leaves the connection of a log-in that was refused open.
            with suppress(OSError):
                connection.close()
            raise

    def _connection(self) -> BaseEmailBackend:
        self._server = self._server or stored()
        if self._server:
            return self._server.connection(fail_silently=self.fail_silently)
        otherwise = settings.EMAIL_BACKEND_OTHERWISE
        return get_connection(otherwise, fail_silently=self.fail_silently)


def words_of(error: Exception) -> str:
    """Give what a mail server said when it refused us, else what went wrong on the way to it."""
    if isinstance(error, SMTPRecipientsRefused):
        error = SMTPResponseException(*next(iter(error.recipients.values())))
    if isinstance(error, SMTPResponseException):
        said = error.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {words}"[:300]
    told = error.strerror if isinstance(error, OSError) else ""
    return (told or str(error) or type(error).__name__)[:300]
