"""Taking a number out of a file of people, whatever the file's format, without moving its other rows.

A row that is about the number stays, with nothing in it but a mark: rows are counted, by those who read the
file in parts. In the other rows what names it goes. The file keeps its shape, so it is replaced in one go.
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from contacts.importing import numbers, reading
from contacts.importing.reading import CSV, VCARD, XLSX, Row, Shape
from lib.e164 import core

# What stands in a row that was about somebody.
MARK = "–"
# Bytes that are looked through at a time, and how far a number may reach into the next ones.
_BLOCK, _OVERLAP = 1 << 20, 200


def mentions(path: Path, number: str) -> bool:
    """Say whether a number may stand in a file, however it is written. Reads bytes, and trusts nothing."""
    if not path.is_file():
        return False
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return _stands_in(file, number)
    with zipfile.ZipFile(path) as packed:
        for part in packed.namelist():
            with suppress(zipfile.BadZipFile, NotImplementedError, RuntimeError):
                if _stands_in(packed.open(part), number):  # type: ignore[arg-type]
                    return True
    return False


def _stands_in(file: BinaryIO, number: str) -> bool:
    sought, before = pattern(number), b""
    while block := file.read(_BLOCK):
        if sought.search(before + block):
            return True
        before = block[-_OVERLAP:]
    return False


def pattern(number: str) -> re.Pattern[bytes]:
    """Match the digits of a number with little between them: spaces, signs, the zeros of UTF-16."""
    between = rb"[^0-9]{0,3}" if number.startswith("+") else rb"\x00?"
    return re.compile(between.join(re.escape(char.encode()) for char in core(number)))


def about(
    path: Path, shape: Shape, number: str, country: str, *, column: int = -1
) -> Iterator[dict[str, Any]]:
    """Give the rows that are about a number (E.164), by the headings of their columns."""
    for row in reading.rows(path, shape):
        if _is_theirs(row, number, country, column):
            yield {
                heading: cell
                for heading, cell in zip(shape.columns, row, strict=False)
                if cell not in (None, "")
            }


def erase(path: Path, shape: Shape, number: str, country: str, *, column: int = -1) -> None:
    """Take a number (E.164) out of a file. `column` is that of the numbers, where it is known.

    No mark is put there.
    """

    def changed(row: Row) -> Row:
        if _is_theirs(row, number, country, column):
            marked: Row = [None] * max(2, len(row))
            marked[1 if column == 0 else 0] = MARK
            return marked
        return [None if _names(cell, number) else cell for cell in row]

    copy = path.with_name(f"{path.name}.new")
    try:
        if shape.format == VCARD:
            _write_cards(path, copy, shape, number)
        else:
            rows = _headed(shape, (changed(row) for row in reading.rows(path, shape)))
            _WRITERS.get(shape.format, _write_json)(copy, shape, rows)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


def _is_theirs(row: Row, number: str, country: str, column: int) -> bool:
    cells = row if column < 0 else row[column : column + 1]
    return any(_names(cell, number) and _is(cell, number, country) for cell in cells)


def _is(cell: reading.Cell, number: str, country: str) -> bool:
    """Say whether a cell holds this number and nothing else."""
    if any(char.isalpha() for char in str(cell)) and number.startswith("+"):
        return False
    try:
        return numbers.read(cell, country)[0] == number
    except numbers.Unusable:
        return str(cell).strip() == number


def _names(cell: reading.Cell, number: str) -> bool:
    return cell is not None and bool(pattern(number).search(str(cell).encode()))


def _headed(shape: Shape, rows: Iterable[Row]) -> Iterator[Row]:
    if shape.headings and shape.format in (CSV, XLSX):
        yield list(shape.columns)
    yield from rows


def _write_table(path: Path, shape: Shape, rows: Iterator[Row]) -> None:
    with path.open("w", encoding=shape.encoding, errors="replace", newline="") as out:
        csv.writer(out, delimiter=shape.delimiter).writerows(rows)


def _write_json(path: Path, shape: Shape, rows: Iterator[Row]) -> None:
    with path.open("w", encoding=shape.encoding, errors="replace") as out:
        for row in rows:
            out.write(json.dumps(dict(zip(shape.columns, row, strict=False)), default=str) + "\n")


def _write_book(path: Path, shape: Shape, rows: Iterator[Row]) -> None:
    from openpyxl import Workbook  # noqa: PLC0415 - 15 MB in each process, and seldom needed

    book = Workbook(write_only=True)
    for _ in range(shape.sheet):
        book.create_sheet()
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(path)


_WRITERS = {CSV: _write_table, XLSX: _write_book}


def _write_cards(path: Path, copy: Path, shape: Shape, number: str) -> None:
    """Copy all cards but those that name the number, which are left with a mark for a name."""
    with (
        path.open(encoding=shape.encoding, errors="replace", newline="") as file,
        copy.open("w", encoding=shape.encoding, errors="replace", newline="") as out,
    ):
        card: list[str] = []
        for line in file:
            card.append(line)
            if line.strip().upper() == "END:VCARD":
                out.writelines(_marked(card) if _names("".join(card), number) else card)
                card = []


def _marked(card: list[str]) -> list[str]:
    return ["BEGIN:VCARD\r\n", f"FN:{MARK}\r\n", card[-1]]
