"""How something comes again and again: a part of RFC 5545's recurrence rules (RRULE).

A rule counts the days and hours of one place. So a run keeps its wall clock over the summer, happens
once where the clock shows its time twice, and right after the gap where it skips it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Literal

from dateutil import rrule

from lib import zones

DAY, WEEK, MONTH, YEAR = "DAILY", "WEEKLY", "MONTHLY", "YEARLY"
UNITS = (DAY, WEEK, MONTH, YEAR)
_FREQUENCIES: dict[str, Literal[0, 1, 2, 3]] = {
    DAY: rrule.DAILY,
    WEEK: rrule.WEEKLY,
    MONTH: rrule.MONTHLY,
    YEAR: rrule.YEARLY,
}
# As RRULE names them, Monday first.
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WORKING = (0, 1, 2, 3, 4)
# Which one of a month: the first to the fourth, the last.
NTHS = (1, 2, 3, 4, -1)
LAST = -1
# Every so many days, weeks …, and runs, at most.
MOST_EVERY, MOST_RUNS = 99, 1000
# What a day of the calendar may be away from its moment in UTC, and to spare.
_A_ZONE = timedelta(days=2)


class BadRule(ValueError):
    """The text is no rule of this kind."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Runs from the wall clock `starts` (naive) in `zone` (an IANA name) on.

    Every `every` units; a week's runs on `days` (0 = Monday); a month's on its `day` (1 to 31, or -1, the
    last), or on the `nth` (1 to 4, or -1, the last) of `days`; a year's alike in its `month`. A month that
    is shorter than `day` has its run on its last day. To the day `until`, or `count` runs, or for ever.
    """

    starts: datetime
    zone: str
    unit: str = DAY
    every: int = 1
    days: tuple[int, ...] = ()
    day: int = 0
    nth: int = 0
    month: int = 0
    until: date | None = None
    count: int | None = None

    def runs(self, after: datetime) -> Iterator[datetime]:
        """Give the moments of all runs later than `after` (aware), in order, in UTC.

        Each comes once: two that a gap of the clock makes one are one.
        """
        where = zones.zone(self.zone)
        early = after.astimezone(UTC).replace(tzinfo=None) - _A_ZONE
        for wall in self._walls():
            if wall >= early and (at := zones.moment(wall, where)) > after:
                yield at
                after = at

    def next_runs(self, amount: int, after: datetime) -> list[datetime]:
        """Give the next runs later than `after`, `amount` at most."""
        return list(islice(self.runs(after), amount))

    def following(self, after: datetime) -> datetime | None:
        """Give the next run later than `after`, None when it has come to its end."""
        return next(self.runs(after), None)

    def _walls(self) -> Iterator[datetime]:
        until = datetime.combine(self.until, time.max) if self.until else None
        found: Iterator[datetime] = iter(
            rrule.rrule(
                _FREQUENCIES[self.unit],
                dtstart=self.starts,
                interval=self.every,
                wkst=0,
                bymonth=self.month or None,
                byweekday=self.days or None,
                bymonthday=self._month_days() or None,
                bysetpos=self.nth or (LAST if len(self._month_days()) > 1 else None),
                until=until,
                count=self.count,
            )
        )
        return found

    def _month_days(self) -> tuple[int, ...]:
        """Give the days of which the last that the month has is meant."""
        return tuple(range(28, self.day + 1)) if self.day > 28 else (self.day,) if self.day else ()

    @property
    def rule(self) -> str:
        """Give it as an RRULE, without the start: FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR."""
        month_days = self._month_days()
        parts = {
            "FREQ": self.unit,
            "INTERVAL": self.every if self.every > 1 else None,
            "BYMONTH": self.month or None,
            "BYMONTHDAY": ",".join(map(str, month_days)),
            "BYDAY": ",".join(_DAYS[day] for day in self.days),
            "BYSETPOS": self.nth or (LAST if len(month_days) > 1 else None),
            "UNTIL": f"{self.until:%Y%m%d}" if self.until else None,
            "COUNT": self.count,
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def read(rule: str, starts: datetime, zone: str) -> Rhythm:
    """Read an RRULE as `Rhythm.rule` writes it. Raises BadRule."""
    try:
        parts = dict(part.split("=", 1) for part in rule.split(";"))
        month_days = [int(day) for day in parts.get("BYMONTHDAY", "").split(",") if day]
        days = tuple(_DAYS.index(day) for day in parts.get("BYDAY", "").split(",") if day)
        until = parts.get("UNTIL")
        found = Rhythm(
            starts=starts,
            zone=zone,
            unit=UNITS[UNITS.index(parts["FREQ"])],
            every=int(parts.get("INTERVAL", 1)),
            days=days,
            day=month_days[-1] if month_days else 0,
            nth=int(parts.get("BYSETPOS", 0)) if days else 0,
            month=int(parts.get("BYMONTH", 0)),
            until=datetime.strptime(until, "%Y%m%d").date() if until else None,  # noqa: DTZ007
            count=int(parts["COUNT"]) if "COUNT" in parts else None,
        )
    except (ValueError, KeyError) as error:
        raise BadRule(rule) from error
    if found.rule != rule:
        raise BadRule(rule)
    return found
