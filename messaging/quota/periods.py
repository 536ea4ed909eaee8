"""When periods begin and end: by the calendar, in a workspace's time zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lib import zones
from messaging.quota.models import Quota

_MONTHS = {Quota.Every.MONTH: 1, Quota.Every.QUARTER: 3, Quota.Every.YEAR: 12}


def begins(every: str, zone: ZoneInfo, at: datetime) -> datetime:
    """Give when the period began that a moment is in. Not for ONCE."""
    return _midnight(_first_day(every, at.astimezone(zone).date()), zone)


def ends(every: str, zone: ZoneInfo, at: datetime) -> datetime | None:
    """Give when the period ends that a moment is in; None for what is granted once."""
    if every == Quota.Every.ONCE:
        return None
    first = _first_day(every, at.astimezone(zone).date())
    if every == Quota.Every.DAY:
        return _midnight(first + timedelta(days=1), zone)
    if every == Quota.Every.WEEK:
        return _midnight(first + timedelta(days=7), zone)
    month = first.month - 1 + _MONTHS[Quota.Every(every)]
    return _midnight(date(first.year + month // 12, month % 12 + 1, 1), zone)


def _first_day(every: str, day: date) -> date:
    if every == Quota.Every.DAY:
        return day
    if every == Quota.Every.WEEK:
        return day - timedelta(days=day.weekday())
    months = _MONTHS[Quota.Every(every)]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return zones.moment(datetime.combine(day, time.min), zone)
