"""What fields say of people: from what somebody wrote to what is stored, and back."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

from django.utils import formats
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from contacts.models import FieldType
from lib.stored import text

# Characters of one value.
MOST_TEXT = 1000

# As spreadsheets and people write it, folded, in the languages of the site.
_YES = {"yes", "y", "true", "1", "x", "on", "oui", "o", "vrai", "si", "sí", "s", "verdadero", "ja"}
_NO = {"no", "n", "false", "0", "off", "non", "faux", "falso", "nein", "-"}
_DAY = re.compile(r"(\d{1,4})[./\-\s](\d{1,2})[./\-\s](\d{1,4})")
_SPACES = str.maketrans("", "", " \u00a0\u202f'’")

Value = str | int | float | bool


class Wrong(ValueError):
    """What was written is no value of this type; the text is a sentence about it."""


def read(type_: str, written: Any, *, month_first: bool = False) -> Value | None:
    """Give what is stored for what was written (a text, or a cell of a sheet), None for nothing.

    `month_first` reads 3/4/2026 as 4 March. Raises Wrong.
    """
    if written is None or (isinstance(written, str) and not written.strip()):
        return None
    if type_ == FieldType.NUMBER:
        return _number(written)
    if type_ == FieldType.DATE:
        return _date(written, month_first).isoformat()
    if type_ == FieldType.YES_NO:
        return _truth(written)
    return _text(written)


def _text(written: Any) -> str:
    if isinstance(written, float) and written.is_integer():
        written = int(written)
    words = text(written).strip()
    if len(words) > MOST_TEXT:
        raise Wrong(_("This text is longer than %(most)s characters.") % {"most": MOST_TEXT})
    return words


def _number(written: Any) -> int | float:
    if isinstance(written, bool):
        return int(written)
    bare = str(written).translate(_SPACES)
    # The last of both marks is the one before the decimals: 1.234,5 and 1,234.5.
    if "," in bare and "." in bare:
        thousands = "," if bare.rindex(".") > bare.rindex(",") else "."
        bare = bare.replace(thousands, "")
    try:
        number = float(bare.replace(",", ".")) if bare.isascii() else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) >= 1e15:
        raise Wrong(_("“%(written)s” is no number.") % {"written": _short(written)})
    return int(number) if number.is_integer() else number


def _date(written: Any, month_first: bool) -> date:
    if isinstance(written, datetime):
        return written.date()
    if isinstance(written, date):
        return written
    words = str(written).strip()
    found = None
    try:
        found = parse_date(words[:10]) if re.match(r"\d{4}-", words) else None
        found = found or _in_parts(words, month_first)
    except ValueError:
        found = None
    if found is None:
        raise Wrong(_("“%(written)s” is no date.") % {"written": _short(written)})
    return found


def _in_parts(words: str, month_first: bool) -> date | None:
    """Read 31/12/1999, 12/31/1999, 1999/12/31, 31.12.99, 19991231. Raises ValueError."""
    if re.fullmatch(r"\d{8}", words, re.ASCII):
        return date(int(words[:4]), int(words[4:6]), int(words[6:]))
    if not (parts := _DAY.match(words)):
        return None
    first, middle, last = (int(part) for part in parts.groups())
    if len(parts[1]) == 4:
        return date(first, middle, last)
    year = last if len(parts[3]) > 2 else _century(last)
    day, month = (middle, first) if month_first else (first, middle)
    if month > 12 >= day:
        day, month = month, day
    return date(year, month, day)


def _century(year: int) -> int:
    """Read two digits as a year within 80 years past and 20 to come."""
    return 1900 + year if year > (date.today().year + 20) % 100 else 2000 + year  # noqa: DTZ011


def _truth(written: Any) -> bool:
    if isinstance(written, bool):
        return written
    if isinstance(written, float) and written.is_integer():
        written = int(written)
    word = str(written).strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise Wrong(_("“%(written)s” is neither yes nor no.") % {"written": _short(written)})


def _short(written: Any) -> str:
    words = text(written).strip()
    return words if len(words) <= 60 else f"{words[:60]}…"


def shown(type_: str, value: Any) -> str:
    """Give a stored value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if type_ == FieldType.NUMBER and isinstance(value, int | float):
        return formats.number_format(value, use_l10n=True, force_grouping=False)
    if type_ == FieldType.DATE and (day := parse_date(str(value))):
        return formats.date_format(day, "DATE_FORMAT")
    return str(value)


def plain(value: Any) -> str:
    """Give a stored value as files hold it: the same in every language."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def day(value: Any) -> date | None:
    """Give a stored day as a date, None where it is none."""
    try:
        return parse_date(value) if isinstance(value, str) else None
    except ValueError:
        return None
