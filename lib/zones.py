"""Time zones: what a clock on a wall means, and which clock hangs where a number is at home."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import NumberParseException
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_geographical_number

# The zone that most people of a country live by, where it has several or the library mixes it up
# with a neighbour's.
_MAIN = {
    "AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto",
    "CD": "Africa/Kinshasa", "CL": "America/Santiago", "EC": "America/Guayaquil",
    "ES": "Europe/Madrid", "FI": "Europe/Helsinki", "FM": "Pacific/Pohnpei", "GB": "Europe/London",
    "GG": "Europe/Guernsey", "ID": "Asia/Jakarta", "IE": "Europe/Dublin", "IM": "Europe/Isle_of_Man",
    "IT": "Europe/Rome", "JE": "Europe/Jersey", "KI": "Pacific/Tarawa", "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City", "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby", "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow", "US": "America/New_York",
}  # fmt: skip
# Countries where the number tells more than the country does.
_SEVERAL = {
    "AU", "BR", "CA", "CD", "CL", "EC", "ES", "FM", "ID", "KI", "KZ", "MN", "MX", "NZ", "PF", "PG",
    "PT", "RU", "US",
}  # fmt: skip
_SECOND = timedelta(seconds=1)


@cache
def known(name: str) -> ZoneInfo | None:
    """Give the zone of an IANA name, None where there is none of that name."""
    try:
        return ZoneInfo(name)
    # A folder of the database, a name with a NUL, one that is too long.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone(*names: str) -> ZoneInfo:
    """Give the first of the named zones that exists, else UTC."""
    return next((found for name in names if name and (found := known(name))), ZoneInfo("UTC"))


def moment(wall: datetime, where: ZoneInfo) -> datetime:
    """Give when a clock shows `wall` (naive), in UTC.

    Of a time that it shows twice (autumn), the first. For one that it skips (spring), the first moment
    after the gap: what was meant for 02:30 is due when 01:59:59 turns to 03:00.
    """
    first, second = (wall.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset() or timedelta(), second.utcoffset() or timedelta()
    if before >= after:
        return first.astimezone(UTC)
    plain = wall.replace(tzinfo=UTC, fold=0)
    low, high = plain - after, plain - before  # the clock goes forward in between
    while high - low > _SECOND:
        middle = low + ((high - low) // 2 // _SECOND) * _SECOND
        if shown(middle, where) > wall:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def shown(at: datetime, where: ZoneInfo) -> datetime:
    """Give what a clock shows at a moment, as a naive time."""
    return at.astimezone(where).replace(tzinfo=None, fold=0)


def exists(wall: datetime, where: ZoneInfo) -> bool:
    """Say whether a clock ever shows `wall` (naive)."""
    return shown(moment(wall, where), where) == wall


def of_number(number: str) -> str:
    """Give the IANA zone of a number (E.164): of its area, else its country's main one, "" if unknown.

    Takes some 20 µs.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return ""
    found = time_zones_for_geographical_number(parsed)
    if len(found) == 1 and found[0] != UNKNOWN_TIMEZONE:
        return found[0] if known(found[0]) else ""
    return of_country(phonenumbers.region_code_for_number(parsed) or "")


def of(country: str, number: str) -> str:
    """Give the same as of_number where the country is known already: mostly at no cost."""
    if country and country not in _SEVERAL:
        return of_country(country)
    return of_number(number) or of_country(country)


@cache
def of_country(country: str) -> str:
    """Give the IANA zone that most people of a country (ISO 3166 alpha-2) live by, "" if unknown."""
    if country in _MAIN:
        return _MAIN[country]
    example = phonenumbers.example_number(country)
    found = time_zones_for_geographical_number(example) if example else ()
    named = [name for name in found if name != UNKNOWN_TIMEZONE and known(name)]
    return named[0] if named else ""
