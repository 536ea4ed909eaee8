"""The way out by mail: SMTP to send, IMAP to read. As guarded, timed, recorded and honest as `lib.http`.

A mail has left once the dot that ends its DATA was written (RFC 5321 §4.1.1.4): before it a server must
not deliver anything, so whatever breaks raises `NotSent`; after it `NoAnswer`. A server that says no
raises `Refused`, with its own code and words.
"""

from __future__ import annotations

import imaplib
import io
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import EmailPolicy
from typing import Any, Literal, NoReturn

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from lib import stored
from lib.http import KEPT, TIMEOUT, WITHIN, Guard, InTime, NoAnswer, NotSent, Trace
from lib.redact import Redactor

Security = Literal["tls", "starttls", "none"]
# Seconds that an unused SMTP connection is kept; servers wait for five minutes (RFC 5321 §4.5.3.2.7).
_KEPT_FOR = 20.0
# Bytes of one mail that are read at most: a reply to an SMS with a picture fits.
MAIL_LIMIT = 8 * 1024 * 1024
# Seconds between two questions to a mailbox that cannot tell of news by itself.
_ASK_EVERY = 10.0
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
# Characters of a header that are taken apart: that takes more than twice as long for twice as many.
_LONGEST_HEADER = 4000


class Refused(Exception):
    """The server said no: `code` as SMTP gives it, 0 where there is none, and its own `words`.

    `step` says to what: "connect", "tls", "login", "sender", "recipient", "message", "folder", ...
    """

    def __init__(self, step: str, code: int, words: str) -> None:
        self.step, self.code, self.words = step, code, words
        super().__init__(f"{code} {words}".strip("0 ") or step)


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server, and who we are to it. `security` "tls" = encrypted from the first byte."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """The last answer to a mail that was taken."""

    code: int
    words: str


class _Tolerant(EmailPolicy):
    """How mails of strangers are read: a header that cannot be taken apart stays as it is written."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        if len(value) <= _LONGEST_HEADER:
            # Python's parsers of headers raise whatever they like on what is none (IndexError, ...).
            with suppress(Exception):
                header: str = super().header_fetch_parse(name, value)
                return header
        return stored.text(" ".join(value[:_LONGEST_HEADER].split()))


_TOLERANT = _Tolerant()


def parse(content: bytes) -> EmailMessage:
    """Read a mail, however odd it is."""
    mail = message_from_bytes(content, policy=_TOLERANT)
    assert isinstance(mail, EmailMessage)
    return mail


def _connected(server: Server, guard: Guard, ends: float) -> socket.socket:
    """Connect to an address that the guard allows, and encrypt if that comes first. Raises NotSent."""
    error: OSError | None = None
    for address in guard.addresses(server.host, server.port):
        if time.monotonic() > ends:
            break
        try:
            plain = socket.create_connection((address, server.port), TIMEOUT[0])
        except OSError as failed:
            error = failed
            continue
        return _encrypted(plain, server) if server.security == "tls" else plain
    raise NotSent(f"No connection to {server.host}:{server.port}: {error}.")


def _encrypted(plain: socket.socket, server: Server) -> socket.socket:
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=server.host)
    except OSError as error:
        plain.close()
        raise NotSent(f"No encryption with {server.host}:{server.port}: {error}.") from None


class _Smtp(smtplib.SMTP):
    """A connection that is guarded, ends in time and remembers what it `heard`."""

    def __init__(self, server: Server, guard: Guard, name: str) -> None:
        super().__init__(local_hostname=name, timeout=TIMEOUT[1])
        self.server, self._guard = server, guard
        self.heard: list[str] = []
        self.used = self.ends = time.monotonic()
        self._host = server.host  # what STARTTLS compares the certificate with

    def _get_socket(self, *_: Any) -> socket.socket:
        sock = _connected(self.server, self._guard, self.ends)
        sock.settimeout(TIMEOUT[1])
        return sock

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(InTime(self.sock, lambda: self.ends))
        code, words = super().getreply()
        self.heard.append(f"{code} {_text(words)}")
        return code, words

    def open(self) -> None:
        """Connect, encrypt, log in. Raises Refused, or what smtplib and the socket raise."""
        self._must("connect", self.connect(self.server.host, self.server.port))
        self._greet()
        if self.server.security == "starttls":
            try:
                self._must("tls", self.starttls(context=ssl.create_default_context()))
            except smtplib.SMTPNotSupportedError as error:
                raise Refused("tls", 0, str(error)) from None
            self._greet()
        if self.server.user:
            self._log_in()

    def _greet(self) -> None:
        try:
            self.ehlo_or_helo_if_needed()
        except smtplib.SMTPHeloError as error:
            raise Refused("connect", error.smtp_code, _text(error.smtp_error)) from None

    def _log_in(self) -> None:
        try:
            self.login(self.server.user, self.server.password)
        except smtplib.SMTPAuthenticationError as error:
            raise Refused("login", error.smtp_code, _text(error.smtp_error)) from None
        except smtplib.SMTPServerDisconnected:
            raise
        except (smtplib.SMTPException, UnicodeError) as error:
            raise Refused("login", 0, str(error)) from None

    def offer(self, sender: str, to: str, content: bytes) -> None:
        """Say all of a mail but the dot that ends it. Raises Refused, or what smtplib raises."""
        self._must("sender", self.mail(sender))
        self._must("recipient", self.rcpt(to))
        self._must("message", self.docmd("DATA"))
        ends = b"" if content.endswith(b"\r\n") else b"\r\n"
        self.send(_LEADING_DOT.sub(b"..", content) + ends)

    def finish(self) -> Heard:
        """Write the dot, and give what the server says to the whole mail. Raises Refused."""
        self.send(b".\r\n")
        code, words = self.getreply()
        self._must("message", (code, words))
        return Heard(code, _text(words))

    def _must(self, step: str, answer: tuple[int, bytes]) -> None:
        code, words = answer
        if not 200 <= code < 400:
            raise Refused(step, code, _text(words))


class Mail:
    """Send mails and read mailboxes for one phone; safe to share between threads.

    Each mail, and each visit to a mailbox, is one trace. `close` ends the SMTP connections that wait
    for the next mail.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        redactor: Redactor | None = None,
        record: Callable[[Trace], None] = lambda trace: None,
    ) -> None:
        self._guard = guard or Guard()
        self._redactor = redactor or Redactor(())
        self._record = record
        self._idle: list[_Smtp] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _hang_up(connection)

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, server: Server, mail: EmailMessage, *, sender: str, to: str) -> Heard:
        """Hand one mail over for one recipient; `sender` is where bounces go.

        Raises NotSent, NoAnswer or Refused; ValueError for an address with a line break in it.
        """
        if not f"{sender}{to}".isprintable():
            raise ValueError("An address has a control character.")
        content = mail.as_bytes(policy=WIRE)
        with self._recorded("SMTP", server, f"/{to}") as visit:
            visit.sent = f"MAIL FROM:<{sender}>\nRCPT TO:<{to}>\n\n{_readable(mail)}"
            connection = self._offered(visit, server, sender, to, content)
            try:
                heard = connection.finish()
            except Refused as error:
                visit.status = error.code
                self._keep(connection, unsaid=True)
                raise
            except (smtplib.SMTPException, OSError, ValueError) as error:
                _hang_up(connection)
                raise NoAnswer(self._told(error)) from None
            finally:
                visit.received = "\n".join(connection.heard)
            visit.status = heard.code
            self._keep(connection)
            return heard

    def greet(self, server: Server, name: str) -> str:
        """Connect as `name` (our domain), log in and leave; give what the server calls itself.

        Raises NotSent or Refused.
        """
        with self._recorded("SMTP", server, "/") as visit:
            connection = _Smtp(server, self._guard, name)
            try:
                self._open(visit, connection)
            finally:
                visit.received = "\n".join(connection.heard)
                _hang_up(connection)
            visit.status = 220
            return connection.heard[0]

    def _offered(
        self, visit: _Visit, server: Server, sender: str, to: str, content: bytes
    ) -> _Smtp:
        """Offer a mail over a connection that waits, else over a new one; give the connection.

        A server may hang up on one that waits: as nothing has left, a new one tries again.
        """
        name = sender.rpartition("@")[2]
        while True:
            waiting = self._waiting(server)
            connection = waiting or _Smtp(server, self._guard, name)
            connection.heard.clear()
            try:
                if waiting is None:
                    self._open(visit, connection)
                connection.ends = time.monotonic() + WITHIN
                connection.offer(sender, to, content)
                return connection
            except Refused as error:
                visit.status = error.code
                visit.received = "\n".join(connection.heard)
                if error.code != 421:
                    self._keep(connection, unsaid=True)
                    raise
                _hang_up(connection)
                if waiting is None:
                    raise
            except (smtplib.SMTPException, OSError, ValueError) as error:
                visit.received = "\n".join(connection.heard)
                _hang_up(connection)
                if waiting is None:
                    raise NotSent(self._told(error)) from None

    def _open(self, visit: _Visit, connection: _Smtp) -> None:
        connection.ends = time.monotonic() + WITHIN
        try:
            connection.open()
        except Refused as error:
            visit.status = error.code
            _hang_up(connection)
            raise
        except (smtplib.SMTPException, OSError, ValueError) as error:
            _hang_up(connection)
            raise NotSent(self._told(error)) from None

    def _waiting(self, server: Server) -> _Smtp | None:
        """Take a connection that waits for the next mail, if there is a fresh one."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                fresh = time.monotonic() - connection.used < _KEPT_FOR
                if connection.server == server and fresh:
                    return connection
                _hang_up(connection)
        return None

    def _keep(self, connection: _Smtp, *, unsaid: bool = False) -> None:
        """Keep a connection for the next mail; where one was left `unsaid`, it is taken back first."""
        try:
            connection.ends = time.monotonic() + TIMEOUT[1]
            if unsaid and connection.rset()[0] != 250:
                raise smtplib.SMTPServerDisconnected
        except (smtplib.SMTPException, OSError, ValueError):
            _hang_up(connection)
            return
        connection.used = time.monotonic()
        with self._lock:
            self._idle.append(connection)

    # ---- Reading --------------------------------------------------------------------------------

    @contextmanager
    def mailbox(self, server: Server, folder: str) -> Iterator[Mailbox]:
        """Open a folder, and log out at the end. Raises NotSent, NoAnswer or Refused."""
        with self._recorded("IMAP", server, f"/{folder}") as visit:
            mailbox = self._entered(server, folder, visit)
            try:
                with _as_no_answer():
                    yield mailbox
                visit.status = 200
            finally:
                mailbox.leave()

    def open_mailbox(self, server: Server, folder: str) -> Mailbox:
        """Open a folder to stay in: `Mailbox.leave` ends it. Raises as `mailbox` does."""
        with self._recorded("IMAP", server, f"/{folder}") as visit:
            mailbox = self._entered(server, folder, visit)
            visit.status = 200
            return mailbox

    def _entered(self, server: Server, folder: str, visit: _Visit) -> Mailbox:
        try:
            client = _Imap(server, self._guard)
        except (IMAPClientError, OSError, ValueError) as error:
            raise NotSent(self._told(error)) from None
        try:
            return Mailbox(client, server, folder, visit)
        except Refused:
            _log_out(client)
            raise
        except (IMAPClientError, OSError, ValueError) as error:
            _log_out(client)
            raise NoAnswer(self._told(error)) from None

    # ---- Writing down ---------------------------------------------------------------------------

    def _told(self, error: Exception) -> str:
        return stored.text(self._redactor.text(f"{type(error).__name__}: {error}"))

    @contextmanager
    def _recorded(self, method: str, server: Server, tail: str) -> Iterator[_Visit]:
        visit, started, problem = _Visit(), time.monotonic(), ""
        try:
            yield visit
        except (NotSent, NoAnswer, Refused) as error:
            problem = self._redactor.text(str(error))
            raise
        finally:
            url = f"{method.lower()}://{server.host}:{server.port}{tail}"
            self._record(
                Trace(
                    method=method,
                    url=self._redactor.text(url),
                    sent=self._shown(visit.sent),
                    received=self._shown(visit.received),
                    status=visit.status,
                    ms=int((time.monotonic() - started) * 1000),
                    error=stored.text(problem),
                )
            )

    def _shown(self, text: str) -> str:
        return stored.text(self._redactor.text(text)[:KEPT]).strip()


@dataclass(slots=True)
class _Visit:
    """What one trace will say. `status` is the server's last code; of a mailbox 200 = all went well."""

    sent: str = ""
    received: str = ""
    status: int = 0

    def note(self, asked: str, answered: str) -> None:
        self.sent += f"{asked}\n"
        self.received += f"{answered}\n"


class _Imap4(imaplib.IMAP4):
    def __init__(self, server: Server, guard: Guard) -> None:
        self._server, self._guard = server, guard
        super().__init__(server.host, server.port, TIMEOUT[1])

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = _connected(self._server, self._guard, time.monotonic() + WITHIN)
        sock.settimeout(timeout)
        return sock

    def read(self, size: int) -> bytes:
        """Read what the server says it will send now: no more than a mail and some words."""
        if size > MAIL_LIMIT + 64 * 1024:
            raise self.abort(f"The server wants to send {size} bytes at once.")
        return super().read(size)


class _Imap(IMAPClient):  # type: ignore[misc]
    """A guarded connection. Numbers of mails are UIDs everywhere."""

    def __init__(self, server: Server, guard: Guard) -> None:
        self._server, self._guard = server, guard
        timeout = SocketTimeout(connect=TIMEOUT[0], read=TIMEOUT[1])
        # IMAPClient would connect by itself, encrypted or not: `_create_IMAP4` does it for both.
        super().__init__(server.host, server.port, ssl=False, timeout=timeout)

    def _create_IMAP4(self) -> imaplib.IMAP4:
        return _Imap4(self._server, self._guard)


class Mailbox:
    """An open folder. `validity` changes when its UIDs lose their meaning (RFC 9051 §2.3.1.1)."""

    def __init__(self, client: _Imap, server: Server, folder: str, visit: _Visit) -> None:
        self._client, self._visit = client, visit
        # It cannot be used any more: to be left.
        self.is_spoilt = False
        if server.security == "starttls":
            with _refusal("tls"):
                client.starttls(ssl.create_default_context())
        with _refusal("login"):
            client.login(server.user, server.password)
        with _refusal("folder"):
            state = client.select_folder(folder)
        self.validity = int(state.get(b"UIDVALIDITY", 0))
        self.next_uid = int(state.get(b"UIDNEXT", 0) or self._status(folder))
        visit.note(f"SELECT {folder}", f"{state.get(b'EXISTS', 0)} mails")

    def _status(self, folder: str) -> int:
        """Ask for what some servers leave out of their answer to SELECT."""
        found = self._client.folder_status(folder, ["UIDNEXT"])
        return int(found.get(b"UIDNEXT", 1))

    def expect(self, folder: str) -> None:
        """Raise Refused unless there is another folder of this name."""
        with _refusal("folder"):
            self._status(folder)
        self._visit.note(f"STATUS {folder}", "OK")

    def after(self, uid: int) -> list[int]:
        """Give the UIDs above `uid`, lowest first."""
        found = self._client.search(["UID", f"{uid + 1}:*"])
        # "*" is the highest there is, even below the range (RFC 9051 §9).
        fresh = sorted(one for one in found if one > uid)
        self._visit.note(f"SEARCH UID {uid + 1}:*", f"{len(fresh)} mails")
        return fresh

    def unread(self) -> list[int]:
        """Give the UIDs of mails that nobody has read, lowest first."""
        found = sorted(self._client.search(["UNSEEN"]))
        self._visit.note("SEARCH UNSEEN", f"{len(found)} mails")
        return found

    def named(self, message_id: str) -> list[int]:
        """Give the UIDs of mails with this Message-ID."""
        found = sorted(self._client.search(["HEADER", "Message-ID", message_id]))
        self._visit.note(f"SEARCH HEADER Message-ID {message_id}", f"{len(found)} mails")
        return found

    def read(self, uid: int) -> bytes:
        """Give one mail as it came, MAIL_LIMIT bytes at most, without marking it; b"" if it is gone."""
        found = self._client.fetch([uid], [f"BODY.PEEK[]<0.{MAIL_LIMIT}>"]).get(uid, {})
        content = next((value for key, value in found.items() if key.startswith(b"BODY")), b"")
        self._visit.note(f"FETCH {uid}", f"{len(content or b'')} bytes")
        return bytes(content or b"")

    def mark_seen(self, uids: Sequence[int]) -> None:
        self._client.add_flags(list(uids), [b"\\Seen"], silent=True)
        self._visit.note(f"STORE {_listed(uids)} \\Seen", "OK")

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails to another folder, by copying them where the server cannot move. Raises Refused."""
        with _refusal("folder"):
            if self._client.has_capability("MOVE"):
                self._client.move(list(uids), folder)
            else:
                self._client.copy(list(uids), folder)
                self.delete(uids)
        self._visit.note(f"MOVE {_listed(uids)} {folder}", "OK")

    def delete(self, uids: Sequence[int]) -> None:
        """Delete these mails, and no others that somebody marked (RFC 4315), where the server can."""
        self._client.delete_messages(list(uids), silent=True)
        self._client.expunge(list(uids) if self._client.has_capability("UIDPLUS") else None)
        self._visit.note(f"DELETE {_listed(uids)}", "OK")

    def wait(self, seconds: float, stop: Callable[[], bool]) -> bool:
        """Wait for a new mail, at most `seconds` or until `stop()`; say whether one came.

        Asks now and then where the server has no IDLE (RFC 2177). Raises NoAnswer.
        """
        with _as_no_answer():
            if self._client.has_capability("IDLE"):
                return self._idle(time.monotonic() + seconds, stop)
            return self._ask(time.monotonic() + seconds, stop)

    def _idle(self, ends: float, stop: Callable[[], bool]) -> bool:
        self._client.idle()
        news = False
        idle_since, silent = time.monotonic(), 0
        while not news and not stop() and time.monotonic() < ends:
            began = time.monotonic()
            try:
                said = self._client.idle_check(timeout=1)
            except imaplib.IMAP4.abort as error:
                if "unterminated line" not in str(error):
                    raise
                # Half a line came: something is being said. The connection is spoilt, the news are not.
                self.is_spoilt = True
                return True
            self._client.socket().settimeout(TIMEOUT[1])  # it leaves none behind
            news = _tells_of_mail(said)
            # A connection that has ended is "readable" at once, and says nothing.
            silent = silent + 1 if not said and time.monotonic() - began < 0.5 else 0
            if silent > 20:
                raise NoAnswer(f"The connection ended after {began - idle_since:.0f} seconds.")
        _, said = self._client.idle_done()
        return news or _tells_of_mail(said)

    def _ask(self, ends: float, stop: Callable[[], bool]) -> bool:
        while not stop() and time.monotonic() < ends:
            if _tells_of_mail(self._client.noop()[1]):
                return True
            again = min(time.monotonic() + _ASK_EVERY, ends)
            while not stop() and time.monotonic() < again:
                time.sleep(0.2)
        return False

    def note(self, asked: str, answered: str) -> None:
        """Add a line to what is shown of this visit."""
        self._visit.note(asked, answered)

    def leave(self) -> None:
        if self.is_spoilt:
            with suppress(OSError):
                self._client.shutdown()  # nobody would understand a goodbye
        else:
            _log_out(self._client)


def _tells_of_mail(responses: Sequence[Any]) -> bool:
    return any(len(said) > 1 and said[1] in (b"EXISTS", b"RECENT") for said in responses)


def _listed(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


@contextmanager
def _refusal(step: str) -> Iterator[None]:
    """Turn the server's NO into Refused; a broken connection stays what it is."""
    try:
        yield
    except imaplib.IMAP4.abort:
        raise
    except (LoginError, IMAPClientError) as error:
        # imaplib puts the server's words into a message as bytes are written in Python.
        words = re.sub(r"^b'(.*)'$", r"\1", str(error), flags=re.DOTALL)
        raise Refused(step, 0, stored.text(words)) from None


@contextmanager
def _as_no_answer() -> Iterator[None]:
    try:
        yield
    except (IMAPClientError, OSError) as error:
        _no_answer(error)


def _no_answer(error: Exception) -> NoReturn:
    raise NoAnswer(stored.text(f"{type(error).__name__}: {error}")) from None


def _log_out(client: IMAPClient) -> None:
    with suppress(IMAPClientError, OSError):
        client.logout()
        return
    with suppress(IMAPClientError, OSError):
        client.shutdown()


def _hang_up(connection: _Smtp) -> None:
    with suppress(smtplib.SMTPException, OSError, ValueError):
        if connection.sock is not None:
            connection.ends = time.monotonic() + 1
            connection.sock.settimeout(1)
            connection.quit()
    connection.close()


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return stored.text(text)


def _readable(mail: EmailMessage) -> str:
    """Give a mail as people read it: headers, decoded text, and what is attached."""
    parts = [f"{name}: {value}" for name, value in mail.items()]
    parts.append("")
    for part in mail.walk():
        if part.is_multipart():
            continue
        content = part.get_content()
        is_text = isinstance(content, str)
        parts.append(content if is_text else f"[{part.get_content_type()}, {len(content)} bytes]")
    return "\n".join(parts)
