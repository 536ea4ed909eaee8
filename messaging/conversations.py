"""Conversations: what was said between a workspace and one number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, F, Q, QuerySet
from django.utils import timezone

from accounts.models import Workspace
from contacts.services import numbers_called
from lib import bulk, masks
from messaging.models import Conversation, Direction, Message
from messaging.searching import Wanted, by_number

# Numbers per query: within SQLite's variables, and a size PostgreSQL plans well.
_BATCH = 500
# Conversations of one page.
_PAGE = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARK = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """Conversations, those with the newest message first.

    `older` is the mark that the next page begins after, "" on the last one.
    """

    conversations: list[Conversation]
    older: str

    @property
    def version(self) -> str:
        """Give a fingerprint that changes when anything shown does; "3 min ago" does every minute."""
        shown = [f"{timezone.now():%H%M} {self.older}"]
        shown += [f"{row.pk} {row.last_id} {row.unread}" for row in self.conversations]
        return hashlib.blake2s("\n".join(shown).encode(), digest_size=8).hexdigest()


def page(
    workspace: Workspace,
    *,
    q: str = "",
    unread: bool = False,
    before: str = "",
    kept: int | None = None,
) -> Page:
    """Give one page of the inbox in one query. `before` is a mark; a wrong one is left out.

    `kept` is a conversation that stays among the unread ones: the one that is being read.
    """
    found = Conversation.objects.filter(workspace=workspace)
    if unread:
        found = found.filter(Q(unread__gt=0) | Q(pk=kept))
    if q.strip():
        found = found.filter(_matching(q.strip(), workspace))
    found = _after(found, before).select_related("last").order_by("-last_at", "-pk")
    rows = list(found[: _PAGE + 1])
    return Page(rows[:_PAGE], _mark(rows[_PAGE - 1]) if len(rows) > _PAGE else "")


def _matching(q: str, workspace: Workspace) -> Q:
    """Match numbers as they are looked up everywhere, and names by any part of them."""
    if Wanted(q=q).is_number:
        return by_number(q, workspace.country)
    called = Q(peer__in=numbers_called(workspace.pk, q))
    # What has a letter is part of a sender's name; the rest could be a part of a hidden number.
    may_be_part = not masks.hiding() or any(letter.isalpha() for letter in q)
    return called | Q(peer__icontains=q) if may_be_part else called


def _mark(conversation: Conversation) -> str:
    """Give the place of a conversation in the list: microseconds and id."""
    return f"{(conversation.last_at - _EPOCH) // timedelta(microseconds=1)}-{conversation.pk}"


def _after(found: QuerySet[Conversation], mark: str) -> QuerySet[Conversation]:
    if not (read := _MARK.fullmatch(mark)):
        return found
    at, pk = _EPOCH + timedelta(microseconds=int(read[1])), int(read[2])
    # The first condition is the one that an index serves.
    return found.filter(last_at__lte=at).filter(Q(last_at__lt=at) | Q(pk__lt=pk))


def note_incoming(message: Message) -> None:
    """Put an incoming message at the end of its conversation, unread. Within a transaction."""
    conversation, new = Conversation.objects.get_or_create(
        workspace_id=message.workspace_id,
        peer=message.peer,
        defaults={
            "phone_id": message.phone_id,
            "last": message,
            "last_at": message.created_at,
            "unread": 1,
        },
    )
    if not new:
        Conversation.objects.filter(pk=conversation.pk).update(
            phone=message.phone_id, last=message, last_at=message.created_at, unread=F("unread") + 1
        )


def note_more(message_id: int) -> None:
    """Make a message unread again to which something was added. Within a transaction."""
    read = Message.objects.filter(pk=message_id, read_at__isnull=False)
    if message := read.first():
        read.update(read_at=None)
        Conversation.objects.filter(workspace=message.workspace_id, peer=message.peer).update(
            unread=F("unread") + 1
        )


def note_outgoing(workspace: Workspace, messages: Sequence[Message]) -> None:
    """Put outgoing messages at the end of the conversations that exist. Within a transaction."""
    note_written(
        workspace, {message.peer: (message.pk, message.created_at) for message in messages}
    )


def note_written(workspace: Workspace, written: Mapping[str, tuple[int, datetime]]) -> None:
    """Put a message at the end of each conversation that exists: {number: (message, written at)}."""
    known = existing(workspace, written)
    # In one order, by their ids: two that write to the same people must not wait for each other.
    bulk.update(
        Conversation,
        ("id", "last", "last_at"),
        [(pk, *written[peer]) for peer, pk in known.items()],
        assign="last_id = v.last_id, last_at = v.last_at",
        where="1 = 1",
    )


def existing(workspace: Workspace, peers: Collection[str]) -> dict[str, int]:
    """Give the conversations with these numbers: {number: conversation's id}."""
    found: dict[str, int] = {}
    left = list(peers)
    for start in range(0, len(left), _BATCH):
        rows = Conversation.objects.filter(
            workspace=workspace, peer__in=left[start : start + _BATCH]
        )
        found.update(rows.values_list("peer", "pk"))
    return found


def messages_of(conversation: Conversation) -> QuerySet[Message]:
    """Give everything between us and that number, newest first."""
    return Message.objects.filter(
        workspace_id=conversation.workspace_id, peer=conversation.peer
    ).order_by("-id")


def mark_read(conversation: Conversation, shown: Sequence[Message]) -> None:
    """Note that somebody saw these messages. What came meanwhile stays unread."""
    new = [m.pk for m in shown if m.direction == Direction.IN and m.read_at is None]
    if new:
        Message.objects.filter(pk__in=new).update(read_at=timezone.now())
    if not new and not conversation.unread:
        return
    newest = max((message.pk for message in shown), default=0)
    later = messages_of(conversation).filter(direction=Direction.IN, pk__gt=newest)
    seen = Conversation.objects.filter(~Exists(later.order_by()), pk=conversation.pk)
    seen.filter(unread__gt=0).update(unread=0)


def mark_unread(conversation: Conversation) -> None:
    """Put the conversation back among the unread ones, for later or for somebody else."""
    Conversation.objects.filter(pk=conversation.pk, unread=0).update(unread=1)


def unread(workspace: Workspace) -> int:
    """Count the conversations with something unread."""
    return Conversation.objects.filter(workspace=workspace, unread__gt=0).count()
