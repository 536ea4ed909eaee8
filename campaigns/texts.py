"""Texts with merge fields: Liquid, cut down to what a text message needs (docs/texts.md).

{{ contact.firstname | default: "friend" }}     {% if row.child %}…{% endif %}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from campaigns.fields import NUMBER, contact_values
from campaigns.merging import reading
from campaigns.merging.lexing import MOST_SOURCE, has_fields, pieces
from campaigns.merging.reading import Place, Steps
from campaigns.merging.run import Bad, Run, Unmakeable, place
from lib import masks

__all__ = [
    "MOST_SOURCE", "Bad", "Compiled", "Problem", "Rendered", "Unmakeable", "compiled",
    "contact_values", "has_fields", "problems",
]  # fmt: skip

# {firstname} and [firstname], as other services write it; braces that close nothing.
_SINGLE = re.compile(r"(?<!\{)\{\s*(\w+(?:\.\w+)?)\s*\}(?!\})")
_STRAY = re.compile(r"\}\}|%\}")
# What is marked at the place of a problem, and letters that are shown on both sides.
_BLAMED, _AROUND = re.compile(r"[{%}]+\s*[\w.]*\s?\}*|[\w.-]+|\S"), 40


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one person gets, and the fields that left a hole in it."""

    text: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text that was read: `fields` are the names it uses, `places` where."""

    fields: frozenset[str]
    places: tuple[Place, ...]
    steps: Steps

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """Say it to one person: {"contact": {...}, "row": {...}, "workspace": {...}}. Raises Unmakeable.

        The same values always give the same text, whatever the language of whoever looks.
        """
        run = Run(values)
        reading.play(self.steps, run)
        return Rendered("".join(run.said), tuple(dict.fromkeys(run.lacking)))


@lru_cache(maxsize=512)
def compiled(source: str) -> Compiled:
    """Read a text. Raises Bad."""
    if not has_fields(source):
        return Compiled(frozenset(), (), [source])
    steps, places = reading.read(source)
    return Compiled(frozenset(place.name for place in places), places, steps)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a text, or odd about it, at a line and a column, both from 1.

    `before`, `blamed` and `after` are that line, or as much of it as shows the place.
    """

    line: int
    column: int
    words: str
    is_error: bool
    before: str = ""
    blamed: str = ""
    after: str = ""


def problems(source: str, known: Collection[str]) -> list[Problem]:
    """Say what keeps a text from being sent (errors), and what looks like a slip.

    `known` are the fields there are, as in campaigns.fields.offered; "row.*" stands for any column.
    """
    try:
        places = compiled(source).places
    except Bad as error:
        return [_problem(source, error.line, error.column, error.words)]
    found = [
        _problem(source, *place(source, index), _unknown(name, known))
        for name, index in places
        if name not in known and not ("row.*" in known and name.startswith("row."))
    ]
    slips = _slips(source, known) if len(source) <= MOST_SOURCE else []
    return sorted([*found, *slips], key=lambda one: (one.line, one.column))


def _unknown(name: str, known: Collection[str]) -> str:
    if name == NUMBER and masks.hiding():
        return _("Numbers are hidden from you, so a text of yours cannot name them.")
    if name.startswith("row.") and not any(other.startswith("row.") for other in known):
        return _("“%(name)s” is a column of a file, and there is no file.") % {"name": name}
    words = _("There is no field “%(name)s”.") % {"name": name}
    keys = {other.partition(".")[2]: other for other in known}
    return words + reading.close_to(name.partition(".")[2], keys)


def _slips(source: str, known: Collection[str]) -> list[Problem]:
    """Find fields in single braces, and braces that close nothing."""
    found = []
    for piece in pieces(source):
        if piece.kind != "text":
            continue
        for single in _SINGLE.finditer(piece.inner):
            name = single[1] if "." in single[1] else f"contact.{single[1]}"
            if name in known:
                words = _("This is sent as it stands. For the field, write {{ %(name)s }}.")
                where = place(source, piece.inner_at + single.start())
                found.append(_problem(source, *where, words % {"name": name}, is_error=False))
        for stray in _STRAY.finditer(piece.inner):
            words = _("“%(sign)s” closes nothing here, and is sent as it stands.")
            where = place(source, piece.inner_at + stray.start())
            found.append(_problem(source, *where, words % {"sign": stray[0]}, is_error=False))
    return found


def _problem(source: str, line: int, column: int, words: str, *, is_error: bool = True) -> Problem:
    """Show the place: what stands before it, the word it begins with, and some letters more."""
    whole = source.split("\n")[line - 1]
    before, rest = whole[: column - 1], whole[column - 1 :]
    found = _BLAMED.match(rest)
    blamed = found[0] if found else ""
    after = rest[len(blamed) :]
    return Problem(
        line,
        column,
        words,
        is_error,
        before if len(before) <= _AROUND else f"…{before[-_AROUND:]}",
        blamed,
        after if len(after) <= _AROUND else f"{after[:_AROUND]}…",
    )
