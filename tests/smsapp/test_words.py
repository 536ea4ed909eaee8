"""How numbers, times, money and states are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.template import engines
from django.utils import timezone, translation

from messaging.models import Status
from phones.models import Phone
from smsapp.templatetags import words

NOW = datetime(2025, 11, 20, 9, 42, 7, tzinfo=UTC)


def drawn(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context).strip()


def test_a_number_is_shown_as_people_read_it() -> None:
    assert words.spoken("+33612345678") == '<bdi class="num">+33 6 12 34 56 78</bdi>'


def test_a_name_as_sender_is_shown_as_it_is_and_escaped() -> None:
    assert words.spoken("<Clinic>") == '<bdi class="num">&lt;Clinic&gt;</bdi>'


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=-4), "4 s ago"),
        (timedelta(minutes=-3, seconds=-40), "3 min ago"),
        (timedelta(hours=-2, minutes=-59), "2 h ago"),
        (timedelta(days=-1), "1 day ago"),
        (timedelta(days=-6), "6 days ago"),
        (timedelta(days=-18), "2 Nov"),
        (timedelta(days=-400), "16 Oct 2024"),
        (timedelta(minutes=5), "in 5 min"),
        (timedelta(days=2), "in 2 days"),
    ],
    ids=str,
)
@time_machine.travel(NOW, tick=False)
def test_a_distance_in_time_is_said_in_its_own_unit(gap: timedelta, said: str) -> None:
    assert f">{said}</time>" in words.ago(NOW + gap)


@time_machine.travel(NOW, tick=False)
def test_the_exact_time_is_there_on_hover_in_the_readers_zone() -> None:
    with timezone.override(ZoneInfo("Europe/Paris")):
        shown = words.ago(NOW - timedelta(minutes=3))

    assert 'title="Thu 20 Nov 2025, 10:39:07"' in shown
    assert 'datetime="2025-11-20T09:39:07+00:00"' in shown


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(hours=6), "today 15:42"),
        (timedelta(days=1), "Fri 09:42"),
        (timedelta(days=15), "5 Dec 09:42"),
    ],
    ids=["today", "this week", "later"],
)
@time_machine.travel(NOW, tick=False)
def test_a_time_to_come_is_said_by_day_and_hour(gap: timedelta, said: str) -> None:
    assert f">{said}</time>" in words.soon(NOW + gap)


@pytest.mark.parametrize("draw", [words.ago, words.exact, words.day], ids=lambda f: f.__name__)
def test_no_time_shows_nothing(draw: object) -> None:
    assert draw(None) == ""  # type: ignore[operator]


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (75_000, "0.075 EUR"),
        (7_900, "0.0079 EUR"),
        (12_500_000, "12.50 EUR"),
        (1_234_000_000, "1,234.00 EUR"),
        (0, "0.00 EUR"),
        (-50_000, "-0.05 EUR"),
        (None, ""),
    ],
    ids=str,
)
def test_money_shows_all_its_digits_and_two_at_least(amount: int | None, said: str) -> None:
    assert words.money(amount, "EUR").replace("\N{NO-BREAK SPACE}", " ") == said


def test_money_follows_the_readers_language() -> None:
    with translation.override("fr"):
        assert words.money(75_000, "EUR") == "0,075\N{NO-BREAK SPACE}EUR"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Les Tilleuls", "LT"), ("clinic", "C"), ("Alice M. Martin", "AM"), ("- & -", "?"), ("", "?")],
    ids=str,
)
def test_a_monogram_has_two_letters_at_most(name: str, letters: str) -> None:
    assert words.monogram(name) == letters


@pytest.mark.parametrize("status", Status.values)
def test_every_status_has_an_icon_and_a_word(status: str) -> None:
    shown = drawn("{% chip status %}", status=status)

    assert "<use href=" in shown
    assert str(Status(status).label) in shown


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.SKIPPED])
def test_what_will_not_be_sent_is_struck(status: str) -> None:
    assert "is-struck" in drawn("{% chip status %}", status=status)


@pytest.mark.parametrize(
    ("phone", "slow", "word"),
    [
        (Phone(type="simulator"), False, "Ready"),
        (Phone(type="simulator"), True, "Slowed down"),
        (Phone(type="fax"), True, "Out of order"),
        (Phone(type="simulator", paused_at=NOW), True, "Paused"),
        (Phone(type="simulator", paused_at=NOW, deleted_at=NOW), False, "Deleted"),
    ],
    ids=["ready", "slow", "type gone", "paused", "deleted"],
)
def test_a_phones_chip_says_its_worst_news(phone: Phone, slow: bool, word: str) -> None:
    assert f">{word}<" in drawn("{% phone_chip phone slow %}", phone=phone, slow=slow)


def test_a_phone_that_is_used_up_is_not_called_ready() -> None:
    full = drawn("{% phone_chip phone slow rests full %}", phone=Phone(type="simulator"), full=True)

    assert ">Limit reached<" in full


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (50.0, "50"),
        (2.5, "2.5"),
        (0.25, "0.25"),
        (1200, "1,200"),
        (100.0, "100"),
        (48.96, "49"),
        (17.52, "17.5"),
    ],
)
def test_a_number_has_the_decimals_it_needs(number: float, shown: str) -> None:
    assert words.figure(number) == shown


@pytest.mark.parametrize(
    ("language", "shown"), [("en", "20 Nov"), ("fr", "20 nov."), ("es", "20 nov")]
)
def test_a_short_day_is_written_as_its_language_writes_it(language: str, shown: str) -> None:
    with translation.override(language):
        assert words.short_day(NOW) == shown


def test_an_icon_is_silent_for_screen_readers() -> None:
    assert drawn('{% icon "check" 16 "t-green" %}') == (
        '<svg class="icon icon-16 t-green" aria-hidden="true">'
        '<use href="/static/icons.svg#check"/></svg>'
    )
