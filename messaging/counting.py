"""How long a text is, in the words of the line under the editor.

The browser says the same while people type: static/js/counter.js fills the very sentences of
`patterns` with its own numbers.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib import gsm

# Guilty characters that are named, and letters shown on each side of the first.
NAMED, AROUND = 5, 12

Number = int | str


@dataclass(frozen=True, slots=True)
class Guilt:
    """Why a text is Unicode: `chars` to blame, the first shown between `before` and `after`.

    `fix` labels the button that replaces them; it is "" where replacing would not help.
    """

    title: str
    body: str
    chars: tuple[str, ...]
    before: str
    after: str
    fix: str


@dataclass(frozen=True, slots=True)
class Count:
    """The line under the editor, and who is to blame where the text needs Unicode."""

    segments: str
    rest: str
    guilt: Guilt | None


def count(text: str, *, has_fields: bool = False) -> Count:
    """Give the words for a text. With merge fields, where it may have some, its length is not known."""
    length = gsm.measure(text)
    total = length.limit * max(1, length.segments)
    differs = has_fields and ("{{" in text or "{%" in text)
    return Count(
        segments=_("With fields") if differs else segments(length.segments),
        rest=_differs() if differs else _rest(total - length.left, total, length.encoding),
        guilt=_guilt(text, length) if length.culprits else None,
    )


def _guilt(text: str, length: gsm.Length) -> Guilt:
    plain = gsm.measure(gsm.replaceable(text))
    helps = plain.encoding == "gsm7"
    saves = helps and plain.segments < length.segments
    first = length.culprits[0]
    end = first.index + len(first.char)
    amount = len(length.culprits)
    return Guilt(
        title=_title(amount),
        body=_saved(length.segments, plain.segments) if saves else _holds(),
        chars=tuple(visible(culprit.char) for culprit in length.culprits[:NAMED]),
        before=text[max(0, first.index - AROUND) : first.index].rpartition("\n")[2],
        after=text[end : end + AROUND].partition("\n")[0],
        fix=_fix(amount, segments(plain.segments)) if helps else "",
    )


def visible(char: str) -> str:
    """Give a character, or its number where it cannot be seen alone: U+00A0."""
    return f"U+{ord(char):04X}" if unicodedata.category(char)[0] in "ZCM" else char


def patterns() -> dict[str, str]:
    """Give the sentences with {count}, {used}, {total}, {now}, {plain}, {segments} left open."""
    return {
        "segment": segments(1, "{count}"),
        "segments": segments(2, "{count}"),
        "gsm7": _rest("{used}", "{total}", "gsm7"),
        "ucs2": _rest("{used}", "{total}", "ucs2"),
        "fields": _("With fields"),
        "differs": _differs(),
        "title": _title(1),
        "titles": _title(2, "{count}"),
        "saved": _saved("{now}", "{plain}"),
        "holds": _holds(),
        "fix": _fix(1, "{segments}"),
        "fixes": _fix(2, "{segments}"),
    }


def segments(amount: int, shown: Number = "") -> str:
    """Give "3 segments"; `shown` stands for the number where it is not known yet."""
    words = ngettext("%(count)s segment", "%(count)s segments", amount)
    return words % {"count": shown or amount}


def _rest(used: Number, total: Number, encoding: str) -> str:
    if encoding == "ucs2":
        words = _("%(used)s of %(total)s characters · Unicode")
    else:
        words = _("%(used)s of %(total)s characters")
    return words % {"used": used, "total": total}


def _differs() -> str:
    return _("the length varies: see the preview")


def _title(amount: int, shown: Number = "") -> str:
    words = ngettext("One character needs Unicode:", "%(count)s characters need Unicode:", amount)
    return words % {"count": shown or amount}


def _saved(now: Number, plain: Number) -> str:
    words = _("Segments: %(now)s instead of %(plain)s.")
    return words % {"now": now, "plain": plain}


def _holds() -> str:
    return _("A segment then holds 70 characters instead of 160.")


def _fix(amount: int, segments: str) -> str:
    words = ngettext("Replace it: %(segments)s", "Replace them: %(segments)s", amount)
    return words % {"segments": segments}
