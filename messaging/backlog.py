"""What waits and what is doubtful, on the whole site, at a cost that does not grow with what was sent."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, OuterRef, Subquery

from accounts.models import Workspace
from messaging.models import Message, Priority, Status
from phones.models import Phone


def oldest_due(now: datetime) -> dict[int, datetime]:
    """Give, by phone that may send, since when its oldest message could have left; only where one waits.

    One look into the index `message_due` per phone and priority.
    """
    first = {
        f"first_{priority.value}": Subquery(
            Message.objects.filter(
                status=Status.QUEUED,
                phone=OuterRef("pk"),
                priority=priority,
                not_before__lte=now,
            )
            .order_by("not_before")
            .values("not_before")[:1]
        )
        for priority in Priority
    }
    rows = Phone.objects.ready().annotate(**first).values_list("pk", *first)
    found = {pk: [at for at in moments if at] for pk, *moments in rows}
    return {pk: min(moments) for pk, moments in found.items() if moments}


def by_phone(status: Status) -> dict[int, int]:
    """Count the messages in one of the states that pass (queued, sending) or are rare (unknown)."""
    messages = Message.objects.filter(status=status)
    if status == Status.UNKNOWN:  # the only index begins with the workspace
        messages = messages.filter(workspace__in=Workspace.objects.values("pk"))
    return dict(messages.order_by().values_list("phone").annotate(Count("pk")))
