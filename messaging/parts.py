"""Incoming messages that come in parts: kept one by one, joined once all are here.

A handset numbers its long messages with 8 bits, or always with the same number (3GPP TS 23.040
§9.2.3.24.1), so the same sender, number and total may mean another message a minute later. A part goes

1. nowhere, if it is a repetition: its provider id is known, or without one its text in its place;
2. into the set that waits for it, of several the oldest;
3. else into the newest of the last day that was shown without it;
4. else into a new set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from lib import stored
from messaging.models import Direction, IncomingPart, Message, PartSet
from phones.base import IncomingSms
from phones.models import Phone

# How long parts may belong together.
_TOGETHER = timedelta(days=1)
# What the 8 bits of the header can count; who says more, or less than two, does not mean it.
_MOST = 255
# Stands where a part is missing.
_GAP = "[…]"
_UTF16 = "utf-16-be"
# Sets shown in one look.
_BATCH = 200


def is_part(event: IncomingSms) -> bool:
    """Say whether this is a part of a message, and not one by itself whatever its header says."""
    part = event.part
    return bool(
        part and 1 <= part.number <= part.total and 1 < part.total <= _MOST and not event.media
    )


def lock(phone: Phone) -> None:
    """Let one at a time join this phone's parts, until the transaction ends."""
    # SQLite has one writer anyway; on PostgreSQL neither of two would see the other's part.
    list(Phone.objects.select_for_update(no_key=True).filter(pk=phone.pk).values_list("pk"))


def keep(phone: Phone, event: IncomingSms) -> PartSet | None:
    """Keep a part; give its set, or None for a repetition. With the phone locked."""
    assert event.part is not None
    number, now = event.part.number, timezone.now()
    name = stored.name(event.provider_id)
    text = event.text.encode(_UTF16, "surrogatepass")
    alike = _sets().filter(
        phone=phone,
        sender=stored.text(event.sender, 40),
        to=stored.text(event.to, 40),
        reference=stored.name(event.part.reference),
        total=event.part.total,
    )
    if name and _is_known(phone, alike, number, name):
        return None
    recent = list(alike.filter(created_at__gt=now - _TOGETHER).order_by("pk"))
    if any(_repeats(one, number, text, name) for one in recent):
        return None
    into = _lacking(recent, number) or PartSet.objects.create(
        phone=phone,
        sender=stored.text(event.sender, 40),
        to=stored.text(event.to, 40),
        reference=stored.name(event.part.reference),
        total=event.part.total,
        created_at=now,
    )
    IncomingPart.objects.create(
        set=into, number=number, text=text, provider_id=name, at=event.at, received_at=now
    )
    return _sets().get(pk=into.pk)


def _is_known(phone: Phone, alike: QuerySet[PartSet], number: int, name: str) -> bool:
    # A message of that name that was never in parts: the provider told it otherwise the first time.
    whole = Message.objects.filter(
        phone=phone, direction=Direction.IN, provider_id=name, part_set=None
    )
    known = IncomingPart.objects.filter(set__in=alike, number=number, provider_id=name)
    return known.exists() or whole.exists()


def _repeats(one: PartSet, number: int, text: bytes, name: str) -> bool:
    """Say whether a set holds the same part already; with a new name only while it waits."""
    return (not name or one.message_id is None) and any(
        part.number == number and bytes(part.text) == text for part in one.parts.all()
    )


def _lacking(recent: Sequence[PartSet], number: int) -> PartSet | None:
    lacking = [one for one in recent if number in missing(one)]
    waiting = [one for one in lacking if one.message_id is None]
    return waiting[0] if waiting else lacking[-1] if lacking else None


def missing(joined: PartSet) -> list[int]:
    """Give the numbers of the parts that are not here."""
    here = {part.number for part in joined.parts.all()}
    return [number for number in range(1, joined.total + 1) if number not in here]


def join(joined: PartSet) -> IncomingSms:
    """Give the message that the parts make, with […] where some are missing."""
    parts = {part.number: part for part in joined.parts.all()}
    text, gap = b"", _GAP.encode(_UTF16)
    for number in range(1, joined.total + 1):
        if number in parts:
            text += bytes(parts[number].text)
        elif not text.endswith(gap):
            text += gap
    first = parts[min(parts)].provider_id
    taken = Message.objects.filter(
        phone=joined.phone_id, direction=Direction.IN, provider_id=first
    ).exists()
    return IncomingSms(
        sender=joined.sender,
        text=text.decode(_UTF16, "replace"),
        provider_id="" if taken else first,
        to=joined.to,
        at=min((part.at for part in parts.values() if part.at), default=None),
    )


def late() -> list[PartSet]:
    """Give the sets that have waited long enough for their other parts.

    Not a day, as providers advise: who wrote waits for an answer to what is there, and what comes
    later is still added to it.
    """
    before = timezone.now() - timedelta(seconds=settings.PARTS_WAIT)
    waiting = _sets().filter(message=None, created_at__lt=before)
    return list(waiting.order_by("created_at")[:_BATCH])


def waiting(joined: PartSet) -> PartSet | None:
    """Give a set as it is now, unless it became a message meanwhile. With its phone locked."""
    return _sets().filter(pk=joined.pk, message=None).first()


def _sets() -> QuerySet[PartSet]:
    # One phone whose settings cannot be decrypted must not keep the others' messages.
    rows = PartSet.objects.select_related("phone__workspace").defer("phone__settings")
    return rows.prefetch_related("parts")
