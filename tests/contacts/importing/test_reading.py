"""Files are read whatever wrote them; numbers survive what spreadsheets do to them."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import exporting, values
from contacts.importing import cards, guessing, numbers, reading
from contacts.importing.reading import Unreadable

FRENCH = (
    "Nom;Prénom;Téléphone;Ville\r\nBenali;Zoé;0612345678;Évian\r\nPetit;Léa;0698765432;Lyon\r\n"
)


def table(path: Path, content: bytes | str, **wished: Any) -> tuple[list[str], list[Any]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    shape = reading.shape_of(path, **wished)
    return shape.columns, list(reading.rows(path, shape))


@pytest.mark.parametrize(
    "encoded",
    [
        FRENCH.encode("utf-8"), FRENCH.encode("utf-8-sig"), FRENCH.encode("utf-16"),
        FRENCH.encode("utf-16-le"), FRENCH.encode("utf-16-be"), FRENCH.encode("cp1252"),
        FRENCH.replace(";", "\t").encode("cp1252"), FRENCH.replace(";", "|").encode(),
        FRENCH.replace("\r\n", "\n").replace(";", ",").encode(), FRENCH.replace("Zoé", '"Zoé"').encode(),
    ],
)  # fmt: skip
def test_any_encoding_and_delimiter_is_found(tmp_path: Path, encoded: bytes) -> None:
    columns, rows = table(tmp_path / "f", encoded)

    assert columns == ["Nom", "Prénom", "Téléphone", "Ville"]
    assert rows[0] == ["Benali", "Zoé", "0612345678", "Évian"]
    assert len(rows) == 2


def test_commas_and_lines_inside_quotes_stay(tmp_path: Path) -> None:
    _columns, rows = table(
        tmp_path / "f", 'Name,Notes\n"Benali, N.","two\nlines"\nOmar,"say ""hi"""\n'
    )

    assert rows == [["Benali, N.", "two\nlines"], ["Omar", 'say "hi"']]


def test_a_file_without_headings_keeps_its_first_row(tmp_path: Path) -> None:
    columns, rows = table(tmp_path / "f", "Nadia;+33612345678\nOmar;+33698765432\n")

    assert columns == ["A", "B"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x00", b"PK\x03\x04broken", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xxxx", b"[1, 2]",
                b"[{", b'{"a": ', b"sep=;\na;b"],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable):
        table(tmp_path / "f", content)


def test_a_workbook_keeps_numbers_and_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Phone", "Born"])  # type: ignore[union-attr]
    book.active.append(["Nadia", 33612345678, date(1999, 12, 31)])  # type: ignore[union-attr]
    file = io.BytesIO()
    book.save(file)

    columns, rows = table(tmp_path / "f", file.getvalue())

    assert columns == ["Name", "Phone", "Born"]
    assert rows == [["Nadia", 33612345678, date(1999, 12, 31)]]


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 20_000_000)

    with pytest.raises(Unreadable, match="too large"):
        table(tmp_path / "f", file.getvalue())


CARDS = """BEGIN:VCARD
VERSION:3.0
N:Benali;Nadia;;;
FN:Nadia Benali
TEL;TYPE=HOME:01 42 68 53 00
item1.TEL;TYPE=CELL,PREF:06 12 34 56 78
BDAY:1990-05-17
NOTE:one\\, two\\nthree and a long li
 ne
CATEGORIES:Choir,Parents
PHOTO;ENCODING=b:AAAA
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Omar
TEL;VALUE=uri;TYPE="voice,cell":tel:+33698765432
END:VCARD
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Petit;Zo=C3=A9
TEL;CELL:0611111111
END:VCARD
"""


def test_cards_of_every_age_are_read(tmp_path: Path) -> None:
    columns, rows = table(tmp_path / "f", CARDS)
    found = [dict(zip(columns, row, strict=True)) for row in rows]

    assert [(card["Name"], card["Number"]) for card in found] == [
        ("Nadia Benali", "06 12 34 56 78"),
        ("Omar", "+33698765432"),
        ("Zoé Petit", "0611111111"),
    ]
    assert found[0]["Birthday"] == "1990-05-17"
    assert found[0]["Notes"] == "one, two\nthree and a long line"
    assert found[0]["Groups"] == "Choir, Parents"


@pytest.mark.parametrize(
    "written",
    [
        '[{"name": "N", "fields": {"Town": "Lyon"}, "tags": ["a", "b"]}]',
        '{"contacts": [{"name": "N", "fields": {"Town": "Lyon"}, "tags": ["a", "b"]}]}',
        '{"name": "N", "fields": {"Town": "Lyon"}, "tags": ["a", "b"]}\n',
    ],
)
def test_json_is_read_as_list_as_object_and_as_lines(tmp_path: Path, written: str) -> None:
    columns, rows = table(tmp_path / "f", written)

    assert columns == ["name", "fields.Town", "tags"]
    assert rows == [["N", "Lyon", "a, b"]]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("06 12 34 56 78", "+33612345678"), ("612345678", "+33612345678"), (612345678, "+33612345678"),
        (33612345678.0, "+33612345678"), ("33612345678", "+33612345678"), ("'+33612345678", "+33612345678"),
        ("33612345678.0", "+33612345678"), ("3.3612345678E+10", "+33612345678"),
        ("3,3612345678E+10", "+33612345678"), ("447911123456", "+447911123456"),
        ("0033612345678", "+33612345678"), ("Nadia <+33 6 12 34 56 78>", "+33612345678"),
    ],
)  # fmt: skip
def test_numbers_survive_spreadsheets(cell: Any, number: str) -> None:
    assert numbers.read(cell, "FR")[0] == number


@pytest.mark.parametrize(
    "cell", ["", None, True, "3.3612E+10", "3,36E+10", "Nadia", "12", "0612345678/0698765432"]
)
def test_a_number_that_is_lost_is_not_made_up(cell: Any) -> None:
    with pytest.raises(numbers.Unusable):
        numbers.read(cell, "FR")


def test_columns_are_guessed_by_heading_and_content() -> None:
    columns = [
        "Nom",
        "Prénom",
        "Portable",
        "Date de naissance",
        "Membre",
        "Code",
        "Montant",
        "ID",
        "Q",
    ]
    sample: list[Any] = [
        ["Benali", "Zoé", "0612345678", "31/12/1999", "oui", "01234", "12,50", "7", ""],
        ["Petit", "Léa", "0698765432", "01/02/1988", "non", "09999", "3", "8", ""],
    ]
    found = guessing.mapping(columns, sample, [], "FR")

    assert found == [
        "last_name", "first_name", "number", "new:date", "new:yes_no", "new:text", "new:number", "", "",
    ]  # fmt: skip
    assert guessing.mapping(["A", "B"], [["Nadia", "0612345678"]], [], "FR") == ["", "number"]


def test_the_order_of_day_and_month_follows_the_file() -> None:
    assert guessing.month_first([["12/31/1999"]], "FR")
    assert not guessing.month_first([["31/12/1999"]], "US")
    assert guessing.month_first([["1/2/1999"]], "US")


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("number", "1 234,50", 1234.5), ("number", "1,234.5", 1234.5), ("number", "1.234,5", 1234.5),
        ("number", "12", 12), ("date", "31/12/1999", "1999-12-31"), ("date", "1999-12-31", "1999-12-31"),
        ("date", "12/31/1999", "1999-12-31"), ("date", "31.12.99", "1999-12-31"),
        ("date", "1999-12-31T10:00:00Z", "1999-12-31"), ("yes_no", "Oui", True), ("yes_no", 0.0, False),
        ("text", 3.0, "3"), ("text", "  ", None),
    ],
)  # fmt: skip
def test_values_are_read_by_their_type(type_: str, written: Any, value: Any) -> None:
    assert values.read(type_, written) == value


@pytest.mark.parametrize(
    ("type_", "written"),
    [("number", "NaN"), ("number", "1e400"), ("number", "x"), ("date", "31/31/1999"), ("date", "2026-02-30"),
     ("date", "soon"), ("yes_no", "perhaps"), ("text", "x" * 2000), ("number", "٣")],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(type_: str, written: str) -> None:
    with pytest.raises(values.Wrong):
        values.read(type_, written)


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert exporting.safe(cell) == f"'{cell}"


def test_a_number_stays_as_it_is() -> None:
    assert exporting.safe("+33612345678") == "+33612345678"
    assert exporting.safe(-3) == -3


@given(st.binary(max_size=300))
def test_nothing_breaks_the_reader(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("f") / "f"
    with suppress(Unreadable):
        table(path, content)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=12))
def test_no_card_breaks_the_reader(lines: list[str]) -> None:
    for row in cards.rows(["BEGIN:VCARD", *lines, "END:VCARD"]):
        assert len(row) == len(cards.HEADINGS)


_SCALARS = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@given(
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_json_breaks_the_reader(tmp_path_factory: Any, thing: Any) -> None:
    path = tmp_path_factory.mktemp("f") / "f"
    with suppress(Unreadable):
        table(path, json.dumps([thing, {"a": thing}]))
