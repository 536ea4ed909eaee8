"""What rules about people may ask of messages: when the last one left, and when they last wrote."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from contacts.rules.subjects import happened
from messaging.models import Direction, Message, Status


def _since(direction: Direction, at: datetime | None) -> Q:
    messages = Message.objects.filter(
        workspace=OuterRef("workspace"), peer=OuterRef("number"), direction=direction
    )
    if direction == Direction.OUT:
        messages = messages.exclude(status__in=(Status.CANCELLED, Status.SKIPPED))
    return Q(Exists(messages if at is None else messages.filter(created_at__gte=at)))


happened["last_message"] = lambda at: _since(Direction.OUT, at)
happened["last_reply"] = lambda at: _since(Direction.IN, at)
