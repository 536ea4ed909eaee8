"""Providers that call nobody back are asked: in time, once, and without losing their news."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from lib.http import NotSent
from messaging import polling, receiving
from messaging.models import Message, Status
from phones.base import Delivery, IncomingSms, Misconfigured, Polled, StatusReport
from phones.models import Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(scripted: Any) -> list[tuple[str, list[str]]]:
    return scripted.asked


def test_news_are_stored_and_the_place_is_kept(line: Phone, scripted: Any) -> None:
    scripted.polls = [Polled((IncomingSms(number(1), "Yes", "IN1"),), "p2")]

    polling.poll(line.pk)

    line.refresh_from_db()
    assert Message.objects.get().text == "Yes"
    assert line.poll_cursor == "p2"
    assert line.polled_at is not None


def test_the_next_look_goes_on_where_the_last_one_ended(
    line: Phone, scripted: Any, asked: list[tuple[str, list[str]]]
) -> None:
    scripted.polls = [Polled(cursor="p2"), Polled(cursor="p3")]

    polling.poll(line.pk)
    Phone.objects.update(polled_at=timezone.now() - timedelta(hours=1))
    polling.poll(line.pk)

    assert [cursor for cursor, _ in asked] == ["", "p2"]


def test_it_is_asked_about_messages_on_their_way(
    line: Phone, scripted: Any, write: Any, send: Any, asked: list[tuple[str, list[str]]]
) -> None:
    (message,) = write()
    send()
    scripted.polls = [Polled((StatusReport(Delivery.DELIVERED, f"id-{message.pk}"),))]

    polling.poll(line.pk)

    assert asked == [("", [f"id-{message.pk}"])]
    assert states(message) == [Status.DELIVERED]


def test_a_message_is_not_asked_about_while_its_report_may_still_come(
    line: Phone, scripted: Any, write: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ask_after", 600)
    (message,) = write()
    send()

    early = polling.pending(line)
    Message.objects.update(sent_at=timezone.now() - timedelta(seconds=601))
    late = polling.pending(line)

    assert (early, late) == ([], [f"id-{message.pk}"])


def test_two_looks_at_the_same_time_are_one(line: Phone, scripted: Any, asked: list[Any]) -> None:
    scripted.polls = [Polled(), Polled()]

    polling.poll(line.pk)
    polling.poll(line.pk)

    assert len(asked) == 1


@pytest.mark.parametrize("error", [NotSent("Refused"), Misconfigured("Wrong key")])
def test_a_look_that_fails_says_why_and_keeps_the_place(
    error: Exception, line: Phone, scripted: Any
) -> None:
    Phone.objects.update(poll_cursor="p1")
    scripted.polls = [error]

    polling.poll(line.pk)

    line.refresh_from_db()
    assert (line.poll_cursor, line.poll_problem) == ("p1", str(error))


def test_news_that_cannot_be_stored_are_asked_for_again(
    line: Phone, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.polls = [Polled((IncomingSms(number(1), "Yes", "IN1"),), "p2")]
    monkeypatch.setattr(receiving, "note_incoming", lambda message: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        polling.poll(line.pk)

    line.refresh_from_db()
    assert line.poll_cursor == ""


@pytest.mark.parametrize("field", ["paused_at", "deleted_at"])
def test_a_phone_that_rests_is_not_asked(field: str, line: Phone, scripted: Any) -> None:
    Phone.objects.update(**{field: timezone.now()})

    assert polling.wake_due() == 0


def test_the_tick_wakes_only_what_is_due(line: Phone, phone: Phone, scripted: Any) -> None:
    first = polling.wake_due()
    Phone.objects.filter(pk=line.pk).update(polled_at=timezone.now())

    assert (first, polling.wake_due()) == (1, 0)
