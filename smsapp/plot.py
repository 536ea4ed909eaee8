"""Bars of days, as numbers that a template can put into SVG: everything is in percent of the plot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Percent of a day's width that its bar takes.
_FILL = 58
# Percent of the height: the least that can be seen, and the gap between sent and failed.
_THIN, _GAP = 0.7, 0.5
# Words under the plot, today not counted.
_LABELS = 3


@dataclass(frozen=True, slots=True)
class Day:
    """One day: `sent` counts the failed ones too."""

    start: datetime
    sent: int
    failed: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's bar: the part that went well from `y` down, the failed part (`bad`) above it."""

    day: Day
    is_today: bool
    x: str
    width: str
    y: str
    height: str
    bad_y: str
    bad_height: str


@dataclass(frozen=True, slots=True)
class Plot:
    """`top` is the number at the upper line; `labels` are the days to write under the plot."""

    bars: list[Bar]
    top: int
    labels: list[datetime]

    @property
    def middle(self) -> int:
        return self.top // 2

    @property
    def first(self) -> Day:
        return self.bars[0].day

    @property
    def last(self) -> Day:
        return self.bars[-1].day

    @property
    def newest_first(self) -> list[Day]:
        return [bar.day for bar in reversed(self.bars)]

    @property
    def is_empty(self) -> bool:
        return not any(bar.day.sent for bar in self.bars)


def draw(days: list[Day]) -> Plot:
    """Lay out one bar per day, the last one being today."""
    top = round_top(max(day.sent for day in days))
    step = 100 / len(days)
    bars = [_bar(day, index, step, top, index == len(days) - 1) for index, day in enumerate(days)]
    labels = [days[index * len(days) // _LABELS].start for index in range(_LABELS)]
    return Plot(bars, top, labels)


def round_top(most: int) -> int:
    """Give the round, even number at or above `most`: 2, 4, 6, 8 or 10 times a power of ten."""
    power = 1
    while power * 10 < most:
        power *= 10
    return next(power * factor for factor in (2, 4, 6, 8, 10) if power * factor >= most)


def _bar(day: Day, index: int, step: float, top: int, is_today: bool) -> Bar:
    good = 100 * (day.sent - day.failed) / top
    bad = max(100 * day.failed / top - _GAP, _THIN) if day.failed else 0
    y = 100 - good
    return Bar(
        day=day,
        is_today=is_today,
        x=_percent((index + (100 - _FILL) / 200) * step),
        width=_percent(step * _FILL / 100),
        y=_percent(y),
        height=_percent(good),
        bad_y=_percent(max(0, y - _GAP - bad)),
        bad_height=_percent(bad),
    )


def _percent(value: float) -> str:
    """Write a length for SVG, which wants a point whatever the language."""
    return f"{value:.2f}%"
