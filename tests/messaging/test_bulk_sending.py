"""Providers that take many messages in one request: as careful as with one, and faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lib.http import NoAnswer, NotSent
from messaging.models import Media, Message, Status
from phones.base import BadNumber, Misconfigured, OutcomeUnknown, Sent, Temporary, yes
from phones.models import Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)
Write = Callable[..., list[Message]]
Send = Callable[[], None]


@pytest.fixture(autouse=True)
def bulky(scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scripted type, taking ten in one request."""
    monkeypatch.setattr(scripted, "can", replace(scripted.can, bulk=yes(), flash=yes()))
    monkeypatch.setattr(scripted, "bulk_size", 10)
    return scripted


def test_many_leave_in_few_requests_and_each_once(write: Write, send: Send, bulky: Any) -> None:
    messages = write(*[number(i) for i in range(25)])

    send()

    assert [len(batch) for batch in bulky.batches] == [10, 10, 5]
    assert sorted(n for batch in bulky.batches for n in batch) == [number(i) for i in range(25)]
    assert set(states(*messages)) == {Status.SENT}


def test_only_those_that_say_the_same_share_a_request(write: Write, send: Send, bulky: Any) -> None:
    write(number(1), number(2), text="a")
    write(number(3), number(4), text="b")
    write(number(5), number(6), text="b", flash=True)

    send()

    assert bulky.batches == [
        [number(1), number(2)],
        [number(3), number(4)],
        [number(5), number(6)],
    ]


def test_a_message_with_a_picture_leaves_alone(
    write: Write, send: Send, bulky: Any, line: Phone
) -> None:
    picture = Media.objects.create(workspace=line.workspace, content_type="image/png", size=1)
    write(number(1), number(2), media=[picture])
    write(number(3))

    send()

    assert bulky.batches == []
    assert sorted(sms.to for sms in bulky.sent) == [number(1), number(2), number(3)]


def test_each_message_of_a_request_has_its_own_end(write: Write, send: Send, bulky: Any) -> None:
    messages = write(number(1), number(2), number(3), number(4))
    bulky.bulk_outcomes = [
        [Sent("A"), BadNumber("No mobile"), Temporary("Busy"), OutcomeUnknown("?")]
    ]

    send()

    assert states(*messages) == [Status.SENT, Status.FAILED, Status.QUEUED, Status.UNKNOWN]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotSent("Refused"), Status.QUEUED),
        (NoAnswer("Timed out"), Status.UNKNOWN),
        (Misconfigured("Wrong key"), Status.QUEUED),
        (ZeroDivisionError(), Status.UNKNOWN),
    ],
    ids=["not sent", "no answer", "misconfigured", "a bug"],
)
def test_a_request_that_fails_fails_for_all(
    error: Exception, status: Status, write: Write, send: Send, bulky: Any
) -> None:
    messages = write(number(1), number(2))
    bulky.bulk_outcomes = [error]

    send()

    assert states(*messages) == [status, status]
    assert len(bulky.batches) == 1


def test_an_answer_about_fewer_messages_is_not_guessed(
    write: Write, send: Send, bulky: Any
) -> None:
    messages = write(number(1), number(2))
    bulky.bulk_outcomes = [[Sent("A")]]

    send()

    assert states(*messages) == [Status.UNKNOWN, Status.UNKNOWN]


def test_the_rate_bounds_a_request(
    write: Write, jobs: Callable[[], None], bulky: Any, line: Phone
) -> None:
    line.rate = 4
    line.save(update_fields=["rate"])
    write(*[number(i) for i in range(8)])

    jobs()

    assert max(len(batch) for batch in bulky.batches) <= 4
    assert len(bulky.sent) + sum(len(batch) for batch in bulky.batches) == 8


def test_each_message_has_a_key_of_its_own_that_stays(
    write: Write, send: Send, bulky: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulky, "bulk_size", 1)
    (first,) = write(number(1))
    write(number(2))
    bulky.script[number(1)] = [Temporary("Busy")]

    send()
    Message.objects.filter(pk=first.pk).update(not_before=first.not_before)
    send()

    keys = {}
    for sms in bulky.sent:
        keys.setdefault(sms.to, set()).add(sms.key)
    assert len(keys[number(1)]) == len(keys[number(2)]) == 1
    assert keys[number(1)] != keys[number(2)]
