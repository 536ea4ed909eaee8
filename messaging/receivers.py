"""What phones tell messages: a phone can send again, or is about to be deleted."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from messaging import failing_over
from messaging.connected import rouse
from phones.models import Phone
from phones.signals import phone_deleted, phone_ready


@receiver(phone_ready)
def send_waiting(*, phone: Phone, **_: Any) -> None:
    """Send what waited for this phone."""
    rouse(phone)


@receiver(phone_deleted)
def leave_phone(*, phone: Phone, **_: Any) -> None:
    """Move what waits for a phone that is being deleted, or cancel it. Within its transaction."""
    failing_over.leave(phone)
