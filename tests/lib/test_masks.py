"""What is seen of a number that is hidden, and that its mark gives it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import e164, masks
from lib.masks import Eyes

HIDDEN = Eyes(workspace=7, is_hidden=True)
NUMBER = "+33647382956"

mobiles = st.integers(min_value=600_000_000, max_value=799_999_999).map(lambda rest: f"+33{rest}")
abroad = st.tuples(
    st.sampled_from(["+1202", "+4479", "+4915", "+861", "+2901"]), st.integers(0, 10**7)
)
numbers = mobiles | abroad.map(lambda parts: f"{parts[0]}{parts[1]:07d}")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (NUMBER, "+33 6 •• •• •• 56"),
        ("+12025557391", "+1 •••-•••-••91"),
        ("+447911123456", "+44 •••• ••••56"),
        ("+999123456789", "+9 •••••••••89"),
        ("0647382956", "••••56"),
        ("36105", "36105"),
        ("Bank", "Bank"),
        ("", ""),
    ],
)
def test_the_country_and_the_last_two_digits_are_seen(number: str, shown: str) -> None:
    with masks.looking(HIDDEN):
        assert masks.shown(number) == shown
    assert masks.shown(number) == e164.spoken(number)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("Not for +33 6 47 38 29 56.", "Not for ••••56."),
        ('{"to":"33647382956"}', '{"to":"••••56"}'),
        ("06.47.38.29.56 (code 1701)", "••••56 (code 1701)"),
        ("Error 30007", "Error 30007"),
    ],
)
def test_numbers_are_hidden_in_what_others_say(words: str, left: str) -> None:
    with masks.looking(HIDDEN):
        assert masks.said(words) == left
    assert masks.said(words) == words


@given(st.lists(numbers, min_size=1, max_size=5), st.sampled_from(["\n", ", ", " ", "; "]))
def test_what_a_field_shows_is_read_as_the_same_numbers(found: list[str], between: str) -> None:
    with masks.looking(HIDDEN):
        field = between.join(map(masks.written, found))
        # With one that somebody types before and behind them.
        typed = f"{NUMBER}{between}{field}{between}{NUMBER}"
        assert masks.opened(typed) == between.join([NUMBER, *found, NUMBER])
        assert masks.echoed(field) == field


@given(numbers)
def test_a_mark_is_worth_nothing_elsewhere(number: str) -> None:
    with masks.looking(HIDDEN):
        mark = masks.mark(number)
    with masks.looking(Eyes(workspace=7)):
        assert masks.opened(mark) == number
    with masks.looking(Eyes(workspace=8)):
        assert masks.opened(mark) == mark
    assert masks.opened(mark) == mark


@given(st.text(max_size=200))
def test_whatever_is_typed_is_left_alone(text: str) -> None:
    with masks.looking(HIDDEN):
        assert masks.opened(text) == text
        assert masks.opened(f"~{text}") == f"~{text}"


def test_marks_outlive_the_key_that_made_them(settings) -> None:
    settings.SECRET_KEY = "old"
    with masks.looking(HIDDEN):
        mark = masks.mark(NUMBER)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
        assert masks.opened(mark) == NUMBER
        assert masks.mark(NUMBER) != mark


def test_nothing_is_hidden_from_those_who_see_numbers() -> None:
    with masks.looking(Eyes(workspace=7)):
        assert masks.mark(NUMBER) == NUMBER
        assert masks.written(NUMBER) == "+33 6 47 38 29 56"
        assert masks.plain(NUMBER) == NUMBER


def test_what_is_made_while_it_is_sent_is_made_for_the_same_eyes() -> None:
    parts = (masks.plain(number).encode() for number in (NUMBER, NUMBER))

    assert list(masks.under(HIDDEN, parts)) == ["+33 6 •• •• •• 56".encode()] * 2
    assert not masks.hiding()
