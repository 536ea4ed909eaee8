"""Print which phone type can do what."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from phones import matrix, registry
from phones.base import Capabilities

# Columns of the terminal that a type's name may take at most.
NAME = 24


class Command(BaseCommand):
    help = "Print which phone type can do what, or everything about one type."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="one type, with its notes and settings")
        parser.add_argument("--markdown", action="store_true", help="print docs/phone-types.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["markdown"]:
            self.stdout.write(as_markdown(), ending="")
        elif slug := options["slug"]:
            self.stdout.write(self._one(slug))
        else:
            self.stdout.write(as_text(shutil.get_terminal_size((100, 40)).columns))

    def _one(self, slug: str) -> str:
        known = registry.all_types()
        if slug not in known:
            raise CommandError(f"There is no phone type {slug!r}. There are: {', '.join(known)}.")
        return describe(matrix.row(known[slug]))


def as_text(width: int) -> str:
    """Give the matrix for a terminal: a line per capability, as many types side by side as fit."""
    rows = matrix.rows()
    first = max(len(str(column.sentence)) for column in matrix.columns()) + 2
    side_by_side = max(1, (width - first) // 14)
    blocks = [rows[i : i + side_by_side] for i in range(0, len(rows), side_by_side)]
    footer = _("manage.py phonetypes <type> prints the notes (*) of one type.")
    return "\n\n".join(["\n".join(_block(block, first)) for block in blocks] + [footer])


def _block(rows: Sequence[matrix.Row], first: int) -> Iterator[str]:
    widths = [max(len(row.kind.slug[:NAME]), 5) + 2 for row in rows]
    names = (row.kind.slug[:NAME].ljust(width) for row, width in zip(rows, widths, strict=True))
    yield (" " * first + "".join(names)).rstrip()
    for index, column in enumerate(matrix.columns()):
        words = [
            _short(row.cells[index]).ljust(width) for row, width in zip(rows, widths, strict=True)
        ]
        yield (str(column.sentence).ljust(first) + "".join(words)).rstrip()


def _short(cell: matrix.Cell) -> str:
    return (_("yes") if cell.ok else "–") + ("*" if cell.note else "")


def describe(row: matrix.Row) -> str:
    """Give everything about one type for a terminal."""
    first = max(len(str(cell.column.sentence)) for cell in row.cells) + 2
    lines = [f"{row.kind.label}: {row.kind.what}", ""]
    for cell in row.cells:
        answer = (_("yes") if cell.ok else _("no")).ljust(3)
        note = f"  {cell.note}" if cell.note else ""
        lines.append(f"{str(cell.column.sentence).ljust(first)}{answer}{note}".rstrip())
    return "\n".join(lines)


def as_markdown() -> str:
    """Give docs/phone-types.md, in English whatever the language of the site."""
    with translation.override("en"):
        return "\n".join(_markdown()) + "\n"


def _markdown() -> Iterator[str]:
    rows = matrix.rows()
    yield "# Phone types"
    yield ""
    yield (
        "Which provider can do what. `manage.py phonetypes --markdown` writes this page from the types"
        " themselves; edit them, not it."
    )
    yield ""
    yield "| |" + "".join(f" {row.kind.label} |" for row in rows)
    yield "|---|" + ":-:|" * len(rows)
    for index, name in enumerate(Capabilities.names()):
        cells = "".join(f" {'yes' if row.cells[index].ok else '–'} |" for row in rows)
        yield f"| {Capabilities.sentence(name)} |{cells}"
    for row in rows:
        yield from _notes(row)


def _notes(row: matrix.Row) -> Iterator[str]:
    yield ""
    yield f"## {row.kind.label}"
    yield ""
    yield f"{row.kind.what}. See [phones/{row.kind.slug}.md](phones/{row.kind.slug}.md)."
    yield ""
    for cell in row.notes:
        answer = "yes" if cell.ok else "no"
        yield f"- {cell.column.sentence}: {answer}. {cell.note}."
