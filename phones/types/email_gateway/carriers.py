"""Carriers that take mails for their customers' phones: what is known of them, and a site's own lines.

`carriers.csv` is the list that comes with us (docs/phones/email_gateway.md says where from). Most of its
gateways nobody has tried for years, and ended ones stay in it so that people see why theirs is off.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

# What states mean: "active" and "unverified" are used, "ending" until its day, "ended" never.
STATES = ("active", "unverified", "ending", "ended")
COLUMNS = ("slug", "country", "name", "sms", "mms", "digits", "length", "state", "ends")
# How the digits of a number are written: as dialled at home, or with the country's code, bare or with
# + or 00 before it.
DIGITS = ("national", "bare", "plus", "zeros")
_PATTERN = re.compile(r"[\w.+\-]*\{number\}[\w.+\-]*@[\w\-]+(\.[\w\-]+)+", re.ASCII)
_DOMAIN = re.compile(r"[\w\-]+(\.[\w\-]+)+", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 1600


class Unreadable(ValueError):
    """A line of the table that cannot be read: `line` (from 1) and `field`, a column or "line"."""

    def __init__(self, line: int, field: str) -> None:
        self.line, self.field = line, field
        super().__init__(f"line {line}: {field}")


@dataclass(frozen=True, slots=True)
class Carrier:
    """One gateway. `sms` and `mms` are address patterns with {number}, "" if it has none.

    `country` (ISO 3166, "" for any) explains national digits; `length` in characters, 0 = as the
    phone says; `ends` is a date or a month, "" if nobody knows.
    """

    slug: str
    country: str
    name: str
    sms: str
    mms: str = ""
    digits: str = "national"
    length: int = 0
    state: str = "unverified"
    ends: str = ""

    @property
    def is_off(self) -> bool:
        return self.state == "ended"

    @property
    def domains(self) -> set[str]:
        """Give the domains that its customers' replies come from."""
        return {pattern.rpartition("@")[2].lower() for pattern in (self.sms, self.mms) if pattern}


@cache
def shipped() -> Mapping[str, Carrier]:
    """Give {slug: carrier} of the list that comes with us, by country and name."""
    with Path(__file__).with_name("carriers.csv").open(encoding="utf-8", newline="") as file:
        return {row["slug"]: _carrier(row, 0) for row in csv.DictReader(file)}


def table(lines: str) -> dict[str, Carrier]:
    """Give all carriers, a site's own `lines` (CSV, COLUMNS) over those that come with us.

    Of a known slug a line changes only what it fills in: `us-att,,,,,,,active`. Raises Unreadable.
    """
    found = dict(shipped())
    for number, values in enumerate(csv.reader(lines.splitlines()), 1):
        row = dict(zip(COLUMNS, (value.strip() for value in values), strict=False))
        if not any(row.values()):
            continue
        if len(values) > len(COLUMNS):
            raise Unreadable(number, "line")
        if not _SLUG.fullmatch(row["slug"]):
            raise Unreadable(number, "slug")
        known = found.get(row["slug"])
        found[row["slug"]] = _changed(known, row, number) if known else _carrier(row, number)
    return found


def _changed(known: Carrier, row: Mapping[str, str], number: int) -> Carrier:
    before = {name: str(getattr(known, name)) for name in COLUMNS}
    changed = {name: value for name, value in row.items() if value}
    fresh = _carrier({**before, **changed}, number)
    # What runs again has no day on which it ended.
    return replace(fresh, ends="") if "state" in changed and "ends" not in changed else fresh


def _carrier(row: Mapping[str, str], number: int) -> Carrier:
    carrier = Carrier(
        slug=row["slug"],
        country=row.get("country", "").upper(),
        name=row.get("name", "") or row["slug"],
        sms=_pattern(row.get("sms", ""), number, "sms"),
        mms=_pattern(row.get("mms", ""), number, "mms"),
        digits=_one_of(DIGITS, row.get("digits", "") or "national", number, "digits"),
        length=_length(row.get("length", ""), number),
        state=_one_of(STATES, row.get("state", "") or "unverified", number, "state"),
        ends=row.get("ends", "")[:10],
    )
    if not carrier.sms:
        raise Unreadable(number, "sms")
    if carrier.country and not re.fullmatch("[A-Z]{2}", carrier.country):
        raise Unreadable(number, "country")
    return carrier


def _pattern(written: str, number: int, field: str) -> str:
    """Give a pattern; a domain alone stands for {number}@domain."""
    pattern = f"{{number}}@{written}" if _DOMAIN.fullmatch(written) else written
    if pattern and not is_pattern(pattern):
        raise Unreadable(number, field)
    return pattern


def is_pattern(written: str) -> bool:
    return bool(_PATTERN.fullmatch(written))


def _one_of(words: Iterable[str], word: str, number: int, field: str) -> str:
    if word not in words:
        raise Unreadable(number, field)
    return word


def _length(written: str, number: int) -> int:
    if not written:
        return 0
    if not (written.isascii() and written.isdigit() and int(written) <= _LONGEST):
        raise Unreadable(number, "length")
    return int(written)
