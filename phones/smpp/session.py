"""All the binds of one phone, as messaging talks to them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from lib.http import Guard
from phones.base import OutgoingSms, PhoneError, Rejected, Sent, Throttled
from phones.sessions import Bind, News, Received, Session
from phones.smpp import text, tracing
from phones.smpp.link import Job, Link, State, Ticket
from phones.smpp.profile import Profile
from phones.smpp.wire import Wire


class SmppSession(Session):
    """The binds of one profile. It is the `Desk` of its links: their threads leave news here."""

    def __init__(self, profile: Profile, guard: Guard, *, first_reference: int) -> None:
        self._profile = profile
        self._submits = profile.submits()
        self._validity = profile.validity_field
        self._reference = first_reference
        self._jobs: deque[Job] = deque()
        self._news = News()
        self._happened = threading.Event()
        # Messages handed over whose end nobody has taken from the news yet.
        self._outstanding = 0
        self._ended = 0
        self._lock = threading.Lock()
        self._stopping = False
        # The operator counts all binds of an account together: what one is told holds for all.
        self._rest_until = 0.0
        self._trace: deque[str] = deque(maxlen=500)
        self._watched_until = 0.0
        self._rates: dict[str, tuple[float, int, float]] = {}
        names = _names(profile)
        self._wires = [
            Wire(profile, role, guard, self, name)
            for role, name in zip(profile.roles, names, strict=True)
        ]

    # ---- The contract -----------------------------------------------------------------------

    def start(self) -> None:
        for wire in self._wires:
            wire.start()

    def room(self) -> int:
        if self._stopping:
            return 0
        return max(0, self._profile.window * len(self._sending) - self._outstanding)

    def submit(self, batch: Sequence[OutgoingSms]) -> None:
        jobs = []
        for sms in batch:
            try:
                jobs.append(Job(sms, self._bodies(sms)))
            except ValueError as error:
                self.done(Job(sms, []), Rejected(str(error)))
        self._outstanding += len(batch)
        self._jobs.extend(jobs)
        self._wake()

    def news(self, seconds: float) -> News:
        if self._happened.wait(seconds):
            self._happened.clear()
        if not self._sending:
            self._give_back()
        with self._lock:
            news, self._news = self._news, News()
            self._outstanding -= self._ended
            self._ended = 0
        return news

    def nudge(self) -> None:
        self._happened.set()

    def acknowledge(self, received: Sequence[Received], *, stored: bool) -> None:
        status = 0 if stored else 0x64
        for item in received:
            ticket = item.ticket
            if isinstance(ticket, Ticket):
                ticket.link.acks.append((ticket, status))
        self._wake()

    def binds(self) -> list[Bind]:
        now = time.monotonic()
        names = (wire.name for wire in self._wires)
        return [self._bind(name, link, now) for name, link in zip(names, self._links, strict=True)]

    def watch(self, seconds: float) -> None:
        self._watched_until = time.monotonic() + seconds
        for wire in self._wires:
            wire.link.trace = tracing.tracer(wire.name, self._watched_until, self._trace.append)

    def trace(self) -> list[str]:
        lines = []
        while self._trace:
            lines.append(self._trace.popleft())
        return lines

    def stop(self, seconds: float) -> None:
        self._stopping = True
        self._give_back()
        for wire in self._wires:
            wire.stop(seconds)

    def is_over(self) -> bool:
        return (
            self._stopping and not any(wire.is_alive() for wire in self._wires) and not self._news
        )

    # ---- The desk of the links: called by their threads -------------------------------------

    def take(self) -> Job | None:
        return None if time.monotonic() < self._rest_until else self._next()

    def done(self, job: Job, result: Sent | PhoneError) -> None:
        if isinstance(result, Throttled):
            self._rest_until = time.monotonic() + (result.retry_after or 1)
        with self._lock:
            self._news.results.append((job.sms, result))
            self._ended += not job.told
            job.told = True
        self._happened.set()

    def unsent(self, job: Job) -> None:
        with self._lock:
            self._news.unsent.append(job.sms)
            self._ended += 1
        self._happened.set()

    def came(self, received: Received) -> None:
        with self._lock:
            self._news.received.append(received)
        self._happened.set()

    def trouble(self, error: PhoneError) -> None:
        with self._lock:
            self._news.troubles.append(error)
        self._happened.set()

    def look(self) -> None:
        self._happened.set()

    # ---- Within -----------------------------------------------------------------------------

    @property
    def _links(self) -> list[Link]:
        return [wire.link for wire in self._wires]

    @property
    def _sending(self) -> list[Link]:
        """Give the links that messages can leave by now."""
        return [link for link in self._links if link.state == State.BOUND and link.can_send]

    def _next(self) -> Job | None:
        try:
            return self._jobs.popleft()
        except IndexError:
            return None

    def _give_back(self) -> None:
        while job := self._next():
            self.unsent(job)

    def _wake(self) -> None:
        for wire in self._wires:
            wire.wake()

    def _bodies(self, sms: OutgoingSms) -> list[bytes]:
        profile = self._profile
        self._reference = (self._reference + 1) & 0xFFFF
        pieces = text.pieces(sms.text, profile.coding, reference=self._reference, flash=sms.flash)
        to = profile.written(sms.to)
        return [
            self._submits.body(
                to,
                esm_class=piece.esm_class,
                data_coding=piece.data_coding,
                short_message=piece.short_message,
                tlvs=piece.tlvs,
                validity=self._validity,
            )
            for piece in pieces
        ]

    def _bind(self, name: str, link: Link, now: float) -> Bind:
        counts = link.counts
        at, submitted, rate = self._rates.get(name, (now, counts.submitted, 0.0))
        if now - at >= 1:
            rate = (counts.submitted - submitted) / (now - at)
            self._rates[name] = (now, counts.submitted, rate)
        elif name not in self._rates:
            self._rates[name] = (now, counts.submitted, 0.0)
        return Bind(
            name=name,
            state=link.state.value,
            since=now - counts.since if counts.since else 0,
            window=self._profile.window if link.can_send else 0,
            in_flight=link.in_flight,
            per_second=rate,
            answer_ms=counts.answer * 1000 if counts.answer else None,
            throttled=counts.throttled,
            in_doubt=counts.in_doubt,
            enquired=now - counts.enquired if counts.enquired else None,
            received=now - counts.received if counts.received else None,
            words=counts.words,
        )


def _names(profile: Profile) -> list[str]:
    short = {"transceiver": "trx", "transmitter": "tx", "receiver": "rx"}
    counted: dict[str, int] = {}
    names = []
    for role in profile.roles:
        counted[role] = counted.get(role, 0) + 1
        names.append(f"{short[role]} {counted[role]}" if profile.binds > 1 else short[role])
    return names
