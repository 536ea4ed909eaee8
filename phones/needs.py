"""Choosing a phone type by what it is for, in words of people rather than of providers."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from phones import matrix
from phones.base import PhoneType, Words
from phones.matrix import Cell, Column


@dataclass(frozen=True, slots=True)
class Need:
    """Something people want; `name` is the capability that answers it."""

    name: str
    label: Words
    icon: str


NEEDS = (
    Need("receive", _("Replies"), "inbox"),
    Need("delivery", _("Proof of delivery"), "checks"),
    Need("mms_out", _("Pictures"), "photo"),
    Need("own_name", _("My name as sender"), "user"),
    Need("call", _("Missed calls"), "phone"),
    Need("flash", _("Flash"), "bolt"),
    Need("balance", _("My credit"), "coin"),
    Need("safe_retry", _("Safe to retry"), "shield"),
)
# What the page where one chooses compares; the whole matrix has a page of its own.
COMPARED = (
    "send",
    "receive",
    "delivery",
    "mms_out",
    "mms_in",
    "flash",
    "call",
    "own_name",
    "balance",
    "safe_retry",
)


def known(names: list[str]) -> list[str]:
    """Keep those of `names` that are needs, in the order of the page."""
    return [need.name for need in NEEDS if need.name in names]


@dataclass(frozen=True, slots=True)
class Choice:
    """A type as the page compares it; `missing` are the wanted things that it cannot do."""

    kind: type[PhoneType]
    cells: tuple[Cell, ...]

    @property
    def missing(self) -> list[Column]:
        return [cell.column for cell in self.cells if cell.column.wanted and not cell.ok]


def columns(chosen: list[str]) -> list[Column]:
    """Give the compared capabilities; `chosen` ones are marked as wanted."""
    found = {column.name: column for column in matrix.columns(chosen)}
    return [found[name] for name in COMPARED]


def rows(chosen: list[str]) -> list[Choice]:
    """Give every type, those that can do all that is `chosen` first."""
    return [Choice(row.kind, _compared(row.cells)) for row in matrix.rows(chosen)]


def _compared(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    found = {cell.column.name: cell for cell in cells}
    return tuple(found[name] for name in COMPARED)


def fitting(rows: list[Choice]) -> int:
    """Count the types that can do all that is chosen."""
    return sum(not row.missing for row in rows)
