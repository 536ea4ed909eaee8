"""Numbers as spreadsheets leave them: without their plus, as 3.3612E+10, with .0 at the end."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from contacts.importing.reading import Cell
from lib import e164

_SCIENTIFIC = re.compile(r"[+-]?(\d+)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_DECIMALS = re.compile(r"(\d{6,15})[.,]0+")


class Unusable(ValueError):
    """The cell holds no number; the text is a sentence about it."""


def read(cell: Cell, country: str) -> tuple[str, str, str]:
    """Give (E.164, kind, country) of a cell; `country` explains national numbers. Raises Unusable.

    What has no plus is read as at home first, and as if it had lost one where that is no known number.
    """
    written = _written(cell)
    if not written:
        raise Unusable(_("There is no number in this row."))
    try:
        number = e164.parse(written, country)
    except e164.Invalid as error:
        number = ""
        why = error
    else:
        kind, home = e164.describe(number)
        if kind != "unknown" or not written.isdecimal():
            return number, kind, home
    if written.isdecimal() and (abroad := _with_plus(written)):
        return abroad
    if number:
        return number, "unknown", ""
    raise Unusable(_sentence(why))


def _with_plus(digits: str) -> tuple[str, str, str] | None:
    try:
        number = e164.parse(f"+{digits}", "US")
    except e164.Invalid:
        return None
    kind, country = e164.describe(number)
    return (number, kind, country) if kind != "unknown" else None


def _written(cell: Cell) -> str:
    if isinstance(cell, bool) or cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    # An apostrophe keeps spreadsheets from calculating.
    written = str(cell).strip().removeprefix("'").strip()
    if found := _SCIENTIFIC.fullmatch(written):
        return _unfolded(written, len(found[1] + (found[2] or "")), len(found[1]), int(found[3]))
    return found[1] if (found := _DECIMALS.fullmatch(written)) else written


def _unfolded(written: str, known: int, before: int, exponent: int) -> str:
    """Write 3.3612345678E+10 in full. Raises Unusable where digits are lost, as in 3.3612E+10."""
    if known < before + exponent:
        raise Unusable(
            _(
                "“%(written)s”: the spreadsheet has lost digits of this number. Format the column as"
                " text there, and export it again."
            )
            % {"written": written}
        )
    try:
        return str(int(Decimal(written.replace(",", "."))))
    except InvalidOperation:
        return written


def _sentence(error: e164.Invalid) -> str:
    words = {
        "too_short": _("“%(number)s” is too short for a phone number."),
        "too_long": _("“%(number)s” is too long for a phone number."),
        "country": _("“%(number)s” has no country code that exists."),
    }
    otherwise = _("“%(number)s” is no phone number.")
    return words.get(error.why, otherwise) % {"number": error.written}
