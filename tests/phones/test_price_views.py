"""The pages of a phone's prices: what is shown, set, imported, exported and asked for."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Workspace
from lib.http import NotSent
from phones import prices, services
from phones.base import Money, PhoneType, Rejected, Throttled
from phones.models import Phone
from phones.prices import table_of
from phones.types.simulator import Simulator

pytestmark = pytest.mark.django_db

EUR = "EUR"
TABLE = {"33": Money(50_000, EUR), "1": Money(7_900, "USD"), "": Money(120_000, EUR)}


@pytest.fixture
def priced(phone: Phone) -> Phone:
    prices.write(phone, TABLE)
    return phone


def at(phone: Phone, rest: str = "") -> str:
    return f"/phones/{phone.pk}/prices/{rest}"


def shown(response: Any) -> str:
    return " ".join(response.content.decode().replace("\N{NO-BREAK SPACE}", " ").split())


# ---- Looking ------------------------------------------------------------------------------------


def test_without_prices_the_page_says_what_they_are_for(as_vera: Client, phone: Phone) -> None:
    page = shown(as_vera.get(at(phone)))

    assert "No prices yet" in page
    assert "Import a price list" not in page
    assert "none yet" in shown(as_vera.get(f"/phones/{phone.pk}/"))


def test_members_see_prices_and_cannot_change_them(as_vera: Client, priced: Phone) -> None:
    page = shown(as_vera.get(at(priced)))

    for words in ("France", "+33", "0.05 EUR", "0.0079 USD", "Everything else"):
        assert words in page
    assert "Remove" not in page
    assert "Add or change a price" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fran", ["+33"]),
        ("+33", ["+33", "Everything else"]),
        ("3", ["+33", "Everything else"]),
        # A number finds the prices that it might have.
        ("+33 6 12 34 56 78", ["+33", "Everything else"]),
        ("Narnia", ["No price matches"]),
    ],
)
def test_a_search_finds_countries_prefixes_and_numbers(
    query: str, found: list[str], as_vera: Client, priced: Phone
) -> None:
    page = shown(as_vera.get(at(priced), {"q": query}))

    for words in found:
        assert words in page
    assert "United States" not in page


def test_a_long_table_comes_in_pages_and_costs_as_much_as_a_short_one(
    as_vera: Client, priced: Phone, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    as_vera.get(at(priced))
    with django_assert_num_queries(9) as queries:
        as_vera.get(at(priced))
    prices.write(priced, {str(prefix): Money(1, EUR) for prefix in range(4000, 4250)})

    with django_assert_num_queries(len(queries)):
        first = shown(as_vera.get(at(priced)))

    assert "+4090" in first
    assert "+4200" not in first
    assert "from=100" in first
    assert "+4200" in shown(as_vera.get(at(priced), {"from": "200"}))
    assert "+4090" in shown(as_vera.get(at(priced), {"from": "99999"}))


# ---- Setting ------------------------------------------------------------------------------------


def test_a_price_is_added_and_changed(as_alice: Client, phone: Phone) -> None:
    for price, amount in (("0,05", 50_000), ("0.06", 60_000)):
        answer = as_alice.post(
            at(phone, "set/"), {"where": "France", "price": price, "currency": "eur"}
        )

        assert answer.status_code == 302
        assert table_of(phone) == {"33": Money(amount, EUR)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"where": "Narnia"}, "Narnia is no country that we know"),
        ({"price": "much"}, "“much” is no price."),
        ({"currency": "€$"}, "is no currency"),
        ({"where": ""}, "This field is required."),
    ],
)
def test_a_wrong_price_is_refused_in_words(
    changes: dict[str, str], words: str, as_alice: Client, phone: Phone
) -> None:
    typed = {"where": "33", "price": "0,05", "currency": "EUR", **changes}

    answer = as_alice.post(at(phone, "set/"), typed)

    assert answer.status_code == 422
    assert words in shown(answer)
    assert table_of(phone) == {}


def test_editing_begins_with_the_price_as_it_is(as_alice: Client, priced: Phone) -> None:
    page = shown(as_alice.get(at(priced), {"where": "*"}))

    assert 'value="*"' in page
    assert 'value="0.12"' in page


def test_a_price_is_removed_and_the_others_stay(as_alice: Client, priced: Phone) -> None:
    as_alice.post(at(priced, "remove/"), {"prefix": ""})
    as_alice.post(at(priced, "remove/"), {"prefix": "49"})

    assert table_of(priced).keys() == {"1", "33"}


# ---- Files --------------------------------------------------------------------------------------


def load(client: Client, phone: Phone, content: bytes, **more: str) -> Any:
    upload = SimpleUploadedFile("prices.csv", content, "text/csv")
    return client.post(at(phone, "import/"), {"file": upload, **more})


def test_an_import_first_says_what_would_change(as_alice: Client, priced: Phone) -> None:
    answer = load(as_alice, priced, b"33;0,07;EUR\n1;0,0079;USD\nBE;0,06;EUR\nNarnia;1;EUR")

    page = shown(answer)
    assert "3 prices were read" in page
    assert "1 line cannot be read and is left out" in page
    assert "Narnia is no country that we know" in page
    assert "1 price that is not in the file is removed." in page
    assert table_of(priced) == TABLE


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_an_import_adds_or_replaces(mode: str, as_alice: Client, priced: Phone) -> None:
    answer = load(as_alice, priced, b"33;0,07;EUR\nBE;0,06;EUR")
    table = answer.context["table"]

    answer = as_alice.post(at(priced, "import/"), {"table": table, "mode": mode}, follow=True)

    assert "2 prices are imported." in shown(answer)
    imported = {"33": Money(70_000, EUR), "32": Money(60_000, EUR)}
    assert table_of(priced) == (imported if mode == "replace" else {**TABLE, **imported})


@pytest.mark.parametrize("table", ["", "Narnia;1;EUR", "33;0,07;EUR\n33;0,08;EUR"])
def test_what_came_back_changed_is_not_written(table: str, as_alice: Client, priced: Phone) -> None:
    answer = as_alice.post(at(priced, "import/"), {"table": table, "mode": "replace"})

    assert answer.status_code == 422
    assert table_of(priced) == TABLE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The submitted file is empty."),
        (b"no;table;here", "0 prices were read"),
        (b"x" * (1024 * 1024 + 1), "The file is larger than"),
    ],
)
def test_a_file_without_prices_is_refused_in_words(
    content: bytes, words: str, as_alice: Client, phone: Phone
) -> None:
    answer = load(as_alice, phone, content)

    assert answer.status_code == 422
    assert words in shown(answer)


def test_a_pasted_table_does_too_and_lines_may_leave_the_currency_to_the_form(
    as_alice: Client, phone: Phone
) -> None:
    answer = as_alice.post(at(phone, "import/"), {"pasted": "33;0,05", "currency": "EUR"})

    assert "1 price was read" in shown(answer)
    assert as_alice.post(at(phone, "import/"), {}).status_code == 422


def test_an_export_can_be_imported_again(as_vera: Client, as_alice: Client, priced: Phone) -> None:
    answer = as_vera.get(at(priced, "prices.csv"))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    page = shown(load(as_alice, priced, answer.content))
    assert "3 prices were read" in page


def test_a_table_that_is_full_takes_no_more(
    as_alice: Client, priced: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prices, "MOST", 3)
    typed = {"where": "32", "price": "1", "currency": EUR}

    for answer in (
        as_alice.post(at(priced, "set/"), typed),
        as_alice.post(at(priced, "import/"), {"table": "32;1;EUR"}),
    ):
        assert answer.status_code == 422
        assert "Nothing was changed." in shown(answer)
    assert table_of(priced) == TABLE


# ---- Asking the provider ------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Money | Exception]]:
    """What the simulator answers for each country, in turn: it has no price list of its own."""
    answers: dict[str, list[Money | Exception]] = {}

    def price_to(self: PhoneType, country: str) -> Money:
        answer = answers[country].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Simulator, "price_to", price_to)
    monkeypatch.setattr(services, "_LONGEST_PATIENCE", 0)
    return answers


def test_only_a_provider_with_a_price_list_is_asked(as_alice: Client, phone: Phone) -> None:
    assert as_alice.post(at(phone, "fetch/"), {"countries": "FR"}).status_code == 404
    assert "Fetch prices" not in shown(as_alice.get(at(phone)))


def test_what_the_provider_tells_is_added(
    as_alice: Client, priced: Phone, told: dict[str, list[Any]]
) -> None:
    told |= {"FR": [Money(70_000, EUR)], "JM": [Throttled("Too fast"), Money(210_000, "USD")]}

    answer = as_alice.post(at(priced, "fetch/"), {"countries": "France, jm, FR"}, follow=True)

    assert "A segment costs: France 0.07 EUR; Jamaica 0.21 USD." in shown(answer)
    jamaica = Money(210_000, "USD")
    assert table_of(priced) == {
        **TABLE, "33": Money(70_000, EUR), "1658": jamaica, "1876": jamaica,
    }  # fmt: skip


@pytest.mark.parametrize("error", [Rejected("No such country", "404"), NotSent("refused")])
def test_what_was_told_before_a_failure_is_kept(
    error: Exception, as_alice: Client, phone: Phone, told: dict[str, list[Any]]
) -> None:
    told |= {"FR": [Money(70_000, EUR)], "BE": [error]}

    answer = as_alice.post(at(phone, "fetch/"), {"countries": "FR, BE"}, follow=True)

    assert str(error) in shown(answer)
    assert table_of(phone) == {"33": Money(70_000, EUR)}


def test_a_country_that_no_prefix_tells_is_named(
    as_alice: Client, phone: Phone, told: dict[str, list[Any]]
) -> None:
    told |= {"GG": [Money(70_000, EUR)]}

    answer = as_alice.post(at(phone, "fetch/"), {"countries": "GG"}, follow=True)

    assert "Guernsey left out" in shown(answer)
    assert table_of(phone) == {}


@pytest.mark.parametrize(
    ("countries", "words"),
    [
        ("Narnia", "Narnia is no country that we know."),
        (",", "Name at least one country."),
        ("FR,BE,DE,ES,IT,PT,GB,IE,NL,LU,CH", "11 countries; 10 can be asked about at once."),
    ],
)
def test_a_wrong_question_is_not_asked(
    countries: str, words: str, as_alice: Client, phone: Phone, told: dict[str, list[Any]]
) -> None:
    answer = as_alice.post(at(phone, "fetch/"), {"countries": countries})

    assert answer.status_code == 422
    assert words in shown(answer)


def test_the_countries_begin_with_our_own(
    as_alice: Client, phone: Phone, workspace: Workspace, told: dict[str, list[Any]]
) -> None:
    assert 'value="France"' in shown(as_alice.get(at(phone)))
