"""Price tables as files: CSV of any usual kind → prices, and back."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from django.utils.translation import gettext as _

from accounts import places
from lib import destinations, money
from phones.base import Money
from phones.prices import MOST, MOST_AMOUNT

# Bytes of a file.
MOST_BYTES = 1024 * 1024
# Lines that tell which delimiter a file uses, and characters that are shown of a wrong one.
_SAMPLE, _SHOWN = 20, 80
# In the order of trust: a comma may stand inside a price.
_DELIMITERS = "\t;|,"
_EVERYTHING_ELSE = "*"
# What the first line calls its columns, as spreadsheets of our languages do.
_HEADINGS = {
    "prefix": "prefix|préfixe|prefixe|prefijo|code|indicatif|destination|dialing prefix|dial code",
    "country": "country|pays|país|pais|iso|country code|country name",
    "price": "price|prix|precio|rate|tarif|tarifa|amount|cost|coût|coste|montant|importe",
    "currency": "currency|devise|moneda|divisa|monnaie",
}
_COLUMNS = {word: name for name, words in _HEADINGS.items() for word in words.split("|")}
_DOLLAR = "$"
_SYMBOLS = {"€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY"}
# +33, 0033, 33 6, 1-204, +1 (204)
_PREFIX = re.compile(r"(?:\+|00)?\s*([1-9][0-9\s().-]*)")
_PRICE = re.compile(r"([$€£₹¥]|[A-Za-z]{3})?([0-9.,]+)([$€£₹¥]|[A-Za-z]{3})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be read: its number in the file, what it says, what is wrong with it."""

    line: int
    words: str
    why: str


@dataclass
class Sheet:
    """What a file holds: {prefix: price of a segment}, and the lines that cannot be read."""

    prices: dict[str, Money] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Unreadable(Exception):
    """The text says what is wrong with a line, in a whole sentence."""


def text_of(content: bytes) -> str:
    """Decode a file as spreadsheets write them: UTF-8, UTF-16 with its mark, or Windows Latin."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read(content: str, currency: str = "") -> Sheet:
    """Read a price table, with headings or as prefix (or country), price, currency.

    1. Tabs, semicolons, bars or commas stand between columns; decimals have a point or a comma.
    2. A destination is a prefix, a country's code or name, or * for everything else.
    3. `currency` is that of lines that name none. Empty lines are passed over.
    """
    sheet = Sheet()
    seen: dict[str, int] = {}
    columns: Mapping[str, int] = {"prefix": 0, "price": 1, "currency": 2}
    first = True
    for number, cells in _lines(content, sheet):
        if first and (named := _headings(cells)):
            columns, first = named, False
            continue
        first = False
        if len(sheet.prices) >= MOST:
            why = _("This and what follows is left out: a table has %(most)s prices at most.")
            sheet.problems.append(Problem(number, "", why % {"most": MOST}))
            break
        try:
            _add(
                sheet.prices,
                seen,
                number,
                {n: _cell(cells, at) for n, at in columns.items()},
                currency,
            )
        except Unreadable as wrong:
            words = "; ".join(filter(None, cells))[:_SHOWN]
            sheet.problems.append(Problem(number, words, str(wrong)))
    return sheet


def write(prices: Mapping[str, Money]) -> str:
    """Give a table as CSV that `read` reads back as it is, and spreadsheets too."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["prefix", "country", "price", "currency"])
    names = dict(places.countries())
    for prefix, price in prices.items():
        country = names.get(destinations.country_of(prefix), "") if prefix else ""
        amount = amount_of(price.amount)
        rows.writerow([prefix or _EVERYTHING_ELSE, country, amount, price.currency])
    return out.getvalue()


def amount_of(millionths: int) -> str:
    """Give an amount as forms and files take it: 49000 → 0.049."""
    return f"{Decimal(millionths).scaleb(-6).normalize():f}"


def _lines(content: str, sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    """Give the lines that hold something, with their numbers."""
    content = content.replace("\x00", "").removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=_delimiter(content))
    while True:
        try:
            cells = next(rows, None)
        except csv.Error:
            why = _("From here on the file is no CSV.")
            sheet.problems.append(Problem(rows.line_num, "", why))
            return
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield rows.line_num, [cell.strip() for cell in cells]


def _delimiter(content: str) -> str:
    """Give what divides most of the first lines."""
    sample = list(islice((line for line in content.splitlines() if line.strip()), _SAMPLE))
    return max(_DELIMITERS, key=lambda mark: sum(mark in line for line in sample))


def _headings(cells: Sequence[str]) -> dict[str, int]:
    """Give {column: its place} when this line names a price and a destination, else nothing."""
    named: dict[str, int] = {}
    for place, cell in enumerate(cells):
        if name := _COLUMNS.get(cell.casefold()):
            named.setdefault(name, place)
    return named if "price" in named and ("prefix" in named or "country" in named) else {}


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _add(
    prices: dict[str, Money],
    seen: dict[str, int],
    number: int,
    cells: Mapping[str, str],
    currency: str,
) -> None:
    where = cells.get("prefix") or cells.get("country", "")
    price = read_price(cells["price"], cells.get("currency") or "", currency)
    prefixes = read_destination(where)
    if known := next((seen[prefix] for prefix in prefixes if prefix in seen), 0):
        words = {"where": where, "line": known}
        raise Unreadable(_("%(where)s has a price on line %(line)s already.") % words)
    seen.update(dict.fromkeys(prefixes, number))
    prices.update(dict.fromkeys(prefixes, price))


def read_destination(written: str) -> tuple[str, ...]:
    """Give the prefixes that a cell names; ("",) is everything else. Raises Unreadable."""
    written = written.strip()
    if written == _EVERYTHING_ELSE:
        return ("",)
    if not written:
        raise Unreadable(_("It names no destination. Everything else is written as *."))
    if found := _PREFIX.fullmatch(written):
        digits = re.sub(r"[^0-9]", "", found[1])
        if len(digits) <= 15:
            return (digits,)
        raise Unreadable(
            _("%(where)s is longer than a phone number.") % {"where": written[:_SHOWN]}
        )
    country = places.country_named(written)
    if not country:
        raise Unreadable(
            _("%(where)s is no country that we know, and no prefix beginning with a country code.")
            % {"where": written[:_SHOWN]}
        )
    if prefixes := destinations.prefixes(country):
        return prefixes
    raise Unreadable(
        _("No prefix tells the numbers of %(where)s from its neighbours'.") % {"where": written}
    )


def read_price(written: str, currency: str, usual: str = "") -> Money:
    """Read a price such as 0,049 or €0.049 or "0.049 EUR". Raises Unreadable."""
    found = _PRICE.fullmatch(re.sub(r"\s", "", written))
    if not found:
        raise Unreadable(_("“%(price)s” is no price.") % {"price": written[:_SHOWN]})
    amount = money.millionths(_decimal(found[2]))
    if amount is None or amount > MOST_AMOUNT:
        raise Unreadable(_("“%(price)s” is no price.") % {"price": written[:_SHOWN]})
    # A sign that several currencies share gives way to a code in the same line.
    signs = [found[1], found[3], currency]
    named = next((one for one in signs if one and one != _DOLLAR), None) or (
        _DOLLAR if _DOLLAR in signs else usual
    )
    code = _SYMBOLS.get(named.strip(), named.strip().upper())
    if not code:
        raise Unreadable(_("It names no currency, and neither does the form."))
    if not _CURRENCY.fullmatch(code):
        raise Unreadable(
            _("“%(currency)s” is no currency. Write its three letters, such as EUR.")
            % {"currency": named[:_SHOWN]}
        )
    return Money(amount, code)


def _decimal(written: str) -> str:
    """Give 1234.56 for 1.234,56 and 1,234.56; a single comma or point divides decimals."""
    mark = max(written.rfind(","), written.rfind("."))
    if mark < 0:
        return written
    return f"{re.sub('[.,]', '', written[:mark])}.{written[mark + 1 :]}"
