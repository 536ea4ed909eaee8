"""Taking messages, and what they said, out of the database and off the disk."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet

from messaging.models import (
    Attempt,
    Conversation,
    IncomingPart,
    Media,
    Message,
    Report,
    Segment,
)
from phones.models import Exchange

# Attempts whose words are ours, and say nothing of what was written.
_OURS = (Attempt.Kind.LOOKED_UP, Attempt.Kind.FAILED_OVER)


def redact(messages: Collection[int], days: int) -> None:
    """Remove what messages (ids) said, and what providers said of it. Within a transaction."""
    Message.objects.filter(pk__in=messages).update(text="", words="", redacted_after=days)
    Attempt.objects.filter(message__in=messages).exclude(kind__in=_OURS).update(words="")
    Report.objects.filter(message__in=messages).update(words="")
    Segment.objects.filter(message__in=messages).update(words="")
    IncomingPart.objects.filter(set__message__in=messages).update(text=b"")
    files = _files(messages)
    Media.messages.through.objects.filter(message__in=messages).delete()
    _told(messages).delete()
    remove_unused(files)


def delete(messages: Collection[int]) -> None:
    """Delete messages (ids), their files, and what was said to providers about them. Within a transaction.

    Conversations that end with one of them go back to what is left, or go too.
    """
    files = _files(messages)
    ended = list(Conversation.objects.filter(last__in=messages))
    _told(messages).delete()
    Message.objects.filter(pk__in=messages).delete()
    remove_unused(files)
    for conversation in ended:
        _shorten(conversation)


def _told(messages: Collection[int]) -> QuerySet[Exchange]:
    # The index holds only those about a message: SQLite wants to be told that these are.
    return Exchange.objects.filter(message__in=messages, message__gt=0)


def _files(messages: Collection[int]) -> list[Media]:
    return list(Media.objects.filter(messages__in=messages).distinct())


def _shorten(conversation: Conversation) -> None:
    # What a campaign never let go is no news of a conversation.
    mine = Message.objects.filter(workspace=conversation.workspace_id, peer=conversation.peer)
    mine = mine.exclude(campaign__isnull=False, claimed_at=None).order_by("-id")
    same = Conversation.objects.filter(pk=conversation.pk, last=None)
    newest = mine.values("pk", "created_at").first()
    if newest:
        same.update(last=newest["pk"], last_at=newest["created_at"])
    else:
        same.delete()


def remove_unused(files: Collection[Media]) -> None:
    """Delete those files that nothing names any more; on the disk once that is certain."""
    for item in files:
        if not _is_used(item):
            _remove(item)


def _is_used(item: Media) -> bool:
    """Say whether a message, or whatever stands above messages, has a file."""
    named = (
        field
        for field in Media._meta.get_fields(include_hidden=True)
        if field.auto_created and field.one_to_many
    )
    return any(
        field.related_model._base_manager.filter(**{field.field.name: item.pk}).exists()  # type: ignore[union-attr]
        for field in named
    )


def _remove(item: Media) -> None:
    file = item.file
    item.delete()
    if file:
        transaction.on_commit(lambda: file.delete(save=False))
