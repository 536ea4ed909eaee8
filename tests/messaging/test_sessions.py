"""What stays connected: one session per phone that needs one, on one machine, begun and ended in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from lib import processes
from lib.jobs import redis
from messaging import watching
from messaging.models import Message
from messaging.sessions import Keeper, Sort
from messaging.watching import WATCHES
from phones import services
from phones.base import IncomingSms, Misconfigured, Polled, Temporary
from phones.models import PauseReason, Phone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db


class Fake:
    """A session that ends when the test says so, or when it is asked."""

    def __init__(self, phone: Phone, *, stubborn: bool = False) -> None:
        self.phone, self.stubborn, self.ended = phone, stubborn, False

    def stop(self) -> None:
        self.ended = self.ended or not self.stubborn

    def has_ended(self) -> bool:
        return self.ended


@pytest.fixture
def begun() -> list[Fake]:
    return []


@pytest.fixture
def keeper(begun: list[Fake]) -> Keeper:
    return fake_keeper(begun)


def fake_keeper(begun: list[Fake]) -> Keeper:
    def begin(phone: Phone) -> Fake:
        begun.append(Fake(phone))
        return begun[-1]

    return Keeper(Sort(suits=lambda kind: kind.slug == "scripted", begin=begin))


def living(begun: list[Fake]) -> list[int]:
    return [fake.phone.pk for fake in begun if not fake.ended]


def test_a_phone_that_needs_one_gets_one_session(
    line: Phone, phone: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    keeper.look()

    assert living(begun) == [line.pk]


def test_what_a_keeper_had_that_died_on_this_machine_is_taken_over_at_once(
    line: Phone, begun: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = fake_keeper(begun), fake_keeper(begun)
    first.look()
    second.look()
    before = second.phones()

    monkeypatch.setattr(processes, "has_ended", lambda name: name == processes.me())
    second.look()
    first.look()

    assert (before, second.phones()) == ([], [line.pk])
    assert not begun[1].ended


def test_nothing_begins_while_something_stands_in_its_way(line: Phone, begun: list[Fake]) -> None:
    ways: list[bool] = [True, False]
    sort = Sort(
        suits=lambda kind: kind.slug == "scripted",
        begin=lambda phone: begun.append(Fake(phone)) or begun[-1],  # type: ignore[func-returns-value]
        free=lambda phone: ways.pop(),
    )
    keeper = Keeper(sort)

    keeper.look()
    meanwhile = list(begun)
    keeper.look()

    assert (meanwhile, living(begun)) == ([], [line.pk])


@pytest.mark.parametrize("change", ["pause", "delete"])
def test_a_phone_that_rests_has_none(
    change: str, line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    if change == "pause":
        services.pause(line, reason=PauseReason.PERSON)
    else:
        services.delete(line)

    keeper.look()

    assert (living(begun), keeper.phones()) == ([], [])


def test_a_phone_that_starts_again_has_one_again(
    line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    Phone.objects.update(paused_at=timezone.now())
    keeper.look()
    services.start(line)

    keeper.look()

    assert living(begun) == [line.pk]


def test_an_edited_phone_begins_anew_once_the_old_session_is_gone(
    line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    begun[0].stubborn = True
    line.settings = {"server": "another"}
    line.save()

    keeper.look()
    while_it_ends = len(begun)
    begun[0].ended = True
    keeper.look()

    assert while_it_ends == 1
    assert [fake.phone.settings for fake in begun if not fake.ended] == [{"server": "another"}]


def test_what_its_session_does_not_depend_on_leaves_it_alone(
    line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    Phone.objects.update(name="Reception", rate=2, poll_cursor="p2")

    keeper.look()

    assert len(begun) == 1


def test_of_two_machines_one_has_the_session(line: Phone, begun: list[Fake]) -> None:
    one, two = fake_keeper(begun), fake_keeper(begun)
    one.look()
    two.look()

    first = (one.phones(), two.phones())
    one.stop(1)
    two.look()

    assert first == ([line.pk], [])
    assert two.phones() == [line.pk]


def test_a_lease_that_is_lost_ends_the_session(
    line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    redis().set(f"session:{line.pk}", "another machine")

    keeper.look()

    assert living(begun) == []
    assert redis().get(f"session:{line.pk}") == b"another machine"


def test_a_queue_server_that_forgot_everything_ends_nothing(
    line: Phone, keeper: Keeper, begun: list[Fake]
) -> None:
    keeper.look()
    redis().flushall()

    keeper.look()

    assert len(begun) == 1
    assert living(begun) == [line.pk]


def test_a_session_that_keeps_ending_rests_longer_and_longer(
    line: Phone, keeper: Keeper, begun: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    begins: list[float] = []
    for _ in range(100):
        keeper.look()
        if living(begun):
            begins.append(now)
            begun[-1].ended = True
        now += 0.25

    rests = [later - earlier for earlier, later in pairwise(begins)]
    assert len(begins) >= 4
    assert rests == sorted(rests)
    assert rests[-1] >= 2 * rests[0]


def test_one_phone_that_cannot_be_decrypted_keeps_no_other_from_its_session(
    line: Phone, workspace: Any, keeper: Keeper, begun: list[Fake], settings: Any
) -> None:
    settings.FIELD_KEYS = ["YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="]
    other = Phone.objects.create(workspace=workspace, type="scripted", name="Other", settings={})

    keeper.look()

    assert living(begun) == [other.pk]


# ---- Watching -----------------------------------------------------------------------------------


@pytest.fixture
def watch(line: Phone, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    monkeypatch.setattr(watching, "_REST", 0.001)
    keeper = Keeper(WATCHES)
    yield keeper
    keeper.stop(5)


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < ends, "It did not come."
        time.sleep(0.005)


@pytest.mark.django_db(transaction=True)
def test_news_are_asked_for_at_once(watch: Keeper, scripted: Any, jobs: Callable[[], None]) -> None:
    Phone.objects.update(polled_at=timezone.now())  # lately: the tick would not ask yet
    scripted.watched = [True]
    scripted.polls = [Polled((IncomingSms(number(1), "Yes", "IN1"),), "p2")]

    watch.look()
    until(lambda: scripted.watchers == 1)
    jobs()

    assert Message.objects.get().text == "Yes"


@pytest.mark.parametrize("error", [Temporary("Busy"), Misconfigured("Wrong key"), KeyError("bug")])
def test_a_watch_survives_its_errors(
    error: Exception, watch: Keeper, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LONGEST_REST", 0.001)
    scripted.watched = [error]

    watch.look()

    until(lambda: scripted.watchers == 1)


def test_a_watch_that_is_stopped_closes_what_it_opened(watch: Keeper, scripted: Any) -> None:
    watch.look()
    until(lambda: scripted.watchers == 1)

    watch.stop(5)

    assert (scripted.closed, watch.phones()) == (1, [])


def test_a_phone_whose_settings_ask_for_no_watch_has_none(watch: Keeper, line: Phone) -> None:
    line.settings = {"watch": "no"}
    line.save()

    watch.look()

    assert watch.phones() == []
