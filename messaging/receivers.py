"""What others tell messages: a phone can send again or is about to be deleted, somebody wants no more."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.models import Workspace
from accounts.signals import workspace_deleting
from contacts.signals import wants_no_more
from messaging import failing_over
from messaging.connected import rouse
from messaging.models import IS_ROUTED, Call, Conversation, Direction, Media, Message, Status
from phones.base import Reason
from phones.models import Phone, Pool
from phones.pools import Use
from phones.signals import asked_for_uses, phone_deleted, phone_ready

# Rows that go in one transaction, and transactions until a job has done enough.
_BATCH, _BATCHES = 500, 40


@receiver(phone_ready)
def send_waiting(*, phone: Phone, **_: Any) -> None:
    """Send what waited for this phone."""
    rouse(phone)


@receiver(phone_deleted)
def leave_phone(*, phone: Phone, **_: Any) -> None:
    """Move what waits for a phone that is being deleted, or cancel it: some now, the rest later."""
    failing_over.leave(phone)


@receiver(wants_no_more)
def keep_back(*, workspace: Workspace, number: str, **_: Any) -> None:
    """Skip what waits for somebody who has opted out."""
    Message.objects.filter(
        workspace=workspace, peer=number, direction=Direction.OUT, status=Status.QUEUED
    ).update(status=Status.SKIPPED, reason=Reason.OPTED_OUT, held=False, ended_at=timezone.now())


@receiver(asked_for_uses)
def messages_of(*, pool: Pool, **_named: Any) -> list[Use]:
    """Say how many messages wait that may leave by any phone of a group."""
    waiting = Message.objects.filter(IS_ROUTED, pool=pool).count()
    words = ngettext(
        "%(count)s message that waits stays with the phone that it was given.",
        "%(count)s messages that wait stay with the phones that they were given.",
        waiting,
    )
    return [Use(words % {"count": waiting})] if waiting else []


@receiver(workspace_deleting)
def delete_correspondence(*, workspace: Workspace, **_: Any) -> bool:
    """Delete some of what was written and called; say whether there is more.

    It holds on to its phones, so it has to go before them.
    """
    for _batch in range(_BATCHES):
        if not any(
            _delete_some(model, workspace) for model in (Conversation, Call, Message, Media)
        ):
            return False
    return True


def _delete_some(model: type[Model], workspace: Workspace) -> int:
    rows = list(model._default_manager.filter(workspace=workspace).order_by("pk")[:_BATCH])
    if model is Media:
        for row in rows:
            row.file.delete(save=False)  # type: ignore[attr-defined]
    model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
