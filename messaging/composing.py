"""From what a person wants to say to rows that will be sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User, Workspace
from contacts.models import OptOut
from contacts.services import stopped
from lib import gsm
from lib.e164 import describe
from messaging import permitting, quiet, routing
from messaging.carrying import Load
from messaging.connected import rouse
from messaging.conversations import note_outgoing
from messaging.media import is_linked, with_links
from messaging.models import OVER_QUOTA, Attempt, Direction, Media, Message, Priority, Status
from messaging.permitting import NotPermitted
from messaging.quota.charging import charge
from messaging.routing import Route
from phones.base import Reason
from phones.models import Phone
from phones.prices import tariff_of

# Rows per INSERT.
_BATCH = 500


class AlreadySent(Exception):
    """This very form was submitted before: its messages exist and nothing was added."""


class CannotSend(Exception):
    """No phone can carry this message, or who sends it may not; the text says why."""


@dataclass(frozen=True, slots=True)
class Composed:
    """What came of it: messages that will leave, in order, and those kept back (opted out, no phone, quota).

    Of those that will leave some may wait for a quota (`awaiting`).
    """

    queued: list[Message]
    skipped: list[Message]

    @property
    def awaiting(self) -> list[Message]:
        return [message for message in self.queued if message.reason in OVER_QUOTA]


def create(
    *,
    workspace: Workspace,
    route: Route,
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
    """Add one message per number (E.164), in one transaction, and wake the phones when they are due.

    Each keeps what it is estimated to cost by its phone's price table as it is now, and waits for the end
    of quiet hours, unless it is urgent or to leave `at_any_hour`. It is charged to the quotas there are,
    or waits for them, or is skipped. Where no phone of the route sends pictures, they go as links in the
    text.

    `submission` is the form's own id: the same one again raises AlreadySent and adds nothing. Raises
    CannotSend where the route has no phone at all, or `by` may not send this (see permitting).
    """
    try:
        route = permitting.of(workspace, by).check(route, numbers)
    except NotPermitted as refusal:
        raise CannotSend(str(refusal)) from refusal
    now = timezone.now()
    pictures = list(media)
    wanted = send_at or now
    is_free = at_any_hour or priority == Priority.URGENT
    held = {} if is_free else quiet.held(workspace, numbers, wanted)
    found = routing.candidates(workspace, route, now)
    if not found:
        raise CannotSend(_("%(route)s has no phone that sends.") % {"route": route})
    if pictures and routing.links(found):
        text = with_links(text, pictures)
    length = gsm.measure(text)
    load = Load(text, picture=bool(pictures), flash=flash)
    stops = stopped(workspace, numbers)
    loads = [(place, n, load) for place, n in enumerate(numbers) if n not in stops]
    assigned = routing.assign(workspace, route, loads, found=found)
    rows = []
    for place, number in enumerate(numbers):
        given = assigned.get(place)
        phone = (given.phone or given.at) if given else None
        kept = _kept_back(phone, stops.get(number))
        phone = phone or found[0].phone
        rows.append(
            Message(
                workspace=workspace,
                direction=Direction.OUT,
                status=Status.SKIPPED if kept else Status.QUEUED,
                reason=kept,
                ended_at=now if kept else None,
                phone=phone,
                pool=route.pool,
                any_phone=route.is_any,
                peer=number,
                country=describe(number)[1],
                own=phone.address,
                text=text,
                encoding=length.encoding,
                segments=load.segments,
                flash=flash,
                priority=priority,
                submission=submission,
                created_by=by,
                created_at=now,
                send_at=held.get(number, wanted),
                not_before=held.get(number, wanted),
            )
        )
    phones = {row.phone_id: row.phone for row in rows if row.status == Status.QUEUED}
    # Pictures have prices of their own, which no table of ours knows.
    if not pictures or is_linked(text):
        _estimate(rows, phones.values())
    try:
        with transaction.atomic():
            _charge(workspace, by, priority, rows, now)
            messages = Message.objects.bulk_create(rows, batch_size=_BATCH)
            _attach(messages, pictures)
            _note_held(messages, held)
            _note_awaiting(messages)
            note_outgoing(workspace, messages)
    except IntegrityError as error:
        if Message.objects.filter(workspace=workspace, submission=submission).exists():
            raise AlreadySent from error
        raise
    for phone in phones.values():
        rouse(phone)
    return Composed(
        queued=[m for m in messages if m.status == Status.QUEUED],
        skipped=[m for m in messages if m.status == Status.SKIPPED],
    )


def _charge(
    workspace: Workspace, by: User | None, priority: int, rows: Sequence[Message], now: datetime
) -> None:
    """Charge what is to be sent to the quotas there are, let it wait for them, or skip it."""
    queued = [row for row in rows if row.status == Status.QUEUED]
    sizes = [row.segments for row in queued]
    charged = charge(workspace.pk, by.pk if by else None, sizes, priority=priority)
    for row, one in zip(queued, charged, strict=True):
        row.quota_period, row.person_quota_period = one.period, one.person_period
        row.reason, row.held = one.reason, one.waits
        if one.is_skipped:
            row.status, row.ended_at = Status.SKIPPED, now


def _note_awaiting(messages: Sequence[Message]) -> None:
    """Let the timeline tell what waits for a quota."""
    Attempt.objects.bulk_create(
        [
            Attempt(
                message=message,
                kind=Attempt.Kind.QUOTA,
                phone_id=message.phone_id,
                created_at=message.created_at,
            )
            for message in messages
            if message.held
        ],
        batch_size=_BATCH,
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


def _kept_back(phone: Phone | None, stopped: str | None) -> Reason:
    if stopped is not None:
        return why_not(stopped)
    return Reason.NONE if phone else Reason.NO_PHONE


def why_not(source: str) -> Reason:
    """Say why nothing is sent to a number on the list of opt-outs (OptOut.Source)."""
    return Reason.BAD_NUMBER if source == OptOut.Source.INVALID else Reason.OPTED_OUT


def _estimate(rows: Iterable[Message], phones: Iterable[Phone]) -> None:
    tariffs = {phone.pk: tariff_of(phone) for phone in phones}
    for row in rows:
        if row.status == Status.QUEUED and (price := tariffs[row.phone_id].price_of(row.peer)):
            row.cost, row.currency = price.amount * row.segments, price.currency
            row.cost_is_estimate = True


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
