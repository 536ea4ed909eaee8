"""Failing over: what may leave by another phone does not wait in vain, and never leaves twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from messaging import failing_over, sending, sweeping
from messaging.models import IS_ROUTED, Attempt, Message, Status
from messaging.routing import Route
from phones import limits, live, quotas, services
from phones.base import NoCredit, OutcomeUnknown, Temporary
from phones.models import Limit, PauseReason, Phone, Pool, PoolPhone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def second(workspace: Workspace, line: Phone) -> Phone:
    return Phone.objects.create(
        workspace=workspace, type="scripted", name="Second", settings={}, rate=100_000, address="2"
    )


@pytest.fixture
def pool(workspace: Workspace, line: Phone, second: Phone) -> Pool:
    """Line first, then Second."""
    made = Pool.objects.create(workspace=workspace, name="Both", folded="both")
    PoolPhone.objects.create(pool=made, phone=line, priority=1)
    PoolPhone.objects.create(pool=made, phone=second)
    return made


def phones_of(*messages: Message) -> list[str]:
    return [Message.objects.get(pk=message.pk).phone.name for message in messages]


def trail(message: Message) -> list[str]:
    return [str(kind) for kind in message.trail.order_by("pk").values_list("kind", flat=True)]


Write = Callable[..., list[Message]]


@pytest.mark.parametrize("route", ["pool", "any"])
def test_messages_of_a_paused_phone_go_to_the_next(
    route: str, write: Write, line: Phone, second: Phone, pool: Pool
) -> None:
    Phone.objects.filter(pk=line.pk).update(priority=1)
    moving = write(route=Route(pool=pool) if route == "pool" else Route())
    staying = write(number(2), route=Route(line))
    assert phones_of(*moving, *staying) == ["Line", "Line"]
    services.pause(line, reason=PauseReason.PERSON)

    assert failing_over.move_stuck() == 1

    assert phones_of(*moving, *staying) == ["Second", "Line"]
    moving[0].refresh_from_db()
    assert moving[0].own == "2"
    assert trail(moving[0]) == [Attempt.Kind.FAILED_OVER]


def test_an_empty_account_moves_what_it_refused(write, send, second, pool, scripted) -> None:
    (message,) = write(route=Route(pool=pool))
    scripted.script[message.peer] = [NoCredit("Empty")]
    send()

    failing_over.move_stuck()
    sending.pump(second.pk)

    assert states(message) == [Status.SENT]
    assert trail(message) == [Attempt.Kind.PAUSED, Attempt.Kind.FAILED_OVER]


@pytest.mark.database
def test_what_a_phone_could_not_hand_over_twice_goes_to_the_next_and_comes_back(
    write, send, line, second, pool, scripted
) -> None:
    (message,) = write(route=Route(pool=pool))
    scripted.script[message.peer] = [Temporary("Busy")] * 4
    places = []

    for phone in (line, line, second, second):
        sending.pump(phone.pk)
        failing_over.move_stuck()
        failing_over.move_stuck()
        places += phones_of(message)
        Message.objects.update(not_before=timezone.now())

    assert places == ["Line", "Second", "Second", "Line"]
    assert Message.objects.get().attempts == 4


def test_what_may_have_left_is_never_moved(write, send, line, second, pool, scripted) -> None:
    Phone.objects.filter(pk=line.pk).update(resend_unknown=True)
    again, unknown = write(number(1), number(2), route=Route(pool=pool))
    scripted.script[again.peer] = [OutcomeUnknown("Hm")]
    send()
    Phone.objects.filter(pk=line.pk).update(resend_unknown=False)
    scripted.script[unknown.peer] = [OutcomeUnknown("Hm")]
    services.pause(line, reason=PauseReason.PERSON)

    failing_over.move_stuck()

    assert states(again) == [Status.QUEUED]
    assert phones_of(again) == ["Line"]


def test_a_planned_message_moves_only_once_its_time_has_come(write, line, pool) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        (message,) = write(route=Route(pool=pool), send_at=timezone.now() + timedelta(days=1))
        services.pause(line, reason=PauseReason.PERSON)

        assert failing_over.move_stuck() == 0
        clock.shift(timedelta(days=1))
        assert failing_over.move_stuck() == 1

    assert phones_of(message) == ["Second"]


def test_a_deleted_phone_leaves_what_is_planned_with_its_time(write, line, pool) -> None:
    at = timezone.now() + timedelta(days=1)
    (message,) = write(route=Route(pool=pool), send_at=at)

    services.delete(line)

    message.refresh_from_db()
    assert (message.phone.name, message.not_before) == ("Second", at)


def test_a_provider_out_of_reach_leaves_all_to_the_next_phone(write, line, second, pool) -> None:
    messages = write(number(1), number(2), route=Route(pool=pool))
    Message.objects.update(not_before=timezone.now() - timedelta(minutes=1))
    for _ in range(3):
        limits.note_trouble(line)
    assert failing_over.move_stuck() == 0

    limits.hold(line, words="Connection refused", seconds=60)
    assert failing_over.move_stuck() == 2
    assert phones_of(*write(number(3), route=Route(pool=pool)), *messages) == ["Second"] * 3


def test_a_connection_that_is_not_there_leaves_all_to_the_next_phone(
    workspace, write, line
) -> None:
    away = Phone.objects.create(workspace=workspace, type="smpp", name="Away", settings={})
    (message,) = write(route=Route())
    Message.objects.update(
        phone=away, not_before=timezone.now() - timedelta(minutes=1), any_phone=True
    )

    live.show(away.pk, [{"state": "bound"}])
    assert failing_over.move_stuck() == 0
    live.show(away.pk, [{"state": "closed"}])
    assert failing_over.move_stuck() == 1

    assert phones_of(message) == ["Line"]


def test_two_phones_in_trouble_do_not_pass_a_message_to_and_fro_for_ever(
    write, line, second, pool
) -> None:
    (message,) = write(route=Route(pool=pool))
    Attempt.objects.bulk_create(
        Attempt(message=message, kind=Attempt.Kind.FAILED_OVER) for _ in range(20)
    )
    services.pause(line, reason=PauseReason.PERSON)

    assert failing_over.move_stuck() == 0


@pytest.mark.parametrize(("spill", "name"), [(True, "Second"), (False, "Line")])
def test_a_limit_that_is_reached_spills_or_defers_as_chosen(
    spill, name, write, send, line, pool
) -> None:
    first, second = write(number(1), number(2), route=Route(pool=pool))
    Limit.objects.create(phone=line, period="day", unit="messages", amount=1, spill=spill)
    quotas.note_metered(line)
    send()

    failing_over.move_stuck()

    assert states(first, second) == [Status.SENT, Status.QUEUED]
    assert phones_of(first, second) == ["Line", name]


def test_a_deleted_phone_leaves_its_messages_to_others(write, line, second, pool) -> None:
    moving, alone = write(number(1), route=Route(pool=pool)) + write(number(2), route=Route(line))

    services.delete(line)

    assert states(moving, alone) == [Status.QUEUED, Status.CANCELLED]
    assert phones_of(moving) == ["Second"]
    assert list(pool.phones.all()) == [second]


def test_a_deleted_phone_with_much_that_waits_is_left_in_portions(
    write, send, line, second, pool, monkeypatch
) -> None:
    monkeypatch.setattr(failing_over, "_BATCH", 2)
    moving = write(*map(number, range(3)), route=Route(pool=pool))
    alone = write(*map(number, range(10, 13)), route=Route(line))

    services.delete(line)
    send()
    assert sum(m.phone == line for m in Message.objects.filter(status=Status.QUEUED)) == 4
    for _turn in range(3):
        failing_over.go_on_leaving(line.pk)

    assert phones_of(*moving) == ["Second"] * 3
    assert states(*moving, *alone) == [Status.QUEUED] * 3 + [Status.CANCELLED] * 3


def test_what_comes_back_to_a_deleted_phone_finds_another_one(write, line, second, pool) -> None:
    (message,) = write(route=Route(pool=pool))
    Message.objects.update(status=Status.SENDING, lease_until=timezone.now())
    services.delete(line)
    Message.objects.update(status=Status.QUEUED)

    assert sweeping.cancel_orphans() == 0

    assert states(message) == [Status.QUEUED]
    assert phones_of(message) == ["Second"]


def test_without_another_phone_it_is_cancelled_with_the_reason(write, line, second, pool) -> None:
    services.delete(second)
    (message,) = write(route=Route(pool=pool))

    services.delete(line)

    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.CANCELLED, "phone_gone")


def test_the_message_s_page_tells_that_it_was_moved(as_bob, write, line, pool) -> None:
    (message,) = write(route=Route(pool=pool))
    services.pause(line, reason=PauseReason.PERSON)
    failing_over.move_stuck()

    page = as_bob.get(f"/messages/{message.pk}/").text

    assert "Moved to Second by itself" in page
    assert "Line could not send it now." in page
    assert "Second took it over" in page


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL goes by its statistics")
def test_what_is_to_move_is_found_by_an_index(write, line, pool) -> None:
    write(*map(number, range(50)), route=Route(line))
    write(number(90), route=Route(pool=pool))

    found = failing_over._movable().filter(
        phone__in=[line.pk], send_at__lte=timezone.now(), phone=line.pk, pool=None
    )
    tried = Message.objects.filter(IS_ROUTED, failing_over._tried(timezone.now()))

    assert "INDEX message_routed" in failing_over._ids(found)[:10].explain()
    assert "INDEX message_routed" in tried.explain()


def test_who_may_use_no_other_phone_is_in_nobodys_way(
    write: Write, line: Phone, pool: Pool, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing_over, "_BATCH", 2)
    Membership.objects.filter(user=bob).update(limits={"phones": [str(line.pk)]})
    staying = write(number(1), number(2), route=Route(pool=pool))
    moving = write(number(3), route=Route(pool=pool), by=alice)
    services.pause(line, reason=PauseReason.PERSON)

    assert failing_over.move_stuck() == 1

    assert phones_of(*staying, *moving) == ["Line", "Line", "Second"]
