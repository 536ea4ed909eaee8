"""Which phone type can do what: the one source of the pages, the command and the docs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from phones import registry
from phones.base import Ability, Capabilities, PhoneType, Words


@dataclass(frozen=True, slots=True)
class Column:
    """A capability: `name` in code, `label` as a heading, `sentence` in full; `wanted` or not."""

    name: str
    label: Words
    sentence: Words
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """Whether one type has one capability. `ok` and `note` are the type's own words."""

    column: Column
    ability: Ability

    @property
    def ok(self) -> bool:
        return self.ability.ok

    @property
    def note(self) -> Words:
        return self.ability.note


@dataclass(frozen=True, slots=True)
class Row:
    """One type with its cells, in the order of the columns. `fits` = can do all that is wanted."""

    kind: type[PhoneType]
    cells: tuple[Cell, ...]

    @property
    def fits(self) -> bool:
        return all(cell.ok for cell in self.cells if cell.column.wanted)

    @property
    def notes(self) -> list[Cell]:
        """Give the cells that say more than yes or no."""
        return [cell for cell in self.cells if cell.note]


def columns(needs: Collection[str] = ()) -> list[Column]:
    """Give every capability, in the order of the contract; `needs` holds the names wanted."""
    return [
        Column(name, Capabilities.label(name), Capabilities.sentence(name), name in needs)
        for name in Capabilities.names()
    ]


def row(kind: type[PhoneType], needs: Collection[str] = ()) -> Row:
    """Give what one type can do."""
    return Row(kind, tuple(Cell(item, getattr(kind.can, item.name)) for item in columns(needs)))


def rows(needs: Collection[str] = ()) -> list[Row]:
    """Give every type, those that can do all of `needs` first, then by label."""
    found = [row(kind, needs) for kind in registry.all_types().values()]
    return sorted(found, key=lambda item: not item.fits)
