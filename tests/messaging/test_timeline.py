"""Why? Every status and every reason is told in words, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from lib.http import NoAnswer, NotSent
from messaging import actions, page
from messaging.explaining import explain, summary
from messaging.models import Attempt, Message, Report, Status
from messaging.receiving import apply, store_incoming
from messaging.timeline import steps
from messaging.waiting import why_waiting
from phones import limits
from phones.base import (
    BadNumber,
    Delivery,
    IncomingSms,
    Misconfigured,
    OptedOut,
    Reason,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.models import Phone

pytestmark = pytest.mark.django_db(transaction=True)


def told(message: Message) -> list[str]:
    """The titles of a message's steps."""
    message = Message.objects.get(pk=message.pk)
    trail = list(message.trail.order_by("id"))
    return [step.title for step in steps(message, trail, list(message.reports.all()))]


def said(message: Message) -> str:
    """All that the steps say."""
    message = Message.objects.get(pk=message.pk)
    rows = steps(message, list(message.trail.order_by("id")), list(message.reports.all()))
    return " ".join(f"{row.title} {row.text} {row.quote_by} {row.quote}" for row in rows)


def test_a_delivered_message_tells_its_happy_life(
    write: Callable[..., list[Message]], send: Callable[[], None], line: Phone, scripted: Any
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent("SM1")]
    send()
    # Providers say the time to the second: it may lie before ours.
    apply(
        line,
        [StatusReport(Delivery.DELIVERED, "SM1", at=message.created_at.replace(microsecond=0))],
    )

    assert told(message) == ["Queued", "Sent", "Delivered"]
    assert "SM1" in said(message)


@pytest.mark.parametrize(
    ("error", "title", "words"),
    [
        pytest.param(
            Temporary("Busy", "503"), "Line could not hand it over", "Next try:", id="temporary"
        ),
        pytest.param(
            NotSent("Refused"), "Line could not hand it over", "Refused", id="unreachable"
        ),
        pytest.param(Throttled("Slow", "429"), "Asked to slow down", "Slow", id="throttled"),
        pytest.param(
            Misconfigured("Wrong password", "401"),
            "Line could not send it",
            "the phone was paused",
            id="misconfigured",
        ),
        pytest.param(
            NoAnswer("Silence"), "No usable answer came", "not sent again by itself", id="unknown"
        ),
        pytest.param(
            BadNumber("No such", "21211"), "Refused", "cannot receive SMS", id="bad-number"
        ),
        pytest.param(OptedOut("Stop", "21610"), "Refused", "asked for no more", id="opted-out"),
    ],
)
def test_each_trouble_is_told_with_the_provider_s_own_words(
    write: Callable[..., list[Message]],
    send: Callable[[], None],
    scripted: Any,
    error: Exception,
    title: str,
    words: str,
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [error]

    send()

    assert told(message) == ["Queued", title]
    assert words in said(message)
    assert str(error) in said(message)


def test_a_failure_that_a_callback_tells_is_told_after_the_sending(
    write: Callable[..., list[Message]], send: Callable[[], None], line: Phone, scripted: Any
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent("SM1")]
    send()
    apply(
        line,
        [
            StatusReport(
                Delivery.FAILED, "SM1", reason=Reason.UNREACHABLE, code="30003", words="Off"
            )
        ],
    )

    assert told(message) == ["Queued", "Sent", "Not delivered"]
    assert "The handset could not be reached" in said(message)
    assert "code 30003 Off" in said(message)


def test_people_s_decisions_are_told_with_their_names(
    write: Callable[..., list[Message]], send: Callable[[], None], scripted: Any, bob: User
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [NoAnswer("Silence")]
    send()
    message.refresh_from_db()
    actions.resend(message, by=bob)
    actions.cancel(Message.objects.all(), by=bob)

    assert told(message) == [
        "Queued",
        "No usable answer came",
        "Sent again by Bob Rossi",
        "Cancelled by Bob Rossi",
    ]
    # What was sent again was not planned for that time.
    assert "It is to leave on" not in said(message)


def test_news_that_came_too_early_is_told(write: Callable[..., list[Message]], line: Phone) -> None:
    (message,) = write()
    Report.objects.create(phone=line, message=message, state="delivered", provider_id="SM1")

    assert "News came early" in told(message)


def test_an_incoming_message_tells_how_it_came(line: Phone) -> None:
    pk = store_incoming(line, IncomingSms("+33612345678", "Hi", "IN1", at=timezone.now()))

    assert told(Message.objects.get(pk=pk)) == ["They sent it", "Received"]


@pytest.mark.parametrize("reason", Reason.values)
def test_every_reason_is_explained_in_whole_sentences(reason: str) -> None:
    assert explain(reason).endswith(".")
    assert len(explain(reason)) > 20


def test_reasons_of_ours_have_words_of_their_own() -> None:
    unexplained = {reason for reason in Reason.values if explain(reason) == explain("")}
    # Of these the provider knows no more than that.
    assert unexplained == {Reason.NONE, Reason.NOT_KNOWN}


def test_a_reason_we_do_not_know_is_explained_all_the_same() -> None:
    assert explain("something_new") == "The provider gave no reason."


@pytest.mark.parametrize("status", [status for status in Status if status != Status.RECEIVED])
def test_every_status_has_a_summary_and_a_story(
    write: Callable[..., list[Message]], status: Status
) -> None:
    (message,) = write()
    lease = timezone.now() if status == Status.SENDING else None
    Message.objects.filter(pk=message.pk).update(
        status=status, lease_until=lease, ended_at=timezone.now(), reason=Reason.OPTED_OUT
    )

    message.refresh_from_db()

    assert summary(message).endswith(".")
    assert told(message)


# ---- What it waits for --------------------------------------------------------------------------


def waits(message: Message) -> str:
    message = Message.objects.get(pk=message.pk)
    step = why_waiting(message, timezone.now())
    return f"{step.title} {step.text} {step.quote}"


def test_it_waits_for_a_paused_phone(write: Callable[..., list[Message]], line: Phone) -> None:
    (message,) = write()
    Phone.objects.filter(pk=line.pk).update(
        paused_at=timezone.now(), pause_reason="no_credit", pause_words="Balance is 0"
    )

    assert "Waits: Line is paused The account is empty." in waits(message)
    assert "Balance is 0" in waits(message)


def test_the_page_begins_with_what_holds_a_message_up(
    write: Callable[..., list[Message]], line: Phone
) -> None:
    (message,) = write()
    assert page.build(message, timezone.now()).summary == "It waits to leave by Line."
    Phone.objects.filter(pk=line.pk).update(paused_at=timezone.now(), pause_reason="no_credit")

    message = Message.objects.get(pk=message.pk)

    assert page.build(message, timezone.now()).summary == "Waits: Line is paused."


def test_it_waits_for_its_time(write: Callable[..., list[Message]]) -> None:
    (message,) = write(send_at=timezone.now() + timedelta(days=1))

    assert "Waits for its time" in waits(message)


def test_it_waits_for_its_next_try(write: Callable[..., list[Message]]) -> None:
    (message,) = write()
    Message.objects.update(not_before=timezone.now() + timedelta(seconds=30))

    assert "Waits for its next try" in waits(message)


def test_it_waits_for_a_phone_that_rests(write: Callable[..., list[Message]], line: Phone) -> None:
    (message,) = write()
    limits.hold(line, words="Too many requests", seconds=20)

    assert "Waits: Line rests for a moment The phone goes on in" in waits(message)
    assert "Too many requests" in waits(message)


def test_it_waits_for_an_earlier_message_to_the_same_number(
    write: Callable[..., list[Message]],
) -> None:
    write()
    (second,) = write()

    assert "Waits for an earlier message to this number" in waits(second)


def test_it_waits_for_its_turn_and_says_how_many_are_before_it(
    write: Callable[..., list[Message]],
) -> None:
    write("+33600000001", "+33600000002")
    (third,) = write("+33600000003")

    assert "2 messages leave before it" in waits(third)


def test_the_page_asks_again_only_while_something_is_to_come(
    write: Callable[..., list[Message]],
) -> None:
    (message,) = write()
    waiting = page.build(message, timezone.now())
    Message.objects.update(status=Status.FAILED)
    Attempt.objects.create(message=message, kind=Attempt.Kind.FAILED)

    ended = page.build(Message.objects.get(), timezone.now())

    assert (waiting.is_final, ended.is_final) == (False, True)
    assert waiting.fingerprint != ended.fingerprint
