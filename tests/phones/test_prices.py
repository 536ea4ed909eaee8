"""A price table: the longest prefix wins, and a file of it can be read whoever wrote it."""

from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from phones import price_files, prices
from phones.base import Money
from phones.models import Phone
from phones.price_files import read, write
from phones.prices import Difference, Tariff, TooMany

EUR = "EUR"
TABLES = st.dictionaries(
    st.text("0123456789", max_size=15).filter(lambda prefix: not prefix.startswith("0")),
    st.builds(
        Money,
        st.integers(0, prices.MOST_AMOUNT),
        st.text("ABCDEFGHIJKLMNOP", min_size=3, max_size=3),
    ),
    max_size=20,
)


def euros(**cents: int) -> dict[str, Money]:
    """Give {prefix: price}: _33=5 is five cents to +33, and _ everything else."""
    return {name[1:]: Money(amount * 10_000, EUR) for name, amount in cents.items()}


# ---- Looking up ---------------------------------------------------------------------------------


@given(TABLES, st.text("123", min_size=7, max_size=15))
def test_the_longest_prefix_wins(table: dict[str, Money], digits: str) -> None:
    fitting = [prefix for prefix in table if digits.startswith(prefix)]
    expected = table[max(fitting, key=len)] if fitting else None

    assert Tariff(table).price_of(f"+{digits}") == expected


def test_messages_are_added_up_by_currency_and_those_without_a_price_are_counted() -> None:
    tariff = Tariff({**euros(_33=5, _336=7), "1": Money(7_900, "USD")})

    estimate = tariff.estimate(
        [("+33612345678", 2), ("+33123456789", 1), ("+12125550123", 3), ("+4915112345678", 1)]
    )

    assert estimate.amounts == {"EUR": 190_000, "USD": 23_700}
    assert estimate.unknown == 1


def test_a_free_phone_has_a_price_too() -> None:
    assert Tariff(euros(_=0)).price_of("+33612345678") == Money(0, EUR)
    assert not Tariff({})


@pytest.mark.django_db
def test_the_table_is_read_in_one_query(phone: Phone, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    prices.write(phone, euros(_33=5, _=9))

    with django_assert_num_queries(1):
        estimate = prices.tariff_of(phone).estimate([("+33612345678", 1)] * 1000)

    assert estimate.amounts == {EUR: 50_000_000}


# ---- Writing ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_writing_adds_and_changes_and_replacing_forgets_the_rest(phone: Phone) -> None:
    prices.write(phone, euros(_33=5, _32=6))
    prices.write(phone, euros(_33=7, _44=8))
    assert prices.table_of(phone) == euros(_32=6, _33=7, _44=8)

    prices.write(phone, euros(_33=9), replace=True)
    assert prices.table_of(phone) == euros(_33=9)


@pytest.mark.django_db
def test_a_table_that_is_too_long_changes_nothing(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices.write(phone, euros(_33=5, _32=6))
    monkeypatch.setattr(prices, "MOST", 2)

    with pytest.raises(TooMany):
        prices.write(phone, euros(_33=9, _44=8))

    assert prices.table_of(phone) == euros(_33=5, _32=6)


def test_a_difference_is_told_before_anything_is_written() -> None:
    assert prices.compare(euros(_33=5, _32=6, _44=8), euros(_33=5, _32=7, _1=1)) == Difference(
        new=1, changed=1, same=1, gone=1
    )


# ---- Files --------------------------------------------------------------------------------------


@given(TABLES, st.sampled_from(["en", "fr", "es"]))
def test_what_is_exported_is_imported_as_it_was(table: dict[str, Money], language: str) -> None:
    with translation.override(language):
        sheet = read(write(table))

    assert sheet.prices == table
    assert sheet.problems == []


@given(st.text(), st.sampled_from(["", "EUR"]))
def test_no_file_breaks_the_reader(content: str, currency: str) -> None:
    for price in read(content, currency).prices.values():
        assert 0 <= price.amount <= prices.MOST_AMOUNT


@pytest.mark.parametrize(
    "content",
    [
        "33;0,05;EUR",
        "33,0.05,EUR",
        "+33\t0.05\teur",
        "33|0,05|€",
        "0033;0,05 €",
        "FR;€0.05",
        "france;0.05;EUR",
        "Francia;0,05;EUR",
        "préfixe;prix;devise\n33;0,05;EUR",
        "Country,Network,MCC,Price,Currency\nFrance,All,208,0.05,EUR",
        "currency;rate;prefix\nEUR;0,05;+33",
        "\ufeff33;0,05;EUR\r\n\r\n",
        '"33";"0,05";"EUR"',
        "33;0.05",
    ],
)
def test_a_line_is_read_as_people_write_it(content: str) -> None:
    sheet = read(content, "EUR")

    assert (sheet.prices, sheet.problems) == (euros(_33=5), [])


def test_a_country_of_several_prefixes_fills_them_all() -> None:
    assert read("JM;0,05;EUR\n*;0,09;EUR").prices == euros(_1658=5, _1876=5, _=9)


@pytest.mark.parametrize("line", ["33;$0.05;USD", "33;$0.05 USD", "33;USD 0.05;$"])
def test_a_dollar_is_the_one_that_the_line_names(line: str) -> None:
    assert read(line, "EUR").prices == {"33": Money(50_000, "USD")}


def test_a_country_one_of_whose_prefixes_has_a_price_is_left_out_whole() -> None:
    sheet = read("1876;0,06;EUR\nJM;0,09;EUR")

    assert sheet.prices == euros(_1876=6)
    [problem] = sheet.problems
    assert "JM has a price on line 1 already" in problem.why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("06;0,05;EUR", "06 is no country"),
        ("Narnia;0,05;EUR", "Narnia is no country"),
        ("GG;0,05;EUR", "No prefix tells the numbers of GG"),
        (";0,05;EUR", "names no destination"),
        ("1234567890123456;0,05;EUR", "longer than a phone number"),
        ("33;much;EUR", "“much” is no price"),
        ("33;-0,05;EUR", "“-0,05” is no price"),
        ("33;99999999;EUR", "“99999999” is no price"),
        ("33;;EUR", "“” is no price"),
        ("33;0,05;", "names no currency"),
        ("33;0,05;EURO", "“EURO” is no currency"),
        ("33;$0.05;", "“$” is no currency"),
        ("32;0,07;EUR", "32 has a price on line 1 already"),
    ],
)
def test_a_wrong_line_is_named_and_costs_the_others_nothing(line: str, why: str) -> None:
    sheet = read(f"32;0,06;EUR\n{line}\n44;0,08;EUR")

    assert sheet.prices == euros(_32=6, _44=8)
    [problem] = sheet.problems
    assert problem.line == 2
    assert why in problem.why


def test_a_file_that_is_too_long_says_where_it_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_files, "MOST", 2)

    sheet = read("33;1;EUR\n32;1;EUR\n44;1;EUR\n45;1;EUR")

    assert len(sheet.prices) == 2
    assert [problem.line for problem in sheet.problems] == [3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    content = price_files.text_of("Côte d’Ivoire;0,05 €".encode(encoding))

    assert read(content).prices == euros(_225=5)
