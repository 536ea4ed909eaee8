"""Everything that a campaign's page shows, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from campaigns import pacing
from campaigns.breakdown import Breakdown, Part, bar, break_down
from campaigns.models import Campaign
from campaigns.pacing import Chart, Pace
from messaging.models import Status
from messaging.planning import duration

# People, groups and segments that are named.
_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign is: `done` of `total` people, the parts of its bar, its chart and its pace.

    `held_up` says why nothing leaves although it runs.
    """

    campaign: Campaign
    told: Breakdown
    total: int
    bar: list[Part]
    chart: Chart | None
    pace: Pace | None
    held_up: str = ""

    @property
    def done(self) -> int:
        """Count those who wait for nothing any more, and those whose message is leaving now."""
        return self.told.figures.total - self.told.figures.waiting

    @property
    def waiting(self) -> int:
        """Count those who can still be left out: messages that wait, and people not looked at yet."""
        return self.told.figures.waiting + self.to_expand

    @property
    def to_expand(self) -> int:
        if not self.campaign.is_expanding:
            return 0
        return max(0, self.campaign.expected - self.campaign.seen)

    @property
    def figures(self) -> list[tuple[str, str, str, int]]:
        """Give each state, its word, the colour of its dot, and how many; always seven."""
        dots = {
            Status.DELIVERED: "dot-green", Status.SENT: "dot-blue", Status.SENDING: "dot-blue",
            Status.QUEUED: "", Status.FAILED: "dot-red", Status.UNKNOWN: "dot-amber",
            Status.SKIPPED: "dot-ink",
        }  # fmt: skip
        cancelled = self.told.figures.of(Status.CANCELLED)
        if cancelled:
            del dots[Status.SENDING]
            dots[Status.CANCELLED] = "dot-ink"
        return [
            (status, str(status.label), dot, self.told.figures.of(status))
            for status, dot in dots.items()
        ]

    @property
    def time_left(self) -> str:
        """Say how long it will take, "" where nobody knows."""
        return duration(self.pace.seconds) if self.pace and self.pace.seconds else ""


def progress(campaign: Campaign, now: datetime) -> Progress:
    """Gather what changes while a campaign runs. A fixed number of queries."""
    told = break_down(campaign)
    expanding = max(0, campaign.expected - campaign.seen) if campaign.is_expanding else 0
    total = told.figures.total + expanding
    pace = pacing.pace(campaign, told.figures, now) if campaign.is_live else None
    held_up = pacing.held_up(campaign, now) if campaign.is_live else ""
    if pace and held_up:
        pace = replace(pace, rate=0, seconds=None, done_at=None)
    return Progress(
        campaign=campaign,
        told=told,
        total=total,
        bar=bar(told.figures, total),
        chart=pacing.chart(campaign, now),
        pace=pace,
        held_up=held_up,
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whom a campaign was written for: names of people, groups and segments, numbers, a file's name; and
    the names of those left out, with how many numbers."""

    names: list[str]
    numbers: int
    sheet: str
    without: list[str]
    without_numbers: int


def chosen(campaign: Campaign) -> Chosen:
    """Name whom a campaign was written for, counting nobody. Three queries at most for each of the two."""
    return Chosen(
        names=_named(campaign, campaign.who),
        numbers=len(campaign.numbers),
        sheet=campaign.sheet.name if campaign.sheet else "",
        without=_named(campaign, campaign.without),
        without_numbers=len(campaign.without_numbers),
    )


def _named(campaign: Campaign, values: Sequence[str]) -> list[str]:
    workspace = campaign.workspace
    found: list[str] = []
    for letter, rows in (
        ("g", workspace.groups.all()), ("s", workspace.segments.all()), ("c", workspace.contacts.all())
    ):  # fmt: skip
        if ids := [int(value[1:]) for value in values if value[:1] == letter]:
            found += map(str, rows.filter(pk__in=ids[:_NAMED]))
    return found
