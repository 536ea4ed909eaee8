"""Numbers that keep failing: which they are, and taking them out of everything that is sent.

Bounded: the newest DEPTH failures of a period are counted, and the MOST worst numbers are judged by what
arrived there in the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User, Workspace
from contacts.models import OptOut
from contacts.services import opted_out
from messaging.models import Direction, Message, Status
from phones.base import Reason

DEPTH, MOST = 50_000, 2000
# Days, failures and percent that can be asked for; the first of each is what is shown at first.
DAYS, TIMES, PERCENT = (30, 7, 90, 365), (3, 2, 5, 10), (80, 50, 100)
# Numbers of one query.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far back, how many failures at least, and what percent of what ended."""

    days: int = DAYS[0]
    times: int = TIMES[0]
    percent: int = PERCENT[0]


@dataclass(frozen=True, slots=True)
class Line:
    """A number: how often it failed, of how many that ended; the last failure's reason and time.

    `last` is the id of the newest failure, `stopped` whether the number gets nothing any more already.
    """

    number: str
    failed: int
    ended: int
    last: int
    reason: str
    at: datetime | None
    stopped: bool

    @property
    def percent(self) -> int:
        return 100 * self.failed // self.ended

    @property
    def why(self) -> str:
        return str(Reason(self.reason).label) if self.reason in Reason.values else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers that fail most, the worst first. `is_partial`: more failed than is looked at."""

    lines: list[Line]
    is_partial: bool


def find(workspace: Workspace, wanted: Wanted) -> Found:
    """Give the numbers that keep failing."""
    since = timezone.now() - timedelta(days=wanted.days)
    failures = _of(workspace, Status.FAILED).filter(created_at__gte=since).order_by("-id")
    counted = Message.objects.filter(pk__in=failures.values("pk")[:DEPTH])
    rows = (
        counted.order_by()
        .values("peer")
        .annotate(failed=Count("pk"), last=Max("pk"))
        .filter(failed__gte=wanted.times)
        .order_by("-failed", "peer")
        .values_list("peer", "failed", "last")[:MOST]
    )
    worst = list(rows)
    return Found(
        lines=[line for line in _lines(workspace, worst, since) if line.percent >= wanted.percent],
        is_partial=failures[DEPTH - 1 : DEPTH].exists() or len(worst) == MOST,
    )


def _of(workspace: Workspace, status: Status) -> QuerySet[Message]:
    """Give what went out and ended in a state, by the index `message_status`."""
    return Message.objects.filter(workspace=workspace, status=status, direction=Direction.OUT)


def _lines(
    workspace: Workspace, worst: Sequence[tuple[str, int, int]], since: datetime
) -> Iterator[Line]:
    for start in range(0, len(worst), _CHUNK):
        part = worst[start : start + _CHUNK]
        numbers = [number for number, _failed, _last in part]
        arrived = dict(
            _of(workspace, Status.DELIVERED)
            .filter(peer__in=numbers, created_at__gte=since)
            .order_by()
            .values_list("peer")
            .annotate(Count("pk"))
        )
        lasts = Message.objects.in_bulk([last for _number, _failed, last in part])
        stopped = opted_out(workspace, numbers)
        for number, failed, last in part:
            message = lasts.get(last)
            yield Line(
                number=number,
                failed=failed,
                ended=failed + arrived.get(number, 0),
                last=last,
                reason=message.reason if message else "",
                at=(message.ended_at or message.created_at) if message else None,
                stopped=number in stopped,
            )


# ---- Stopping them ------------------------------------------------------------------------------


def stop(workspace: Workspace, numbers: Sequence[str], *, invalid: bool, by: User) -> datetime:
    """Write no more to `numbers`: as opted out, or as ones that do not work. Give the time that undoes it.

    Who is on the list already stays there as before.
    """
    now = timezone.now()
    source = OptOut.Source.INVALID if invalid else OptOut.Source.PERSON
    rows = [
        OptOut(
            workspace=workspace,
            number=number,
            source=source,
            detail=_("Messages kept failing"),
            added_by=by,
            created_at=now,
        )
        for number in numbers
        if len(number) <= 20
    ]
    with transaction.atomic():
        OptOut.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    return now


def stopped_at(workspace: Workspace, at: datetime, by: User) -> QuerySet[OptOut]:
    """Give what somebody stopped in one go."""
    return OptOut.objects.filter(workspace=workspace, added_by=by, created_at=at)
