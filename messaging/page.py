"""Everything that one message's page shows, in a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from messaging import waiting
from messaging.actions import load_of
from messaging.carrying import forbidden, obstacle
from messaging.counting import Count, count
from messaging.explaining import summary
from messaging.models import Conversation, IncomingPart, Message, Status
from messaging.permitting import Permit
from messaging.routing import shared_by
from messaging.threads import Picture
from messaging.timeline import AMBER, Step, steps
from phones.details import Exchanges
from phones.health import kind_of
from phones.models import Exchange, Phone

# States in which something is still to come.
_MOVING = {Status.QUEUED, Status.SENDING, Status.SENT}
# Exchanges shown; a message that was tried for a day has many.
_MOST_EXCHANGES = 20
# Seconds between two looks: while it is fresh, and afterwards.
_OFTEN, _SELDOM = 2, 30
_FRESH_FOR = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Page:
    """One message and what is told of it. `elsewhere` are the phones it may be moved to."""

    message: Message
    summary: str
    steps: list[Step]
    pictures: list[Picture]
    exchanges: Exchanges
    conversation: int | None
    elsewhere: list[Phone]
    length: Count
    shared_by: str
    every: int

    @property
    def is_final(self) -> bool:
        return not self.every

    @property
    def fingerprint(self) -> str:
        """Change with whatever the page shows, so that an unchanged page is not drawn again."""
        message = self.message
        last = self.steps[-1]
        told = (
            (message.status, message.cost, message.cost_is_estimate),
            (len(self.steps), len(self.exchanges.rows), last.title, last.text),
        )
        return f"{crc32(repr(told).encode()):x}"


def build(message: Message, now: datetime, permit: Permit | None = None) -> Page:
    """Gather what the page of a message shows to whom `permit` is of."""
    trail = list(message.trail.select_related("phone", "by").order_by("id"))
    reports = list(message.reports.select_related("phone").order_by("id"))
    told = steps(message, trail, reports, _parts(message))
    words = summary(message)
    if message.status == Status.QUEUED:
        told.append(waiting.why_waiting(message, now))
        # What holds it up against anybody's wish is said before all else.
        words = f"{told[-1].title}." if told[-1].tone == AMBER else words
    return Page(
        message=message,
        summary=words,
        steps=told,
        pictures=[Picture(item) for item in message.media.order_by("pk")],
        exchanges=_exchanges(message),
        conversation=_conversation(message),
        elsewhere=_elsewhere(message, permit),
        length=count(message.text),
        shared_by=shared_by(message),
        every=_every(message, now),
    )


def _parts(message: Message) -> list[IncomingPart]:
    if not message.is_incoming or message.segments == 1:
        return []
    return list(IncomingPart.objects.filter(set__message=message).order_by("number"))


def _exchanges(message: Message) -> Exchanges:
    # The index holds only those about a message: SQLite wants to be told that these are.
    rows = Exchange.objects.filter(message=message.pk, message__gt=0).order_by("-id")
    return Exchanges(list(rows[:_MOST_EXCHANGES])[::-1], older=None, is_newest=True)


def _conversation(message: Message) -> int | None:
    mine = Conversation.objects.filter(workspace=message.workspace_id, peer=message.peer)
    return mine.values_list("pk", flat=True).first()


def _elsewhere(message: Message, permit: Permit | None) -> list[Phone]:
    if not (message.status == Status.QUEUED or message.can_resend):
        return []
    load = load_of(message)
    others = (
        Phone.objects.ready().filter(workspace=message.workspace_id).exclude(pk=message.phone_id)
    )
    return [
        phone
        for phone in others.order_by("pk")
        if not (obstacle(phone, load) or forbidden(phone, message.peer))
        and (permit is None or permit.may_use(phone))
    ]


def _every(message: Message, now: datetime) -> int:
    """Give the seconds until the next look, 0 when nothing more is to come."""
    if message.partial:
        return _SELDOM
    if message.status not in _MOVING:
        return 0
    kind = kind_of(message.phone)
    if message.status == Status.SENT and kind and not kind.can.delivery:
        return 0
    is_fresh = abs(now - max(message.created_at, message.send_at)) < _FRESH_FOR
    return _OFTEN if is_fresh else _SELDOM
