"""What phones tell messages: a phone can send again, or is about to be deleted."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from messaging.connected import rouse
from messaging.models import Message, Status
from phones.base import Reason
from phones.models import Phone
from phones.signals import phone_deleted, phone_ready


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
