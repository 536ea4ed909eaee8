"""How fast a campaign goes: its rate over time, and when it will be done."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.breakdown import LEFT
from campaigns.judging import Judge
from campaigns.models import Campaign, State, Tally
from campaigns.tallying import Figures
from messaging import routing
from messaging.carrying import Load
from messaging.models import IS_HELD, OVER_QUOTA, Message, Status
from messaging.quota import ledger
from messaging.quota.showing import left_words

_MINUTE = timedelta(minutes=1)
# Bars of the chart at most; for how long minutes are known apart (see tallying).
_BARS, _MINUTES_FOR = 40, timedelta(hours=3)
# What is looked at to say how fast it goes now.
_LATELY = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Bar:
    """What left from `start` on. `x`, `y`, `width`, `height` are percent, as SVG writes them."""

    start: datetime
    amount: int
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Messages per `step` from the first bar to now, or to the end. `top` is the upper line's number."""

    bars: list[Bar]
    step: timedelta
    top: int

    @property
    def top_words(self) -> str:
        """Give the upper line's number: 10 /s, or 4 /min where it is less than one a second."""
        rate = self.top / self.step.total_seconds()
        words, shown = (_("%(rate)s /s"), rate) if rate >= 1 else (_("%(rate)s /min"), rate * 60)
        return words % {"rate": number_format(shown, decimal_pos=0 if shown >= 10 else 1)}

    @property
    def minutes(self) -> int:
        return round(len(self.bars) * self.step / _MINUTE)

    @property
    def first(self) -> datetime:
        return self.bars[0].start


@dataclass(frozen=True, slots=True)
class Pace:
    """Messages a second now, seconds until all have left, and when that is; None where nobody knows."""

    rate: float
    seconds: float | None
    done_at: datetime | None


def chart(campaign: Campaign, now: datetime) -> Chart | None:
    """Draw what left over the campaign's life, one query; None before there is anything to see."""
    if campaign.started_at is None:
        return None
    end = min(campaign.ended_at or now, now)
    amounts = _amounts(campaign.tallies.all())
    if not amounts:
        return None
    start = min(amounts)
    unit = _MINUTE if now - start <= _MINUTES_FOR else timedelta(hours=1)
    last = max(end, *amounts)
    count = max(1, math.ceil((last - start) / unit))
    step = unit * math.ceil(count / _BARS)
    heights: defaultdict[int, int] = defaultdict(int)
    for at, amount in amounts.items():
        heights[int((at - start) / step)] += amount
    length = max(math.ceil(count * unit / step), 1 + max(heights))
    if length < 3:
        return None
    top = max(1, *heights.values())
    bars = [
        _bar(start + step * place, heights[place], place, length, top) for place in range(length)
    ]
    return Chart(bars, step, top)


def _amounts(tallies: QuerySet[Tally]) -> dict[datetime, int]:
    """Give how many messages left in each minute (or hour, of what is older)."""
    rows = tallies.filter(status__in=LEFT).order_by().values_list("at").annotate(Sum("amount"))
    return {at: int(amount) for at, amount in rows if amount > 0}


def _bar(start: datetime, amount: int, place: int, length: int, top: int) -> Bar:
    slot, height = 100 / length, 100 * max(amount, 0) / top
    return Bar(
        start=start,
        amount=max(amount, 0),
        x=f"{(place + 0.12) * slot:.2f}%",
        y=f"{100 - height:.2f}%",
        width=f"{slot * 0.76:.2f}%",
        height=f"{height:.2f}%",
    )


def pace(campaign: Campaign, figures: Figures, now: datetime) -> Pace:
    """Say how fast it went in the last minutes, and when it will be done at that."""
    since = max(now - _LATELY, campaign.started_at or now)
    recent = campaign.tallies.filter(at__gte=since.replace(second=0, microsecond=0))
    left = sum(_amounts(recent).values())
    rate = left / max((now - since).total_seconds(), 10)
    unseen = max(0, campaign.expected - campaign.seen) if campaign.is_expanding else 0
    waiting = figures.waiting + unseen
    seconds = waiting / rate if rate and waiting else None
    last = _last_planned(campaign)
    if last and last > now and (seconds is None or last > now + timedelta(seconds=seconds)):
        return Pace(rate, (last - now).total_seconds(), last)
    if seconds is None or seconds > timedelta(days=365).total_seconds():
        return Pace(rate, None, None)
    return Pace(rate, seconds, now + timedelta(seconds=seconds))


def held_up(campaign: Campaign, now: datetime) -> str:
    """Say why the message whose turn is next cannot leave, and until when; "" where nothing keeps it."""
    waiting = Message.objects.filter(campaign=campaign, status=Status.QUEUED)
    due = waiting.filter(IS_HELD, send_at__lte=now).order_by("send_at", "id")
    message = due.first() or waiting.filter(held=False).order_by("-id").first()
    if campaign.state != State.RUNNING:
        return ""
    if message is None:
        return _over_quota(campaign)
    load = Load(message.text, picture=campaign.has_picture, flash=message.flash)
    route = Judge.route_of(campaign)
    next_one = (message.pk, message.peer, load)
    assigned = routing.assign(campaign.workspace, route, [next_one])[message.pk]
    return "" if assigned.phone else routing.waiting_words(assigned)


def _over_quota(campaign: Campaign) -> str:
    """Say that all which is left waits for a quota."""
    by_reason = campaign.tallies.filter(status=Status.QUEUED, reason__in=OVER_QUOTA)
    amount = by_reason.aggregate(sum=Sum("amount", default=0))["sum"]
    if amount <= 0:
        return ""
    words = ngettext(
        "%(count)s message waits for room in the quota",
        "%(count)s messages wait for room in the quota",
        amount,
    )
    left = ledger.standings(ledger.of_person(campaign.workspace, campaign.created_by))
    told = [words % {"count": number_format(amount, force_grouping=True)}]
    return "; ".join([*told, *(left_words(balance) for balance in left if balance.ran_short)])


def _last_planned(campaign: Campaign) -> datetime | None:
    """Give the time of the last message that waits for its turn, by the index of those."""
    held = Message.objects.filter(IS_HELD, campaign=campaign)
    return held.order_by("-send_at", "-id").values_list("send_at", flat=True).first()
