"""Cutting a source into texts, outputs and tags, in time that grows with its length and no faster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from campaigns.merging.run import Bad

# Characters of a whole source, and of what stands between two braces.
MOST_SOURCE, MOST_INNER = 5000, 500

_OPENING = re.compile(r"\{(?:\{|%)-?")
_END_OF_COMMENT = re.compile(r"\{%-?\s*endcomment\s*(-?)%\}")
_TAG = re.compile(r"\s*([^\W\d]\w*)?\s*(.*?)\s*", re.DOTALL)
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
# What keyboards put before a colon, and the reader of expressions does not know; not within quotes.
_SPACES = re.compile(rf"({_QUOTED.pattern})|[\u00a0\u2007\u202f]")


@dataclass(slots=True)
class Piece:
    """A part of a source from `at` on; of a tag, `name` is its first word and `inner` what follows."""

    kind: Literal["text", "output", "tag"]
    at: int
    inner: str
    inner_at: int
    name: str = ""


def has_fields(source: str) -> bool:
    """Tell whether a text is more than its own words."""
    return "{{" in source or "{%" in source


def pieces(source: str) -> Iterator[Piece]:
    """Give the parts of a source in their order, without comments. Raises Bad."""
    if len(source) > MOST_SOURCE:
        words = _("This text is longer than %(most)s characters, with all it says in braces.")
        raise Bad(source, MOST_SOURCE, words % {"most": MOST_SOURCE})
    at, strips = 0, False
    while opening := _OPENING.search(source, at):
        text = source[at : opening.start()]
        yield _text(text, at, strips, opening[0].endswith("-"))
        piece, at, strips = _piece(source, opening)
        if piece.name == "comment":
            at, strips = _end_of_comment(source, piece, at)
        else:
            yield piece
    yield _text(source[at:], at, strips, False)


def _text(text: str, at: int, left: bool, right: bool) -> Piece:
    """Give a text, without the spaces that a tag beside it eats: {%- and -%}."""
    inner = text.lstrip() if left else text
    inner_at = at + len(text) - len(inner)
    return Piece("text", at, inner.rstrip() if right else inner, inner_at)


def _piece(source: str, opening: re.Match[str]) -> tuple[Piece, int, bool]:
    """Give the output or tag that begins there, where it ends, and whether it eats the spaces behind."""
    is_output = opening[0].startswith("{{")
    closing = "}}" if is_output else "%}"
    start, end = opening.end(), source.find(closing, opening.end())
    inner = source[start:end] if end >= 0 else ""
    if end < 0 or _OPENING.search(_QUOTED.sub("", inner)):
        words = _("This is never closed: write %(closing)s where it ends.")
        raise Bad(source, opening.start(), words % {"closing": closing})
    strips = inner.endswith("-")
    inner = _SPACES.sub(lambda found: found[1] or " ", inner.removesuffix("-"))
    if len(inner) > MOST_INNER:
        words = _("This is longer than %(most)s characters.") % {"most": MOST_INNER}
        raise Bad(source, opening.start(), words)
    if is_output:
        return Piece("output", opening.start(), inner, start), end + 2, strips
    tag = _TAG.fullmatch(inner)
    name, rest = (tag[1] or "", tag[2]) if tag else ("", "")
    rest_at = start + (tag.start(2) if tag else 0)
    return Piece("tag", opening.start(), rest, rest_at, name), end + 2, strips


def _end_of_comment(source: str, piece: Piece, at: int) -> tuple[int, bool]:
    end = _END_OF_COMMENT.search(source, at)
    if end is None:
        words = _("This is never closed: write %(closing)s where it ends.")
        raise Bad(source, piece.at, words % {"closing": "{% endcomment %}"})
    return end.end(), bool(end[1])
