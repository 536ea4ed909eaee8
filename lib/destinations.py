"""Which numbers belong to which country, as prefixes: digits without +, the country code first."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import product

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

_NORTH_AMERICA = 1
# Digits after the country code that tell one country from another, at most.
_LONGEST = 5


@cache
def prefixes(country: str) -> tuple[str, ...]:
    """Give the prefixes of a country (ISO 3166 alpha-2), () where none tells it from its neighbours.

    >>> prefixes("FR"), prefixes("JM"), prefixes("GG")
    (('33',), ('1658', '1876'), ())

    The first country of a shared code has the code itself: the others' longer prefixes win over it.
    """
    code = phonenumbers.country_code_for_region(country)
    if not code:
        return ()
    if country == _first_of(code):
        return (str(code),)
    return tuple(f"{code}{area}" for area in _areas(country, code))


# As many as a price table has.
@lru_cache(maxsize=10_000)
def country_of(prefix: str) -> str:
    """Give the country (ISO 3166 alpha-2) that numbers with this prefix are in, "" where unknown."""
    code = next((prefix[:n] for n in (1, 2, 3) if _first_of(int(prefix[:n] or 0))), "")
    if not code:
        return ""
    rest = prefix[len(code) :]
    if int(code) == _NORTH_AMERICA and len(rest) >= 3:
        return _of_area(rest[:3])
    for country in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        leading = _leading_digits(country)
        if leading and leading.match(rest):
            return str(country)
    return _first_of(int(code))


def a_mobile_of(country: str) -> str:
    """Give a mobile number (E.164) as a country's usually are, "" where we know none."""
    number = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else ""


def _first_of(code: int) -> str:
    """Give the first country of a code, "" for one that is no country's (800, 881)."""
    countries = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ("001",))
    return "" if countries[0] == "001" else str(countries[0])


def _areas(country: str, code: int) -> list[str]:
    if code == _NORTH_AMERICA:
        return [area for area in map(str, range(200, 1000)) if _of_area(area) == country]
    leading = _leading_digits(country)
    if leading is None:
        return []
    tried = (
        "".join(digits)
        for n in range(1, _LONGEST + 1)
        for digits in product("0123456789", repeat=n)
    )
    return [area for area in tried if leading.fullmatch(area)]


@cache
def _of_area(area: str) -> str:
    """Give the country of a North American area code; one that is not in use is the first's."""
    number = phonenumbers.parse(f"+1{area}2345678", None)
    country = phonenumbers.region_code_for_number(number) or _first_of(_NORTH_AMERICA)
    return str(country)


def _leading_digits(country: str) -> re.Pattern[str] | None:
    metadata = PhoneMetadata.metadata_for_region(country, None)
    written = metadata.leading_digits if metadata else None
    return re.compile(written) if written else None
