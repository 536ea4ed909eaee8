"""Reliability: a phone whose messages fail is noticed, rests or is paused, and comes back when it is well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
import time_machine
from django.core import mail

from messaging import reliability
from messaging.models import Message, Status
from phones import quotas, services
from phones.base import BadNumber, OutcomeUnknown, Rejected, Temporary
from phones.models import PauseReason, Phone, Watch
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 20, 12, 1, tzinfo=UTC)
Watched = Callable[..., Watch]


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def watched(line: Phone, clock: time_machine.Coordinates, dora: object) -> Watched:
    def watched(**extra: Any) -> Watch:
        made = Watch.objects.create(phone=line, **{"failed": 50, "least": 4, **extra})
        quotas.note_metered(line)
        line.refresh_from_db()
        return made

    return watched


@pytest.fixture
def fail(
    write: Any, send: Any, scripted: Any, clock: time_machine.Coordinates
) -> Callable[..., list[Message]]:
    """Send messages, of which the first few end in an error."""

    def fail(bad: int, good: int, error: Exception | None = None) -> list[Message]:
        numbers = [number(index) for index in range(bad + good)]
        for to in numbers[:bad]:
            scripted.script[to] = [error or Rejected("No")]
        messages: list[Message] = write(*numbers)
        clock.shift(1)
        send()
        clock.shift(1)
        return messages

    return fail


def look(jobs: Callable[[], None]) -> int:
    found = reliability.look_at_phones()
    jobs()
    return found


@pytest.mark.parametrize(
    ("bad", "good", "error", "is_bad"),
    [
        (2, 2, None, True),
        (1, 3, None, False),
        (3, 0, None, False),
        (4, 0, BadNumber("Nobody"), False),
        (4, 0, OutcomeUnknown("Hm"), False),
    ],
    ids=["half", "fewer", "too few to tell", "wrong numbers", "unknown is not watched"],
)
def test_trouble_is_a_rate_over_enough_messages(
    bad, good, error, is_bad, watched, fail, jobs
) -> None:
    watched()
    fail(bad, good, error)

    assert look(jobs) == is_bad
    assert bool(mail.outbox) == is_bad


def test_unknown_outcomes_are_watched_too(watched, fail, jobs) -> None:
    watched(failed=None, unknown=25)
    fail(1, 3, OutcomeUnknown("Hm"))

    assert look(jobs) == 1


@pytest.mark.database
def test_an_alert_is_mailed_once_until_all_is_well_again(watched, fail, jobs, clock, line) -> None:
    watched(window=15)
    fail(4, 0)

    look(jobs), look(jobs)
    assert [sent.subject for sent in mail.outbox] == ["Line is unreliable"]
    assert "Of 4 messages 4 failed" in mail.outbox[0].body
    assert not Phone.objects.get(pk=line.pk).is_paused

    clock.shift(timedelta(minutes=45))
    assert look(jobs) == 0
    fail(4, 0)
    look(jobs)
    assert len(mail.outbox) == 2


class Monitor(BaseHTTPRequestHandler):
    """Somebody's monitor: keeps what it is told."""

    told: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.told.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.parametrize("action", Watch.Action.values)
def test_an_address_is_told_too_whatever_follows(
    watched: Watched, fail: Any, jobs: Any, settings: Any, action: str
) -> None:
    Monitor.told.clear()
    settings.ALLOW_PRIVATE_ADDRESSES = {"127.0.0.1"}
    with HTTPServer(("127.0.0.1", 0), Monitor) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        watch = watched(webhook=f"http://127.0.0.1:{server.server_port}/", action=action)
        fail(4, 0)
        look(jobs)
        server.shutdown()

    assert [(t["event"], t["phone"]["name"]) for t in Monitor.told] == [
        ("phone.unreliable", "Line")
    ]
    assert "Of 4 messages 4 failed" in Monitor.told[0]["words"]
    watch.refresh_from_db()
    assert watch.webhook_problem == ""


def test_an_address_inside_is_not_called_and_its_owner_is_told(watched, fail, jobs) -> None:
    watch = watched(webhook="http://127.0.0.1:1/")
    fail(4, 0)
    look(jobs)
    watch.refresh_from_db()

    assert "127.0.0.1" in watch.webhook_problem


def test_what_is_too_fresh_to_have_been_reported_is_not_looked_at(
    watched, fail, jobs, clock
) -> None:
    watched(margin=30)
    fail(4, 0)

    assert look(jobs) == 0
    clock.shift(timedelta(minutes=45))
    assert look(jobs) == 1


def test_a_phone_may_be_paused_and_is_forgiven_once_it_is_started(
    watched, fail, jobs, line
) -> None:
    watched(action="pause")
    fail(4, 0)

    look(jobs)
    line.refresh_from_db()
    assert (line.is_paused, line.pause_reason) == (True, PauseReason.UNRELIABLE)
    assert mail.outbox[0].subject == "Line is paused"

    services.start(line)
    assert look(jobs) == 0
    line.refresh_from_db()
    assert not line.is_paused


def test_a_phone_that_rests_sends_nothing_then_a_few_then_all(
    watched, fail, jobs, clock, send, write, line
) -> None:
    watch = watched(action="rest")
    fail(4, 0)
    look(jobs)
    messages = write(*[number(index) for index in range(10, 20)])

    send()
    assert set(states(*messages)) == {Status.QUEUED}

    clock.shift(reliability.REST)
    send(), send()
    assert states(*messages).count(Status.SENT) == quotas.TRIALS

    clock.shift(timedelta(minutes=3))
    assert look(jobs) == 0
    send()
    assert set(states(*messages)) == {Status.SENT}
    watch.refresh_from_db()
    assert (watch.rests_until, watch.troubled_at) == (None, None)


def test_trials_that_fail_let_it_rest_for_longer(
    watched, fail, jobs, clock, send, write, scripted
) -> None:
    watch = watched(action="rest")
    fail(4, 0)
    look(jobs)
    clock.shift(reliability.REST)
    for index in range(10, 15):
        scripted.script[number(index)] = [Rejected("No")]
    write(*[number(index) for index in range(10, 15)])
    send()
    clock.shift(timedelta(minutes=3))

    assert look(jobs) == 1

    watch.refresh_from_db()
    assert watch.rests_until == NOON + reliability.REST * 3 + timedelta(minutes=3, seconds=2)


def test_what_was_not_taken_has_tried_nothing(
    watched, fail, jobs, clock, send, write, scripted
) -> None:
    watch = watched(action="rest")
    fail(4, 0)
    look(jobs)
    clock.shift(reliability.REST)
    (message,) = write(number(9))
    scripted.script[message.peer] = [Temporary("Busy")]
    send()
    clock.shift(timedelta(minutes=3))

    assert reliability.look_at_phones() == 1

    watch.refresh_from_db()
    assert watch.tried == 0


def test_somebody_may_end_the_rest_by_hand(watched, fail, jobs, send, write, line) -> None:
    watched(action="rest")
    fail(4, 0)
    look(jobs)
    (message,) = write(number(9))

    services.start(line)
    send()

    assert states(message) == [Status.SENT]


def test_a_message_s_page_says_that_its_phone_rests(
    watched, fail, jobs, write, as_bob, line
) -> None:
    watched(action="rest")
    fail(4, 0)
    look(jobs)
    (message,) = write(number(9))

    page = as_bob.get(f"/messages/{message.pk}/").text

    assert "Line rests, because too many messages failed" in page
    assert "Of 4 messages 4 failed" in page
