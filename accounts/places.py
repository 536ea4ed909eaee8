"""Countries and time zones to choose from, and a first guess from what the browser says."""

from __future__ import annotations

import csv
import unicodedata
import zoneinfo
from functools import cache
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header

from accounts import site

_REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
# Where most people who write a language without naming a country are.
_HOMES = {
    "en": ("GB", "Europe/London"),
    "fr": ("FR", "Europe/Paris"),
    "es": ("ES", "Europe/Madrid"),
}


@cache
def _names() -> tuple[dict[str, str], ...]:
    with (Path(__file__).parent / "countries.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def countries() -> list[tuple[str, str]]:
    """Give (ISO 3166 alpha-2 code, name in the current language) of each country that has numbers."""
    language = (get_language() or "en")[:2]
    named = [(row["code"], row.get(language) or row["en"]) for row in _names()]
    return sorted(named, key=lambda country: _sorted_as(country[1]))


def country_named(words: str) -> str:
    """Give the code of a country written as its code or its name in any of our languages, else ""."""
    return _by_name().get(_plain(words), "")


@cache
def _by_name() -> dict[str, str]:
    names = {_plain(name): row["code"] for row in _names() for name in row.values()}
    # A code is never another country's name, but make sure that it wins.
    return names | {_plain(row["code"]): row["code"] for row in _names()}


def _plain(words: str) -> str:
    """Give a name without case, accents and doubled spaces: people write Cote d'Ivoire too."""
    letters = unicodedata.normalize("NFKD", words.replace("’", "'")).casefold()
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


def _sorted_as(name: str) -> str:
    """Put É beside E: people look for a name, not for a code point."""
    return name.translate(str.maketrans("ÅÉÎÓÁ", "AEIOA")).casefold()


@cache
def time_zones() -> list[tuple[str, str]]:
    """Give (IANA name, the same as people write it) of each zone that is a place, and UTC."""
    known = zoneinfo.available_timezones()
    places = sorted(name for name in known if name.split("/")[0] in _REGIONS)
    return [("UTC", "UTC")] + [(name, name.replace("_", " ")) for name in places]


def guess(accept_language: str) -> tuple[str, str]:
    """Guess (country, time zone) from an Accept-Language header: `fr-CA,en;q=0.8` → CA, UTC.

    A named country that is not its language's own says nothing about the time zone.
    """
    codes = {row["code"] for row in _names()}
    for tag, _weight in parse_accept_lang_header(accept_language.lower()):
        language, _dash, rest = tag.partition("-")
        country = rest.rpartition("-")[2].upper()
        home = _HOMES.get(language)
        if country in codes:
            return country, home[1] if home and home[0] == country else "UTC"
        if home:
            return home
    whole = site.current()
    country, time_zone = _HOMES["en"]
    return whole.country or country, whole.time_zone or time_zone
