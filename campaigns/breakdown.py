"""What became of a campaign, from its tallies alone: by state, reason, phone and country, and its cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from accounts.places import countries
from campaigns.models import Campaign
from campaigns.steering import RETRIABLE
from campaigns.tallying import TALLIES, Figures
from lib.tallies import Counts
from messaging.costs import Spent
from messaging.models import Status
from phones.base import Reason
from phones.models import Phone

# States of messages that were handed over, or that a provider refused.
LEFT = (Status.SENDING, Status.SENT, Status.DELIVERED, Status.FAILED, Status.UNKNOWN)
# The parts of the bar in their order, and how they are filled.
_FILLS = (
    (Status.DELIVERED, "f-green"), (Status.SENT, "f-blue"), (Status.SENDING, "f-blue"),
    (Status.FAILED, "f-red"), (Status.UNKNOWN, "f-amber"), (Status.SKIPPED, "f-ink"),
    (Status.CANCELLED, "f-ink"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bar: `x` and `width` in percent, as SVG writes them."""

    fill: str
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Line:
    """Some messages that have something in common. `width` compares `amount` with the longest line."""

    key: str
    label: str
    amount: int
    width: str
    can_retry: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What left by one phone, or to one country, and what became of it."""

    key: str
    label: str
    left: int
    delivered: int
    failed: int

    @property
    def share(self) -> float | None:
        """Percent of what left that was delivered."""
        return 100 * self.delivered / self.left if self.left else None


@dataclass(frozen=True, slots=True)
class Breakdown:
    figures: Figures
    failures: list[Line]
    skipped: list[Line]
    phones: list[Row]
    countries: list[Row]
    spent: list[Spent] = field(default_factory=list)
    removed: int = 0

    @property
    def retryable(self) -> int:
        return sum(line.amount for line in self.failures if line.can_retry)

    @property
    def failed_share(self) -> float | None:
        """Percent of what left that failed."""
        failed, left = self.figures.of(Status.FAILED), self.figures.left
        return 100 * failed / left if failed and left else None


def break_down(campaign: Campaign) -> Breakdown:
    """Read all tallies of a campaign once. Two queries, however many people it has."""
    counts = TALLIES.counts(campaign.pk)
    is_kept = campaign.redacted_after is None
    return Breakdown(
        figures=_figures(counts),
        failures=_lines(counts, Status.FAILED, can_retry=is_kept),
        skipped=_lines(counts, Status.SKIPPED),
        phones=_phones(campaign, counts),
        countries=_countries(counts),
        spent=_spent(counts),
        removed=0 if is_kept else _figures(TALLIES.counts(campaign.pk, removed=True)).total,
    )


def bar(figures: Figures, total: int) -> list[Part]:
    """Lay out what is done of `total`, part behind part."""
    parts, x = [], 0.0
    for status, fill in _FILLS:
        if amount := figures.of(status):
            width = 100 * amount / max(total, figures.total, 1)
            parts.append(Part(fill, f"{x:.2f}%", f"{max(width, 0.15):.2f}%"))
            x += width
    return parts


def _figures(counts: Counts) -> Figures:
    by_status: defaultdict[str, int] = defaultdict(int)
    for (status, *_key), (amount, *_sums) in counts.items():
        by_status[status] += amount
    segments = sum(sums[1] for sums in counts.values())
    return Figures({status: amount for status, amount in by_status.items() if amount}, segments)


def _lines(counts: Counts, status: str, *, can_retry: bool = False) -> list[Line]:
    """Give the reasons of messages in a state, the most frequent first."""
    found: defaultdict[str, int] = defaultdict(int)
    for key, sums in counts.items():
        if key[0] == status:
            found[key[1]] += sums[0]
    most = max(found.values(), default=0)
    labels = dict(Reason.choices)
    return [
        Line(
            key=reason,
            label=str(labels.get(Reason(reason), reason)),
            amount=amount,
            width=f"{100 * amount / most:.2f}%",
            can_retry=can_retry and reason in RETRIABLE,
        )
        for reason, amount in sorted(found.items(), key=lambda item: -item[1])
        if amount > 0
    ]


def _phones(campaign: Campaign, counts: Counts) -> list[Row]:
    rows = _rows(counts, place=2)
    named = Phone.objects.filter(workspace=campaign.workspace_id, pk__in=rows)
    names = dict(named.values_list("pk", "name")) if rows else {}
    return _sorted(Row(str(pk), names.get(pk, ""), *sums) for pk, sums in rows.items())


def _countries(counts: Counts) -> list[Row]:
    names = dict(countries())
    rows = _rows(counts, place=3)
    return _sorted(Row(code, names.get(code, code), *sums) for code, sums in rows.items())


def _rows(counts: Counts, place: int) -> dict[Any, tuple[int, int, int]]:
    """Give (left, delivered, failed) for each value in a place of the key."""
    found: defaultdict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    for key, sums in counts.items():
        if key[0] in LEFT:
            row = found[key[place]]
            row[0] += sums[0]
            row[1] += sums[0] * (key[0] == Status.DELIVERED)
            row[2] += sums[0] * (key[0] == Status.FAILED)
    return {value: (row[0], row[1], row[2]) for value, row in found.items() if any(row)}


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -row.left)


def _spent(counts: Counts) -> list[Spent]:
    """Give what it cost, a line for each currency; what waits counts with its estimate."""
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, sums in counts.items():
        found[key[4]][0] += sums[2]
        found[key[4]][1] += sums[3]
    return [
        Spent(currency, told, guessed)
        for currency, (told, guessed) in sorted(found.items())
        if currency and (told or guessed)
    ]
