"""The thread that owns a socket: connects, drives a link with it, and connects again.

One thread per connection, because two that write to one socket mix their bytes, and a TLS connection
must not be used by two at all (CPython #76714, #134698).
"""

from __future__ import annotations

import logging
import random
import selectors
import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress

from lib.http import Guard, NotSent
from phones.base import Misconfigured, PhoneError, Temporary
from phones.smpp.link import Desk, Link, State
from phones.smpp.profile import Profile, Tls

logger = logging.getLogger(__name__)

# Seconds to connect, and to agree on encryption.
_CONNECT_WITHIN = 10.0
# Seconds between two looks at the clock while nothing happens.
_LOOK = 0.25
# Seconds that a bind must have stood to begin again with the shortest pause.
_STEADY = 30.0
# Seconds until an account that was refused is tried again: insisting would lock it.
REFUSED_PAUSE = 300.0
_CHUNK = 256 * 1024
# Reads in a row, so that a server which never stops cannot keep us from answering it.
_MOST_READS = 64


def connect(profile: Profile, guard: Guard) -> socket.socket:
    """Give a connection that does not block. Raises Temporary with words, Misconfigured for bad PEM."""
    try:
        plain = _connect(profile, guard)
    except NotSent as error:
        raise Temporary(str(error)) from None
    try:
        secure = _encrypted(plain, profile) if profile.tls else plain
    except BaseException:
        plain.close()
        raise
    secure.setblocking(False)
    return secure


def _connect(profile: Profile, guard: Guard) -> socket.socket:
    problem: OSError | None = None
    for address in guard.addresses(profile.host, profile.port):
        try:
            found = socket.create_connection((address, profile.port), _CONNECT_WITHIN)
        except OSError as error:
            problem = error
            continue
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return found
    why = (problem.strerror or str(problem)) if problem else "no address"
    raise Temporary(f"No connection to {profile.host}:{profile.port}: {why}.")


def _encrypted(plain: socket.socket, profile: Profile) -> ssl.SSLSocket:
    tls = profile.tls or Tls()
    context = context_of(tls)
    try:
        return context.wrap_socket(plain, server_hostname=tls.name or profile.host)
    except ssl.SSLCertVerificationError as error:
        words = f"The certificate of {profile.host} is not trusted: {error.verify_message}."
        raise Temporary(words) from None
    except (ssl.SSLError, OSError) as error:
        raise Temporary(f"{profile.host} does not agree on encryption: {error}.") from None


def context_of(tls: Tls) -> ssl.SSLContext:
    """Give the TLS context of some settings. Raises Misconfigured for PEM that cannot be read."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.ca:
            context.load_verify_locations(cadata=tls.ca)
        if tls.certificate:
            _load_certificate(context, tls)
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: letters outside ASCII
        raise Misconfigured(f"The certificates of this phone cannot be read: {error}.") from None
    return context


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    """Load the client certificate. OpenSSL reads it from a file only: ours, and gone at once."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(f"{tls.certificate}\n{tls.key}\n".encode())
        file.flush()
        context.load_cert_chain(file.name, password=lambda: b"")


class Wire(threading.Thread):
    """Keeps one link of a phone bound until it is told to stop."""

    def __init__(self, profile: Profile, role: str, guard: Guard, desk: Desk, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.link = Link(profile, role, desk)
        self._profile = profile
        self._guard = guard
        self._desk = desk
        self._pause = profile.first_pause
        self._stop_within: float | None = None
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._awake = False

    def wake(self) -> None:
        """Let the thread look again at once. From any thread."""
        if not self._awake:
            self._awake = True
            # It may be gone.
            with suppress(OSError):
                self._wake_in.send(b"!")

    def stop(self, seconds: float) -> None:
        """Drain, unbind and end within about `seconds`. From any thread."""
        self._stop_within = seconds
        self.wake()

    def run(self) -> None:
        while self._stop_within is None:
            began = time.monotonic()
            pause = 0.0
            try:
                connection = connect(self._profile, self._guard)
            except PhoneError as error:
                self._failed(error)
            except Exception as error:  # whatever a resolver or OpenSSL thinks of
                logger.exception("An SMPP connection cannot be made")
                self._failed(Temporary(f"No connection: {error}."))
            else:
                pause = self._keep(connection)
            if self._stop_within is not None:
                break
            self._wait(pause or self._next_pause(time.monotonic() - began))
        self._wake_in.close()
        self._wake_out.close()
        self._desk_woken()

    def _failed(self, error: PhoneError) -> None:
        self.link.counts.words = error.words
        self._desk.trouble(error)

    def _keep(self, connection: socket.socket) -> float:
        """Drive the link until the connection ends; give the seconds to wait, 0 = as usual."""
        link = self.link
        link.start(time.monotonic())
        words = ""
        try:
            words = self._drive(connection, link)
        except Exception:  # a bug must neither lose messages nor end the thread
            logger.exception("An SMPP connection broke")
            words = "The connection broke: an error of ours, told in the log."
        finally:
            connection.close()
            refused = link.refused
            link.lost(words, time.monotonic())
            self._desk_woken()
        return REFUSED_PAUSE if refused else 0.0

    def _drive(self, connection: socket.socket, link: Link) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            writing = False
            while True:
                now = time.monotonic()
                if self._stop_within is not None and link.state in (State.BOUND, State.BINDING):
                    link.drain(now, self._stop_within)
                link.tick(now)
                link.fill(now)
                blocked = self._send(connection, link)
                if link.state == State.CLOSED:
                    return link.counts.words
                if blocked != writing:
                    writing = blocked
                    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
                    selector.modify(connection, events)
                if not self._await(selector, connection):
                    continue
                words = self._receive(connection, link)
                if words:
                    return words

    def _await(self, selector: selectors.BaseSelector, connection: socket.socket) -> bool:
        """Wait for something to do; say whether to read."""
        # What OpenSSL has decrypted already shows on no socket.
        readable = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        for key, events in selector.select(0 if readable else _LOOK):
            if key.fileobj is self._wake_out:
                # Before the queues are looked at, so that what comes now wakes us again.
                self._awake = False
                self._wake_out.recv(64)
            elif events & selectors.EVENT_READ:
                readable = True
        return readable

    def _send(self, connection: socket.socket, link: Link) -> bool:
        """Hand the socket what it takes; say whether some is left."""
        while link.output:
            try:
                sent = connection.send(link.output[:_CHUNK])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return True
            except OSError as error:
                # How much of it left is not known: all of it may have.
                link.flushed(len(link.output))
                link.lost(f"The connection broke: {error}.", time.monotonic())
                return False
            link.flushed(sent)
        return False

    def _receive(self, connection: socket.socket, link: Link) -> str:
        """Read what there is; say why the connection ended, "" while it has not."""
        for _ in range(_MOST_READS):
            try:
                data = connection.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return ""
            except OSError as error:
                return f"The connection broke: {error}."
            if not data:
                return "The operator closed the connection."
            link.feed(data, time.monotonic())
            if len(data) < _CHUNK and not isinstance(connection, ssl.SSLSocket):
                return ""
        return ""

    def _desk_woken(self) -> None:
        self._desk.look()

    def _next_pause(self, stood: float) -> float:
        """Give the seconds until the next try: they double, ±20 %, until a bind has stood."""
        if stood > _STEADY:
            self._pause = self._profile.first_pause
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311
        self._pause = min(self._pause * 2, self._profile.longest_pause)
        return pause

    def _wait(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while self._stop_within is None and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK))
