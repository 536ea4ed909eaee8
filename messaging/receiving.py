"""Receiving: what providers tell us becomes rows, once, in any order and however often it is said.

Status reports, which only raise states, are in `reporting`.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from contacts.models import OptOut
from contacts.services import opt_in, opt_out
from lib import e164, gsm, stored
from lib.jobs import enqueue
from messaging import media, parts, reporting, retention
from messaging.conversations import note_incoming, note_more
from messaging.models import Call, Direction, Message, PartSet, Status
from phones.base import (
    Event,
    IncomingCall,
    IncomingSms,
    OptOutNotice,
    StatusReport,
)
from phones.models import Phone

# Seconds that a call is believed to have lasted at most.
_LONGEST_CALL = 7 * 24 * 3600
# Characters that an opt-out keeps of a number or a name.
_LONGEST_NUMBER = 20


def apply(phone: Phone, events: Sequence[Event], *, beside: Sequence[int] = ()) -> list[int]:
    """Store what a callback said, in one transaction; give the ids of the messages it was about.

    It may report of messages of the phones `beside` it, too: their ids (accounts.beside).
    """
    reports = [event for event in events if isinstance(event, StatusReport)]
    others = [event for event in events if not isinstance(event, StatusReport)]
    with transaction.atomic(savepoint=False):
        # Before anything else is locked: who locks in one order does not wait for each other.
        if any(isinstance(event, IncomingSms) and parts.is_part(event) for event in others):
            parts.lock(phone)
        about = reporting.apply(phone, reports, beside=beside) if reports else []
        return [*about, *(pk for event in others if (pk := _apply(phone, event)))]


def _apply(phone: Phone, event: IncomingSms | IncomingCall | OptOutNotice) -> int | None:
    if isinstance(event, IncomingSms):
        return store_incoming(phone, event)
    if isinstance(event, IncomingCall):
        store_call(phone, event)
    else:
        heed(phone, event)
    return None


def store_incoming(phone: Phone, event: IncomingSms) -> int | None:
    """Store a message somebody sent us, unread; a repetition changes nothing."""
    if parts.is_part(event):
        into = parts.keep(phone, event)
        is_due = into and (into.message_id or not parts.missing(into))
        return _store_joined(into) if into and is_due else None
    text = stored.text(event.text.replace("\x00", ""))
    length = gsm.measure(text)
    message = Message(
        workspace_id=phone.workspace_id,
        direction=Direction.IN,
        status=Status.RECEIVED,
        phone=phone,
        peer=_normal(phone, event.sender),
        own=stored.text(event.to or phone.address, 40),
        text=text,
        encoding=length.encoding,
        segments=max(1, length.segments),
        provider_id=stored.name(event.provider_id),
        # One whose first copy may be gone is shown again, rather than lost, and marked.
        perhaps_repeated=event.perhaps_repeated or retention.is_older(phone.workspace, event.at),
        sent_at=event.at,
    )
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        known = Message.objects.filter(phone=phone, direction=Direction.IN)
        if known.filter(provider_id=message.provider_id).exists():
            return None
        raise
    note_incoming(message)
    for item in media.expect(message, event.media):
        enqueue(media.fetch, item.pk)
    return message.pk


def _store_joined(joined: PartSet) -> int | None:
    """Make one message of the parts that are here, or add to the one that was made without some."""
    event = parts.join(joined)
    pk = joined.message_id or store_incoming(joined.phone, event)
    if pk is None:
        return None
    text = stored.text(event.text.replace("\x00", ""))
    Message.objects.filter(pk=pk).update(
        text=text,
        encoding=gsm.measure(text).encoding,
        segments=joined.total,
        partial=bool(parts.missing(joined)),
    )
    if joined.message_id:
        note_more(joined.message_id)
    else:
        PartSet.objects.filter(pk=joined.pk).update(message=pk)
    return pk


def show_partial() -> int:
    """Make messages of what is there where the other parts do not come; give how many."""
    return sum(_show_partial(late) for late in parts.late())


def _show_partial(late: PartSet) -> bool:
    with transaction.atomic():
        parts.lock(late.phone)
        found = parts.waiting(late)
        return found is not None and _store_joined(found) is not None


def store_call(phone: Phone, event: IncomingCall) -> None:
    """Store that somebody calls or has hung up, in whichever order we hear of it."""
    at = event.at or timezone.now()
    call, _ = Call.objects.get_or_create(
        phone=phone,
        provider_id=stored.name(event.provider_id),
        defaults={
            "workspace_id": phone.workspace_id,
            "peer": _normal(phone, event.caller),
            "started_at": at,
        },
    )
    if event.ended:
        seconds = event.seconds if 0 <= (event.seconds or 0) <= _LONGEST_CALL else None
        Call.objects.filter(pk=call.pk, ended_at=None).update(
            ended_at=at, seconds=seconds, outcome=stored.text(event.outcome, 20)
        )


def heed(phone: Phone, event: OptOutNotice) -> None:
    """Remember that somebody wants no more messages, or wants them again."""
    number = _normal(phone, event.number)
    if event.again:
        opt_in(phone.workspace, number[:_LONGEST_NUMBER])
    else:
        write_no_more(phone, number, event.words)


def write_no_more(phone: Phone, number: str, words: str) -> None:
    """Remember that `number` wants no more messages, and keep back those that wait for it."""
    opt_out(
        phone.workspace,
        number[:_LONGEST_NUMBER],
        source=OptOut.Source.PROVIDER,
        detail=stored.text(words, 200),
    )


def _normal(phone: Phone, address: str) -> str:
    return e164.normal(stored.text(address), phone.workspace.country)[:40]
