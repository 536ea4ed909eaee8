"""What the tests of the inbox begin with: somebody wrote to us."""

from __future__ import annotations

import itertools
from datetime import datetime

from django.utils import timezone

from messaging.conversations import note_incoming
from messaging.models import Conversation, Direction, Message, Status
from phones.models import Phone
from tests.messaging.conftest import number

_ids = itertools.count()


def incoming(
    phone: Phone, text: str = "Hello", peer: str = "", at: datetime | None = None
) -> Message:
    """Store a message that somebody sent us, as receiving does."""
    message = Message.objects.create(
        workspace=phone.workspace,
        phone=phone,
        direction=Direction.IN,
        status=Status.RECEIVED,
        peer=peer or number(1),
        text=text,
        provider_id=f"in-{next(_ids)}",
        created_at=at or timezone.now(),
    )
    note_incoming(message)
    return message


def conversation_with(peer: str) -> Conversation:
    return Conversation.objects.get(peer=peer)
