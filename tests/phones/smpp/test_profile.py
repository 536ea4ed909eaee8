"""What the settings of a phone become on the air."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phones.smpp import pdu
from phones.smpp.profile import Profile, address_of, profile_of, read_tlvs, relative
from phones.smpp.receipts import Habits


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("", (0, 0, "")),
        ("+33612345678", (1, 1, "33612345678")),
        ("33612345678", (1, 1, "33612345678")),
        ("+33 6 12-34.56(78)", (1, 1, "33612345678")),
        ("0033612345678", (1, 1, "33612345678")),
        ("+36123", (1, 1, "36123")),
        ("0612345678", (2, 1, "0612345678")),
        ("123", (3, 0, "123")),
        ("36 123", (3, 0, "36123")),
        ("12345678", (3, 0, "12345678")),
        ("123456789", (1, 1, "123456789")),
        ("ACME", (5, 0, "ACME")),
        ("3 Suisses", (5, 0, "3 Suisses")),
        ("Été 2026", (5, 0, "Été 2026")),
        ("١٢٣٤٥", (5, 0, "١٢٣٤٥")),
        ("-", (5, 0, "-")),
    ],
)
def test_type_and_plan_are_found_by_the_form_of_a_sender(
    sender: str, address: tuple[int, int, str]
) -> None:
    assert address_of(sender) == address


def test_an_operator_may_want_another_type_and_plan() -> None:
    assert address_of("36123", 6, 0) == (6, 0, "36123")
    assert address_of("36123", 0, 1) == (0, 1, "36123")
    assert address_of("+33612345678", None, 8) == (1, 8, "33612345678")
    assert address_of("36 123", 5) == (5, 0, "36 123")


@pytest.mark.parametrize(
    ("minutes", "written"),
    [
        (1, "000000000100000R"),
        (60, "000000010000000R"),
        (60 * 24, "000001000000000R"),
        (60 * 24 * 30, "000100000000000R"),
        (90, "000000013000000R"),
    ],
)
def test_a_validity_is_counted_from_the_server(minutes: int, written: str) -> None:
    assert relative(minutes) == written


@given(st.integers(1, 60 * 24 * 30))
def test_a_validity_always_has_sixteen_characters(minutes: int) -> None:
    assert len(relative(minutes)) == 16


@pytest.mark.parametrize(
    ("lines", "octets"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("0x1400 = text: 1101", "14000004 31313031"),
        ("0x1400 = cstring: 1101", "14000005 3131303100"),
        ("5120: hex: 0A ff", "14000002 0AFF"),
        ("05120 = int1 = 7", "14000001 07"),
        ("0x1400 = int2: 0x0102", "14000002 0102"),
        ("0x1400 = int4: 7", "14000004 00000007"),
        ("0x1400 = text:", "14000000"),
        ("0x1400 = text: é", "14000001 E9"),
        ("0x1400 = text: a\n0x1401 = text: b", "14000001 61 14010001 62"),
        ("0x1400 = text: a = b: c", "14000008 61203D20623A2063"),
    ],
)
def test_further_parameters_are_written_as_said(lines: str, octets: str) -> None:
    assert read_tlvs(lines) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    "line",
    ["0x1400", "0x1400 = 7", "99999 = text: a", "0x1400 = int1: 256", "0x1400 = int1: -1",
     "0x1400 = int2: x", "0x1400 = hex: 0", "0x1400 = text: 日", "x = text: a"],
)  # fmt: skip
def test_a_parameter_that_cannot_be_is_named(line: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_tlvs(f"0x1400 = text: fine\n {line}\n")

    assert str(caught.value) == line


def test_numbers_leave_with_or_without_their_plus() -> None:
    assert Profile("h", 1, "u", "p").written("+33612345678") == "33612345678"
    assert Profile("h", 1, "u", "p", plus=True).written("+33612345678") == "+33612345678"


def test_a_pair_has_two_connections_for_each_bind() -> None:
    assert Profile("h", 1, "u", "p", binds=2).roles == ["transceiver"] * 2
    assert Profile("h", 1, "u", "p", pair=True).roles == ["transmitter", "receiver"]
    assert set(Profile("h", 1, "u", "p", pair=True, binds=2).roles) <= set(pdu.BINDS)


def test_a_phone_with_hardly_any_settings_has_sensible_ones() -> None:
    profile = profile_of({"host": "smsc.example.org", "system_id": "u", "password": "p"})

    assert profile == Profile(
        "smsc.example.org", 2775, "u", "p", habits=Habits(zone=ZoneInfo("UTC"))
    )


def test_the_longest_pause_is_no_shorter_than_the_first() -> None:
    assert profile_of({"first_pause": 90, "longest_pause": 60}).longest_pause == 90
