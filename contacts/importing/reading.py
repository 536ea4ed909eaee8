"""Files of people as rows of cells, whatever wrote them: CSV, XLSX, vCard, JSON.

Nothing here keeps more than a few rows in memory, and nothing trusts what the file says of itself.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.utils.translation import gettext as _

from contacts.importing import cards
from lib.stored import text

CSV, XLSX, VCARD, JSON = "csv", "xlsx", "vcard", "json"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
DELIMITERS = (",", ";", "\t", "|")
# Columns, characters of a cell, data rows of one file.
MOST_COLUMNS, MOST_CELL, MOST_ROWS = 100, 5000, 1_000_000
# Bytes that an XLSX may unpack to, those of its shared texts (openpyxl keeps them), its parts, and how
# many times smaller than its content it may be: sheets of text reach 30, zip bombs 1,000.
_UNPACKED, _SHARED, _PARTS, _RATIO = 400_000_000, 60_000_000, 2000, 150
# Bytes and rows that are looked at to learn the shape of a file.
_HEAD, _LOOKED_AT = 65_536, 30

Cell = str | int | float | bool | date | None
Row = list[Cell]


class Unreadable(Exception):
    """The file cannot be read; the text says why, in words for whoever chose it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is read. `sheet` is the place of the sheet in a workbook; `headings` whether the first
    row says what the columns are; `columns` those words, or A, B, C."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: int = 0
    headings: bool = True
    columns: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def shape_of(path: Path, **wished: Any) -> Shape:
    """Look at the head of a file; `wished` are parts of its shape that a person knows better.

    Raises Unreadable.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\x00 \r\n\t"):
        raise Unreadable(_("This file is empty."))
    if head[:4] == b"PK\x03\x04":
        return _workbook(path, wished)
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Unreadable(
            _(
                "This is a workbook of Excel 2003 or older. Save it as .xlsx or .csv, and choose that."
            )
        )
    encoding = str(wished.get("encoding") or "")
    encoding = encoding if encoding in ENCODINGS else _encoding(path, head)
    start = head.decode(encoding, "replace").lstrip("\ufeff \r\n\t")
    if start[:11].upper() == "BEGIN:VCARD":
        return Shape(VCARD, encoding, columns=list(cards.HEADINGS))
    if start[:1] in ("[", "{"):
        shape = Shape(JSON, encoding)
        return Shape(JSON, encoding, columns=_keys(path, shape))
    return _table(path, encoding, start, wished)


def rows(path: Path, shape: Shape) -> Iterator[Row]:
    """Give the data rows of a file, the headings left out. Raises Unreadable."""
    found = _rows(path, shape)
    if shape.headings and shape.format in (CSV, XLSX):
        next(found, None)
    return islice(found, MOST_ROWS)


def _rows(path: Path, shape: Shape) -> Iterator[Row]:
    if shape.format == XLSX:
        yield from _sheet(path, shape.sheet)
        return
    with path.open(encoding=shape.encoding, errors="replace", newline="") as file:
        if shape.format == VCARD:
            yield from cards.rows(_lines(file))
        elif shape.format == JSON:
            for thing in _objects(file):
                flat = _flat(thing)
                yield [flat.get(column) for column in shape.columns]
        else:
            yield from _cells(file, shape.delimiter)


# ---- Text --------------------------------------------------------------------------------------


def _encoding(path: Path, head: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return encoding
    # Without a mark: in UTF-16 every other byte of what people write in the West is zero.
    sample = head[:2000]
    if sample[1::2].count(0) > len(sample) // 4:
        return "utf-16-le"
    if sample[::2].count(0) > len(sample) // 4:
        return "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _lines(file: TextIO) -> Iterator[str]:
    """Give lines, cut where somebody wrote one without an end, and without a byte order mark."""
    first = True
    while line := file.readline(MOST_CELL * MOST_COLUMNS):
        yield line.lstrip("\ufeff") if first else line
        first = False


def _cells(file: TextIO, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MOST_CELL * MOST_COLUMNS)
    reader = csv.reader(_lines(file), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield [text(cell, MOST_CELL) for cell in row[:MOST_COLUMNS]]
    except csv.Error:
        words = _("Line %(line)s of the file cannot be read: a quotation mark may be missing.")
        raise Unreadable(words % {"line": reader.line_num}) from None


def _table(path: Path, encoding: str, start: str, wished: dict[str, Any]) -> Shape:
    delimiter = str(wished.get("delimiter") or "")
    lines = start.splitlines()
    # Excel writes this line for itself.
    if lines and re.fullmatch(r"sep=.", lines[0].strip().lower()):
        raise Unreadable(_("Delete the first line of the file, “sep=…”, and choose it again."))
    if delimiter not in DELIMITERS:
        delimiter = _delimiter(lines[:_LOOKED_AT])
    shape = Shape(CSV, encoding, delimiter, headings=False)
    return _with_headings(shape, list(islice(rows(path, shape), _LOOKED_AT)), wished)


def _delimiter(lines: list[str]) -> str:
    """Give what cuts most lines into equally many parts, more than one; a comma if nothing does."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=1)
        agreeing = widths.count(usual) / max(1, len(widths))
        return (agreeing if usual > 1 else 0, usual)

    try:
        return max(DELIMITERS, key=score)
    except csv.Error:
        return ","


def _with_headings(shape: Shape, found: list[Row], wished: dict[str, Any]) -> Shape:
    """Say whether the first row names the columns: words, where no number or date stands."""
    if not found:
        raise Unreadable(_("There is no row in this file."))
    first = found[0]
    width = min(MOST_COLUMNS, max(len(row) for row in found))
    said = [str(cell or "").strip() for cell in first]
    looks_like_names = all(not re.search(r"\d{4}", word) and "@" not in word for word in said)
    headings = wished.get("headings")
    headings = looks_like_names and any(said) and len(found) > 1 if headings is None else headings
    columns = [
        (said[place] if headings and place < len(said) else "") or _letter(place)
        for place in range(width)
    ]
    values = shape.as_dict() | {"headings": bool(headings), "columns": [c[:80] for c in columns]}
    return Shape(**values)


def _letter(place: int) -> str:
    """Name a column as spreadsheets do: A, B … Z, AA."""
    first = chr(64 + place // 26) if place >= 26 else ""
    return first + chr(65 + place % 26)


# ---- Workbooks ---------------------------------------------------------------------------------


def _workbook(path: Path, wished: dict[str, Any]) -> Shape:
    _check_zip(path)
    try:
        with path.open("rb") as file, closing(_book(file)) as book:
            names = [str(name)[:80] for name in book.sheetnames[:50]]
    except Unreadable:
        raise
    except Exception as error:  # openpyxl raises whatever its parts do
        raise Unreadable(_("This workbook is damaged, or no workbook.")) from error
    wish = wished.get("sheet", 0)
    sheet = wish if isinstance(wish, int) and 0 <= wish < len(names) else 0
    shape = Shape(XLSX, sheet=sheet, headings=False, sheets=names)
    return _with_headings(shape, list(islice(rows(path, shape), _LOOKED_AT)), wished)


def _book(file: BinaryIO) -> Any:
    """Open a workbook by what is in it: its name is nobody's business."""
    from openpyxl import load_workbook  # noqa: PLC0415 - 15 MB in each process, and seldom needed

    return load_workbook(file, read_only=True, data_only=True)


def _check_zip(path: Path) -> None:
    """Refuse what unpacks to far more than it is. Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Unreadable(_("This workbook is damaged, or no workbook.")) from error
    unpacked = sum(part.file_size for part in parts)
    shared = sum(part.file_size for part in parts if "sharedStrings" in part.filename)
    too_tight = unpacked > 10_000_000 and unpacked > _RATIO * max(1, path.stat().st_size)
    if len(parts) > _PARTS or unpacked > _UNPACKED or shared > _SHARED or too_tight:
        raise Unreadable(_("This workbook is too large. Save it as .csv and choose that."))


def _sheet(path: Path, place: int) -> Iterator[Row]:
    try:
        with path.open("rb") as file, closing(_book(file)) as book:
            sheet = book.worksheets[place]
            for row in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
                if any(cell is not None and str(cell).strip() for cell in row):
                    cells = [_cell(cell) for cell in row]
                    while cells and cells[-1] is None:
                        cells.pop()
                    yield cells
    except (GeneratorExit, Unreadable):
        raise
    except Exception as error:  # openpyxl raises whatever its parts do
        raise Unreadable(_("This workbook is damaged, or no workbook.")) from error


def _cell(cell: Any) -> Cell:
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    if isinstance(cell, datetime):
        return cell.date() if not (cell.hour or cell.minute) else text(cell.isoformat(" "))
    return cell if isinstance(cell, date) else text(cell, MOST_CELL)


# ---- JSON --------------------------------------------------------------------------------------


def _objects(file: TextIO) -> Iterator[dict[str, Any]]:
    """Give the objects of a list, of the first list in an object, or of lines. Raises Unreadable."""
    decoder = json.JSONDecoder()
    buffer, ended = "", False
    inside = False
    while True:
        buffer = buffer.lstrip("\ufeff \r\n\t,")
        if not inside and buffer[:1] == "[":
            buffer, inside = buffer[1:], True
            continue
        # An object whose first list holds the people: {"contacts": [{…}]}.
        wrapped = re.match(r'\{\s*"[^"\\]*"\s*:\s*\[', buffer) if not inside else None
        if wrapped:
            buffer, inside = buffer[wrapped.end() :], True
            continue
        if inside and buffer[:1] == "]":
            return
        try:
            thing, end = decoder.raw_decode(buffer)
        except (ValueError, RecursionError) as error:
            block = "" if ended else file.read(_HEAD)
            ended = ended or not block
            if ended and not buffer.strip():
                return
            if (ended and not block) or len(buffer) > MOST_CELL * MOST_COLUMNS:
                raise Unreadable(
                    _("This is no JSON that can be read: a list of objects.")
                ) from error
            buffer += block
            continue
        if isinstance(thing, dict):
            yield thing
        elif inside or thing is None:
            raise Unreadable(_("This is no JSON that can be read: a list of objects."))
        buffer = buffer[end:]


def _keys(path: Path, shape: Shape) -> list[str]:
    found: dict[str, None] = {}
    with path.open(encoding=shape.encoding, errors="replace") as file:
        for thing in islice(_objects(file), 1000):
            found.update(dict.fromkeys(_flat(thing)))
    if not found:
        raise Unreadable(_("There is no row in this file."))
    return list(found)[:MOST_COLUMNS]


def _flat(thing: dict[str, Any]) -> dict[str, Cell]:
    """Give an object as cells: what lies one deeper by both names, a list with commas between."""
    flat: dict[str, Cell] = {}
    for key, value in thing.items():
        if isinstance(value, dict):
            for inner, deeper in value.items():
                flat[text(f"{key}.{inner}", 80)] = _scalar(deeper)
        else:
            flat[text(key, 80)] = _scalar(value)
    return flat


def _scalar(value: Any) -> Cell:
    if isinstance(value, list):
        return text(", ".join(str(item) for item in _texts(value)), MOST_CELL)
    if value is None or isinstance(value, bool | int | float):
        return value
    return text(value, MOST_CELL)


def _texts(value: Iterable[Any]) -> Iterator[Any]:
    return (item for item in value if isinstance(item, str | int | float))
