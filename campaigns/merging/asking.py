"""What conditions ask: whether values are the same, more, less, or in one another.

A file's cells are texts and a field's values are not, so both sides are first brought to one kind: where
one is a number, a date or a truth, the other is read as one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from campaigns.merging import days, filters
from campaigns.merging.run import Missing, Run, Unmakeable
from contacts import values
from contacts.models import FieldType

Ask = Callable[[Run, Any, Any], bool]


def is_true(value: Any) -> bool:
    """Tell whether a condition holds: something is there, and it is not "no"."""
    return not isinstance(value, Missing) and value is not False


def same(run: Run, one: Any, other: Any) -> bool:
    if isinstance(one, Missing) or isinstance(other, Missing):
        return isinstance(one, Missing) and isinstance(other, Missing)
    try:
        one, other = _alike(one, other)
    except values.Wrong:
        return False
    return bool(one == other)


def other(run: Run, one: Any, another: Any) -> bool:
    return not same(run, one, another)


def contains(run: Run, whole: Any, part: Any) -> bool:
    """Tell whether a text has another in it, or a list an entry."""
    if isinstance(whole, Missing) or isinstance(part, Missing):
        return False
    wanted = days.said(run.language, part)
    return wanted in (whole if isinstance(whole, tuple | list) else days.said(run.language, whole))


def _ordered(compare: Callable[[Any, Any], bool]) -> Ask:
    def ask(run: Run, one: Any, other: Any) -> bool:
        if isinstance(one, Missing) or isinstance(other, Missing):
            return False
        try:
            return compare(*_orderly(one, other))
        except values.Wrong as error:
            raise Unmakeable(str(error)) from None

    return ask


less, most = _ordered(operator.lt), _ordered(operator.le)
more, least = _ordered(operator.gt), _ordered(operator.ge)


def _orderly(one: Any, other: Any) -> tuple[Any, Any]:
    """Bring both to one kind that has an order. Raises contacts.values.Wrong."""
    if isinstance(one, str) and isinstance(other, str):
        try:
            return filters.number(one), filters.number(other)
        except values.Wrong:
            return one, other
    one, other = _alike(one, other)
    if isinstance(one, bool | tuple | list) or isinstance(other, tuple | list):
        raise values.Wrong(_("A yes or no, or a list, is neither more nor less than another."))
    return one, other


def _alike(one: Any, other: Any) -> tuple[Any, Any]:
    """Bring both to one kind. Raises contacts.values.Wrong where one cannot be read as the other."""
    if isinstance(one, bool) or isinstance(other, bool):
        return _truth(one), _truth(other)
    if isinstance(one, int | float | Decimal) or isinstance(other, int | float | Decimal):
        return filters.number(one), filters.number(other)
    if isinstance(one, date) or isinstance(other, date):
        return _moments(days.moment(one), days.moment(other))
    return one, other


def _truth(value: Any) -> Any:
    return value if isinstance(value, bool) else values.read(FieldType.YES_NO, value)


def _moments(one: date, other: date) -> tuple[date, date]:
    """Compare days where one of both has no time, or no zone."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        if (one.tzinfo is None) == (other.tzinfo is None):
            return one, other
        return one.replace(tzinfo=None), other.replace(tzinfo=None)
    return _bare(one), _bare(other)


def _bare(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at
