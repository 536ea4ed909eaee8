"""What messages hold about a person: for the file they may ask for, and for forgetting them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Workspace
from contacts.holdings import CannotErase, Holding
from contacts.signals import asked_for_holdings
from lib import e164
from messaging import forgetting
from messaging.models import Call, Conversation, LookUp, Message, PartSet, Report, Status
from phones.models import Exchange, Phone, Reached
from phones.simulator import store

_CHUNK = 500


@receiver(asked_for_holdings)
def holdings(*, workspace: Workspace, number: str, **_named: Any) -> list[Holding]:
    """Give the messages, calls and the conversation with a number (E.164)."""
    messages = Message.objects.filter(workspace=workspace, peer=number)
    calls = Call.objects.filter(workspace=workspace, peer=number)
    talks = Conversation.objects.filter(workspace=workspace, peer=number)
    exchanges = _exchanges(workspace, number)
    sent, rung, said, told = (rows.count() for rows in (messages, calls, talks, exchanges))
    return [
        Holding(
            key="messages",
            label=ngettext("message", "messages", sent),
            amount=sent,
            rows=lambda: map(_message, messages.order_by("id").prefetch_related("media")),
            erase=lambda: _erase(messages, workspace, number),
        ),
        Holding(
            key="calls",
            label=ngettext("call", "calls", rung),
            amount=rung,
            rows=lambda: map(_call, calls.order_by("id")),
            erase=lambda: _delete(calls),
        ),
        Holding(
            key="conversations",
            label=ngettext("conversation", "conversations", said),
            amount=said,
            rows=lambda: ({"last_message_at": talk.last_at.isoformat()} for talk in talks),
            erase=lambda: _delete(talks),
        ),
        Holding(
            key="exchanges",
            label=ngettext("exchange with a provider", "exchanges with providers", told),
            amount=told,
            rows=lambda: map(_exchange, exchanges.order_by("id")),
            erase=lambda: _erase_besides(workspace, number, exchanges),
        ),
    ]


def _message(message: Message) -> dict[str, Any]:
    return {
        "direction": message.direction,
        "status": message.status,
        "our_number": message.own,
        "text": message.text or message.removed,
        "files": [item.content_type for item in message.media.all()],
        "created_at": message.created_at.isoformat(),
        "sent_at": message.sent_at and message.sent_at.isoformat(),
        "delivered_at": message.delivered_at and message.delivered_at.isoformat(),
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "outcome": call.outcome,
        "started_at": call.started_at.isoformat(),
        "seconds": call.seconds,
    }


def _exchanges(workspace: Workspace, number: str) -> QuerySet[Exchange]:
    """Give what was said to and by providers with a number in it, of whatever message."""
    digits = e164.core(number)
    named = Q(url__contains=digits) | Q(sent__contains=digits)
    named |= Q(received__contains=digits) | Q(error__contains=digits)
    mine = Phone.objects.filter(workspace=workspace).values("pk")
    return Exchange.objects.filter(named, phone__in=mine)


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "at": exchange.created_at.isoformat(),
        "direction": exchange.direction,
        "url": exchange.url,
        "sent": exchange.sent,
        "received": exchange.received,
    }


def _erase_besides(workspace: Workspace, number: str, exchanges: QuerySet[Exchange]) -> None:
    """Delete what names a number and belongs to no message: exchanges, reports, parts, look-ups."""
    exchanges.delete()
    digits = e164.core(number)
    mine = Phone.objects.filter(workspace=workspace).values("pk")
    Report.objects.filter(phone__in=mine, message=None, peer__contains=digits).delete()
    PartSet.objects.filter(phone__in=mine, message=None, sender__contains=digits).delete()
    LookUp.objects.filter(workspace=workspace, number=number).delete()
    transaction.on_commit(partial(store.forget, store.path(), digits))


def _delete(rows: QuerySet[Any]) -> None:
    rows.delete()


def _erase(messages: QuerySet[Message], workspace: Workspace, number: str) -> None:
    """Delete messages with their files and what was said to providers about them.

    What waits is cancelled first, so that no worker takes it meanwhile. Raises CannotErase while one
    is just leaving.
    """
    messages.filter(status=Status.QUEUED).update(status=Status.CANCELLED, ended_at=timezone.now())
    if messages.filter(status=Status.SENDING).exists():
        raise CannotErase(_("A message to this person is just leaving. Try again in a minute."))
    # A limit of different people forgets the person, and not that there was one.
    Reached.objects.filter(phone__workspace=workspace, number=number).delete()
    for ids in _chunks(messages.values_list("pk", flat=True)):
        forgetting.delete(ids)


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    found = list(ids)
    for start in range(0, len(found), _CHUNK):
        yield found[start : start + _CHUNK]
