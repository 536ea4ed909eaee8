"""Which numbers a phone may write to: countries and prefixes, allowed or denied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import phonenumbers

from lib import destinations
from phones.models import Phone

# Entries of one list: every country of the world.
MOST = 300
_BETWEEN = re.compile(r"[,;\n\r\t]+")
_PREFIX = re.compile(r"(?:\+|00)?\s?([1-9][\d\s]{0,20})")
# Digits of a number that tell its country, at most (see lib.destinations).
_TELLING = 9


class NotAPlace(ValueError):
    """What was written is neither a country's two letters nor a prefix; the text is what it was."""


def read(written: str) -> list[str]:
    """Read countries (ISO 3166 alpha-2) and prefixes, with commas or lines between them. Raises NotAPlace.

    >>> read("FR, +33 6; 0044")
    ['FR', '336', '44']
    """
    found = (_read(word) for word in map(str.strip, _BETWEEN.split(written)) if word)
    return list(dict.fromkeys(found))[:MOST]


def _read(word: str) -> str:
    country = word.upper()
    if country in phonenumbers.SUPPORTED_REGIONS:
        return country
    prefix = _PREFIX.fullmatch(word)
    digits = re.sub(r"\s", "", prefix[1]) if prefix else ""
    if not 0 < len(digits) <= 15:
        raise NotAPlace(word[:60])
    return digits


def written(entries: Iterable[str]) -> str:
    """Write entries as people do: FR, +336."""
    return ", ".join(f"+{entry}" if entry.isdigit() else entry for entry in entries)


def permits(phone: Phone, number: str) -> bool:
    """Say whether a phone may write to a number (E.164).

    The longest prefix that fits decides; a country is shorter than any prefix, and of two that are as
    long the denial counts. Where none fits it may, unless it is allowed some places only.
    """
    if not (phone.allowed or phone.denied):
        return True
    denied, allowed = _fit(phone.denied, number), _fit(phone.allowed, number)
    if denied is None and allowed is None:
        return not phone.allowed
    return denied is None or (allowed is not None and allowed > denied)


def _fit(entries: Sequence[str], number: str) -> int | None:
    """Give the length of the longest entry that a number fits, 0 for its country, None for none."""
    digits = number.removeprefix("+")
    lengths = [len(entry) for entry in entries if entry.isdigit() and digits.startswith(entry)]
    if lengths:
        return max(lengths)
    countries = [entry for entry in entries if not entry.isdigit()]
    return 0 if countries and destinations.country_of(digits[:_TELLING]) in countries else None
