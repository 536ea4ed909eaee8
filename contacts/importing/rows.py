"""One row of a file as a person, or as the reason why it is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from django.conf.locale import LANG_INFO
from django.utils.translation import gettext as _

from accounts.places import time_zones
from contacts import keeping, values
from contacts.importing import guessing, numbers
from contacts.importing.reading import Cell, Row
from contacts.models import Field
from lib.stored import text
from lib.words import fold


class Rejected(ValueError):
    """The row is nobody; the text is a sentence that says why."""


@dataclass(slots=True)
class Person:
    """What a row says of somebody; what it does not say is empty."""

    number: str
    kind: str
    country: str
    name: str = ""
    plain: dict[str, str] = field(default_factory=dict)
    values: dict[str, values.Value] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


class Reader:
    """Reads the rows of one file. `types` are the fields by key; a new one is known by its place."""

    def __init__(
        self,
        mapping: Sequence[str],
        columns: Sequence[str],
        fields: Sequence[Field],
        *,
        country: str,
        month_first: bool,
    ) -> None:
        self.mapping, self.columns = mapping, columns
        self.types = {f.key: f.type for f in fields}
        self.labels = {f.key: f.label for f in fields}
        self.country, self.month_first = country, month_first

    def read(self, row: Row) -> Person:
        """Give the person of a row. Raises Rejected."""
        cells = dict.fromkeys(guessing.PLAIN, "")
        found: dict[str, values.Value] = {}
        tags: list[str] = []
        groups: list[str] = []
        number: Cell = None
        for target, column, cell in zip(self.mapping, self.columns, row, strict=False):
            if not target or cell is None or cell == "":
                continue
            if target == guessing.NUMBER:
                number = cell
            elif target == guessing.TAGS:
                tags += keeping.names_in(str(cell))
            elif target == guessing.GROUPS:
                groups += keeping.names_in(str(cell))
            elif target in cells:
                cells[target] = text(cell).strip()
            else:
                self._value(target, column, cell, found)
        try:
            e164, kind, country = numbers.read(number, self.country)
        except numbers.Unusable as error:
            raise Rejected(str(error)) from None
        given = f"{cells[guessing.FIRST]} {cells[guessing.LAST]}"
        name = " ".join((cells[guessing.NAME] or given).split())[:200]
        plain = {
            "notes": cells[guessing.NOTES][:5000],
            "carrier": fold(cells[guessing.CARRIER]).replace(" ", "-")[:64],
            "language": _language(cells[guessing.LANGUAGE]),
            "time_zone": _time_zone(cells[guessing.TIME_ZONE]),
        }
        return Person(e164, kind, country, name, plain, found, tags, groups)

    def _value(self, target: str, column: str, cell: Cell, found: dict[str, values.Value]) -> None:
        if target.startswith(guessing.NEW):
            key, type_ = column, target.removeprefix(guessing.NEW)
        else:
            key = target.removeprefix(guessing.FIELD)
            type_ = self.types.get(key, "")
        if not type_:
            return
        try:
            value = values.read(type_, cell, month_first=self.month_first)
        except values.Wrong as error:
            label = self.labels.get(key, column)
            raise Rejected(f"{label}: {error}") from None
        if value is not None:
            found[key] = value


@cache
def _languages() -> dict[str, str]:
    named = {code: info for code, info in LANG_INFO.items() if "name_local" in info}
    return {
        fold(str(word)): code
        for code, info in named.items()
        for word in (code, info["name"], info["name_local"])
    }


def _language(written: str) -> str:
    if not written:
        return ""
    code = _languages().get(fold(written)) or _languages().get(fold(written)[:2])
    if code is None:
        raise Rejected(_("“%(written)s” is no language that we know.") % {"written": written[:60]})
    return code


@cache
def _zones() -> dict[str, str]:
    return {fold(name).replace(" ", "_"): name for name, _words in time_zones()}


def _time_zone(written: str) -> str:
    if not written:
        return ""
    zone = _zones().get(fold(written).replace(" ", "_"))
    if zone is None:
        words = _("“%(written)s” is no time zone; those look like Europe/Paris.")
        raise Rejected(words % {"written": written[:60]})
    return zone
