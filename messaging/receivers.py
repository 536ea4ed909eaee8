"""What phones tell messages: a phone can send again, or is about to be deleted."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils.translation import ngettext

from messaging import failing_over
from messaging.connected import rouse
from messaging.models import IS_ROUTED, Message
from phones.models import Phone, Pool
from phones.pools import Use
from phones.signals import asked_for_uses, phone_deleted, phone_ready


@receiver(phone_ready)
def send_waiting(*, phone: Phone, **_: Any) -> None:
    """Send what waited for this phone."""
    rouse(phone)


@receiver(phone_deleted)
def leave_phone(*, phone: Phone, **_: Any) -> None:
    """Move what waits for a phone that is being deleted, or cancel it. Within its transaction."""
    failing_over.leave(phone)


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
