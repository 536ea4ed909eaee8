"""What a person decides about messages that exist: cancel, send again, move to another phone, settle.

Each change is one conditional UPDATE naming the states it may follow, and leaves an Attempt that says
who did it. What has left meanwhile is left alone.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from contacts.services import opted_out
from messaging import carrying, media, permitting, routing
from messaging.carrying import Load, forbidden
from messaging.composing import CannotSend
from messaging.connected import rouse
from messaging.conversations import note_written
from messaging.explaining import explain
from messaging.models import Attempt, Message, Priority, Status
from messaging.permitting import NotPermitted, Permit
from messaging.quota import charging
from messaging.routing import Route
from phones.base import Reason
from phones.models import Phone
from phones.prices import prices_to

logger = logging.getLogger(__name__)

# Rows per transaction: the phones go on sending in between.
_BATCH = 500
# What makes a message new for the sender: no run holds it, nothing is said of how it ended.
_FRESH = {
    "status": Status.QUEUED,
    "claim": None,
    "lease_until": None,
    "ended_at": None,
    "reason": Reason.NONE,
    "attempts": 0,
    "code": "",
    "words": "",
}


def cancel(messages: QuerySet[Message], *, by: User) -> int:
    """Cancel those that still wait; give how many."""
    # What waited for a quota was not cancelled for want of one.
    change = {"status": Status.CANCELLED, "reason": Reason.NONE}
    cancelled = _end(messages, Status.QUEUED, change, kind=Attempt.Kind.CANCELLED, by=by)
    logger.info("Person %s cancelled %s messages.", by.pk, cancelled)
    return cancelled


def settle(messages: QuerySet[Message], *, arrived: bool, by: User) -> int:
    """Write down what became of those whose outcome is unknown; give how many.

    What the provider says of them later is heard as of any that arrived or failed.
    """
    change: dict[str, Any] = {"reason": Reason.BY_HAND, "code": "", "words": ""}
    if arrived:
        change |= {"status": Status.DELIVERED, "delivered_at": timezone.now()}
    else:
        change |= {"status": Status.FAILED}
    kind = Attempt.Kind.ARRIVED if arrived else Attempt.Kind.LOST
    settled = _end(messages, Status.UNKNOWN, change, kind=kind, by=by)
    logger.info("Person %s settled %s messages: %s.", by.pk, settled, kind)
    return settled


def _end(
    messages: QuerySet[Message],
    state: Status,
    change: dict[str, Any],
    *,
    kind: Attempt.Kind,
    by: User,
) -> int:
    """Change those in a state, which must be another one then; give how many."""
    found = messages.filter(status=state).order_by("pk")
    ended = 0
    while some := _end_some(found, state, change, kind, by):
        ended += some
    return ended


def _end_some(
    found: QuerySet[Message], state: Status, change: dict[str, Any], kind: Attempt.Kind, by: User
) -> int:
    now = timezone.now()
    with transaction.atomic():
        rows = found.select_for_update().values_list("pk", "phone_id")[:_BATCH]
        chosen = dict(rows)
        Message.objects.filter(pk__in=chosen, status=state).update(ended_at=now, **change)
        Attempt.objects.bulk_create(
            Attempt(message_id=pk, kind=kind, phone_id=phone, by=by, created_at=now)
            for pk, phone in chosen.items()
        )
    return len(chosen)


def resend(message: Message, *, by: User) -> bool:
    """Send a message once more whose outcome is unknown: it may arrive twice. Say whether it was.

    Raises CannotSend when its phone is gone, or `by` may not send it.
    """
    _check(message, message.phone, by)
    if message.phone.is_deleted:
        raise CannotSend(carrying.obstacle(message.phone, load_of(message)))
    return _restart(
        message, message.phone, kind=Attempt.Kind.RESENT, by=by, states=[Status.UNKNOWN]
    )


def move(message: Message, phone: Phone, *, by: User) -> bool:
    """Let a message leave by another phone; say whether it did.

    It must wait or be unknown; an unknown one may arrive twice. Raises CannotSend.
    """
    _check(message, phone, by)
    if problem := carrying.obstacle(phone, load_of(message)) or forbidden(phone, message.peer):
        raise CannotSend(problem)
    states = [Status.QUEUED, Status.UNKNOWN]
    return _restart(message, phone, kind=Attempt.Kind.MOVED, by=by, states=states)


def send_now(message: Message, *, by: User) -> bool:
    """Let a message leave now that waits in its campaign or for a later time; say whether it does.

    It becomes urgent: quiet hours do not hold it. Limits and pauses of phones do. Raises CannotSend.
    """
    if not message.can_hurry:
        return False
    if message.campaign and message.campaign.state == "cancelled":
        raise CannotSend(_("Its campaign was cancelled, so it does not leave any more."))
    phone = _phone_now(message, by) if message.held else message.phone
    _check(message, phone, by)
    now = timezone.now()
    change: dict[str, Any] = {
        "held": False, "priority": Priority.URGENT, "send_at": now, "not_before": now,
    }  # fmt: skip
    if phone.pk != message.phone_id:
        change |= {"phone": phone, "own": phone.address, "provider_id": ""}
        change |= _estimated(message, phone)
    # As it was when somebody decided: neither let through, moved nor put off meanwhile.
    same = {"phone": message.phone_id, "held": message.held, "send_at": message.send_at}
    with transaction.atomic():
        waiting = Message.objects.filter(pk=message.pk, status=Status.QUEUED, **same)
        if not waiting.update(**change):
            return False
        _note(message, phone, Attempt.Kind.HURRIED, by, now)
        if message.held:
            note_written(message.workspace, {message.peer: (message.pk, now)})
    rouse(phone)
    return True


def _phone_now(message: Message, by: User) -> Phone:
    """Choose the phone of a message that its campaign holds, among those of `by`. Raises CannotSend."""
    is_one = not (message.any_phone or message.pool)
    route = Route(message.phone)
    if not is_one:
        route = _permit(message, by).narrowed(Route(pool=message.pool))
    found = routing.candidates(message.workspace, route)
    load = load_of(message)
    if load.picture and routing.links(found):
        # What was written as a picture is never sent without it.
        raise CannotSend(_("No phone that it could leave by now sends pictures."))
    assigned = routing.assign(
        message.workspace, route, [(message.pk, message.peer, load)], found=found
    )[message.pk]
    if assigned.phone is None or assigned.phone.is_deleted:
        raise CannotSend(assigned.why or _("There is no phone to send through."))
    return assigned.phone


def _check(message: Message, phone: Phone, by: User) -> None:
    """Raise CannotSend where somebody may not send this message, or not by this phone, or nobody may."""
    try:
        _permit(message, by).check(Route(phone), [message.peer])
    except NotPermitted as refusal:
        raise CannotSend(str(refusal)) from refusal
    if opted_out(message.workspace, [message.peer]):
        raise CannotSend(_("This person asked for no more messages."))


def _permit(message: Message, by: User) -> Permit:
    try:
        return permitting.of(message.workspace, by)
    except NotPermitted as refusal:
        raise CannotSend(str(refusal)) from refusal


def load_of(message: Message) -> Load:
    """Give what a phone must be able to carry to send this message."""
    picture = not media.is_linked(message.text) and message.media.exists()
    return Load(message.text, picture=picture, flash=message.flash)


def _restart(
    message: Message, phone: Phone, *, kind: Attempt.Kind, by: User, states: list[Status]
) -> bool:
    now = timezone.now()
    # It is wanted now; what is planned for later stays so.
    at = max(message.send_at, now)
    change: dict[str, Any] = {**_FRESH, "phone": phone, "own": phone.address}
    change |= {"send_at": at, "not_before": at}
    if phone.pk != message.phone_id:
        # Another provider's name for it would be looked up among this one's.
        change["provider_id"] = ""
        change |= _estimated(message, phone)
    with transaction.atomic():
        held = Message.objects.filter(
            pk=message.pk, phone=message.phone_id, status__in=states, redacted_after=None
        )
        if locked := held.select_for_update(no_key=True).first():
            change |= _charged(locked)
        changed = held.update(**change)
        if changed:
            _note(message, phone, kind, by, now)
    if changed:
        rouse(phone)
    return bool(changed)


def _charged(message: Message) -> dict[str, Any]:
    """Give the fields that say what a message is charged to: anew, unless it waits. Raises CannotSend."""
    if message.status == Status.QUEUED:
        # Whatever it waits for, it goes on doing so.
        return {"reason": message.reason}
    charged = charging.charge_again([message])[0]
    is_over = message.campaign is not None and message.campaign.state == "cancelled"
    # What waits in a cancelled campaign is cancelled with it.
    if charged.is_skipped or (charged.waits and is_over):
        raise CannotSend(explain(charged.reason))
    charging.book([message])
    return {
        "quota_period": charged.period,
        "person_quota_period": charged.person_period,
        "reason": charged.reason,
        "held": charged.waits,
    }


def _estimated(message: Message, phone: Phone) -> dict[str, int | str | None]:
    """Give the fields that say what it is to cost by this phone."""
    priced = not message.media.exists()
    price = prices_to(message.peer, [phone]).get(phone.pk) if priced else None
    return {
        "cost": price.amount * message.segments if price else None,
        "currency": price.currency if price else "",
        "cost_is_estimate": price is not None,
    }


def _note(message: Message, phone: Phone, kind: Attempt.Kind, by: User, now: datetime) -> None:
    Attempt.objects.create(message=message, kind=kind, phone=phone, by=by, created_at=now)
