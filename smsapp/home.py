"""What the home page shows: today, thirty days, phones, what waits and what needs a look.

The number of queries is fixed. Each is bounded by a span of days, by what waits, or by a limit.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

from django.conf import settings
from django.db.models import Count, Max

from accounts.features import Feature, is_on
from accounts.models import User, Workspace
from campaigns import finding
from campaigns.models import Approval, Campaign, Recurrence
from lib.jobs import QueueDown
from messaging.activity import LEFT, by_quarter, has_sent, within
from messaging.models import Conversation, Message, Status
from messaging.quota import charging
from phones import limits
from phones.base import Words
from phones.health import kind_of, watches_of
from phones.models import Phone, Watch
from phones.quotas import Standing, standings
from smsapp.plot import Day, Plot, draw

DAYS = 30
# Days whose mean, up to this hour, is called usual.
_USUAL_DAYS = 7
# A provider has at least this long to call back before its silence is worth a word.
_PATIENCE = timedelta(minutes=25)
# Rows of each list; the whole lists have pages of their own.
_PHONES, _NEXT, _CONVERSATIONS, _STOPPED = 8, 3, 4, 3
# Scheduled messages looked at to find the next ones; of a bigger batch we say "60+ people".
_LOOKAHEAD = 60
_MOST = 1000

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Figures:
    """Today so far. `usual` is the mean of the last days at this hour, None without such days."""

    sent: int
    delivered: int
    failed: int
    unknown: int
    received: int
    usual: int | None

    @property
    def delivered_share(self) -> float | None:
        """Percent of what was sent."""
        return 100 * self.delivered / self.sent if self.sent else None

    @property
    def failed_share(self) -> float | None:
        return 100 * self.failed / self.sent if self.sent else None

    @property
    def is_settled(self) -> bool:
        """Say whether no report can change these figures any more."""
        return self.sent == self.delivered + self.failed


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A phone's health. `rate` is in segments per second now, `waiting` counts what is due.

    `tightest` is the limit that has least left, `watch` how its failures are watched.
    """

    phone: Phone
    label: Words
    pace: limits.Pace | None
    waiting: int
    last_callback: datetime | None
    is_silent: bool
    tightest: Standing | None = None
    watch: Watch | None = None

    @property
    def is_full(self) -> bool:
        return self.tightest is not None and self.tightest.is_full

    @property
    def stands_still(self) -> bool:
        """Say whether nothing leaves by it for now."""
        rests = self.watch is not None and self.watch.rests_until is not None
        return self.phone.is_paused or self.is_full or rests

    @property
    def is_slow(self) -> bool:
        return self.pace is not None and self.pace.is_slow

    @property
    def rate(self) -> float:
        return self.pace.rate if self.pace else self.phone.rate


@dataclass(frozen=True, slots=True)
class Planned:
    """What leaves at `at`: messages of one submission, a campaign, or the next run of a recurring one.

    `people` is None where nobody has counted them; `has_more`: there are more than `people`.
    """

    at: datetime
    people: int | None = None
    has_more: bool = False
    first: Message | None = None
    campaign: Campaign | None = None
    recurrence: Recurrence | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    now: datetime
    is_new: bool
    figures: Figures
    plot: Plot
    phones: list[PhoneRow]
    unknown: int
    over_quota: int
    planned: list[Planned]
    stopped: list[Campaign]
    asked: list[Approval]
    returned: list[Approval]
    conversations: list[Conversation]

    @property
    def shown_phones(self) -> list[PhoneRow]:
        return self.phones[:_PHONES]

    @property
    def has_simulator(self) -> bool:
        return any(row.phone.type == "simulator" for row in self.phones)

    @property
    def paused(self) -> list[PhoneRow]:
        return [row for row in self.phones if row.phone.is_paused]

    @property
    def silent(self) -> list[PhoneRow]:
        return [row for row in self.phones if row.is_silent]

    @property
    def waiting(self) -> int:
        return sum(row.waiting for row in self.phones)

    @property
    def full(self) -> list[PhoneRow]:
        """Give the phones whose limits messages wait for."""
        return [
            row for row in self.phones if row.waiting and row.is_full and not row.phone.is_paused
        ]

    @property
    def done_at(self) -> datetime | None:
        """Give when what is due will have left, None when that is within a minute or not in sight."""
        busy = [row for row in self.phones if row.waiting and not row.stands_still]
        seconds = max((row.waiting / row.rate for row in busy), default=0)
        return self.now + timedelta(seconds=seconds) if seconds >= 60 else None


def overview(
    workspace: Workspace, now: datetime, *, may_approve: bool = False, asker: User | None = None
) -> Overview:
    """Look at the workspace as it is `now`, by its own calendar.

    Requests are for who may answer them, those that were sent back for the `asker`, who must ask.
    """
    days = _days(zone_of(workspace), now)
    counts = by_quarter(workspace, days[0][0], days[-1][1])
    by_day = [within(counts, *span) for span in days]
    hours = now - days[-1][0]
    usual = [_sent(within(counts, day, day + hours)) for day, _ in days[-1 - _USUAL_DAYS : -1]]
    return Overview(
        now=now,
        is_new=not workspace.messages.exists(),
        figures=_figures(by_day[-1], usual=_mean(usual)),
        plot=draw(
            [
                Day(span[0], _sent(found), found.get(Status.FAILED, 0))
                for span, found in zip(days, by_day, strict=True)
            ]
        ),
        phones=_phones(workspace, now),
        unknown=workspace.messages.filter(status=Status.UNKNOWN)[:_MOST].count(),
        over_quota=charging.waiting(workspace.pk)[:_MOST].count(),
        planned=_planned(workspace, now),
        stopped=finding.stopped(workspace, _STOPPED) if is_on(Feature.CAMPAIGNS) else [],
        asked=finding.asked(workspace, _STOPPED)
        if may_approve and is_on(Feature.CAMPAIGNS)
        else [],
        returned=finding.returned(workspace, asker, _STOPPED)
        if asker and is_on(Feature.CAMPAIGNS)
        else [],
        conversations=_conversations(workspace),
    )


def zone_of(workspace: Workspace) -> zoneinfo.ZoneInfo:
    """Give the workspace's time zone; UTC when the tz database has lost it."""
    try:
        return zoneinfo.ZoneInfo(workspace.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)


def _days(zone: zoneinfo.ZoneInfo, now: datetime) -> list[Span]:
    """Give the last DAYS days, today last, from midnight to midnight (23 to 25 hours)."""
    today = now.astimezone(zone).date()
    starts = [
        datetime.combine(today + timedelta(days=offset), time.min, tzinfo=zone)
        for offset in range(1 - DAYS, 2)
    ]
    return list(pairwise(starts))


def _mean(values: list[int]) -> int | None:
    """Give the mean once the first of the days had messages: before that nothing is usual."""
    return round(sum(values) / len(values)) if values and values[0] else None


def _figures(by_status: dict[str, int], usual: int | None) -> Figures:
    return Figures(
        sent=_sent(by_status),
        delivered=by_status.get(Status.DELIVERED, 0),
        failed=by_status.get(Status.FAILED, 0),
        unknown=by_status.get(Status.UNKNOWN, 0),
        received=by_status.get(Status.RECEIVED, 0),
        usual=usual,
    )


def _sent(by_status: dict[str, int]) -> int:
    return sum(by_status.get(status, 0) for status in LEFT)


def _phones(workspace: Workspace, now: datetime) -> list[PhoneRow]:
    phones = list(
        workspace.phones.living()
        .defer("settings")
        .annotate(
            last_callback=Max("endpoint_calls__last_at"), has_sent=has_sent(before=now - _PATIENCE)
        )
        .order_by("name", "pk")
    )
    waiting = _waiting(phones, now)
    paces = _paces(phones)
    for phone in phones:
        phone.workspace = workspace
    left = standings(phones, now)
    watches = watches_of(phones)
    return [
        _row(
            phone,
            paces.get(phone.pk),
            waiting.get(phone.pk, 0),
            next(iter(left.get(phone.pk, [])), None),
            watches.get(phone.pk),
        )
        for phone in phones
    ]


def _row(
    phone: Phone,
    pace: limits.Pace | None,
    waiting: int,
    tightest: Standing | None,
    watch: Watch | None,
) -> PhoneRow:
    kind = kind_of(phone)
    last_callback: datetime | None = phone.last_callback  # type: ignore[attr-defined]
    # Who does not follow delivery has nothing to call back about.
    reports = bool(kind and kind.endpoints and kind.can.delivery)
    expects = reports and phone.has_sent  # type: ignore[attr-defined]
    return PhoneRow(
        phone=phone,
        label=kind.label if kind else phone.type,
        pace=pace,
        waiting=waiting,
        last_callback=last_callback,
        is_silent=expects and last_callback is None,
        tightest=tightest,
        watch=watch,
    )


def _waiting(phones: list[Phone], now: datetime) -> dict[int, int]:
    """Count what is due, by phone."""
    due = Message.objects.filter(
        phone__in=phones, status=Status.QUEUED, held=False, not_before__lte=now
    )
    return dict(due.order_by().values_list("phone").annotate(Count("id")))


def _paces(phones: Iterable[Phone]) -> dict[int, limits.Pace]:
    """Give each phone's pace; nothing while the queue server is down."""
    try:
        return {phone.pk: limits.pace(phone) for phone in phones}
    except QueueDown:
        return {}


def _planned(workspace: Workspace, now: datetime) -> list[Planned]:
    """Give what leaves next. A campaign stands for its messages."""
    nearest = finding.next_ones(workspace, _NEXT) if is_on(Feature.CAMPAIGNS) else []
    campaigns = [_coming(item) for item in nearest]
    found = [*campaigns, *_planned_messages(workspace, now)]
    return sorted(found, key=lambda item: item.at)[:_NEXT]


def _coming(item: Campaign | Recurrence) -> Planned:
    at = finding.leaves_at(item)
    if isinstance(item, Recurrence):
        return Planned(at, recurrence=item)
    people = item.plan.get("people") if item.planned_at else None
    return Planned(at, people, campaign=item)


def _planned_messages(workspace: Workspace, now: datetime) -> list[Planned]:
    later = workspace.messages.filter(status=Status.QUEUED, send_at__gt=now)
    later = later.order_by("send_at", "id")
    # Those of a campaign may be a million: this far, and no further, is looked behind them.
    near = later.values("pk")[:_MOST]
    seen = list(later.filter(pk__in=near, campaign=None)[:_LOOKAHEAD])
    batches: dict[object, list[Message]] = {}
    for message in seen:
        batches.setdefault(message.submission, []).append(message)
    cut = seen[-1].submission if len(seen) == _LOOKAHEAD else None
    return [
        Planned(batch[0].send_at, len(batch), key == cut, first=batch[0])
        for key, batch in list(batches.items())[:_NEXT]
    ]


def _conversations(workspace: Workspace) -> list[Conversation]:
    latest = workspace.conversations.select_related("last").order_by("-last_at", "-id")
    return list(latest[:_CONVERSATIONS])
