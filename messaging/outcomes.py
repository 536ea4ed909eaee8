"""What came of handing a message over, and the one statement that records a batch of it.

The rule that makes late news harmless: a result is written only where the message still carries the
claim of the run that sent it, and never lowers a state that a callback has already raised.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from lib import bulk, stored
from lib.http import Trace
from lib.stored import DatabaseAway
from messaging import costs, receiving, reporting, tallies
from messaging.models import Attempt, Message, Segment, Status
from phones import quotas
from phones.base import (
    Attachment,
    BadNumber,
    Misconfigured,
    OptedOut,
    PhoneError,
    Reason,
    Rejected,
    Sent,
    Temporary,
    Throttled,
)
from phones.lines import exchange
from phones.models import Exchange, Phone

logger = logging.getLogger(__name__)

# Seconds before the second, third, … try; the last one repeats.
BACKOFF = (10, 30, 60, 300, 900, 1800, 3600)
# Tries of a message that cannot be handed over: with the waits above, about a day. Not a time since
# it was written, because a message may have waited for days on a paused phone before its first try.
TRIES = 30
# Times a message whose outcome is unknown is sent again where the phone allows it.
RESENDS = 2
# Seconds that recording insists when the database does not answer.
_INSIST = 60


@dataclass(frozen=True, slots=True)
class Claimed:
    """What sending needs of a message. `key` is the same at each try, and nowhere else.

    `counted` is the quarter of an hour that its phone's limits count it in, None where it has none.
    """

    pk: int
    peer: str
    text: str
    flash: bool
    key: str
    segments: int
    attempts: int
    media: tuple[Attachment, ...] = ()
    counted: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One message's end of the hand-over: `sent` or `error`, and the exchanges with the provider.

    `unreachable` = nothing could leave at all, so the next message would fare no better. `seconds` =
    how long the hand-over took, where it is known.
    """

    message: Claimed
    sent: Sent | None = None
    error: PhoneError | None = None
    unreachable: bool = False
    traces: tuple[Trace, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means for its message's row."""

    status: Status
    reason: Reason = Reason.NONE
    kind: Attempt.Kind | None = None
    not_before: datetime | None = None
    counts: bool = False


def judge(outcome: Outcome, phone: Phone, now: datetime) -> Verdict:
    """Say what an outcome means. Pure: the same outcome at the same time gives the same verdict."""
    message, error = outcome.message, outcome.error
    if error is None:
        return Verdict(Status.SENT)
    if isinstance(error, Throttled):
        wait = timedelta(seconds=error.retry_after or 1)
        return Verdict(Status.QUEUED, kind=Attempt.Kind.THROTTLED, not_before=now + wait)
    if isinstance(error, Temporary):
        if message.attempts + 1 >= TRIES:
            return Verdict(Status.FAILED, Reason.GAVE_UP, Attempt.Kind.FAILED)
        wait = timedelta(seconds=max(error.retry_after or 0, backoff(message.attempts)))
        return Verdict(
            Status.QUEUED, kind=Attempt.Kind.TEMPORARY, not_before=now + wait, counts=True
        )
    if isinstance(error, Misconfigured):
        return Verdict(Status.QUEUED, kind=Attempt.Kind.PAUSED, not_before=now)
    if isinstance(error, Rejected):
        return Verdict(Status.FAILED, _reason(error), Attempt.Kind.FAILED)
    return unknown(message.attempts, phone, now, Reason.NO_ANSWER)


def unknown(attempts: int, phone: Phone, now: datetime, reason: Reason) -> Verdict:
    """Say what to do with a message that may or may not have left, after so many attempts."""
    if phone.resend_unknown and attempts < RESENDS:
        wait = timedelta(seconds=backoff(attempts))
        return Verdict(Status.QUEUED, kind=Attempt.Kind.UNKNOWN, not_before=now + wait, counts=True)
    return Verdict(Status.UNKNOWN, reason, Attempt.Kind.UNKNOWN)


def backoff(attempts: int) -> float:
    """Give the seconds until the next try, ±20 % so that a crowd does not come back at once."""
    return BACKOFF[min(attempts, len(BACKOFF) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311


def _reason(error: Rejected) -> Reason:
    if isinstance(error, BadNumber):
        return Reason.BAD_NUMBER
    return Reason.OPTED_OUT if isinstance(error, OptedOut) else Reason.REJECTED


def record(
    run: uuid.UUID,
    phone: Phone,
    outcomes: Sequence[Outcome],
    *,
    patience: float = _INSIST,
    beside: Sequence[int] = (),
) -> None:
    """Write the outcomes of one run, in one transaction, insisting while the database is away.

    Reports that came too early are looked for at the phone and at those `beside` it (accounts.beside).

    One that cannot be stored is written without what the provider said, and costs the others nothing.
    """
    try:
        _insist(run, phone, outcomes, patience)
    except DatabaseAway:
        raise
    except (DatabaseError, ValueError, TypeError, OverflowError):
        logger.exception("%s results of phone %s cannot be stored", len(outcomes), phone.pk)
        _record_apart(run, phone, outcomes, patience)
    # The tick matches them too; a failure here must not take what else is in flight with it.
    with suppress(DatabaseError, *DatabaseAway):
        reporting.match_parked(phone, names_of(outcomes), beside=beside)


def names_of(outcomes: Sequence[Outcome]) -> list[str]:
    """Give the provider's ids in some outcomes: of each message, or of each of its segments."""
    sent = [outcome.sent for outcome in outcomes if outcome.sent]
    return [name for one in sent for name in (one.provider_ids or (one.provider_id,))]


def _insist(run: uuid.UUID, phone: Phone, outcomes: Sequence[Outcome], patience: float) -> None:
    """Record in one transaction, trying for `patience` seconds: what is lost here is money spent
    without a trace. After that the lease ends and the messages become unknown.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with transaction.atomic():
                return write(run, phone, outcomes)
        except DatabaseAway as error:
            if time.monotonic() >= deadline:
                raise
            logger.warning("%s results wait for the database: %s", len(outcomes), error)
            connection.close()
            time.sleep(0.5)


def _record_apart(
    run: uuid.UUID, phone: Phone, outcomes: Sequence[Outcome], patience: float
) -> None:
    if len(outcomes) > 1:
        for outcome in outcomes:
            record(run, phone, [outcome], patience=patience)
    elif outcomes[0].traces:
        record(run, phone, [replace(outcomes[0], traces=())], patience=patience)
    elif outcomes[0].sent and outcomes[0].sent != Sent(""):
        record(run, phone, [replace(outcomes[0], sent=Sent(""))], patience=patience)


_COLUMNS = (
    "id", "status", "provider_id", "segments", "cost", "currency", "reason", "code", "words",
    "not_before", "attempts", "sent_at", "ended_at",
)  # fmt: skip
# A state that a callback reached while we were sending stays; its provider id is still welcome. A
# success counts even where the lease had ended and the message was to be sent again, or cancelled.
_COUNTS = """(m.status IN ('sending', 'unknown')
    OR (v.status = 'sent' AND m.status IN ('queued', 'cancelled')))"""
# A report that was quicker than the answer knows the cost better; our own estimate knows it worst.
_TELLS_COST = "(v.cost IS NOT NULL AND (m.cost IS NULL OR m.cost_is_estimate))"
_ASSIGN = f"""
    status = CASE WHEN {_COUNTS} THEN v.status ELSE m.status END,
    reason = CASE WHEN {_COUNTS} THEN v.reason ELSE m.reason END,
    code = CASE WHEN {_COUNTS} THEN v.code ELSE m.code END,
    words = CASE WHEN {_COUNTS} THEN v.words ELSE m.words END,
    ended_at = CASE WHEN {_COUNTS} THEN v.ended_at ELSE m.ended_at END,
    held = m.held AND CASE WHEN {_COUNTS} THEN v.status ELSE m.status END = 'queued',
    claim = CASE WHEN v.status = 'queued' THEN NULL ELSE m.claim END,
    lease_until = CASE WHEN v.status = 'queued' THEN NULL ELSE m.lease_until END,
    not_before = COALESCE(v.not_before, m.not_before),
    attempts = v.attempts,
    provider_id = CASE WHEN v.provider_id = '' THEN m.provider_id ELSE v.provider_id END,
    segments = COALESCE(v.segments, m.segments),
    cost = CASE WHEN {_TELLS_COST} THEN v.cost ELSE m.cost END,
    currency = CASE WHEN {_TELLS_COST} THEN v.currency ELSE m.currency END,
    cost_is_estimate = m.cost_is_estimate AND v.cost IS NULL,
    sent_at = CASE WHEN v.sent_at IS NOT NULL AND m.sent_at < m.claimed_at THEN v.sent_at
        ELSE COALESCE(m.sent_at, v.sent_at) END
"""


def write(run: uuid.UUID, phone: Phone, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of one run, in the current transaction."""
    now = timezone.now()
    verdicts = [(outcome, judge(outcome, phone, now)) for outcome in outcomes]
    # Nothing left of these, so no limit counts them.
    unspent = [
        o.message
        for o, v in verdicts
        if v.status == Status.QUEUED and v.kind != Attempt.Kind.UNKNOWN and o.message.counted
    ]
    if unspent:
        quotas.lock(phone)
    claim = Message._meta.get_field("claim").get_db_prep_value(run, connection)
    written = set(
        bulk.update(
            Message,
            _COLUMNS,
            [_row(outcome, verdict, now) for outcome, verdict in verdicts],
            assign=_ASSIGN,
            where="m.claim = %s",
            arguments=[claim],
        )
    )
    uncount(phone, [message for message in unspent if message.pk in written])
    Attempt.objects.bulk_create(
        [_attempt(phone, o, v, now) for o, v in verdicts if v.kind and o.message.pk in written]
    )
    Segment.objects.bulk_create(
        [
            piece
            for o in outcomes
            if o.sent and o.message.pk in written
            for piece in _pieces(phone, o)
        ]
    )
    Exchange.objects.bulk_create(
        [exchange(phone, trace, o.message.pk) for o in outcomes for trace in o.traces]
    )
    tallies.recorded(
        phone,
        [(o.message.pk, v.status) for o, v in verdicts if o.message.pk in written],
        throttled=sum(isinstance(outcome.error, Throttled) for outcome in outcomes),
        seconds=[outcome.seconds for outcome in outcomes if outcome.seconds is not None],
    )
    for outcome in outcomes:
        if isinstance(outcome.error, OptedOut):
            receiving.write_no_more(phone, outcome.message.peer, outcome.error.words)


def uncount(phone: Phone, messages: Sequence[Claimed]) -> None:
    """Take messages off what the phone's limits count. In a transaction that has locked the phone."""
    by_quarter: dict[datetime, list[tuple[str, int]]] = {}
    for message in messages:
        if message.counted:
            by_quarter.setdefault(message.counted, []).append((message.peer, message.segments))
    for quarter, some in by_quarter.items():
        quotas.give_back(phone, quarter, some)


def _row(outcome: Outcome, verdict: Verdict, now: datetime) -> tuple[object, ...]:
    message, sent, error = outcome.message, outcome.sent, outcome.error
    cost, currency = costs.told(sent) if sent else (None, "")
    ended = verdict.status in (Status.FAILED, Status.UNKNOWN)
    return (
        message.pk,
        verdict.status,
        stored.name(sent.provider_id or "") if sent else "",
        costs.counted(sent) if sent else None,
        cost,
        currency,
        verdict.reason,
        error.code[:40] if error else "",
        error.words[:500] if error else "",
        verdict.not_before,
        message.attempts + verdict.counts,
        now if sent else None,
        now if ended else None,
    )


def _pieces(phone: Phone, outcome: Outcome) -> list[Segment]:
    """Give the rows that keep the provider's id of each segment."""
    names = outcome.sent.provider_ids if outcome.sent else ()
    return [
        Segment(
            message_id=outcome.message.pk, phone=phone, number=number, provider_id=stored.name(name)
        )
        for number, name in enumerate(names, 1)
    ]


def _attempt(phone: Phone, outcome: Outcome, verdict: Verdict, now: datetime) -> Attempt:
    error = outcome.error
    waits = verdict.status == Status.QUEUED and verdict.kind != Attempt.Kind.PAUSED
    return Attempt(
        message_id=outcome.message.pk,
        kind=verdict.kind or "",
        phone=phone,
        code=error.code[:40] if error else "",
        words=error.words[:500] if error else "",
        next_at=verdict.not_before if waits else None,
        created_at=now,
    )
