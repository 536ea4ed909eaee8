"""Amounts of money: millionths of a currency (ISO 4217). Never floats, never converted."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from django.utils.formats import number_format

# Digits before the point; more are nonsense, and would cost minutes to compute with.
_MOST_DIGITS = 12
# Currencies whose small unit is not a hundredth: ISO 4217, list one.
_DECIMALS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    0,
) | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)


def millionths(written: object) -> int | None:
    """Read an amount such as "0.049" or 0.049; None for anything else.

    >>> millionths("-0.0075")
    -7500
    """
    try:
        amount = Decimal(str(written).strip())
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount.adjusted() >= _MOST_DIGITS:
        return None
    return int(amount.scaleb(6).to_integral_value(ROUND_HALF_UP))


def spoken(amount: int, currency: str) -> str:
    """Give an amount for the reader's language, with all its decimals: 49000 and EUR → 0.049 EUR."""
    value = Decimal(amount).scaleb(-6).normalize()
    usual = _DECIMALS.get(currency, 2)
    return _written(value, max(usual, -int(value.as_tuple().exponent)), currency)


def about(amount: int, currency: str) -> str:
    """Give an estimate, rounded to the small unit where it is at least one unit: 8526000 → 8.53 EUR."""
    if abs(amount) < 1_000_000:
        return spoken(amount, currency)
    usual = _DECIMALS.get(currency, 2)
    value = Decimal(amount).scaleb(-6).quantize(Decimal(1).scaleb(-usual), ROUND_HALF_UP)
    return _written(value, usual, currency)


def _written(value: Decimal, decimals: int, currency: str) -> str:
    number = number_format(value, decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return f"{number}\N{NO-BREAK SPACE}{currency}"
