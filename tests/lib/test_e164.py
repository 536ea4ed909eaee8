"""Numbers are found however they are written, and nobody's number is guessed."""

from __future__ import annotations

import time

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.e164 import Invalid, international, normal, parse, read, spoken

NADIA = "+33612345678"
OMAR = "+33698765432"
SUE = "+447911123456"


@pytest.mark.parametrize(
    "written",
    [
        "0612345678",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "06-12-34-56-78",
        "06/12/34/56/78",
        "06_12_34_56_78",
        "(06) 12-34-56-78",
        "06\u00a012\u00a034\u00a056\u00a078",
        "06\u202f12\u202f34\u202f56\u202f78",
        "06\u201112\u201134\u201156\u201178",
        "06 - 12 - 34 - 56 - 78",
        "+33612345678",
        "+33 6 12 34 56 78",
        "+33 (0)6 12 34 56 78",
        "+33(0)612345678",
        "(+33) 6 12 34 56 78",
        "(+33)(0)6 12 34 56 78",
        "0033 6 12 34 56 78",
        "00 33 6 12 34 56 78",
        "0033612345678",
        "33612345678",
        "＋33612345678",
        "tel:+33612345678",
        "tel:06-12-34-56-78",
        "sms:0612345678",
        "  0612345678.  ",
        "\u202a+33 6 12 34 56 78\u202c",
        "\u2066+33 6 12 34 56 78\u2069",
        "\ufeff0612345678",
        "٠٦١٢٣٤٥٦٧٨",
        "+٣٣٦١٢٣٤٥٦٧٨",
        "०६१२३४५६७८",
        "０６１２３４５６７８",
        "Nadia: 06 12 34 56 78",
        "Nadia <+33 6 12 34 56 78>",
        "Jean-Pierre d'Été (mobile) +33 6 12 34 56 78",
        "06 12 34 56 78 Nadia",
    ],
)
def test_a_number_is_read_in_any_usual_form(written: str) -> None:
    assert parse(written, "FR") == NADIA
    assert read(written, "FR").numbers == (NADIA,)
    assert read(written, "FR").invalid == ()


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        pytest.param("07911 123456", "GB", SUE, id="Britain"),
        pytest.param("+44 (0)7911 123456", "FR", SUE, id="from abroad"),
        pytest.param("011 33 6 12 34 56 78", "US", NADIA, id="dialled from America"),
        pytest.param("(212) 555-0100", "US", "+12125550100", id="America"),
        pytest.param("06 1234 5678", "IT", "+390612345678", id="Italy keeps its zero"),
        pytest.param("+39 (0)6 1234 5678", "FR", "+390612345678", id="even in brackets"),
        pytest.param("06 20 123 4567", "HU", "+36201234567", id="Hungary, 06 in front"),
        pytest.param("8 912 345 67 89", "RU", "+79123456789", id="Russia, 8 in front"),
        pytest.param("0612345678", "fr", NADIA, id="country in small letters"),
    ],
)
def test_national_numbers_are_read_by_the_country(written: str, country: str, number: str) -> None:
    assert parse(written, country) == number


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param("0612", "too_short", id="too short"),
        pytest.param("5", "too_short", id="one digit"),
        pytest.param("+33", "too_short", id="a country only"),
        pytest.param("112", "too_short", id="emergency call"),
        pytest.param("06123456789", "too_long", id="one digit too many"),
        pytest.param("0612345678" * 40, "too_long", id="endless"),
        pytest.param("+999123456789", "country", id="no such country"),
        pytest.param("Nadia", "not_a_number", id="a name"),
        pytest.param("1-800-FLOWERS", "too_short", id="letters for digits"),
        pytest.param("O6 12 34 56 78", "not_a_number", id="letter O for the zero"),
        pytest.param("06 12 34 56 7O", "not_a_number", id="letter O at the end"),
        pytest.param("0612345678x12", "not_a_number", id="extension"),
        pytest.param("06 12 34 56 06 98 76 54 32", "too_long", id="two digits forgotten"),
    ],
)
def test_what_is_no_number_is_named_with_the_reason(written: str, why: str) -> None:
    reading = read(written, "FR")

    assert reading.numbers == ()
    assert [invalid.why for invalid in reading.invalid] == [why]
    assert reading.invalid[0].written.rstrip("…") in written
    assert len(reading.invalid[0].written) <= 61
    with pytest.raises(Invalid):
        parse(written, "FR")


@pytest.mark.parametrize("nothing", ["", " ", ",;\n", " - ", "\u202a\u202c"], ids=ascii)
def test_nothing_is_no_mistake_in_a_list_and_no_number_alone(nothing: str) -> None:
    assert read(nothing, "FR") == read("", "FR")
    with pytest.raises(Invalid):
        parse(nothing, "FR")


def test_two_numbers_are_not_one() -> None:
    with pytest.raises(Invalid):
        parse("0612345678, 0698765432", "FR")


@pytest.mark.parametrize(
    "pasted",
    [
        "0612345678,0698765432,+447911123456",
        "0612345678;0698765432;+447911123456",
        "06 12 34 56 78\n06 98 76 54 32\r\n+44 7911 123456\n",
        "0612345678\t0698765432\t+447911123456",
        "0612345678 | 0698765432 | +447911123456",
        "0612345678 0698765432 +447911123456",
        "06 12 34 56 78 06 98 76 54 32 +44 7911 123456",
        "06 12 34 56 78 0698765432 +447911123456",
        "06 12 34 56 78   06 98 76 54 32   +447911123456",
        "06 12 34 56 78 - 06 98 76 54 32 - +44 7911 123456",
        "06 12 34 56 78 / 06 98 76 54 32 / +44 7911 123456",
        "06.12.34.56.78/06.98.76.54.32/+44.7911.123456",
        "0612345678-0698765432-+447911123456",
        "0612345678/0698765432/+447911123456",
        "+33612345678+33698765432+447911123456",
        "0033 6 12 34 56 78 0033 6 98 76 54 32 0044 7911 123456",
        "(+33) 6 12 34 56 78 (+33) 6 98 76 54 32 (+44) 7911 123456",
        "Nadia 06 12 34 56 78 Omar 06 98 76 54 32 Sue +44 7911 123456",
        "Nadia <+33612345678>, Omar <+33698765432>, Sue <+447911123456>",
        '"Nadia" <0612345678>; "Omar" <0698765432>; "Sue" <00447911123456>',
        "tel:+33612345678, tel:+33698765432, tel:+447911123456",
        "0612345678، 0698765432؛ +447911123456",
    ],
)
def test_several_are_found_however_they_are_separated(pasted: str) -> None:
    reading = read(pasted, "FR")

    assert reading.numbers == (NADIA, OMAR, SUE)
    assert reading.invalid == ()


def test_two_short_numbers_where_numbers_can_be_long_are_two() -> None:
    reading = read("030 12345 / 030 12346, 03023456 03023457", "DE")

    assert reading.numbers == ("+493012345", "+493012346", "+493023456", "+493023457")


def test_a_list_that_can_be_read_in_two_ways_is_refused_rather_than_guessed() -> None:
    reading = read("030 1234 567 030 7654 321", "DE")

    assert reading.numbers == ()
    assert len(reading.invalid) == 1


def test_one_bad_number_does_not_spoil_the_others() -> None:
    reading = read("0612345678, 12, 99999999 0698765432\n+447911123456", "FR")

    assert reading.numbers == (NADIA, OMAR, SUE)
    assert [(invalid.written, invalid.why) for invalid in reading.invalid] == [
        ("12", "too_short"),
        ("99999999", "too_short"),
    ]


def test_a_name_among_numbers_is_not_passed_over_in_silence() -> None:
    reading = read("0612345678, Omar, +447911123456", "FR")

    assert reading.numbers == (NADIA, SUE)
    assert [(invalid.written, invalid.why) for invalid in reading.invalid] == [
        ("Omar", "not_a_number")
    ]


def test_a_number_written_twice_is_kept_once_and_named() -> None:
    reading = read("0612345678, +33698765432, +33 6 12 34 56 78", "FR")

    assert reading.numbers == (NADIA, OMAR)
    assert reading.repeated == (NADIA,)


def test_a_range_that_we_do_not_know_yet_is_doubted_not_refused() -> None:
    reading = read("+33700000000, 0612345678, 0700000000", "FR")

    assert reading.numbers == ("+33700000000", NADIA)
    assert reading.doubtful == ("+33700000000",)
    assert reading.invalid == ()
    assert parse("07 00 00 00 00", "FR") == "+33700000000"


COUNTRIES = ["FR", "GB", "US", "DE", "ES", "IT", "BE", "CH", "IN", "BR", "MA", "SN", "JP", "HU"]
FORMATS = [
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
    phonenumbers.PhoneNumberFormat.RFC3966,
]


@st.composite
def numbers_of(draw: st.DrawFn, country: str) -> phonenumbers.PhoneNumber:
    """Give a number in a known range: an example of the library with other last digits."""
    mobile = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(country, mobile)
    assert example is not None
    number = phonenumbers.PhoneNumber()
    number.merge_from(example)
    known = example.national_number
    assert known is not None
    number.national_number = known // 1000 * 1000 + draw(st.integers(0, 999))
    return number if phonenumbers.is_valid_number(number) else example


@st.composite
def lists_of_numbers(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    country = draw(st.sampled_from(COUNTRIES))
    numbers = draw(st.lists(numbers_of(country), min_size=1, max_size=8))
    separator = draw(st.sampled_from([", ", ",", ";", "\n", "\r\n", "\t", " ; ", "\n\n"]))
    written = [
        phonenumbers.format_number(number, draw(st.sampled_from(FORMATS))) for number in numbers
    ]
    e164 = [phonenumbers.format_number(number, FORMATS[0]) for number in numbers]
    return country, separator.join(written), e164


@given(lists_of_numbers())
def test_numbers_written_in_any_format_are_read_back_in_order(
    case: tuple[str, str, list[str]],
) -> None:
    country, pasted, numbers = case

    reading = read(pasted, country)

    assert list(reading.numbers) == list(dict.fromkeys(numbers))
    assert len(reading.repeated) == len(numbers) - len(reading.numbers)
    assert reading.invalid == ()
    assert reading.doubtful == ()


@given(st.lists(numbers_of("FR"), min_size=1, max_size=12), st.data())
def test_national_numbers_separated_by_spaces_only_are_told_apart(
    numbers: list[phonenumbers.PhoneNumber], data: st.DataObject
) -> None:
    written = [
        phonenumbers.format_number(number, data.draw(st.sampled_from(FORMATS[:3])))
        for number in numbers
    ]

    reading = read(" ".join(written), "FR")

    expected = [phonenumbers.format_number(number, FORMATS[0]) for number in numbers]
    assert list(reading.numbers) == list(dict.fromkeys(expected))
    assert reading.invalid == ()


@given(
    st.text(max_size=200) | st.text(st.sampled_from("0123456789+()-/. ,;\nax٣\u202a"), max_size=80),
    st.sampled_from(["FR", "DE", "US", "XX", ""]),
)
def test_no_text_is_too_strange_to_read(text: str, country: str) -> None:
    reading = read(text, country)

    for number in reading.numbers:
        assert number.startswith("+")
        assert number[1:].isascii()
        assert number[1:].isdigit()
        assert 7 <= len(number) - 1 <= 15
        assert parse(number, country) == number
    assert len(set(reading.numbers)) == len(reading.numbers)
    assert set(reading.doubtful) <= set(reading.numbers)
    assert {invalid.why for invalid in reading.invalid} <= {
        "too_short",
        "too_long",
        "country",
        "not_a_number",
    }
    spoken(text)
    normal(text, country)


@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param(
            "\n".join(f"06 {i // 100 % 100:02d} {i % 100:02d} 56 78" for i in range(5_000)),
            id="lines",
        ),
        pytest.param(" ".join(f"0612{i:06d}" for i in range(5_000)), id="one line"),
        pytest.param("1" * 300_000, id="digits"),
        pytest.param("1 " * 20_000, id="single digits"),
        pytest.param("+" * 300_000, id="pluses"),
        pytest.param("(" * 300_000 + "1", id="brackets"),
        pytest.param(" -" * 150_000 + "1", id="dashes"),
        pytest.param(" " * 300_000 + "1", id="spaces"),
        pytest.param("a" * 300_000 + "1", id="letters"),
    ],
)
def test_long_pastes_take_no_longer_than_their_length(pasted: str) -> None:
    start = time.perf_counter()

    read(pasted, "FR")

    # Far above what it takes; far below what anything quadratic would.
    assert time.perf_counter() - start < 5


def test_numbers_are_spoken_with_their_spaces() -> None:
    assert spoken(NADIA) == "+33 6 12 34 56 78"


@pytest.mark.parametrize("text", ["Nadia", "38600", "", "+", "+999"])
def test_what_is_no_number_is_spoken_as_it_is(text: str) -> None:
    assert spoken(text) == text


@pytest.mark.parametrize(
    ("address", "country", "stored"),
    [
        pytest.param("06 12 34 56 78", "FR", NADIA, id="national number"),
        pytest.param("+33612345678", "US", NADIA, id="international number"),
        pytest.param("+33700000000", "FR", "+33700000000", id="number in an unknown range"),
        pytest.param("38600", "FR", "38600", id="short code"),
        pytest.param("72345", "DE", "72345", id="short code where numbers may be short"),
        pytest.param(" INFO ", "FR", "INFO", id="name"),
        pytest.param("SHOP0612345678", "FR", "SHOP0612345678", id="name with digits"),
        pytest.param("Shop 0612345678", "FR", "Shop 0612345678", id="name and number"),
    ],
)
def test_senders_keep_their_names_and_short_codes(address: str, country: str, stored: str) -> None:
    assert normal(address, country) == stored


@pytest.mark.parametrize("written", ["06 98 76 54 3", "069876543", "(0)6 98 76 54 3"])
def test_a_number_that_lacks_a_digit_is_not_another_number(written: str) -> None:
    reading = read(written, "FR")

    assert reading.numbers == ()
    assert [error.why for error in reading.invalid] == ["too_short"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("33612345678", "+33612345678"),
        ("+33612345678", "+33612345678"),
        (" 33612345678 ", "+33612345678"),
        ("36105", "36105"),
        ("Banque", "Banque"),
        ("", ""),
    ],
)
def test_digits_that_begin_with_a_country_need_no_plus(written: str, read: str) -> None:
    assert international(written) == read
