"""What phones tell messages: a phone can send again, or is about to be deleted."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import Workspace
from accounts.signals import workspace_deleting
from messaging.connected import rouse
from messaging.models import Call, Conversation, Media, Message, Status
from phones.base import Reason
from phones.models import Phone
from phones.signals import phone_deleted, phone_ready

# Rows that go in one transaction, and transactions until a job has done enough.
_BATCH, _BATCHES = 500, 40


@receiver(phone_ready)
def send_waiting(*, phone: Phone, **_: Any) -> None:
    """Send what waited for this phone."""
    rouse(phone)


@receiver(phone_deleted)
def cancel_waiting(*, phone: Phone, **_: Any) -> None:
    """Cancel what waits for a phone that is being deleted. Within its transaction."""
    Message.objects.filter(phone=phone, status=Status.QUEUED).update(
        status=Status.CANCELLED, reason=Reason.PHONE_GONE, ended_at=timezone.now()
    )


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
