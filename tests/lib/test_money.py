"""Amounts are read and written without losing a millionth."""

from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from lib import money

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("0.049", 49_000),
        (0.0333, 33_300),
        (" 12 ", 12_000_000),
        ("-0.0075", -7_500),
        ("0.0000005", 1),
        (None, None),
        ("", None),
        ("much", None),
        ("NaN", None),
        ("Infinity", None),
        # Written out, it would have a billion digits.
        ("1e999999999", None),
        ({}, None),
    ],
)
def test_an_amount_is_read(written: object, amount: int | None) -> None:
    assert money.millionths(written) == amount


@given(st.integers(0, 10**15))
def test_what_is_written_says_the_very_amount(amount: int) -> None:
    with translation.override("en"):
        written = money.spoken(amount, "EUR")

    assert money.millionths(written.removesuffix(f"{NBSP}EUR").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "language", "words"),
    [
        (49_000, "EUR", "en", f"0.049{NBSP}EUR"),
        (49_000, "EUR", "fr", f"0,049{NBSP}EUR"),
        (5_000_000, "EUR", "en", f"5.00{NBSP}EUR"),
        (5_000_000, "JPY", "en", f"5{NBSP}JPY"),
        (7_500_000, "JPY", "en", f"7.5{NBSP}JPY"),
        (5_000_000, "KWD", "en", f"5.000{NBSP}KWD"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency_and_all_of_its_own(
    amount: int, currency: str, language: str, words: str
) -> None:
    with translation.override(language):
        assert money.spoken(amount, currency) == words


def test_an_estimate_is_rounded_where_fractions_of_a_cent_say_nothing() -> None:
    assert money.about(8_526_000, "EUR") == f"8.53{NBSP}EUR"
    assert money.about(1_500_000, "JPY") == f"2{NBSP}JPY"
    assert money.about(7_900, "USD") == f"0.0079{NBSP}USD"
