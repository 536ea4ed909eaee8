"""Nobody is woken up, and nothing waits longer than it must."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Workspace
from messaging import page, quiet
from messaging.models import Attempt, Priority, QuietHours
from messaging.quiet import Quiet
from phones.models import Phone
from tests.messaging.conftest import number, states

EVERY_DAY = list(range(7))
NIGHT = {"begins": time(20), "ends": time(8), "days": EVERY_DAY}


def hours(**said: object) -> Quiet:
    return Quiet([QuietHours(**said)], "Europe/Paris")


def local(zone: str, *wall: int) -> datetime:
    return datetime(*wall, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type,misc]


def paris(*wall: int) -> datetime:
    return local("Europe/Paris", *wall)


some_hours = st.builds(
    lambda begins, ends, days, whole_days: QuietHours(
        begins=begins, ends=ends, days=days, whole_days=whole_days
    ),
    st.times(),
    st.times(),
    st.lists(st.integers(0, 6), unique=True),
    st.lists(st.integers(0, 6), unique=True, max_size=6),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(some_hours, moments, st.sampled_from(["FR", "US", "IR", "AU", ""]))
def test_where_quiet_hours_end_nothing_waits_any_more(
    row: QuietHours, at: datetime, country: str
) -> None:
    those = Quiet([row], "Europe/Paris")
    allowed = those.allowed_at(country, at)

    assert allowed >= at
    assert those.allowed_at(country, allowed) == allowed
    # Whatever it waits for is quiet throughout.
    assert those.allowed_at(country, at + (allowed - at) / 2) == allowed


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (paris(2026, 11, 20, 19, 59), paris(2026, 11, 20, 19, 59)),
        (paris(2026, 11, 20, 20, 0), paris(2026, 11, 21, 8, 0)),
        (paris(2026, 11, 21, 3, 0), paris(2026, 11, 21, 8, 0)),
        (paris(2026, 11, 21, 8, 0), paris(2026, 11, 21, 8, 0)),
        # Sundays are quiet, so a Saturday's night lasts until Monday.
        (paris(2026, 11, 21, 21, 0), paris(2026, 11, 23, 8, 0)),
        (paris(2026, 11, 22, 12, 0), paris(2026, 11, 23, 8, 0)),
        # The night when the clocks change ends at eight all the same.
        (paris(2027, 3, 27, 23, 0), paris(2027, 3, 29, 8, 0)),
    ],
)
def test_nights_and_sundays_are_quiet(at: datetime, until: datetime) -> None:
    assert hours(**NIGHT, whole_days=[6]).allowed_at("FR", at) == until


def test_hours_within_a_day_begin_and_end_on_it() -> None:
    siesta = hours(begins=time(13), ends=time(15), days=[0])

    assert siesta.allowed_at("FR", paris(2026, 11, 23, 14)) == paris(2026, 11, 23, 15)
    assert siesta.allowed_at("FR", paris(2026, 11, 24, 14)) == paris(2026, 11, 24, 14)


def test_the_clock_of_the_place_counts() -> None:
    night = hours(**NIGHT)
    noon = paris(2026, 11, 20, 12)

    assert night.allowed_at("FR", noon) == noon
    assert night.allowed_at("JP", noon) == local("Asia/Tokyo", 2026, 11, 21, 8)
    # Six in the morning in New York, three in Los Angeles.
    new_york = night.allowed_at("US", noon, "+12125550123")
    assert new_york == local("America/New_York", 2026, 11, 20, 8)
    assert night.allowed_at("US", noon, "+13105550123") == new_york + timedelta(hours=3)
    assert night.allowed_at("", noon, "+819012345678") == local("Asia/Tokyo", 2026, 11, 21, 8)


def test_a_country_may_have_its_own_or_none() -> None:
    rows = [
        QuietHours(**NIGHT),
        QuietHours(country="ES", begins=time(22), ends=time(9), days=EVERY_DAY),
        QuietHours(country="US", is_off=True),
    ]
    quiet, at = Quiet(rows, "Europe/Paris"), paris(2026, 11, 20, 21)

    assert quiet.allowed_at("FR", at) == paris(2026, 11, 21, 8)
    assert quiet.allowed_at("ES", at) == at
    assert quiet.allowed_at("US", at) == at


def test_without_quiet_hours_there_are_none() -> None:
    assert not Quiet([], "Europe/Paris")
    assert not hours(country="US", is_off=True)
    assert Quiet([], "Europe/Paris").allowed_at("FR", paris(2026, 1, 1)) == paris(2026, 1, 1)


# ---- Messages -----------------------------------------------------------------------------------

NIGHTFALL = paris(2026, 11, 20, 21)
MORNING = paris(2026, 11, 21, 8)


@pytest.fixture
def night(workspace: Workspace) -> QuietHours:
    return QuietHours.objects.create(workspace=workspace, **NIGHT)


@pytest.fixture
def late() -> Iterator[None]:
    with time_machine.travel(NIGHTFALL, tick=False):
        yield


@pytest.mark.django_db
def test_a_message_waits_for_the_morning_and_says_so(
    night: Any, late: Any, write: Any, send: Any, scripted: Any
) -> None:
    [message] = write(number(1))
    send()

    assert scripted.sent == []
    assert message.send_at == message.not_before == MORNING
    shown = page.build(message, NIGHTFALL)
    assert [step.title for step in shown.steps] == [
        "Queued", "Held in quiet hours", "Waits for the end of quiet hours",
    ]  # fmt: skip
    assert "until Saturday 21 November, 07:00" in shown.steps[1].text


@pytest.mark.django_db
def test_each_waits_as_long_as_it_is_night_where_they_live(
    night: Any, late: Any, write: Any
) -> None:
    here, there, noon = write(number(1), "+819012345678", "+12125550123")

    assert here.send_at == MORNING
    assert there.send_at == local("Asia/Tokyo", 2026, 11, 21, 8)
    assert noon.send_at == NIGHTFALL
    assert Attempt.objects.filter(kind="quiet").count() == 2


@pytest.mark.django_db
def test_what_is_planned_for_the_night_waits_as_well(night: Any, late: Any, write: Any) -> None:
    [message] = write(send_at=paris(2026, 11, 22, 3))

    assert message.send_at == paris(2026, 11, 22, 8)


@pytest.mark.django_db
@pytest.mark.parametrize("said", [{"priority": Priority.URGENT}, {"at_any_hour": True}])
def test_urgent_ones_and_answers_leave_at_once(
    night: Any, late: Any, write: Any, said: dict[str, Any]
) -> None:
    [message] = write(**said)

    assert message.send_at == NIGHTFALL
    assert not message.trail.exists()


@pytest.mark.django_db
def test_in_the_morning_it_leaves(night: Any, write: Any, send: Any) -> None:
    with time_machine.travel(NIGHTFALL, tick=False):
        [message] = write()
    with time_machine.travel(MORNING, tick=False):
        send()

    message.refresh_from_db()
    assert message.status == "sent"


@pytest.mark.django_db
def test_what_waited_until_the_night_waits_for_the_morning(
    night: Any, write: Any, send: Any, scripted: Any, line: Phone
) -> None:
    with time_machine.travel(paris(2026, 11, 20, 19, 50), tick=False):
        [message] = write()
        [urgent] = write(number(2), priority=Priority.URGENT)
    with time_machine.travel(paris(2026, 11, 20, 20, 5), tick=False):
        send()
    assert states(message, urgent) == ["queued", "sent"]
    message.refresh_from_db()
    assert (message.send_at, message.not_before) == (MORNING, MORNING)
    assert [attempt.kind for attempt in message.trail.all()] == ["quiet"]

    with time_machine.travel(MORNING, tick=False):
        send()

    assert states(message) == ["sent"]
    assert len(scripted.sent) == 2


@pytest.mark.django_db
def test_what_was_let_through_at_night_is_not_held_afterwards(
    night: Any, late: Any, write: Any, send: Any
) -> None:
    [answer] = write(at_any_hour=True)

    send()

    assert states(answer) == ["sent"]


@pytest.mark.django_db
def test_without_quiet_hours_a_phone_pays_a_query_a_minute(
    line: Phone, django_assert_num_queries: Any
) -> None:
    at = paris(2031, 1, 1, 12)

    with django_assert_num_queries(1):
        for second in range(30):
            quiet.keep(line, at + timedelta(seconds=second))
