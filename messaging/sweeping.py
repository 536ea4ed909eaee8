"""What the tick looks for: work whose wake-up was lost, and workers that were lost with their work."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.site import keep_exchanges_days
from lib.jobs import enqueue
from messaging import failing_over, media
from messaging.connected import rouse
from messaging.models import Attempt, Message, Status
from messaging.outcomes import unknown
from phones.base import Reason
from phones.models import Exchange, Phone

# Rows per statement: short transactions let others write in between.
_BATCH = 500


def wake_due() -> int:
    """Wake every phone that has something due; give how many."""
    waiting = Message.objects.filter(
        phone=OuterRef("pk"),
        status=Status.QUEUED,
        held=False,
        not_before__lte=timezone.now(),
    )
    phones = Phone.objects.ready().filter(Exists(waiting)).only("pk", "type")
    for phone in phones:
        rouse(phone)
    return len(phones)


def end_leases() -> int:
    """Turn messages whose worker is gone into `unknown`; give how many.

    They were claimed and may have left: only a person, or a phone that allows it, sends them again.
    """
    now = timezone.now()
    late = Message.objects.filter(status=Status.SENDING, lease_until__lt=now)
    # One phone whose settings cannot be decrypted must not keep the others' messages in flight.
    rows = late.select_related("phone").defer("phone__settings").order_by("id")[:_BATCH]
    return sum(_end_lease(message) for message in rows)


def _end_lease(message: Message) -> bool:
    now = timezone.now()
    verdict = unknown(message.attempts, message.phone, now, Reason.WORKER_LOST)
    # What comes back stays held where its campaign was stopped; what does not is no campaign's any more.
    freed = {"held": False} if verdict.status == Status.UNKNOWN else {}
    with transaction.atomic():
        changed = Message.objects.filter(
            pk=message.pk, status=Status.SENDING, claim=message.claim, lease_until__lt=now
        ).update(
            status=verdict.status,
            reason=verdict.reason,
            not_before=verdict.not_before or message.not_before,
            attempts=message.attempts + verdict.counts,
            ended_at=now if verdict.status == Status.UNKNOWN else None,
            **freed,
        )
        if changed:
            Attempt.objects.create(
                message=message,
                kind=Attempt.Kind.UNKNOWN,
                phone=message.phone,
                next_at=verdict.not_before,
            )
    return bool(changed)


def cancel_orphans() -> int:
    """Cancel what waits for a phone that is gone and has no other; give how many.

    It came back from its flight, or was written, in the very moment in which the phone was deleted.
    """
    orphans = Message.objects.filter(status=Status.QUEUED, held=False, phone=OuterRef("pk"))
    gone = Phone.objects.filter(Exists(orphans), deleted_at__isnull=False)
    cancelled = 0
    for phone in gone.select_related("workspace").defer("settings"):
        cancelled += failing_over.leave(phone)
    return cancelled


def fetch_late_media() -> int:
    """Try again to fetch incoming pictures that did not come."""
    ids = media.late()
    for pk in ids:
        enqueue(media.fetch, pk)
    return len(ids)


def prune_exchanges() -> int:
    """Delete exchanges older than the site keeps them, in batches; give how many."""
    before = timezone.now() - timedelta(days=keep_exchanges_days())
    gone = 0
    while True:
        ids = list(
            Exchange.objects.filter(created_at__lt=before).values_list("pk", flat=True)[:_BATCH]
        )
        if not ids:
            return gone
        gone += Exchange.objects.filter(pk__in=ids).delete()[0]
