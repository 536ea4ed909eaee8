"""The same message again: what the provider repeats is stored once, and what somebody wrote twice, twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from messaging.explaining import summary
from messaging.models import Conversation, Message
from messaging.receiving import apply
from messaging.repetitions import Repetitions
from messaging.threads import thread
from messaging.timeline import steps
from phones.base import IncomingSms, Part
from phones.models import Lease, Phone
from phones.sessions import Fate, Received

pytestmark = pytest.mark.django_db

WAITING, TOLD, HEARD, UNHEARD, IN_DOUBT = Fate
Came = Callable[..., Received]
CLOCK = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time at which each test begins: what was long ago is in doubt no more."""
    now = time.monotonic()
    monkeypatch.setitem(globals(), "CLOCK", now)
    return now


@pytest.fixture
def repetitions(line: Phone) -> Repetitions:
    now = timezone.now()
    lease = Lease(phone=line)
    lease.before = now, now
    return Repetitions(line, lease)


@pytest.fixture
def came(line: Phone, repetitions: Repetitions) -> Came:
    def came(
        text: str = "Yes", *, at: float = 0, fate: Fate = WAITING, part: Part | None = None
    ) -> Received:
        event = IncomingSms(
            "+33612345678", text, "", "12345", fingerprint=f"{text:x<32}", part=part
        )
        item = Received(event, None, came=CLOCK + at)
        apply(line, [repetitions.named(item)])
        item.fate = fate
        return item

    return came


def shown() -> list[tuple[str, bool]]:
    return list(Message.objects.order_by("pk").values_list("text", "perhaps_repeated"))


@pytest.mark.parametrize("fate", [WAITING, TOLD, HEARD])
def test_the_same_over_one_connection_is_another_message(fate: Fate, came: Came) -> None:
    came(fate=fate)

    came(at=1)

    assert shown() == [("Yes", False)] * 2


def test_each_that_was_never_acknowledged_takes_one_repetition(came: Came) -> None:
    for _ in range(2):
        came(fate=UNHEARD)

    for _ in range(3):
        came(fate=HEARD)

    assert shown() == [("Yes", False)] * 3


def test_a_repetition_that_is_not_acknowledged_either_comes_once_more(came: Came) -> None:
    for _ in range(3):
        came(fate=UNHEARD)

    assert shown() == [("Yes", False)]


def test_each_in_doubt_marks_one_more_of_the_same_and_takes_none(came: Came) -> None:
    came(fate=IN_DOUBT)

    came("No", fate=HEARD)
    for _ in range(2):
        came(fate=HEARD)

    assert shown() == [("Yes", False), ("No", False), ("Yes", True), ("Yes", False)]


def test_what_comes_again_to_who_waits_for_long_is_marked(came: Came) -> None:
    """A provider whose patience ended asks again over the same connection."""
    first = came(at=10)

    second = came(at=12)
    third = came(at=16)
    for item in (first, second, third):
        item.fate, item.told = HEARD, CLOCK + 17
    came(at=18)

    assert shown() == [("Yes", False), ("Yes", False), ("Yes", True), ("Yes", False)]


def test_an_answer_that_left_late_may_have_been_too_late(came: Came) -> None:
    first = came(at=10)
    first.fate, first.told = HEARD, CLOCK + 20

    came(at=16)  # before our answer; it was looked at later

    assert shown() == [("Yes", False), ("Yes", True)]


def test_a_part_in_doubt_takes_its_repetition(came: Came) -> None:
    for number in (1, 2):
        came(f"{number}", fate=IN_DOUBT, part=Part("7", number, 2))

    for number in (1, 2):
        came(f"{number}", fate=HEARD, part=Part("7", number, 2))

    assert shown() == [("12", False)]


def test_doubts_end_when_nothing_is_repeated_any_more(came: Came, monkeypatch: Any) -> None:
    came(fate=UNHEARD)
    monkeypatch.setattr("messaging.repetitions._REPEATED_WITHIN", -1)

    came()
    repeated = shown()

    assert repeated == [("Yes", False)] * 2


def test_only_what_came_before_the_first_doubt_is_surely_known(
    came: Came, repetitions: Repetitions
) -> None:
    came("One", fate=HEARD)
    since = timezone.now()
    doubtful = came("Two", fate=TOLD)
    came("Three", fate=HEARD)

    meanwhile = repetitions.heard_at()
    doubtful.fate = HEARD

    assert since <= meanwhile < Message.objects.get(text="Two").created_at
    assert repetitions.heard_at() > Message.objects.get(text="Three").created_at


def test_what_a_process_before_may_have_told_nobody_is_in_doubt(line: Phone, came: Came) -> None:
    for text in ("Old", "Yes"):
        came(text, fate=HEARD)
    now = timezone.now()
    Message.objects.filter(text="Old").update(send_at=now - timedelta(seconds=9))
    lease = Lease(phone=line)
    lease.before = now - timedelta(seconds=5), now
    after = Repetitions(line, lease)

    for text in ("Old", "Yes", "Yes"):
        event = IncomingSms("+33612345678", text, "", "12345", fingerprint=f"{text:x<32}")
        apply(line, [after.named(Received(event, None, fate=HEARD))])

    assert shown()[2:] == [("Old", False), ("Yes", True), ("Yes", False)]


def test_people_are_told_that_it_may_be_the_same(came: Came) -> None:
    for _ in range(3):
        came(fate=IN_DOUBT)

    second = Message.objects.order_by("pk")[1]
    titles = [step.title for step in steps(second)]
    bubbles = thread(Conversation.objects.get()).bubbles

    assert "Possibly the same message twice" in titles
    assert "possibly for the second time" in summary(second)
    assert [bubble.has_foot for bubble in bubbles] == [False, True, True]
