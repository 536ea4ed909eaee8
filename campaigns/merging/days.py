"""Days, numbers and truths as texts say them, in any language of the CLDR."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_day_names, get_month_names
from babel.numbers import get_decimal_symbol
from django.template.defaultfilters import yesno
from django.utils import translation
from django.utils.dateparse import parse_datetime

from contacts import values
from contacts.models import FieldType

_CODE = re.compile(r"%(-?)(.?)", re.DOTALL)
_DAY_CODE = re.compile("%-?[de]")
# A day, then a time: 24/12/2026 14:30, 24/12/2026 14h30.
_WITH_TIME = re.compile(r"(.*[^ ,T])[ ,T]+(\d{1,2})[:hH](\d{2})(?::\d\d)?")


class _Names(NamedTuple):
    months: Mapping[int, str]
    months_alone: Mapping[int, str]
    short_months: Mapping[int, str]
    weekdays: Mapping[int, str]
    short_weekdays: Mapping[int, str]


@lru_cache(maxsize=256)
def language(code: str) -> str:
    """Give a language as the CLDR names it ("FR-ca" → "fr_CA"), "" where it knows none."""
    try:
        return str(Locale.parse(code.strip().replace("-", "_")))
    except (ValueError, UnknownLocaleError):
        return ""


@lru_cache(maxsize=64)
def _names(language: str) -> _Names:
    """Give the names of months (from 1) and weekdays (Monday is 0); some bend a month beside a day."""
    return _Names(
        get_month_names("wide", "format", language),
        get_month_names("wide", "stand-alone", language),
        get_month_names("abbreviated", "format", language),
        get_day_names("wide", "format", language),
        get_day_names("abbreviated", "format", language),
    )


def _time(say: Callable[[datetime], str]) -> Callable[[date, _Names], str]:
    """Let a day without a time begin at midnight."""
    return lambda day, _: say(
        day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
    )


# The codes of strftime that a text may use.
CODES: dict[str, Callable[[date, _Names], str]] = {
    "d": lambda day, _: f"{day.day:02}",
    "e": lambda day, _: f"{day.day}",
    "m": lambda day, _: f"{day.month:02}",
    "B": lambda day, names: names.months[day.month],
    "b": lambda day, names: names.short_months[day.month],
    "Y": lambda day, _: f"{day.year:04}",
    "y": lambda day, _: f"{day.year % 100:02}",
    "A": lambda day, names: names.weekdays[day.weekday()],
    "a": lambda day, names: names.short_weekdays[day.weekday()],
    "u": lambda day, _: f"{day.isoweekday()}",
    "j": lambda day, _: f"{day.timetuple().tm_yday:03}",
    "V": lambda day, _: f"{day.isocalendar().week:02}",
    "H": _time(lambda at: f"{at.hour:02}"),
    "I": _time(lambda at: f"{at.hour % 12 or 12:02}"),
    "M": _time(lambda at: f"{at.minute:02}"),
    "p": _time(lambda at: "AM" if at.hour < 12 else "PM"),
    "%": lambda day, _: "%",
}


def unknown_code(format_: str) -> str:
    """Give the first code in a format that no text may use (%Q), "" where all are known."""
    return next((found[0] for found in _CODE.finditer(format_) if found[2] not in CODES), "")


@lru_cache(maxsize=4096, typed=True)
def said_as(day: date, format_: str, language: str) -> str:
    """Give a day (or a day and a time) in a format of strftime; %-d leaves the leading 0 out."""
    names = _names(language)
    if not _DAY_CODE.search(format_):
        names = names._replace(months=names.months_alone)

    def say(found: re.Match[str]) -> str:
        words = CODES[found[2]](day, names)
        return words.lstrip("0") or "0" if found[1] else words

    return _CODE.sub(say, format_)


def moment(written: Any) -> date:
    """Give a day, with its time as it was written where there is one. Raises contacts.values.Wrong."""
    if isinstance(written, date):
        return written.replace(tzinfo=None) if isinstance(written, datetime) else written
    return _moment(str(written).strip())


@lru_cache(maxsize=4096)
def _moment(words: str) -> date:
    try:
        if at := parse_datetime(words):
            return at.replace(tzinfo=None)
    except ValueError:
        pass
    if found := _WITH_TIME.fullmatch(words):
        hour, minute = int(found[2]), int(found[3])
        if hour < 24 and minute < 60:
            day = _day(found[1])
            return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
    return _day(words)


def _day(words: str) -> date:
    found = values.day(values.read(FieldType.DATE, words))
    if found is None:
        raise values.Wrong
    return found


def said(language: str, value: Any) -> str:
    """Give a value as people of that language write it: 12,5 and 20 novembre 2026."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, int | float | Decimal | date):
        return _said(language, value)
    return str(value)


@lru_cache(maxsize=4096, typed=True)
def _said(language: str, value: int | float | Decimal | date) -> str:
    if isinstance(value, bool):
        with translation.override(language.replace("_", "-").lower()):
            return str(yesno(value))
    if isinstance(value, date):
        words = format_date(value, "long", language)
        # A cell that holds a day comes as midnight.
        if isinstance(value, datetime) and value.time() != time():
            words += " " + format_time(value.time(), "short", locale=language)
        # Spaces that do not break would make the message Unicode.
        return words.replace("\u00a0", " ").replace("\u202f", " ")
    if isinstance(value, float):
        value = int(value) if value.is_integer() else Decimal(str(value))
    number = str(value) if isinstance(value, int) else f"{value:f}"
    return number.replace(".", get_decimal_symbol(language))
