"""What a text can do to a value: {{ contact.name | upcase }}.

The names and meanings are Liquid's, as python-liquid 2.3.6 has them, with three differences: numbers are
exact decimals (7 divided by 2 is 3.5), `round: 2` keeps both digits (12.50), and what is no number is an
error instead of 0. None of them can make a value much longer than what goes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext as _

from campaigns.merging import days
from campaigns.merging.run import Missing, Run, Unmakeable
from contacts import values
from contacts.models import FieldType

Number = int | Decimal
# Beyond it no number in a text makes sense (contacts.values refuses them too).
_MOST = 10**15


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, how it is written, and how many arguments it takes.

    `of_missing` wants to hear of what is missing, too; the others leave it missing.
    """

    call: Callable[..., Any]
    example: str
    least: int = 0
    most: int = 0
    of_missing: bool = False


def number(value: Any) -> Number:
    """Give a value as a number: 12, "1 234,5". Raises contacts.values.Wrong."""
    found: Any = value
    if not isinstance(value, int | float | Decimal):
        found = values.read(FieldType.NUMBER, value)
    if found is None or not -_MOST < found < _MOST:
        raise values.Wrong(_("“%(written)s” is no number.") % {"written": str(value)[:60]})
    return int(found) if isinstance(found, int) else _plain(Decimal(str(found)))


def _plain(found: Number) -> Number:
    """Leave out zeros behind the point; raise Unmakeable for what is too large."""
    if not -_MOST < found < _MOST:
        raise Unmakeable(_("A number becomes too large."))
    if found == int(found):
        return int(found)
    return round(Decimal(found), 6).normalize()


def _number(value: Any) -> Number:
    try:
        return number(value)
    except values.Wrong as error:
        raise Unmakeable(str(error)) from None


def _words(run: Run, value: Any) -> str:
    return value if isinstance(value, str) else days.said(run.language, value)


def _text(change: Callable[[str], Any], name: str) -> Filter:
    return Filter(lambda run, value: change(_words(run, value)), name)


def _sum(change: Callable[[Number, Number], Number], example: str) -> Filter:
    return Filter(lambda run, value, by: _plain(change(_number(value), _number(by))), example, 1, 1)


def _default(run: Run, value: Any, instead: Any = "") -> Any:
    return instead if isinstance(value, Missing) or value is False else value


def _divided(value: Number, by: Number) -> Number:
    if not by:
        raise Unmakeable(_("Nothing can be divided by 0."))
    return Decimal(value) / by


def _round(run: Run, value: Any, digits: Any = 0) -> Number:
    places, found = _number(digits), _number(value)
    if places not in range(7):
        raise Unmakeable(_("round takes 0 to 6 digits."))
    rounded = Decimal(found).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)
    return rounded if places else int(rounded)


def _truncate(run: Run, value: Any, most: Any = 50, end: Any = "...") -> str:
    words, tail, room = _words(run, value), _words(run, end), max(int(_number(most)), 0)
    return words if len(words) <= room else words[: max(room - len(tail), 0)] + tail


def _truncate_words(run: Run, value: Any, most: Any = 15, end: Any = "...") -> str:
    words, room = _words(run, value).split(), max(int(_number(most)), 1)
    return " ".join(words) if len(words) <= room else " ".join(words[:room]) + _words(run, end)


def _remove(run: Run, value: Any, what: Any) -> str:
    return _words(run, value).replace(_words(run, what), "")


def _date(run: Run, value: Any, format_: str = "") -> str:
    try:
        day = days.moment(value)
    except values.Wrong:
        words = _("“%(written)s” is no date.") % {"written": _words(run, value)[:60]}
        raise Unmakeable(words) from None
    return days.said_as(day, format_, run.language) if format_ else days.said(run.language, day)


def _size(run: Run, value: Any) -> int:
    return len(value) if isinstance(value, tuple | list) else len(_words(run, value))


_ALL = (
    Filter(_default, 'default: "friend"', 0, 1, of_missing=True),
    _text(str.upper, "upcase"),
    _text(str.lower, "downcase"),
    _text(str.capitalize, "capitalize"),
    _text(str.strip, "strip"),
    _text(lambda words: " ".join(words.split()), "squish"),
    Filter(_truncate, 'truncate: 20, "…"', 0, 2),
    Filter(_truncate_words, 'truncatewords: 3, "…"', 0, 2),
    Filter(lambda run, value, end: _words(run, value) + _words(run, end), 'append: "!"', 1, 1),
    Filter(lambda run, value, start: _words(run, start) + _words(run, value), 'prepend: "#"', 1, 1),
    Filter(_remove, 'remove: "-"', 1, 1),
    _text(lambda words: words[:1], "first"),
    _text(lambda words: words[-1:], "last"),
    Filter(_size, "size"),
    Filter(_date, 'date: "%-d %B"', 0, 1),
    _sum(lambda value, by: value + by, "plus: 1"),
    _sum(lambda value, by: value - by, "minus: 1"),
    _sum(lambda value, by: value * by, "times: 2"),
    _sum(_divided, "divided_by: 2"),
    Filter(_round, "round: 2", 0, 1),
    Filter(lambda run, value: math.ceil(_number(value)), "ceil"),
    Filter(lambda run, value: math.floor(_number(value)), "floor"),
)
FILTERS: dict[str, Filter] = {one.example.partition(":")[0]: one for one in _ALL}
