"""A workbook that is written while it is read says what the rows say."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from lib import workbook


def read(rows: Any) -> list[list[list[Any]]]:
    """Write rows, and read them as another program does: the cells of each sheet."""
    book = load_workbook(io.BytesIO(b"".join(workbook.stream(rows, "People"))))
    return [[list(map(said, row)) for row in sheet.iter_rows(values_only=True)] for sheet in book]


def said(cell: Any) -> Any:
    """Read _x000D_ in a text as programs do."""
    return unescape(cell) if isinstance(cell, str) else cell


def test_each_thing_keeps_its_type() -> None:
    row = [
        "Zoë & <Co>", 7, 2.5, True, None, date(2026, 11, 24), datetime(2026, 11, 24, 9, 30, 15), "", "=1+1",
        Decimal("1.20"),
    ]  # fmt: skip

    ((headings, read_back),) = read([["a"] * len(row), row])

    assert headings == ["a"] * len(row)
    assert read_back[:5] == ["Zoë & <Co>", 7, 2.5, True, None]
    assert read_back[5:7] == [datetime(2026, 11, 24), datetime(2026, 11, 24, 9, 30, 15)]
    assert read_back[7:] == [None, "=1+1", 1.2]


_SAID = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"))


@given(_SAID.filter(lambda said: not any(char in said for char in "\ufffe\uffff\x85\u2028")))
def test_whatever_is_written_is_read(text: str) -> None:
    ((_headings, row),) = read([["Text", "End"], [text, "."]])

    assert row == [text or None, "."]


@pytest.mark.parametrize("text", ["_x000D_", "a_x0041_b", "_x_", " two  spaces ", "x" * 40_000])
def test_what_a_workbook_would_misread_is_kept(text: str) -> None:
    ((_headings, row),) = read([["Text"], [text]])

    assert row == [text[:32_767]]


def test_what_xml_cannot_say_is_left_out() -> None:
    ((_headings, row),) = read([["Text"], ["a\x00\x1f\ud800b"]])

    assert row == ["ab"]


def test_what_has_no_room_goes_on_on_another_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_ROWS", 3)

    assert read([["n"], *([n] for n in range(5))]) == [
        [["n"], [0], [1]],
        [["n"], [2], [3]],
        [["n"], [4]],
    ]


@pytest.mark.parametrize("rows", [[], [["Only headings"]]])
def test_nothing_is_a_workbook_too(rows: list[list[str]]) -> None:
    assert len(read(rows)) == 1


def test_the_first_part_leaves_before_the_last_row_is_read() -> None:
    taken = []

    def rows() -> Iterator[list[int]]:
        for number in range(5_000):
            taken.append(number)
            yield [number]

    next(parts := workbook.stream(rows(), "Numbers"))

    assert len(taken) < 1_000
    parts.close()  # type: ignore[attr-defined]
