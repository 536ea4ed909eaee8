"""Receiving: what providers tell us becomes rows, once, in any order and however often it is said.

States only rise. A report is a conditional UPDATE that names the states it may follow; `delivered`
beats `failed`, whichever comes first, so every permutation of the same reports ends the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from contacts.models import OptOut
from contacts.services import opt_in, opt_out
from lib import e164, gsm, stored
from lib.jobs import enqueue
from messaging import costs, media, parts
from messaging.conversations import note_incoming, note_more
from messaging.models import Attempt, Call, Direction, Message, PartSet, Report, Status
from phones.base import (
    Delivery,
    Event,
    IncomingCall,
    IncomingSms,
    OptOutNotice,
    Reason,
    StatusReport,
)
from phones.models import Phone

# Which states a report may follow. A message that waits again, after an unknown outcome, or was
# cancelled meanwhile, may still turn out to have arrived the first time: `claimed_at` tells.
# One that waits to be sent again by itself (`attempts`) is not, once anything is known of the first
# copy; what a person sends again is held back by its delivery only.
_FLYING = Q(status__in=[Status.SENDING, Status.SENT, Status.UNKNOWN])
_LEFT_BEFORE = Q(status__in=[Status.QUEUED, Status.CANCELLED], claimed_at__isnull=False)
_AGAIN_BY_ITSELF = Q(status=Status.QUEUED, claimed_at__isnull=False, attempts__gt=0)
_MAY_FOLLOW = {
    Delivery.SENT: Q(status__in=[Status.SENDING, Status.UNKNOWN]) | _AGAIN_BY_ITSELF,
    Delivery.FAILED: _FLYING | _AGAIN_BY_ITSELF,
    Delivery.DELIVERED: _FLYING | Q(status=Status.FAILED) | _LEFT_BEFORE,
}
# Parked reports are matched for this long; then they stay listed on the phone's page.
_PARKED = timedelta(days=2)
# Seconds that a call is believed to have lasted at most.
_LONGEST_CALL = 7 * 24 * 3600
# Characters that an opt-out keeps of a number or a name.
_LONGEST_NUMBER = 20


def apply(phone: Phone, events: Sequence[Event]) -> list[int]:
    """Store what a callback said, in one transaction; give the ids of the messages it was about."""
    with transaction.atomic():
        # Before anything else is locked: who locks in one order does not wait for each other.
        if any(isinstance(event, IncomingSms) and parts.is_part(event) for event in events):
            parts.lock(phone)
        return [pk for event in events if (pk := _apply(phone, event))]


def _apply(phone: Phone, event: Event) -> int | None:
    if isinstance(event, StatusReport):
        return report(phone, event)
    if isinstance(event, IncomingSms):
        return store_incoming(phone, event)
    if isinstance(event, IncomingCall):
        store_call(phone, event)
    else:
        heed(phone, event)
    return None


def report(phone: Phone, event: StatusReport) -> int | None:
    """Apply a status report, or park it until its message is known."""
    message = _find(phone, event)
    if message is not None:
        raise_state(message, event)
        return message
    _park(phone, event)
    # The send may have been recorded between our look and our note; one of the two sees the other.
    transaction.on_commit(lambda: match_parked(phone, [event.provider_id]))
    return None


def _park(phone: Phone, event: StatusReport) -> None:
    same = {
        "phone": phone,
        "message": None,
        "provider_id": stored.name(event.provider_id),
        "state": event.state,
        "code": stored.text(event.code, 40),
    }
    cost, currency = costs.told(event)
    # Not get_or_create: two that came at the same moment would make it fail for ever after.
    if not Report.objects.filter(**same).exists():
        Report.objects.create(
            **same,
            reason=stored.text(event.reason, 20),
            words=stored.text(event.words, 500),
            reported_at=event.at,
            segments=costs.counted(event),
            cost=cost,
            currency=currency,
        )


def _find(phone: Phone, event: StatusReport) -> int | None:
    """Give the id of the message a report is about, by our reference, else by the provider's id."""
    ours = Message.objects.filter(workspace=phone.workspace_id, direction=Direction.OUT)
    # A reference is a 64-bit id; anything else is foreign and must not reach the database.
    if event.reference.isascii() and event.reference.isdigit() and len(event.reference) < 19:
        # A message that was moved has left by this phone too, if its trail says so.
        by_this = Q(phone=phone) | Exists(
            Attempt.objects.filter(message=OuterRef("pk"), phone=phone)
        )
        found = ours.filter(by_this, pk=int(event.reference))
        if pk := found.values_list("pk", flat=True).first():
            return pk
    if not event.provider_id:
        return None
    ours = ours.filter(phone=phone)
    ours = ours.filter(provider_id=stored.name(event.provider_id))
    return ours.values_list("pk", flat=True).first()


def raise_state(message: int, event: StatusReport) -> bool:
    """Raise a message's state where the report says more than we knew; say whether it did."""
    now = timezone.now()
    at = min(event.at, now) if event.at else now
    row = Message.objects.filter(pk=message)
    if event.provider_id:
        # The callback came before the answer to our request: keep the name it goes by.
        row.filter(provider_id="").update(provider_id=stored.name(event.provider_id))
    # What it cost is news whatever its state; a report that says nothing of it takes nothing back.
    if told := costs.changes(event):
        row.update(**told)
    changed = row.filter(_MAY_FOLLOW[event.state]).update(**_changes(event, at, now))
    return bool(changed)


def _changes(event: StatusReport, at: datetime, now: datetime) -> dict[str, object]:
    said = {"code": stored.text(event.code, 40), "words": stored.text(event.words, 500)}
    if event.state == Delivery.SENT:
        return {
            "status": Status.SENT,
            "sent_at": Coalesce(F("sent_at"), at),
            "reason": Reason.NONE,
            "ended_at": None,
            **said,
        }
    if event.state == Delivery.FAILED:
        reason = stored.text(event.reason, 20) or Reason.REJECTED
        return {"status": Status.FAILED, "ended_at": now, "reason": reason, **said}
    return {
        "status": Status.DELIVERED,
        "delivered_at": at,
        "ended_at": now,
        "sent_at": Coalesce(F("sent_at"), at),
        "reason": Reason.NONE,
        **said,
    }


def match_parked(phone: Phone, provider_ids: Sequence[str]) -> int:
    """Apply the parked reports about these provider ids; give how many found their message."""
    wanted = [stored.name(name) for name in provider_ids if name]
    if not wanted:
        return 0
    parked = Report.objects.filter(phone=phone, message=None, provider_id__in=wanted)
    return sum(_match(phone, item) for item in parked.order_by("id"))


def match_all_parked() -> int:
    """Look once more for the messages of lately parked reports, e.g. after a worker was killed."""
    lately = Report.objects.filter(message=None, created_at__gt=timezone.now() - _PARKED)
    # One phone whose settings cannot be decrypted must not hide the reports of the others.
    rows = lately.select_related("phone").defer("phone__settings").order_by("-id")[:500]
    return sum(_match(item.phone, item) for item in rows)


def _match(phone: Phone, parked: Report) -> bool:
    event = StatusReport(
        state=Delivery(parked.state),
        provider_id=parked.provider_id,
        reason=parked.reason,
        code=parked.code,
        words=parked.words,
        at=parked.reported_at,
        segments=parked.segments,
        cost=parked.cost,
        currency=parked.currency,
    )
    message = _find(phone, event)
    if message is None:
        return False
    with transaction.atomic():
        raise_state(message, event)
        Report.objects.filter(pk=parked.pk).update(message=message)
    return True


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
    Message.objects.filter(
        workspace=phone.workspace_id, peer=number, direction=Direction.OUT, status=Status.QUEUED
    ).update(status=Status.SKIPPED, reason=Reason.OPTED_OUT, ended_at=timezone.now())


def _normal(phone: Phone, address: str) -> str:
    return e164.normal(stored.text(address), phone.workspace.country)[:40]
