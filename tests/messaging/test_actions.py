"""Cancel, send again, move: only from the states that allow it, each with a trace of who did it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from contacts.models import OptOut
from lib.http import NoAnswer
from lib.jobs import SEND, waiting
from messaging import actions
from messaging.composing import CannotSend
from messaging.models import Attempt, Message, QuietHours, Status
from messaging.receiving import apply
from messaging.sending import due
from phones.base import Delivery, Reason, Sent, StatusReport
from phones.models import Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)

AFTER_QUEUED = [Status.SENDING, Status.SENT, Status.DELIVERED, Status.FAILED, Status.UNKNOWN]


@pytest.fixture
def other(workspace: Workspace, scripted: Any) -> Phone:
    return Phone.objects.create(
        workspace=workspace, type="scripted", name="Other", settings={}, rate=1000, address="+331"
    )


def put(message: Message, status: Status, **changes: Any) -> None:
    lease = timezone.now() + timedelta(minutes=1) if status == Status.SENDING else None
    Message.objects.filter(pk=message.pk).update(status=status, lease_until=lease, **changes)
    message.refresh_from_db()


def test_a_cancelled_message_never_leaves_and_says_who_cancelled_it(
    write: Callable[..., list[Message]], send: Callable[[], None], scripted: Any, bob: User
) -> None:
    (message,) = write()

    amount = actions.cancel(Message.objects.all(), by=bob)
    send()

    attempt = Attempt.objects.get()
    assert (amount, states(message)) == (1, [Status.CANCELLED])
    assert (attempt.kind, attempt.by, attempt.message) == (Attempt.Kind.CANCELLED, bob, message)
    assert not scripted.sent


def test_many_are_cancelled_and_only_those_that_wait(
    write: Callable[..., list[Message]], bob: User
) -> None:
    messages = write(*[number(index) for index in range(1100)])
    put(messages[0], Status.SENT)

    amount = actions.cancel(Message.objects.all(), by=bob)

    assert amount == 1099
    assert states(messages[0]) == [Status.SENT]
    assert Attempt.objects.count() == 1099


@pytest.mark.parametrize("status", AFTER_QUEUED)
def test_what_has_left_is_not_cancelled(
    write: Callable[..., list[Message]], bob: User, status: Status
) -> None:
    (message,) = write()
    put(message, status)

    assert actions.cancel(Message.objects.all(), by=bob) == 0
    assert states(message) == [status]
    assert not Attempt.objects.exists()


def test_an_unknown_message_is_sent_again_by_hand(
    write: Callable[..., list[Message]], send: Callable[[], None], scripted: Any, bob: User
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [NoAnswer("Nothing came."), Sent("SM2")]
    send()
    message.refresh_from_db()

    done = actions.resend(message, by=bob)
    send()

    message.refresh_from_db()
    assert done
    assert (message.status, message.provider_id, message.words) == (Status.SENT, "SM2", "")
    assert message.trail.filter(kind=Attempt.Kind.RESENT, by=bob).exists()


@pytest.mark.parametrize("door", ["resend", "move"])
def test_who_wants_no_messages_gets_none_again(
    write: Callable[..., list[Message]], other: Phone, bob: User, door: str
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN)
    OptOut.objects.create(workspace=message.workspace, number=message.peer, source="person")

    again = {"resend": actions.resend, "move": partial(actions.move, phone=other)}[door]

    with pytest.raises(CannotSend, match="no more messages"):
        again(message, by=bob)

    assert states(message) == [Status.UNKNOWN]


@pytest.mark.parametrize("status", [*AFTER_QUEUED[:-1], Status.QUEUED, Status.CANCELLED])
def test_only_an_unknown_message_is_sent_again(
    write: Callable[..., list[Message]], bob: User, status: Status
) -> None:
    (message,) = write()
    put(message, status)

    assert not actions.resend(message, by=bob)
    assert states(message) == [status]


def test_two_people_who_send_it_again_send_it_once(
    write: Callable[..., list[Message]], bob: User, alice: User
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN)
    same = Message.objects.get(pk=message.pk)

    assert [actions.resend(message, by=bob), actions.resend(same, by=alice)] == [True, False]


def test_a_late_result_of_the_first_try_does_not_overwrite_the_second(
    write: Callable[..., list[Message]], bob: User
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN, claim=uuid.uuid4())

    actions.resend(message, by=bob)

    message.refresh_from_db()
    assert message.claim is None


def test_sent_again_a_day_later_it_has_a_day_to_be_handed_over(
    write: Callable[..., list[Message]], bob: User
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN, send_at=timezone.now() - timedelta(days=3))

    actions.resend(message, by=bob)

    message.refresh_from_db()
    assert timezone.now() - message.send_at < timedelta(minutes=1)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN])
def test_a_message_moves_to_another_phone(
    write: Callable[..., list[Message]], other: Phone, bob: User, status: Status
) -> None:
    (message,) = write()
    put(message, status, provider_id="SM1")

    assert actions.move(message, other, by=bob)

    message.refresh_from_db()
    assert (message.status, message.phone, message.own) == (Status.QUEUED, other, "+331")
    assert message.provider_id == ""
    assert list(due(other)) == [message]
    assert message.trail.get().phone == other
    assert waiting(SEND) >= 1


def test_a_planned_message_that_moves_still_waits_for_its_time(
    write: Callable[..., list[Message]], other: Phone, bob: User
) -> None:
    at = timezone.now() + timedelta(days=1)
    (message,) = write(send_at=at)

    actions.move(message, other, by=bob)

    message.refresh_from_db()
    assert (message.send_at, message.not_before) == (at, at)


@pytest.mark.parametrize("status", AFTER_QUEUED[:-1])
def test_what_has_left_does_not_move(
    write: Callable[..., list[Message]], line: Phone, other: Phone, bob: User, status: Status
) -> None:
    (message,) = write()
    put(message, status)

    assert not actions.move(message, other, by=bob)
    assert Message.objects.get().phone == line


def test_a_message_does_not_move_to_a_phone_that_cannot_carry_it(
    write: Callable[..., list[Message]], workspace: Workspace, bob: User
) -> None:
    (message,) = write(flash=True)
    office = Phone.objects.create(workspace=workspace, type="scripted", name="Office", settings={})

    with pytest.raises(CannotSend, match="Office cannot send flash messages"):
        actions.move(message, office, by=bob)

    assert Message.objects.get().phone != office


@pytest.mark.parametrize(
    ("arrived", "status", "kind"),
    [
        (True, Status.DELIVERED, Attempt.Kind.ARRIVED),
        (False, Status.FAILED, Attempt.Kind.LOST),
    ],
)
def test_an_unknown_message_is_settled_by_hand(
    arrived: bool,
    status: Status,
    kind: Attempt.Kind,
    write: Callable[..., list[Message]],
    bob: User,
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN, words="Nothing came.")

    amount = actions.settle(Message.objects.all(), arrived=arrived, by=bob)

    attempt = Attempt.objects.get()
    message.refresh_from_db()
    assert (amount, message.status, message.reason) == (1, status, Reason.BY_HAND)
    assert (message.ended_at is not None, message.words) == (True, "")
    assert (attempt.kind, attempt.by) == (kind, bob)


@pytest.mark.parametrize("status", [*AFTER_QUEUED[:-1], Status.QUEUED, Status.CANCELLED])
def test_only_an_unknown_message_is_settled(
    write: Callable[..., list[Message]], bob: User, status: Status
) -> None:
    (message,) = write()
    put(message, status)

    assert actions.settle(Message.objects.all(), arrived=False, by=bob) == 0
    assert states(message) == [status]
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    ("arrived", "report", "after"),
    [
        (False, Delivery.DELIVERED, Status.DELIVERED),
        (False, Delivery.SENT, Status.FAILED),
        (True, Delivery.FAILED, Status.DELIVERED),
    ],
)
def test_a_late_report_is_heard_after_settling_as_ever(
    arrived: bool,
    report: Delivery,
    after: Status,
    write: Callable[..., list[Message]],
    line: Phone,
    bob: User,
) -> None:
    (message,) = write()
    put(message, Status.UNKNOWN, provider_id="SM1")
    actions.settle(Message.objects.all(), arrived=arrived, by=bob)

    apply(line, [StatusReport(report, "SM1")])

    assert states(message) == [after]


# ---- Now all the same ---------------------------------------------------------------------------


def test_what_quiet_hours_hold_leaves_now_when_somebody_says_so(
    write: Callable[..., list[Message]],
    send: Callable[[], None],
    workspace: Workspace,
    as_bob: Client,
) -> None:
    QuietHours.objects.create(workspace=workspace, whole_days=list(range(6)), country="")
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        (message,) = write()
        send()
        assert states(message) == [Status.QUEUED]
        page = as_bob.get(f"/messages/{message.pk}/").text
        assert "Send it now all the same" in page

        as_bob.post(f"/messages/{message.pk}/now/")
        send()

        assert states(message) == [Status.SENT]
        page = as_bob.get(f"/messages/{message.pk}/").text
        assert "Sent before its time by Bob Rossi" in page
        assert "Send it now all the same" not in page


@pytest.mark.parametrize("moved", ["sent", "let_through"])
def test_what_has_moved_on_is_not_hurried(
    write: Callable[..., list[Message]], bob: User, moved: str
) -> None:
    (message,) = write(send_at=timezone.now() + timedelta(days=1))
    seen = Message.objects.get(pk=message.pk)
    if moved == "sent":
        put(message, Status.SENT)
    else:
        Message.objects.filter(pk=message.pk).update(send_at=timezone.now())

    assert not actions.send_now(seen, by=bob)
    assert not Attempt.objects.exists()


def test_who_wants_no_messages_gets_none_the_sooner(
    write: Callable[..., list[Message]], workspace: Workspace, bob: User
) -> None:
    (message,) = write(send_at=timezone.now() + timedelta(days=1))
    OptOut.objects.create(workspace=workspace, number=message.peer, source="person")

    with pytest.raises(CannotSend):
        actions.send_now(message, by=bob)
