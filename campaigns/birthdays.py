"""Runs that go to those whose day it is: how many each reaches, as the rehearsal of all people found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from campaigns import when
from campaigns.rhythms import Rhythm
from contacts.models import Contact
from contacts.rules.compiling import days_shown_on

_A_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Expected:
    """A run to come, as clocks in its zone show it, and what of the rehearsal's figures it has.

    These are people, segments, unpriced and costs.
    """

    at: datetime
    figures: dict[str, Any]


def day_of(contact: Contact | None, field: str) -> str:
    """Give the day and month (MM-DD) of a person's date, "" where nobody knows it."""
    return str(contact.values.get(field) or "")[5:10] if contact else ""


def expected(
    rhythm: Rhythm, by_day: Mapping[str, dict[str, Any]], amount: int, now: datetime
) -> list[Expected]:
    """Give the next runs, within a year, that reach anybody. `by_day` is what the rehearsal found."""
    return list(islice(_expected(rhythm, by_day, now), amount))


def _expected(
    rhythm: Rhythm, by_day: Mapping[str, dict[str, Any]], now: datetime
) -> Iterator[Expected]:
    for at in rhythm.runs(now):
        if at > now + _A_YEAR:
            return
        wall = when.wall_of(at, rhythm.zone)
        shown = days_shown_on(wall.date())
        if found := [by_day[day] for day in sorted(shown) if day in by_day]:
            yield Expected(wall, _sum(found))


def _sum(found: list[dict[str, Any]]) -> dict[str, Any]:
    costs: Counter[str] = Counter()
    for figures in found:
        costs.update(figures["costs"])
    names = ("people", "segments", "unpriced")
    return {name: sum(figures[name] for figures in found) for name in names} | {
        "costs": dict(costs)
    }
