"""What campaigns count, kept by the database itself (lib.tallies)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from django.utils import timezone

from campaigns.models import Campaign, Tally
from lib.tallies import Counters
from messaging.activity import MONEY, WATCHED
from messaging.models import Message, Status

# For how long what happened in each minute is told apart; before that, in each hour.
_MINUTES_FOR = timedelta(hours=3)

TALLIES = Counters(
    name="tally",
    counted=Message,
    kept=Tally,
    owner=("campaign_id", "{m}.campaign_id"),
    at=("strftime('%Y-%m-%d %H:%M:00', 'now')", "date_trunc('minute', now())"),
    key={
        "status": "{m}.status",
        "reason": "{m}.reason",
        "phone": "{m}.phone_id",
        "country": "{m}.country",
        "currency": "{m}.currency",
    },
    sums={"amount": "1", "segments": "{m}.segments", **MONEY},
    where="{m}.campaign_id IS NOT NULL",
    watched=(*WATCHED, "campaign_id", "reason", "country"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages of a campaign by state, and their segments."""

    by_status: dict[str, int]
    segments: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def waiting(self) -> int:
        return self.by_status.get(Status.QUEUED, 0)

    @property
    def open(self) -> int:
        """Count what has not left yet, or is just leaving."""
        return self.waiting + self.by_status.get(Status.SENDING, 0)

    @property
    def left(self) -> int:
        """Count what was handed over, whatever became of it."""
        never = self.open + sum(
            self.by_status.get(state, 0) for state in (Status.SKIPPED, Status.CANCELLED)
        )
        return self.total - never

    def of(self, status: str) -> int:
        return self.by_status.get(status, 0)


def figures(campaigns: Iterable[Campaign]) -> dict[int, Figures]:
    """Give {campaign's id: its figures} in one query."""
    found: dict[int, dict[str, int]] = {campaign.pk: {} for campaign in campaigns}
    segments: defaultdict[int, int] = defaultdict(int)
    rows = Tally.objects.filter(campaign__in=found).values_list("campaign", "status")
    for pk, status, amount, parts in rows.annotate(Sum("amount"), Sum("segments")).order_by():
        if amount:
            found[pk][status] = int(amount)
        segments[pk] += int(parts)
    return {pk: Figures(by_status, segments[pk]) for pk, by_status in found.items()}


def figures_of(campaign: Campaign) -> Figures:
    return figures([campaign])[campaign.pk]


def melt() -> int:
    """Make few rows of many, where many have come. A duty of the tick."""
    apart_from = timezone.now() - _MINUTES_FOR

    def coarse(at: datetime) -> datetime:
        return at if at >= apart_from else at.replace(minute=0)

    return TALLIES.melt(coarse)


def agrees(campaign: Campaign) -> bool:
    """Say whether the counters of a campaign are what its messages say. Reads them all."""
    return TALLIES.agree(campaign.pk)


def mend(campaign: Campaign) -> None:
    """Let the counters say what the messages say, should they ever differ."""
    TALLIES.mend(campaign.pk, timezone.now().replace(second=0, microsecond=0))
