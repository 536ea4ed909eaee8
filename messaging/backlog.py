"""What waits and what is doubtful, on the whole site, at a cost that does not grow with what was sent."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.db.models import BooleanField, Count, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from accounts.models import Workspace
from messaging.models import Message, Priority, Status
from phones.models import Phone

# In the words of the indexes: SQLite uses a partial index for no others, and none for a parameter.
_QUEUED = RawSQL("status = 'queued'", [], BooleanField())
_SENDING = RawSQL("status = 'sending'", [], BooleanField())
_EVER = datetime(1, 1, 1, tzinfo=UTC)


def oldest_due(now: datetime) -> dict[int, datetime]:
    """Give, by phone that may send, since when its oldest message could have left; only where one waits."""
    found = {pk: [at for at in moments if at] for pk, *moments in ages(now)}
    return {pk: min(moments) for pk, moments in found.items() if moments}


def ages(now: datetime) -> QuerySet[Phone, tuple[Any, ...]]:
    """Give (phone, oldest of each priority): one look into the index `message_due` for each."""
    first = {
        f"first_{priority.value}": Subquery(
            Message.objects.filter(
                _QUEUED,
                phone=OuterRef("pk"),
                held=False,
                priority=priority,
                not_before__lte=now,
            )
            .order_by("not_before")
            .values("not_before")[:1]
        )
        for priority in Priority
    }
    return Phone.objects.ready().annotate(**first).values_list("pk", *first)


def by_phone(status: Status) -> dict[int, int]:
    """Count the messages in one of the states that pass (queued, sending) or are rare (unknown)."""
    if status == Status.QUEUED:
        return dict(queued())
    found = sending() if status == Status.SENDING else unknown()
    # Grouped by the database, SQLite would read all messages there are, in the order of their phones.
    return dict(Counter(found.values_list("phone", flat=True)))


def queued() -> QuerySet[Phone, tuple[int, int]]:
    """Give (phone's id, how many messages wait for it), where any does."""
    mine = (
        Message.objects.filter(_QUEUED, phone=OuterRef("pk"), held=False).order_by().values("phone")
    )
    many = Subquery(mine.annotate(many=Count("*")).values("many"))
    return Phone.objects.annotate(many=many).filter(many__gt=0).values_list("pk", "many")


def sending() -> QuerySet[Message]:
    return Message.objects.filter(_SENDING, lease_until__gt=_EVER).order_by()


def unknown() -> QuerySet[Message]:
    # The only index begins with the workspace.
    here = Workspace.objects.values("pk")
    return Message.objects.filter(status=Status.UNKNOWN, workspace__in=here).order_by()
