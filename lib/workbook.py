"""Workbooks (XLSX) as a stream: the first rows leave while the last are not read yet, in flat memory.

SpreadsheetML as in ECMA-376 (https://ecma-international.org/publications-and-standards/standards/ecma-376/):
texts stand in their cells, so that nothing has to be known before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

# Rows of a sheet as programs have it, bytes of one as plain ZIP has it, and characters of a cell.
_ROWS, _BYTES, _CHARACTERS = 1_048_576, 2_000_000_000, 32_767
# Rows that leave together; fast rather than small.
_CHUNK, _LEVEL = 500, 1
# Days count from here; 1900 had 29 days in February for those who began this.
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  workbooks know no zones
_A_DAY = 86_400.0
# What XML cannot say, and what a workbook would take for such.
_UNSAID = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PLAIN: Final = 'fontId="0" fillId="0" borderId="0"'
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    f'<cellStyleXfs count="1"><xf numFmtId="0" {_PLAIN}/></cellStyleXfs><cellXfs count="3">'
    f'<xf numFmtId="0" {_PLAIN} xfId="0"/>'
    f'<xf numFmtId="164" {_PLAIN} xfId="0" applyNumberFormat="1"/>'
    f'<xf numFmtId="165" {_PLAIN} xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def stream(rows: Iterable[Sequence[Any]], title: str) -> Iterator[bytes]:
    """Give a workbook a part at a time: texts, numbers, truths, dates and naive times keep their type.

    What no sheet has room for stands on the next one; the first row, the headings, is on each.
    """
    pipe, left = _Pipe(), iter(rows)
    headings, row = next(left, ()), next(left, None)
    with ZipFile(pipe, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as package:  # type: ignore[call-overload]
        sheets = 0
        while not sheets or row is not None:
            sheets += 1
            with package.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                written = sheet.write(_BEGIN) + sheet.write(_row(headings))
                amount = 1
                while row is not None and amount < _ROWS and written < _BYTES:
                    written += sheet.write(_row(row))
                    amount += 1
                    if not amount % _CHUNK:
                        yield pipe.taken()
                    row = next(left, None)
                sheet.write(_END)
        for name, part in _around(title, sheets):
            package.writestr(name, part)
    yield pipe.taken()


def _row(cells: Sequence[Any]) -> bytes:
    return f"<row>{''.join(map(_cell, cells))}</row>".encode()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{value:d}</v></c>'
    if isinstance(value, int | float | Decimal):
        return f"<c><v>{value}</v></c>"
    if isinstance(value, datetime):
        return f'<c s="1"><v>{(value - _EPOCH).total_seconds() / _A_DAY!r}</v></c>'
    if isinstance(value, date):
        return f'<c s="2"><v>{(value - _EPOCH.date()).days}</v></c>'
    said = _UNSAID.sub("", _LOOKS_ESCAPED.sub("_x005F_", str(value)[:_CHARACTERS]))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(said)}</t></is></c>'


_BEGIN: Final = f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode()
_END: Final = b"</sheetData></worksheet>"


def _around(title: str, sheets: int) -> Iterator[tuple[str, str]]:
    """Give the other parts of a package with so many sheets: (name, what it says)."""
    numbers = range(1, sheets + 1)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for n in numbers
    )
    yield (
        "[Content_Types].xml",
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{types}</Types>',
    )
    yield "_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")])
    named = "".join(
        f'<sheet name="{escape(title)}{f" {n}" if n > 1 else ""}" sheetId="{n}" r:id="rId{n}"/>'
        for n in numbers
    )
    yield (
        "xl/workbook.xml",
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>',
    )
    parts = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    parts.append((f"rId{sheets + 1}", "styles", "styles.xml"))
    yield "xl/_rels/workbook.xml.rels", _relations(parts)
    yield "xl/styles.xml", _STYLES


def _relations(parts: Iterable[tuple[str, str, str]]) -> str:
    """Say which parts belong to one: (id, kind, where)."""
    named = "".join(
        f'<Relationship Id="{id_}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for id_, kind, target in parts
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{named}</Relationships>'


class _Pipe:
    """What a package is written into, to be taken out again: it cannot be sought in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: what was written is there."""

    def taken(self) -> bytes:
        """Give what was written since the last time."""
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole
