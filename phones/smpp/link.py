"""One bind, without a socket: bytes and moments go in, bytes and news come out.

So every fault a server can commit is a table of bytes in a test, and the same code runs over TCP and
TLS. A link belongs to one thread; what it tells goes through `Desk`, whose methods any thread may call.

What makes a message safe: each PDU in the window remembers where in the stream it begins, and the
link knows how much of the stream was handed to the socket. When the connection ends, a PDU of which
no byte was handed over never left; any other that has no answer is in doubt.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from phones.base import (
    IncomingSms,
    Misconfigured,
    OutcomeUnknown,
    OutgoingSms,
    Part,
    PhoneError,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.sessions import Fate, Received
from phones.smpp import pdu, receipts, statuses, text
from phones.smpp.profile import Profile
from phones.smpp.receipts import name_in_answer

logger = logging.getLogger(__name__)

# Seconds of silence after an unanswered enquire_link: nobody is there.
_SILENCE = 10.0
# Seconds to answer unbind, and that a server which unbinds us may still answer what it has.
_UNBIND_WITHIN, _LAST_WORDS = 5.0, 2.0
# What came in and is not stored yet, at most; the server keeps the rest and tries again.
_MOST_RECEIVED = 5000
# Times that parts of a message that has begun to leave are tried again, and the longest wait before one.
_PART_TRIES, _PART_REST = 5, 30.0
# Seconds after which the server is asked for a sign that it read our acknowledgements, and after which
# it has read them though nothing shows it.
_PROVE_AFTER, _READ_AFTER = 0.5, 60.0
# The TLV in which a server says more of a refusal (§5.3.2.11).
_STATUS_WORDS = 0x001D
_LOST = "The connection ended before the operator answered."


class State(StrEnum):
    """Where a bind is. `draining` = nothing new leaves, answers are awaited."""

    CLOSED = "closed"
    BINDING = "binding"
    BOUND = "bound"
    DRAINING = "draining"
    UNBINDING = "unbinding"


@dataclass(slots=True)
class Job:
    """A message on its way out, as the bodies of its submit_sm, and what became of each so far.

    `told` = the desk has heard of its end; a late answer may tell it once more.
    """

    sms: OutgoingSms
    bodies: list[bytes]
    names: list[str] = field(default_factory=list)
    next: int = 0
    flying: int = 0
    accepted: int = 0
    tries: int = 0
    error: PhoneError | None = None
    over: bool = False
    told: bool = False

    def __post_init__(self) -> None:
        self.names = [""] * len(self.bodies)


class Desk(Protocol):
    """Whom a link tells. Every method may be called from any thread."""

    def take(self) -> Job | None:
        """Give the next message to send."""

    def done(self, job: Job, result: Sent | PhoneError) -> None:
        """A message has its answer."""

    def unsent(self, job: Job) -> None:
        """No byte of this message left."""

    def came(self, received: Received) -> None:
        """Something came in."""

    def trouble(self, error: PhoneError) -> None:
        """The bind was refused, or is not possible."""

    def look(self) -> None:
        """Something changed."""


# What flies: the job, which part of it, when it left, and where its PDU begins in the stream.
_Flying = tuple[Job, int, float, int]


@dataclass(slots=True)
class Ticket:
    """What an answer to the server needs: whose link, which of its connections, which PDU."""

    link: Link
    connection: int
    command: int
    sequence: int
    received: Received | None = None


@dataclass(slots=True)
class Counts:
    """What people watch; times are of the link's own clock, 0 = never."""

    since: float = 0
    submitted: int = 0
    throttled: int = 0
    in_doubt: int = 0
    answer: float = 0
    enquired: float = 0
    received: float = 0
    words: str = ""


class Link:
    """One bind in one role of pdu.BINDS. `trace(direction, frame)` hears every PDU while it is set."""

    def __init__(self, profile: Profile, role: str, desk: Desk) -> None:
        self.profile = profile
        self.role = role
        self.state = State.CLOSED
        self.counts = Counts()
        self.trace: Callable[[str, pdu.Frame], None] | None = None
        # Bytes for the socket; whoever sends some says so by `flushed`.
        self.output = bytearray()
        self.acks: deque[tuple[Ticket, int]] = deque()
        self._desk = desk
        self._frames = pdu.Frames()
        self._window: dict[int, _Flying] = {}
        self._late: dict[int, Job] = {}
        # Parts to be sent again: not before which moment, of which message, which one.
        self._again: list[tuple[float, Job, int]] = []
        self._current: Job | None = None
        self._sequence = 0
        self._written = self._flushed = 0
        self._rest_until = 0.0
        self._bind_sequence = 0
        self._deadline = 0.0
        self._clock = 0.0
        self._heard = 0.0
        self._enquiring = False
        # When a message was last answered, and since when none is although one was given up.
        self._answered_at = 0.0
        self._suspect_since: float | None = None
        self._connection = 0
        self._unstored = 0
        # Messages that came in: not answered yet, by sequence; then with the octet of the stream at
        # which their answer ends, those whose answer has not left, and those where it may be unread.
        self._open: dict[int, Received] = {}
        self._unflushed: deque[tuple[int, Received]] = deque()
        self._told: deque[tuple[int, Received]] = deque()
        # The last enquire_link or unbind that waits for its answer: its sequence, where it begins.
        self._asked: tuple[int, int] | None = None
        self._ids = profile.habits.ids
        # The account was refused, so that insisting could lock it.
        self.refused = False

    # ---- From outside -----------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        return self.role != "receiver"

    @property
    def in_flight(self) -> int:
        return len(self._window)

    @property
    def _is_sending(self) -> bool:
        return self.can_send and self.state in (State.BOUND, State.DRAINING)

    def start(self, now: float) -> None:
        """The connection stands: ask to bind."""
        self.refused = False
        self._connection += 1
        self._frames = pdu.Frames()
        self._written = self._flushed = 0
        self._enquiring = False
        self._asked = None
        self._suspect_since = None
        self._clock = now
        self._rest_until = 0.0
        self.output.clear()
        self._enter(State.BINDING, now)
        self._deadline = now + self.profile.bind_within
        self._heard = now
        self._bind_sequence = self._next()
        profile = self.profile
        self._write(
            pdu.bind(
                self.role,
                self._bind_sequence,
                system_id=profile.system_id,
                password=profile.password,
                system_type=profile.system_type,
                version=profile.version,
                address=profile.range,
            )
        )

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that came. Never raises: what cannot be understood is answered, or ends the bind."""
        self._heard = self.counts.received = self._clock = now
        self._enquiring = False
        for frame in self._frames.feed(data):
            if self.state == State.CLOSED:
                return
            if self.trace:
                self.trace("<", frame)
            try:
                self._handle(frame, now)
            except Exception:  # one PDU must not take the bind with it
                logger.exception("%s cannot be handled", pdu.name_of(frame.command))
                self._refuse(frame)
        if self._frames.broken is not None and self.state != State.CLOSED:
            self._write(pdu.write(pdu.GENERIC_NACK, 0, status=0x02))
            self._end(f"The operator sent a PDU of {self._frames.broken} octets.", now)

    def tick(self, now: float) -> None:
        """Look at the clock: answers that are late, a server that is silent, an end that drags on."""
        self._clock = now
        if self.state == State.BINDING and now > self._deadline:
            return self._end("The operator did not answer the bind.", now)
        if self.state in (State.DRAINING, State.UNBINDING):
            return self._end_slowly(now)
        if self.state != State.BOUND:
            return None
        self._expire(now)
        if self._enquiring and now - self.counts.enquired > _SILENCE:
            return self._end("The operator is silent.", now)
        suspect = self._suspect_since
        if suspect is not None and now - suspect > self.profile.answer_within:
            return self._end("The operator answers no messages.", now)
        if now - self.counts.enquired >= self.profile.enquire or self._wants_proof(now):
            self._enquiring = True
            self.counts.enquired = now
            self._ask("enquire_link")
        return None

    def _wants_proof(self, now: float) -> bool:
        """Say whether to ask, so that the answer shows what the server has read by then."""
        while self._told and now - self._told[0][1].told > _READ_AFTER:
            self._told.popleft()[1].fate = Fate.HEARD
        told = self._told[0][1].told if self._told else now
        return self._asked is None and now - told > _PROVE_AFTER

    def _ask(self, name: str) -> None:
        sequence = self._next()
        self._asked = sequence, self._written
        self._write(pdu.standard(name, sequence))

    def fill(self, now: float) -> None:
        """Write what the window lets through, and the acknowledgements that are due."""
        while self.acks:
            self._acknowledge(*self.acks.popleft())
        if not self._is_sending or now < self._rest_until or self._suspect_since is not None:
            return
        room = self.profile.window - len(self._window)
        while room > 0:
            job, part = self._next_part(now)
            if job is None:
                return
            self._submit(job, part, now)
            room -= 1

    def flushed(self, octets: int) -> None:
        """So many octets of `output` were handed to the socket."""
        del self.output[:octets]
        self._flushed += octets
        while self._unflushed and self._unflushed[0][0] <= self._flushed:
            end, received = self._unflushed.popleft()
            received.fate, received.told = Fate.TOLD, self._clock
            self._told.append((end, received))

    def drain(self, now: float, seconds: float) -> None:
        """Begin to end: nothing new leaves; answers and acknowledgements have `seconds` to come."""
        if self.state == State.BOUND:
            self._enter(State.DRAINING, now)
            self._deadline = now + seconds
        elif self.state == State.BINDING:
            self._end("", now)

    def lost(self, words: str, now: float) -> None:
        """The connection is gone: give everything back, each message as what is true of it."""
        if self.state != State.CLOSED:
            self._end(words, now)
        # Of a PDU that begins beyond what the socket took, nothing left.
        left = {id(job) for job, _, _, start in self._window.values() if start < self._flushed}
        begun = [*(job for job, *_ in self._window.values()), *(job for _, job, _ in self._again)]
        begun += [self._current] if self._current else []
        self._window.clear()
        self._again.clear()
        self._current = None
        self._late.clear()
        for job in {id(job): job for job in begun}.values():
            self._give_back(job, left=id(job) in left)
        self._forget_received()
        self.output.clear()

    def _give_back(self, job: Job, *, left: bool) -> None:
        """Tell what is true of a message that nothing more will be heard of."""
        if job.error and not isinstance(job.error, Temporary | OutcomeUnknown):
            self._finish(job, _of_parts(job, job.error))
        elif left or job.accepted or job.error:
            self.counts.in_doubt += 1
            self._finish(job, OutcomeUnknown(_in_doubt(job)))
        else:
            self._desk.unsent(job)

    def _forget_received(self) -> None:
        """What was not acknowledged comes again; what may not have been read may come again."""
        for received in (*self._open.values(), *(received for _, received in self._unflushed)):
            received.fate = Fate.UNHEARD
        for _, received in self._told:
            received.fate = Fate.IN_DOUBT
        self._open.clear()
        self._unflushed.clear()
        self._told.clear()
        self.acks.clear()
        self._unstored = 0

    # ---- Sending ----------------------------------------------------------------------------

    def _next_part(self, now: float) -> tuple[Job | None, int]:
        for index, (due, job, part) in enumerate(self._again):
            if due <= now:
                del self._again[index]
                return job, part
        current = self._current
        if current is None and self.state == State.BOUND:
            current = self._desk.take()
        if current is None:
            return None, 0
        part = current.next
        current.next += 1
        self._current = current if current.next < len(current.bodies) else None
        return current, part

    def _submit(self, job: Job, part: int, now: float) -> None:
        sequence = self._next()
        body = job.bodies[part]
        self._window[sequence] = (job, part, now, self._written)
        job.flying += 1
        self.counts.submitted += 1
        self._write(pdu.HEADER.pack(16 + len(body), pdu.SUBMIT_SM, 0, sequence) + body)

    def _answered(self, status: int, sequence: int, body: bytes, now: float) -> None:
        self._answered_at = now
        self._suspect_since = None
        found = self._window.pop(sequence, None)
        if found is None:
            return self._answered_late(status, sequence, body)
        job, part, at, start = found
        job.flying -= 1
        if self._told:
            self._has_read(start)
        counts = self.counts
        counts.answer += ((now - at) - counts.answer) * 0.1
        if status == 0:
            job.accepted += 1
            name = job.names[part] = name_in_answer(pdu.message_id(body), self._ids)
            if len(job.bodies) == 1:
                self._desk.done(job, Sent(name))
                return None
        else:
            self._refused(job, part, self._error(status, body), now)
            if status == statuses.WRONG_STATE:
                # The others will hear the same. It must be bound anew.
                self.drain(now, _LAST_WORDS)
                self.counts.words = statuses.words_of(status)
        self._settle(job)
        return None

    def _error(self, status: int, body: bytes) -> PhoneError:
        return statuses.error_of(status, self.profile.statuses, _told(body))

    def _refused(self, job: Job, part: int, error: PhoneError, now: float) -> None:
        """A part was refused. Once a message has begun to arrive, the part alone is tried again."""
        throttled = isinstance(error, Throttled)
        if isinstance(error, Throttled):
            self.counts.throttled += 1
            self._rest_until = max(self._rest_until, now + (error.retry_after or 1))
        begun = job.accepted or job.flying
        may_again = isinstance(error, Temporary) and (throttled or job.tries < _PART_TRIES)
        if job.error or not (begun and may_again):
            return self._give_up(job, error)
        if not throttled:
            job.tries += 1
        self._again.append((now + min(2**job.tries, _PART_REST), job, part))
        return None

    def _give_up(self, job: Job, error: PhoneError) -> None:
        """Send no more of a message; what flies of it is still waited for."""
        job.error = job.error or error
        self._again = [item for item in self._again if item[1] is not job]
        if job is self._current:
            self._current = None

    def _settle(self, job: Job) -> None:
        """End a message of several parts once nothing of it flies and nothing is to be sent."""
        if job.flying:
            return
        if job.error:
            self._finish(job, _of_parts(job, job.error))
        elif job.accepted == len(job.bodies):
            names = tuple(job.names)
            self._finish(job, Sent(names[0], segments=len(names), provider_ids=names))

    def _finish(self, job: Job, result: Sent | PhoneError) -> None:
        if not job.over:
            job.over = True
            self._desk.done(job, result)

    def _answered_late(self, status: int, sequence: int, body: bytes) -> None:
        """The answer to a message that was given up as unknown: now it is known."""
        job = self._late.pop(sequence, None)
        if job is None:
            return
        if status == 0:
            self._desk.done(job, Sent(name_in_answer(pdu.message_id(body), self._ids)))
        else:
            self._desk.done(job, self._error(status, body))

    def _expire(self, now: float) -> None:
        """Give up waiting for answers that are too late; the oldest stands first.

        Where nothing sent since was answered either, nothing more leaves until something is.
        """
        while self._window:
            sequence, (job, _, at, _) = next(iter(self._window.items()))
            if now - at <= self.profile.answer_within:
                return
            del self._window[sequence]
            job.flying -= 1
            self.counts.in_doubt += 1
            if self._answered_at < at and self._suspect_since is None:
                self._suspect_since = now
            words = f"The operator did not answer within {self.profile.answer_within:g} seconds."
            if len(job.bodies) == 1:
                self._late[sequence] = job
                self._desk.done(job, OutcomeUnknown(words))
            else:
                self._give_up(job, OutcomeUnknown(words))
                self._settle(job)

    # ---- Receiving --------------------------------------------------------------------------

    def _handle(self, frame: pdu.Frame, now: float) -> None:
        command = frame.command
        if command == pdu.SUBMIT_SM_RESP:
            self._answered(frame.status, frame.sequence, frame.body, now)
        elif command in (pdu.DELIVER_SM, pdu.DATA_SM):
            self._delivered(frame)
        elif command == pdu.ENQUIRE_LINK:
            self._write(pdu.write(pdu.ENQUIRE_LINK_RESP, frame.sequence))
        elif command == pdu.ENQUIRE_LINK_RESP:
            self._enquiring = False
            self._is_answered(frame)
        elif command == pdu.BINDS[self.role] | pdu.RESPONSE:
            self._bound(frame, now)
        elif command == pdu.GENERIC_NACK:
            self._nacked(frame, now)
        elif command == pdu.UNBIND:
            self._unbound(frame, now)
        elif command == pdu.UNBIND_RESP:
            self._is_answered(frame)
            if self.state == State.UNBINDING:
                self._end("", now)
        elif not command & pdu.RESPONSE and command != pdu.ALERT_NOTIFICATION:
            self._write(pdu.write(pdu.GENERIC_NACK, frame.sequence, status=0x03))

    def _is_answered(self, frame: pdu.Frame) -> None:
        if self._asked and self._asked[0] == frame.sequence:
            self._has_read(self._asked[1])
            self._asked = None

    def _has_read(self, octets: int) -> None:
        """The server answered what begins there in the stream, so it read all acknowledgements before."""
        while self._told and self._told[0][0] <= octets:
            self._told.popleft()[1].fate = Fate.HEARD

    def _bound(self, frame: pdu.Frame, now: float) -> None:
        if self.state != State.BINDING or frame.sequence != self._bind_sequence:
            return
        if frame.status:
            self._not_bound(frame, now)
            return
        self._enter(State.BOUND, now)
        self.counts.enquired = now

    def _not_bound(self, frame: pdu.Frame, now: float) -> None:
        error = statuses.bind_error_of(frame.status, _told(frame.body))
        self.refused = isinstance(error, Misconfigured)
        self._desk.trouble(error)
        self._end(f"{error.words} ({error.code})", now)

    def _nacked(self, frame: pdu.Frame, now: float) -> None:
        if self.state == State.BINDING and frame.sequence == self._bind_sequence:
            return self._not_bound(frame, now)
        if found := self._window.pop(frame.sequence, None):
            job, part, _, _ = found
            job.flying -= 1
            self._refused(job, part, self._not_understood(frame), now)
            return self._settle(job)
        if frame.sequence == 0:
            words = f"The operator lost the thread: {statuses.words_of(frame.status)}"
            self._end(words, now)
        return None

    def _not_understood(self, frame: pdu.Frame) -> PhoneError:
        """Give the error of a generic_nack; some servers throttle that way."""
        error = self._error(frame.status, b"")
        if isinstance(error, Temporary):
            return error
        words = f"The operator did not understand it: {statuses.words_of(frame.status)}"
        return Rejected(words, statuses.code_of(frame.status))

    def _unbound(self, frame: pdu.Frame, now: float) -> None:
        self._write(pdu.write(pdu.UNBIND_RESP, frame.sequence))
        if self.state in (State.BOUND, State.DRAINING):
            self._enter(State.UNBINDING, now)
            self.counts.words = "The operator ended the bind."
            self._deadline = now + _LAST_WORDS

    def _delivered(self, frame: pdu.Frame) -> None:
        if self._unstored >= _MOST_RECEIVED:
            return self._answer(frame.command, frame.sequence, statuses.QUEUE_FULL)
        received = self._received(frame)
        received.ticket = Ticket(self, self._connection, frame.command, frame.sequence, received)
        received.came = self._clock
        self._unstored += 1
        if not isinstance(received.event, StatusReport):
            self._open[frame.sequence] = received
        self._desk.came(received)
        return None

    def _received(self, frame: pdu.Frame) -> Received:
        """Give what came, kept as octets where it cannot be read."""
        try:
            delivered = pdu.read_deliver(frame.command, frame.body)
            return Received(self._event(delivered, frame.body), None)
        except pdu.Unreadable as error:
            words = str(error)
        except Exception as error:  # the server would send it again for ever
            logger.exception("%s cannot be read", pdu.name_of(frame.command))
            words = f"An error of ours: {type(error).__name__}."
        return Received(None, None, f"{words} {frame.body.hex()}")

    def _event(self, delivered: pdu.Delivered, body: bytes) -> StatusReport | IncomingSms:
        habits = self.profile.habits
        if receipts.is_receipt(delivered, by_text=habits.by_text):
            ours = self.profile.source[2]
            # Some operators leave the addresses as they were in our message.
            as_sent = bool(ours) and delivered.source == ours
            source = delivered.destination if as_sent else delivered.source
            return receipts.read(delivered._replace(source=source), habits)
        words, concat = text.read(delivered, self.profile.coding)
        return incoming(delivered, words, concat, blake2b(body, digest_size=16).hexdigest())

    def _acknowledge(self, ticket: Ticket, status: int) -> None:
        if ticket.connection != self._connection:
            return  # another connection counts its PDUs anew
        self._unstored -= 1
        self._answer(ticket.command, ticket.sequence, status)
        received = self._open.pop(ticket.sequence, None)
        if received and status == 0:
            self._unflushed.append((self._written, received))
        elif received:
            received.fate = Fate.UNHEARD

    def _answer(self, command: int, sequence: int, status: int) -> None:
        # message_id is unused here and must be NUL (§4.6.2).
        self._write(pdu.HEADER.pack(17, command | pdu.RESPONSE, status, sequence) + b"\0")

    def _refuse(self, frame: pdu.Frame) -> None:
        if frame.command in (pdu.DELIVER_SM, pdu.DATA_SM):
            self._answer(frame.command, frame.sequence, statuses.TEMPORARY_TROUBLE)
        elif not frame.command & pdu.RESPONSE:
            self._write(pdu.write(pdu.GENERIC_NACK, frame.sequence, status=0x08))

    # ---- States -----------------------------------------------------------------------------

    def _end_slowly(self, now: float) -> None:
        """Wait for what is still to come, then say goodbye; stop waiting at the deadline."""
        begun = self._current or self._again
        waiting = self._window or self._unstored or self.acks or begun
        if self.state == State.DRAINING and (not waiting or now > self._deadline):
            self._enter(State.UNBINDING, now)
            self._deadline = now + _UNBIND_WITHIN
            self._ask("unbind")
            return
        # Where the operator said goodbye, nothing more is to be waited for once all is answered.
        is_done = bool(self.counts.words) and not waiting
        if self.state == State.UNBINDING and (is_done or now > self._deadline):
            self._end(self.counts.words, now)

    def _enter(self, state: State, now: float) -> None:
        self.state = state
        self.counts.since = now
        if state == State.BOUND:
            self.counts.words = ""
        self._desk.look()

    def _end(self, words: str, now: float) -> None:
        self._enter(State.CLOSED, now)
        self.counts.words = words

    def _next(self) -> int:
        # 1 to 0x7FFFFFFF (§3.2).
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        return self._sequence

    def _write(self, data: bytes) -> None:
        self.output += data
        self._written += len(data)
        if self.trace:
            length, command, status, sequence = pdu.HEADER.unpack_from(data)
            self.trace(">", pdu.Frame(command, status, sequence, data[16:length]))


def incoming(
    delivered: pdu.Delivered, words: str, concat: text.Concat | None, fingerprint: str
) -> IncomingSms:
    """Give a message, or a part of one, that somebody sent."""
    return IncomingSms(
        sender=_international(delivered.source),
        text=words,
        provider_id="",
        to=delivered.destination,
        fingerprint=fingerprint,
        part=Part(str(concat.reference), concat.number, concat.total) if concat else None,
    )


def _international(address: str) -> str:
    """Give a whole number its plus; short codes and names stay."""
    return (
        f"+{address}" if address.isascii() and address.isdigit() and len(address) > 8 else address
    )


def _told(body: bytes) -> str:
    """Give what the server says of a refusal in words, "" for nothing."""
    # A refusal may leave its message_id out (§4.4.2).
    for at in (0, body.find(b"\0") + 1):
        if told := pdu.read_tlvs(body, at).get(_STATUS_WORDS):
            return pdu.text_of(told)
    return ""


def _in_doubt(job: Job) -> str:
    parts = len(job.bodies)
    return _LOST if parts == 1 else f"{_LOST} It had taken {job.accepted} of {parts} segments."


def _of_parts(job: Job, error: PhoneError) -> PhoneError:
    """Say of a message that is refused in the middle how much of it had been taken."""
    if not job.accepted:
        return error
    words = f"{error.words} {job.accepted} of {len(job.bodies)} segments had been taken."
    if isinstance(error, OutcomeUnknown):
        return OutcomeUnknown(words, error.code)
    return Rejected(words, error.code)  # trying again would send the first segments twice
