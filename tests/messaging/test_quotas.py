"""Limits: never passed, whoever claims at once; what waits is not lost, what never left is not counted."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User, Workspace
from lib.http import NoAnswer
from messaging import composing, sending
from messaging.models import Message, Priority, Status
from messaging.outcomes import Claimed, Outcome, record
from messaging.routing import Route
from phones import quotas
from phones.base import OutcomeUnknown, Sent, Temporary
from phones.models import Limit, Period, Phone, Reached, Unit, Usage
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 20, 11, 5, tzinfo=UTC)
Limited = Callable[..., Limit]


@pytest.fixture
def limit(line: Phone) -> Limited:
    def limit(amount: int, unit: str = Unit.MESSAGES, period: str = Period.DAY) -> Limit:
        made = Limit.objects.create(phone=line, amount=amount, unit=unit, period=period)
        quotas.note_metered(line)
        line.refresh_from_db()
        return made

    return limit


def used(line: Phone) -> tuple[int, int, int]:
    """Messages, segments and people that are counted."""
    rows = Usage.objects.filter(phone=line).values_list("messages", "segments", "people")
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0, 0, 0)  # type: ignore[return-value]


def test_what_is_beyond_the_limit_waits(write, send, limit, line, scripted) -> None:
    limit(3)
    messages = write(*map(number, range(5)))

    send()
    send()

    assert states(*messages) == [Status.SENT] * 3 + [Status.QUEUED] * 2
    assert used(line) == (3, 3, 0)


def test_the_next_day_of_the_workspace_lets_the_rest_go(write, send, limit) -> None:
    limit(1)
    # 22:30 in Paris; the next day begins there at 23:00 UTC.
    with time_machine.travel(datetime(2026, 11, 20, 21, 30, tzinfo=UTC), tick=False) as clock:
        messages = write(number(1), number(2))
        send()
        clock.move_to(datetime(2026, 11, 20, 22, 59, tzinfo=UTC))
        send()
        assert states(*messages) == [Status.SENT, Status.QUEUED]

        clock.move_to(datetime(2026, 11, 20, 23, 0, tzinfo=UTC))
        send()

    assert states(*messages) == [Status.SENT, Status.SENT]


def test_a_sliding_day_is_never_shorter_than_24_hours(write, send, limit) -> None:
    limit(1, period=Period.HOURS_24)
    with time_machine.travel(NOON, tick=False) as clock:
        messages = write(number(1), number(2))
        send()
        clock.shift(timedelta(hours=24))
        send()
        assert states(*messages) == [Status.SENT, Status.QUEUED]

        clock.shift(timedelta(minutes=15))
        send()

    assert states(*messages) == [Status.SENT, Status.SENT]


def test_segments_are_counted_and_a_short_message_passes_a_long_one(
    write, send, limit, line
) -> None:
    limit(3, Unit.SEGMENTS)
    (two,) = write(number(1), text="x" * 200)
    (long,) = write(number(2), text="x" * 200)
    (short,) = write(number(3))

    send()
    send()

    assert states(two, long, short) == [Status.SENT, Status.QUEUED, Status.SENT]
    assert used(line)[1] == 3


@pytest.mark.database
def test_people_are_counted_once_a_month_and_who_is_known_is_written_to_again(
    write, send, limit, line
) -> None:
    limit(2, Unit.PEOPLE, Period.MONTH)
    first = write(number(1), number(2), number(3))
    send()
    assert states(*first) == [Status.SENT, Status.SENT, Status.QUEUED]

    again = write(number(4), number(1))
    send()

    assert states(*again) == [Status.QUEUED, Status.SENT]
    assert used(line)[2] == 2


@pytest.mark.parametrize(
    ("error", "counted"),
    [(Temporary("Busy"), 0), (OutcomeUnknown("Hm"), 1), (NoAnswer("Hm"), 1)],
    ids=["not taken", "unknown", "no answer"],
)
def test_what_never_left_is_not_counted(error, counted, write, send, limit, line, scripted) -> None:
    limit(5), limit(5, Unit.PEOPLE, Period.MONTH)
    (message,) = write()
    scripted.script[message.peer] = [error]

    send()

    assert used(line) == (counted, counted, counted)
    assert Reached.objects.count() == counted


@pytest.mark.database
def test_what_is_given_back_may_leave_again(write, limit, line) -> None:
    limit(2), limit(2, Unit.PEOPLE, Period.MONTH)
    messages = write(number(1), number(2), number(3))
    run = uuid.uuid4()
    claimed = sending.claim(line, run, 10)

    assert sending.release(run, line, claimed[1:]) == 1

    assert states(*messages) == [Status.SENDING, Status.QUEUED, Status.QUEUED]
    assert used(line) == (1, 1, 1)
    assert len(sending.claim(line, run, 10)) == 1


def test_somebody_written_to_twice_stays_reached_while_one_of_both_is_given_back(
    write, limit, line
) -> None:
    limit(9, Unit.PEOPLE, Period.MONTH)
    write(number(1))
    run = uuid.uuid4()
    first = sending.claim(line, run, 10)
    Message.objects.update(status=Status.SENT)
    write(number(1), priority=Priority.URGENT)
    sending.claim(line, run, 10)
    Message.objects.update(status=Status.SENDING)

    sending.release(run, line, first)

    assert used(line) == (1, 1, 1)


def test_a_phone_that_did_not_know_of_its_limit_claims_nothing(write, line, limit) -> None:
    before = Phone.objects.select_related("workspace").get(pk=line.pk)
    write()
    limit(1)

    assert sending.claim(before, uuid.uuid4(), 10) == []
    assert len(sending.claim(line, uuid.uuid4(), 10)) == 1


def test_a_full_phone_does_not_wake_itself_again_and_again(write, line, limit, send) -> None:
    limit(1)
    write(number(1), number(2))
    send()
    line.refresh_from_db()

    assert not sending.send_due(line, stop=lambda: False, others=lambda: False)


@pytest.mark.database
def test_those_who_claim_at_once_never_pass_a_limit_together(write, limit, line) -> None:
    limit(7)
    write(*map(number, range(30)))
    phone = Phone.objects.select_related("workspace").get(pk=line.pk)
    taken: list[int] = []

    def claim() -> None:
        try:
            for _ in range(5):
                taken.extend(message.pk for message in sending.claim(phone, uuid.uuid4(), 2))
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 7
    assert used(line)[0] == 7


def test_who_has_no_limit_is_not_counted(write, send, line) -> None:
    write()

    send()

    assert not Usage.objects.exists()


def test_old_counts_are_forgotten(line) -> None:
    now = timezone.now()
    for days in (1, 31, 40):
        Usage.objects.create(phone=line, at=quotas.quarter(now - timedelta(days=days)))

    quotas.forget_counts()

    assert Usage.objects.count() == 2


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Paris", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]),
    st.sampled_from(list(Period)),
)
def test_a_period_begins_with_a_quarter_and_ends_after_now(now, zone, period) -> None:
    there = ZoneInfo(zone)
    start = quotas.begins(period, there, now)

    assert start == quotas.quarter(start) <= now
    if period in (Period.DAY, Period.WEEK, Period.MONTH):
        assert quotas.ends(period, there, now) > now
        assert quotas.begins(period, there, quotas.ends(period, there, now)) > start


def test_the_standing_says_what_is_left_and_when_it_goes_on(
    workspace: Workspace, limit: Limited, line: Phone, write: Any, send: Any
) -> None:
    limit(3), limit(1, period=Period.HOURS_24)
    with time_machine.travel(NOON, tick=False):
        write(number(1), number(2))
        send()
        tightest, other = quotas.standings([line])[line.pk]

    assert (tightest.left, other.left) == (0, 2)
    assert tightest.until == datetime(2026, 11, 21, 11, 15, tzinfo=UTC)
    assert other.until is None


@hypothesis.settings(
    max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["claim", "release", "sent", "temporary"]), st.integers(1, 4)),
        max_size=12,
    )
)
def test_what_is_counted_is_what_left_or_leaves_whatever_happens(
    line: Phone, limit: Limited, bob: User, steps: list[tuple[str, int]]
) -> None:
    Message.objects.all().delete()
    for table in (Limit, Usage, Reached):
        table.objects.all().delete()
    limit(6), limit(4, Unit.PEOPLE, Period.MONTH)
    # Each person twice; the second waits for the first.
    for submission in (uuid.uuid4(), uuid.uuid4()):
        composing.create(
            workspace=line.workspace, route=Route(line), numbers=[number(n) for n in range(5)],
            text="Hello", by=bob, submission=submission,
        )  # fmt: skip
    run, flying = uuid.uuid4(), list[Claimed]()
    for what, count in steps:
        some, rest = flying[:count], flying[count:]
        if what == "claim":
            flying += sending.claim(line, run, count)
        elif what == "release":
            sending.release(run, line, some)
            flying = rest
        else:
            ends = {"sent": {"sent": Sent("x")}, "temporary": {"error": Temporary("Busy")}}[what]
            record(run, line, [Outcome(message, **ends) for message in some])  # type: ignore[arg-type]
            Message.objects.update(not_before=timezone.now())
            flying = rest

        left = Message.objects.filter(status__in=[Status.SENDING, Status.SENT])
        people = left.values("peer").distinct().count()
        assert (used(line)[0], used(line)[2]) == (left.count(), people)
        assert left.count() <= 6
        assert people <= 4
