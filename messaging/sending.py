"""Sending: claim what is due, hand it over, record what came of it.

The order of events is what keeps messages from being lost or doubled:
1. a row becomes `sending`, under this run's claim and a lease, in a committed transaction;
2. only then does its first byte leave;
3. the result is written only where the claim still stands.
A run that dies between 1 and 3 leaves rows whose lease ends; they become `unknown`, never `queued`.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.utils import timezone

from contacts import carriers as known_carriers
from contacts.models import NumberCarrier
from lib import bulk
from lib.http import NoAnswer, NotSent, Trace
from lib.jobs import SEND, QueueDown, awake, enqueue, stopping, waiting, wake
from lib.stored import DatabaseAway
from messaging import alerts, media, quiet
from messaging.gateways import carrier_by
from messaging.models import Message, Status
from messaging.outcomes import Claimed, Outcome, record, uncount
from phones import leases, limits, quotas, services
from phones.base import (
    Attachment,
    BadAnswer,
    Misconfigured,
    NoCredit,
    OutgoingSms,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
    Throttled,
    outcome_of,
)
from phones.health import kind_of
from phones.lines import hushed, line, redactor_of
from phones.lookups import asker_of
from phones.models import Lease, PauseReason, Phone
from phones.quotas import Room

logger = logging.getLogger(__name__)

# Seconds that one run sends before it lets other phones have the worker.
TURN = 20.0
# Seconds that a phone rests after the provider could not be reached, doubling from the first.
_REST, _LONGEST_REST = 2.0, 60.0
# Seconds of sleep, at most, while the rate allows nothing: with other phones waiting, and alone.
_NAP_SHARED, _NAP = 0.05, 0.5
# Seconds that a result waits for others: a transaction each would cost more than the messages.
_GATHER = 0.01
# Requests at a time to a provider that takes many messages in each.
_WIDTH_OF_BULK = 2
# Part of its lease within which a message must begin to leave: its provider may take the rest to answer.
_SOON = 0.5

_Flight = Future[list[Outcome]]
# {number: its carrier's slug, or why it has none}
_Carriers = Mapping[str, str | Rejected]
_NO_CARRIERS: _Carriers = {}
# Stands for the present moment in a query that is written down once.
_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# In the very words of the index `message_order`: SQLite takes a partial index for an IN only where it
# reads the same values as text, and would else look through all the phone has ever sent.
_UNDER_WAY = RawSQL("status IN ('queued', 'sending')", [], BooleanField())


def due(phone: Phone) -> QuerySet[Message]:
    """Give what may leave by this phone now, most urgent first, then oldest.

    A message waits while an earlier one to the same number, as urgent or more, is under way: so
    people read what we wrote in the order we wrote it. It waits, too, while the carrier of its number is
    looked up.
    """
    known_in = phone.workspace_id if asker_of(phone) else None
    return _due(phone.pk, known_in, timezone.now(), metered=phone.metered)


def _due(
    phone: int, known_in: int | None, now: datetime, *, metered: bool = False
) -> QuerySet[Message]:
    """Give what is due; with a workspace's id, only to numbers whose carriers are known there."""
    earlier = Message.objects.filter(
        _UNDER_WAY,
        ~Q(status=Status.QUEUED, send_at__gt=now),
        held=False,
        phone=phone,
        peer=OuterRef("peer"),
        id__lt=OuterRef("id"),
        priority__lte=OuterRef("priority"),
    )
    # A scalar, not Exists: PostgreSQL would join the queue with itself until it has statistics.
    candidates = Message.objects.alias(earlier=Subquery(earlier.values("id")[:1]))
    if known_in is not None:
        known = NumberCarrier.objects.filter(workspace=known_in, number=OuterRef("peer"))
        candidates = candidates.alias(known=Subquery(known.values("id")[:1])).exclude(known=None)
    return candidates.filter(
        earlier=None,
        phone=phone,
        status=Status.QUEUED,
        held=False,
        not_before__lte=now,
        phone__paused_at=None,
        phone__deleted_at=None,
        # Who does not know yet that its messages are counted now, or no more, is to look again.
        phone__metered=metered,
    ).order_by("priority", "not_before", "id")


def claim(
    phone: Phone, run: uuid.UUID, limit: int, *, alike: bool = False, lease: Lease | None = None
) -> list[Claimed]:
    """Make up to `limit` due messages ours, durably, in one statement, and give them.

    `alike` = only those that one request can carry: they say the same, and have no picture.
    With a `lease`, only while it is ours. Within a transaction they are ours once that ends. No limit of
    the phone is ever passed. Raises leases.Lost.
    """
    quiet.keep(phone, timezone.now())
    with transaction.atomic(savepoint=False):
        if lease:
            leases.hold(lease)
        room = quotas.hold(phone) if phone.metered else None
        if room:
            rows = _take_within(phone, room, run, limit, alike=alike)
        elif alike:
            chosen = _alike(due(phone))
            rows = _take(*_first_of(chosen, limit), run) if chosen is not None else []
        else:
            rows = _take(*_first_due(phone, limit), run)
        pictured = [row[0] for row in rows if not media.is_linked(row[4])]
        pictures = _media_of(pictured) if phone.kind.can.mms_out else {}
    counted = room.at if room else None
    return [
        _claimed(row, pictures, counted)
        for row in sorted(rows, key=lambda row: (row[1], row[2], row[0]))
    ]


def _take_within(
    phone: Phone, room: Room, run: uuid.UUID, limit: int, *, alike: bool
) -> list[tuple[Any, ...]]:
    """Take what fits into what is left of the limits, and count it there."""
    waiting = _within(due(phone), phone, room)
    chosen = _alike(waiting) if alike else waiting
    ids = _fitting(chosen, phone, room, limit) if chosen is not None else []
    if not ids:
        return []
    rows = _take(*_first_of(due(phone).filter(pk__in=ids), limit), run)
    quotas.charge(phone, room, [(row[3], row[7]) for row in rows])
    return rows


def _within(waiting: QuerySet[Message], phone: Phone, room: Room) -> QuerySet[Message]:
    """Leave out what does not fit into what is left of a limit, be it the first to go."""
    if room.is_none:
        return waiting.none()
    if room.segments is not None:
        waiting = waiting.filter(segments__lte=room.segments)
    return waiting.filter(quotas.to_known(phone, room)) if room.people == 0 else waiting


def _fitting(chosen: QuerySet[Message], phone: Phone, room: Room, limit: int) -> list[int]:
    """Give the ids of the first that fit together into what is left of the limits."""
    if room.messages is not None:
        limit = min(limit, room.messages)
    rows = list(chosen.values_list("pk", "peer", "segments")[:limit])
    if room.segments is None and room.people is None:
        return [pk for pk, _peer, _segments in rows]
    old = quotas.known(phone, room, [peer for _pk, peer, _segments in rows])
    ids, segments, new = [], 0, set[str]()
    for pk, peer, more in rows:
        people = new | {peer} - old
        if room.people is not None and len(people) > room.people:
            continue
        if room.segments is not None and segments + more > room.segments:
            continue
        ids.append(pk)
        segments, new = segments + more, people
    return ids


def _first_of(chosen: QuerySet[Message], limit: int) -> tuple[str, Sequence[Any]]:
    """Give SQL for the ids of the first, locked as they are chosen, and its arguments."""
    ids = chosen[:limit].values("pk")
    if connection.features.has_select_for_update_skip_locked:
        ids = ids.select_for_update(skip_locked=True, of=("self",))
    sql, arguments = ids.query.get_compiler(connection=connection).as_sql()
    return sql, arguments


def _first_due(phone: Phone, limit: int) -> tuple[str, list[Any]]:
    """Give the same for what is due."""
    known_in = phone.workspace_id if asker_of(phone) else None
    sql, arguments = _written(phone.pk, known_in, limit)
    some_time, now = map(connection.ops.adapt_datetimefield_value, (_SOME_TIME, timezone.now()))
    return sql, [now if argument == some_time else argument for argument in arguments]


@lru_cache(maxsize=512)
def _written(phone: int, known_in: int | None, limit: int) -> tuple[str, Sequence[Any]]:
    """Write the query down, once: that takes Django longer than the database needs to claim a handful."""
    return _first_of(_due(phone, known_in, _SOME_TIME), limit)


_TAKEN = "id, priority, not_before, peer, text, flash, submission, segments, attempts"


def _take(wanted: str, arguments: Sequence[Any], run: uuid.UUID) -> list[tuple[Any, ...]]:
    """Make the messages of these ids (SQL) `sending`; give their columns _TAKEN, in no order."""
    # They are locked as they are chosen, by their rows or by SQLite's one writer. An array is found once;
    # PostgreSQL might look for a sub-query again, and lock other rows.
    one_of = f"= ANY(ARRAY({wanted}))" if connection.vendor == "postgresql" else f"IN ({wanted})"
    now = timezone.now()
    values = {
        "claim": run,
        "claimed_at": now,
        "lease_until": now + timedelta(seconds=settings.SENDING_LEASE),
    }
    prepared = bulk.prepared(Message, list(values), [list(values.values())])
    # Every part of this statement is ours; values travel as parameters.
    sql = (
        f"UPDATE {Message._meta.db_table} SET status = 'sending', "  # noqa: S608
        f"claim = %s, claimed_at = %s, lease_until = %s "
        f"WHERE id {one_of} RETURNING {_TAKEN}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*prepared, *arguments])
        return list(cursor.fetchall())


def _media_of(ids: Sequence[int]) -> dict[int, list[Attachment]]:
    """Give {message's id: its pictures}."""
    found: dict[int, list[Attachment]] = {}
    links = Message.media.through.objects.filter(message__in=ids).select_related("media")
    for link in links.order_by("id"):
        found.setdefault(link.message_id, []).append(media.attachment(link.media))
    return found


def _claimed(
    row: tuple[Any, ...], pictures: Mapping[int, list[Attachment]], counted: datetime | None = None
) -> Claimed:
    pk, _, _, peer, text, flash, submission, segments, attempts = row
    # SQLite gives a UUID as its 32 digits.
    digits = submission if isinstance(submission, str) else submission.hex
    return Claimed(
        pk=pk,
        peer=peer,
        text=text,
        flash=bool(flash),
        key=f"{digits[:16]}-{pk}",
        segments=segments,
        attempts=attempts,
        media=tuple(pictures.get(pk, ())),
        counted=counted,
    )


def release(run: uuid.UUID, phone: Phone, messages: Sequence[Claimed]) -> int:
    """Give messages back of which no byte left; give how many were still ours."""
    ours = Message.objects.filter(
        id__in=[message.pk for message in messages], claim=run, status=Status.SENDING
    )
    change = {"status": Status.QUEUED, "claim": None, "lease_until": None}
    if not any(message.counted for message in messages):
        return ours.update(**change)
    with transaction.atomic():
        # The phone first: who claims has it before any message.
        quotas.lock(phone)
        ids = set(ours.values_list("pk", flat=True))
        ours.filter(pk__in=ids).update(**change)
        uncount(phone, [message for message in messages if message.pk in ids])
    return len(ids)


def prolong(run: uuid.UUID, ids: Sequence[int]) -> None:
    """Keep messages that have no result yet for another while."""
    until = timezone.now() + timedelta(seconds=settings.SENDING_LEASE)
    ours = Message.objects.filter(id__in=ids, claim=run, status=Status.SENDING)
    ours.update(lease_until=until)


def _alike(chosen: QuerySet[Message]) -> QuerySet[Message] | None:
    """Give those of `chosen` that say the same as the first; only that one if it has a picture."""
    first = chosen.first()
    if first is None:
        return None
    if first.media.exists():
        return chosen.filter(pk=first.pk)
    return chosen.filter(text=first.text, flash=first.flash, media=None)


class Run:
    """One turn of one phone: up to `width` messages in flight, results written as they come."""

    def __init__(
        self, phone: Phone, *, stop: Callable[[], bool], others: Callable[[], bool]
    ) -> None:
        self.phone = phone
        self.id = uuid.uuid4()
        kind = phone.kind
        # Messages that one request carries; where it is many, few requests at a time are enough.
        self.bulk = kind.bulk_size if kind.can.bulk else 1
        self.width: int = settings.SENDING_CONCURRENCY if self.bulk == 1 else _WIDTH_OF_BULK
        self._stop = stop
        self._others = others
        self._traces = threading.local()
        self._line = line(phone, self._note, connections=self.width)
        self._by_carrier = kind.by_carrier(phone.settings)
        self._halted = False
        # Claimed and not recorded yet.
        self._flying: set[_Flight] = set()

    def __call__(self) -> bool:
        """Send until nothing is due, the turn is over, others wait, or the worker is to stop.

        Say whether the phone could go on at once: not while it is held, paused or in trouble.
        """
        with _Pool(self.width) as pool:
            # A machine that has no thread left says so here, before anything is claimed.
            pool.submit(time.monotonic)
            try:
                return self._fly(pool, ends=time.monotonic() + TURN)
            finally:
                # Whatever ended the run, a bug or a signal: what has left must be recorded.
                self._settle(wait(self._flying).done)
                self._line.close()

    def _fly(self, pool: ThreadPoolExecutor, ends: float) -> bool:
        while True:
            going_on = not (self._halted or self._stop() or time.monotonic() > ends)
            nap = 0.0
            # Claim in handfuls: a transaction per message would cost more than the message.
            if going_on and len(self._flying) <= self.width // 2:
                until = timezone.now() + timedelta(seconds=_SOON * settings.SENDING_LEASE)
                batches, nap = self._next(self.width - len(self._flying))
                carriers = self._carriers_of(batches)
                for batch in batches:
                    self._flying.add(pool.submit(self._hand_over, batch, carriers, until))
            if self._flying:
                self._settle(_land(self._flying, nap))
            elif not (going_on and self._rest(nap)):
                return not self._halted

    def _rest(self, nap: float) -> bool:
        """Sleep while the rate allows nothing; say whether to go on afterwards."""
        if not nap:
            return False
        shared = self._others()
        time.sleep(min(nap, _NAP_SHARED if shared else _NAP))
        return not shared

    def _next(self, room: int) -> tuple[list[list[Claimed]], float]:
        """Claim what the rate allows: (one list per request, seconds to wait if it allows none).

        With the queue server or the database away the run ends, once what flies has landed.
        """
        try:
            pace = limits.pace(self.phone)
            if pace.held:
                self._halted = True
                return [], 0.0
            is_bulk = self.bulk > 1
            granted, nap = limits.take(self.phone, pace, self.bulk if is_bulk else room)
            if not granted:
                return [], max(nap, 0.001)
            messages = claim(self.phone, self.id, granted, alike=is_bulk)
            # Where a limit is reached nothing is to be asked again at once; the tick does.
            self._halted = self._halted or (self.phone.metered and not messages)
        except (QueueDown, *DatabaseAway) as error:
            logger.warning("Phone %s stops sending for now: %s", self.phone.pk, error)
            self._halted = True
            return [], 0.0
        used = sum(message.segments for message in messages)
        # What is claimed must be sent, even where the queue server has just gone.
        with suppress(QueueDown):
            limits.charge(self.phone, pace, used - granted)
        if is_bulk:
            return [messages] if messages else [], 0.0
        return [[message] for message in messages], 0.0

    def _carriers_of(self, batches: list[list[Claimed]]) -> _Carriers | None:
        """Give each number's carrier to a phone that goes by it, None while the database is away."""
        if not (self._by_carrier and batches):
            return {}
        numbers = {message.peer for batch in batches for message in batch}
        try:
            rows = list(known_carriers.rows(self.phone.workspace_id, numbers))
        except DatabaseAway:
            return None
        return {row.number: carrier_by(self.phone, row) for row in rows}

    def _hand_over(
        self, batch: list[Claimed], carriers: _Carriers | None, until: datetime
    ) -> list[Outcome]:
        """Send what one request carries. Runs in a thread of the pool and touches no database.

        Not after `until`: a machine that stood still must not send what was given up, and sent again.
        """
        self._traces.kept, self._traces.began = [], time.monotonic()
        error, unreachable = None, False
        try:
            if timezone.now() > until:
                raise Temporary("This worker stood still for too long. Nothing has left.")
            if carriers is None:
                raise Temporary("The carriers of the numbers could not be looked up.")
            return self._sent([as_outgoing(message, carriers) for message in batch], batch)
        except PhoneError as problem:
            error = problem
        except (NotSent, NoAnswer) as problem:
            unreachable = isinstance(problem, NotSent)
            error = outcome_of(problem)
        # A type's bug, or an SDK that wants to exit, must not take the whole run with it.
        except BaseException as problem:  # noqa: BLE001
            # Its words may hold what the provider said, and that what it was told.
            trace = redactor_of(self.phone).text(traceback.format_exc())
            logger.error(
                "Phone type %s failed on message %s\n%s", self.phone.type, batch[0].pk, trace
            )
            error = BadAnswer(f"This phone type has an error: {type(problem).__name__}.")
        return self._outcomes(batch, [error] * len(batch), unreachable)

    def _sent(self, outgoing: list[OutgoingSms], batch: list[Claimed]) -> list[Outcome]:
        if len(batch) == 1:
            return self._outcomes(batch, [self._line.send(outgoing[0])])
        results = self._line.send_many(outgoing)
        if len(results) != len(batch):
            raise BadAnswer(f"{len(batch)} messages left, and {len(results)} results came back.")
        return self._outcomes(batch, results)

    def _outcomes(
        self,
        batch: list[Claimed],
        results: Sequence[Sent | PhoneError],
        unreachable: bool = False,
    ) -> list[Outcome]:
        """Give one outcome per message; what was said to the provider goes with the first."""
        traces = tuple(self._traces.kept)
        seconds = time.monotonic() - self._traces.began
        return [
            Outcome(
                message,
                sent=result if isinstance(result, Sent) else None,
                error=hushed(self.phone, result) if isinstance(result, PhoneError) else None,
                unreachable=unreachable,
                traces=() if index else traces,
                seconds=seconds,
            )
            for index, (message, result) in enumerate(zip(batch, results, strict=True))
        ]

    def _note(self, trace: Trace) -> None:
        self._traces.kept.append(trace)

    def _settle(self, landed: set[_Flight]) -> None:
        """Record results, then let the phone learn from them."""
        if not landed:
            return
        # One that fell apart on its way home leaves its message to the lease.
        home = [flight for flight in landed if not flight.exception()]
        outcomes = [outcome for flight in home for outcome in flight.result()]
        record(self.id, self.phone, outcomes)
        self._flying -= landed
        try:
            for outcome in outcomes:
                if isinstance(outcome.error, Misconfigured):
                    self._pause(outcome.error)
            self._learn(outcomes)
        except (QueueDown, *DatabaseAway) as error:
            # What still flies must be recorded: nothing less may end this run.
            logger.warning("Phone %s stops sending for now: %s", self.phone.pk, error)
            self._halted = True

    def _learn(self, outcomes: list[Outcome]) -> None:
        """Slow down where the provider asks for it; rest where it cannot be reached at all."""
        for outcome in outcomes:
            error = outcome.error
            if isinstance(error, Throttled):
                self._halted = True
                limits.slow_down(self.phone, words=error.words, seconds=error.retry_after or 1)
        if not all(outcome.unreachable for outcome in outcomes):
            limits.forget_trouble(self.phone)
        elif error := outcomes[-1].error:
            self._halted = True
            seconds = min(_REST * 2 ** limits.note_trouble(self.phone), _LONGEST_REST)
            limits.hold(self.phone, words=error.words, seconds=seconds)

    def _pause(self, error: Misconfigured) -> None:
        self._halted = True
        reason = PauseReason.NO_CREDIT if isinstance(error, NoCredit) else PauseReason.MISCONFIGURED
        words = f"{error.words} ({error.code})" if error.code else error.words
        if services.pause(self.phone, reason=reason, words=words, by=None):
            enqueue(alerts.phone_paused, self.phone.pk)


class _Pool(ThreadPoolExecutor):
    """A pool that works with the threads it could start, where the machine has no more of them."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            # The work is in the pool's queue already: any thread will do it.
            if not self._threads:
                raise


def _land(flying: set[_Flight], nap: float) -> set[_Flight]:
    """Wait for the first to land, and a moment for others; give those that have."""
    landed, flying = wait(flying, timeout=nap or None, return_when=FIRST_COMPLETED)
    if landed and flying:
        landed |= wait(flying, timeout=_GATHER).done
    return landed


def as_outgoing(message: Claimed, carriers: _Carriers = _NO_CARRIERS) -> OutgoingSms:
    """Give what a phone type hands over. Raises Rejected where its carrier cannot be known."""
    carrier = carriers.get(message.peer, "")
    if isinstance(carrier, Rejected):
        raise carrier
    return OutgoingSms(
        reference=str(message.pk),
        key=message.key,
        to=message.peer,
        text=message.text,
        media=message.media,
        flash=message.flash,
        carrier=carrier,
    )


def send_due(phone: Phone, *, stop: Callable[[], bool], others: Callable[[], bool]) -> bool:
    """Give a phone its turn; say whether it should get another one at once."""
    if phone.is_paused or phone.is_deleted:
        return False
    kind = kind_of(phone)
    if kind is None:
        _pause_without_type(phone)
        return False
    if kind.connected:
        return False  # its session sends
    return Run(phone, stop=stop, others=others)() and due(phone).exists()


def _pause_without_type(phone: Phone) -> None:
    words = f"Phones of the type {phone.type} are not installed on this site."
    if services.pause(phone, reason=PauseReason.MISCONFIGURED, words=words, by=None):
        enqueue(alerts.phone_paused, phone.pk)


def pump(phone_id: int) -> None:
    """Give a phone its turn. The job behind every wake-up; it may run twice, or at the same time."""
    awake(pump, phone_id)
    phone = Phone.objects.select_related("workspace").filter(pk=phone_id).first()
    if phone and send_due(phone, stop=stopping.is_set, others=lambda: waiting(SEND) > 0):
        wake(pump, phone_id)
