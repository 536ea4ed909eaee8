"""Asking the providers that call nobody back: what came in, and what became of our messages.

The tick looks which phones are due; a job asks for one phone. The place where to go on is stored in the
same transaction as the news, so that a worker killed in between asks for them again: twice harms nothing.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lib.http import NoAnswer, NotSent, Trace
from lib.jobs import awake, enqueue
from messaging import receiving
from messaging.models import Direction, Message, Status
from phones import registry
from phones.base import PhoneError, Polled
from phones.lines import keep, line
from phones.models import Phone

logger = logging.getLogger(__name__)

# Messages asked about in one look, and for how long after they were sent.
_PENDING, _PENDING_FOR = 200, timedelta(days=3)


def wake_due() -> int:
    """Enqueue a look for every phone whose type polls and whose time has come; give how many."""
    slugs = [slug for slug, kind in registry.all_types().items() if kind.can.polling]
    phones = Phone.objects.ready().filter(type__in=slugs).only("pk", "type", "polled_at")
    due = [phone.pk for phone in phones if _is_due(phone)]
    for pk in due:
        enqueue(poll, pk)
    return len(due)


def _is_due(phone: Phone) -> bool:
    every = timedelta(seconds=phone.kind.poll_every)
    return phone.polled_at is None or phone.polled_at < timezone.now() - every


def poll(phone_id: int) -> None:
    """Ask one phone's provider for news. A job: of two at the same time one does nothing."""
    phone = _pollable(phone_id)
    if phone and _take_turn(phone):
        _look(phone)


def look(phone_id: int) -> None:
    """Ask at once, however lately the provider was asked: a watch was told of news. A job."""
    awake(look, phone_id)
    if phone := _pollable(phone_id):
        Phone.objects.filter(pk=phone.pk).update(polled_at=timezone.now())
        _look(phone)


def _pollable(phone_id: int) -> Phone | None:
    phone = Phone.objects.ready().select_related("workspace").filter(pk=phone_id).first()
    return phone if phone and phone.kind.can.polling else None


def _look(phone: Phone) -> None:
    traces: list[Trace] = []
    try:
        polled = line(phone, traces.append).poll(phone.poll_cursor, pending(phone))
    except (PhoneError, NotSent, NoAnswer) as error:
        Phone.objects.filter(pk=phone.pk).update(poll_problem=str(error)[:500])
        keep(phone, traces)
        return
    _store(phone, polled)
    # A look that found nothing is told by `polled_at`; a row each minute would only be noise.
    if polled.events:
        keep(phone, traces)


def _take_turn(phone: Phone) -> bool:
    now = timezone.now()
    late = now - timedelta(seconds=phone.kind.poll_every)
    due = Phone.objects.filter(Q(polled_at=None) | Q(polled_at__lt=late), pk=phone.pk)
    return bool(due.update(polled_at=now))


def pending(phone: Phone) -> list[str]:
    """Give the provider ids of the newest messages whose delivery should be known and is not."""
    now = timezone.now()
    rows = Message.objects.filter(
        phone=phone,
        direction=Direction.OUT,
        status__in=[Status.SENT, Status.UNKNOWN],
        sent_at__gt=now - _PENDING_FOR,
        sent_at__lte=now - timedelta(seconds=phone.kind.ask_after),
    ).exclude(provider_id="")
    return list(rows.order_by("-id").values_list("provider_id", flat=True)[:_PENDING])


def _store(phone: Phone, polled: Polled) -> None:
    with transaction.atomic():
        # The phone first: a callback of it that joins parts locks in this order too.
        Phone.objects.filter(pk=phone.pk).update(poll_cursor=polled.cursor, poll_problem="")
        receiving.apply(phone, polled.events)
