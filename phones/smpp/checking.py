"""Trying the credentials: bind, unbind, and nothing else."""

from __future__ import annotations

import selectors
import ssl
import time

from lib.http import Guard
from phones.base import PhoneError, Sent, Temporary
from phones.sessions import Received
from phones.smpp.link import Job, Link, State
from phones.smpp.profile import Profile
from phones.smpp.wire import connect

# Seconds for all of it.
_WITHIN = 25.0


class _Visitor:
    """The desk of a link that only looks in."""

    def __init__(self) -> None:
        self.error: PhoneError | None = None

    def take(self) -> Job | None:
        return None

    def done(self, job: Job, result: Sent | PhoneError) -> None: ...

    def unsent(self, job: Job) -> None: ...

    def came(self, received: Received) -> None:
        """What the server had waiting: not stored, so not acknowledged, so it comes again."""

    def trouble(self, error: PhoneError) -> None:
        self.error = error

    def look(self) -> None: ...


def try_bind(profile: Profile, guard: Guard) -> float:
    """Bind in the first role of the profile and unbind; give the seconds the answer took.

    Raises Temporary or Misconfigured with the server's words.
    """
    visitor = _Visitor()
    link = Link(profile, profile.roles[0], visitor)
    ends = time.monotonic() + _WITHIN
    took: float | None = None
    with connect(profile, guard) as connection, selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        began = time.monotonic()
        link.start(began)
        while link.state != State.CLOSED and time.monotonic() < ends:
            now = time.monotonic()
            if link.state == State.BOUND:
                took = now - began
                link.drain(now, 0)
            link.tick(now)
            try:
                while link.output:
                    link.flushed(connection.send(link.output))
                if selector.select(0.1):
                    data = connection.recv(65_536)
                    if not data:
                        break
                    link.feed(data, time.monotonic())
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError as error:
                raise Temporary(f"The connection broke: {error}.") from None
    if visitor.error:
        raise visitor.error
    if took is None:
        raise Temporary(
            link.counts.words or "The operator closed the connection without an answer."
        )
    return took
