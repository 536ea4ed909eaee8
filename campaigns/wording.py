"""Rhythms in words: Every weekday at 09:00, Paris time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.rhythms import LAST, MONTH, WEEK, WORKING, YEAR, Rhythm

# Which one of a month, and what it is one of.
NTHS: dict[int, str | Promise] = {
    1: gettext_lazy("first"),
    2: gettext_lazy("second"),
    3: gettext_lazy("third"),
    4: gettext_lazy("fourth"),
    LAST: gettext_lazy("last"),
}


def in_words(rhythm: Rhythm, *, birthday: str = "", own_zone: bool = False) -> str:
    """Say when something comes again. `birthday` is the name of the date that each person has."""
    words = _("%(days)s at %(time)s, %(city)s time")
    if own_zone:
        words = _("%(days)s at %(time)s, by each recipient's own clock")
    said = words % {
        "days": _birthdays(birthday) if birthday else _days(rhythm),
        "time": time_format(rhythm.starts.time(), "H:i"),
        "city": city(rhythm.zone),
    }
    return _ended(said, rhythm)


def city(zone: str) -> str:
    """Give the place of an IANA zone: America/New_York → New York."""
    return zone.rpartition("/")[2].replace("_", " ")


def named(days: Sequence[int]) -> str:
    """Name days of the week: Monday, Wednesday and Friday; weekday for Monday to Friday."""
    if tuple(days) == WORKING:
        return _("weekday")
    names = [str(WEEKDAYS[day]) for day in days]
    if len(names) < 2:
        return "".join(names)
    return _("%(some)s and %(last)s") % {"some": ", ".join(names[:-1]), "last": names[-1]}


def _birthdays(field: str) -> str:
    return _("On the day of each person's “%(field)s”, every year") % {"field": field}


def _days(rhythm: Rhythm) -> str:
    tell = {WEEK: _weeks, MONTH: _months, YEAR: _years}.get(rhythm.unit, _each_day)
    return tell(rhythm)


def _each_day(rhythm: Rhythm) -> str:
    words = ngettext("Every day", "Every %(count)s days", rhythm.every)
    return words % {"count": rhythm.every}


def _weeks(rhythm: Rhythm) -> str:
    if rhythm.every == 1 and rhythm.days == WORKING:
        return _("Every weekday")
    days = ngettext("Every week on %(days)s", "Every %(count)s weeks on %(days)s", rhythm.every)
    on = [str(WEEKDAYS[day]) for day in rhythm.days] if rhythm.days == WORKING else None
    return days % {"count": rhythm.every, "days": ", ".join(on) if on else named(rhythm.days)}


def _months(rhythm: Rhythm) -> str:
    said = {"count": rhythm.every, "day": rhythm.day, "which": _nth(rhythm)}
    if rhythm.nth:
        words = ngettext(
            "Every month on the %(which)s", "Every %(count)s months on the %(which)s", rhythm.every
        )
    elif rhythm.day == LAST:
        words = ngettext(
            "Every month on its last day", "Every %(count)s months on the last day", rhythm.every
        )
    elif rhythm.day > 28:
        words = ngettext(
            "Every month on day %(day)s, or its last one",
            "Every %(count)s months on day %(day)s, or the last one",
            rhythm.every,
        )
    else:
        words = ngettext(
            "Every month on day %(day)s", "Every %(count)s months on day %(day)s", rhythm.every
        )
    return words % said


def _nth(rhythm: Rhythm) -> str:
    if not rhythm.nth:
        return ""
    return f"{NTHS[rhythm.nth]} {named(rhythm.days)}"


def _years(rhythm: Rhythm) -> str:
    # A leap year, so that 29 February is a day.
    day = date(2000, rhythm.month, rhythm.day or 1)
    shown = date_format(day, "MONTH_DAY_FORMAT")
    words = ngettext("Every year on %(day)s", "Every %(count)s years on %(day)s", rhythm.every)
    if (rhythm.month, rhythm.day) == (2, 29):
        words += " " + _("(28 February where there is none)")
    return words % {"count": rhythm.every, "day": shown}


def _ended(words: str, rhythm: Rhythm) -> str:
    if rhythm.until:
        day = date_format(rhythm.until, "DATE_FORMAT")
        return _("%(words)s, until %(day)s") % {"words": words, "day": day}
    if rhythm.count:
        times = ngettext("%(words)s, %(count)s time", "%(words)s, %(count)s times", rhythm.count)
        return times % {"words": words, "count": rhythm.count}
    return words
