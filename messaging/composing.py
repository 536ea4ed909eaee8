"""From what a person wants to say to rows that will be sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User, Workspace
from contacts.services import opted_out
from lib import gsm
from messaging import quiet
from messaging.connected import rouse
from messaging.conversations import note_outgoing
from messaging.models import Attempt, Direction, Media, Message, Priority, Status
from phones.base import Reason
from phones.models import Phone
from phones.prices import Tariff, tariff_of

# Rows per INSERT.
_BATCH = 500


class AlreadySent(Exception):
    """This very form was submitted before: its messages exist and nothing was added."""


class CannotSend(Exception):
    """The phone cannot carry this message; the text says why."""


@dataclass(frozen=True, slots=True)
class Composed:
    """What came of it: messages that will leave, in order, and those kept back (opted out)."""

    queued: list[Message]
    skipped: list[Message]


def create(
    *,
    workspace: Workspace,
    phone: Phone,
    numbers: Sequence[str],
    text: str,
    by: User | None,
    submission: uuid.UUID,
    send_at: datetime | None = None,
    media: Iterable[Media] = (),
    flash: bool = False,
    priority: Priority = Priority.NORMAL,
    at_any_hour: bool = False,
) -> Composed:
    """Add one message per number (E.164), in one transaction, and wake the phone when they are due.

    Each keeps what it is estimated to cost by the phone's price table as it is now, and waits for the end
    of quiet hours, unless it is urgent or to leave `at_any_hour`.

    `submission` is the form's own id: the same one again raises AlreadySent and adds nothing.
    """
    now = timezone.now()
    length = gsm.measure(text)
    stopped = opted_out(workspace, numbers)
    pictures = list(media)
    wanted = send_at or now
    is_free = at_any_hour or priority == Priority.URGENT
    held = {} if is_free else quiet.held(workspace, numbers, wanted)
    # Pictures have prices of their own, which no table of ours knows.
    tariff = Tariff({}) if pictures else tariff_of(phone)
    rows = [
        Message(
            workspace=workspace,
            direction=Direction.OUT,
            status=Status.SKIPPED if number in stopped else Status.QUEUED,
            reason=Reason.OPTED_OUT if number in stopped else Reason.NONE,
            ended_at=now if number in stopped else None,
            phone=phone,
            peer=number,
            own=phone.address,
            text=text,
            encoding=length.encoding,
            segments=max(1, length.segments),
            flash=flash,
            priority=priority,
            submission=submission,
            created_by=by,
            created_at=now,
            send_at=held.get(number, wanted),
            not_before=held.get(number, wanted),
        )
        for number in numbers
    ]
    for row in rows:
        if row.status == Status.QUEUED and (price := tariff.price_of(row.peer)):
            row.cost, row.currency = price.amount * row.segments, price.currency
            row.cost_is_estimate = True
    try:
        with transaction.atomic():
            messages = Message.objects.bulk_create(rows, batch_size=_BATCH)
            _attach(messages, pictures)
            _note_held(messages, held)
            note_outgoing(workspace, messages)
    except IntegrityError as error:
        if Message.objects.filter(workspace=workspace, submission=submission).exists():
            raise AlreadySent from error
        raise
    rouse(phone)
    return Composed(
        queued=[m for m in messages if m.status == Status.QUEUED],
        skipped=[m for m in messages if m.status == Status.SKIPPED],
    )


def _note_held(messages: list[Message], held: Mapping[str, datetime]) -> None:
    """Let the timeline tell what waits for the end of quiet hours."""
    Attempt.objects.bulk_create(
        [
            Attempt(
                message=message,
                kind=Attempt.Kind.QUIET,
                phone_id=message.phone_id,
                created_at=message.created_at,
                next_at=message.send_at,
            )
            for message in messages
            if message.peer in held and message.status == Status.QUEUED
        ],
        batch_size=_BATCH,
    )


def _attach(messages: list[Message], media: list[Media]) -> None:
    through = Media.messages.through
    through.objects.bulk_create(
        [
            through(media_id=item.pk, message_id=message.pk)
            for item in media
            for message in messages
        ],
        batch_size=_BATCH,
    )
