"""Periods by the calendar, renewed once; what is left is carried over, or expires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Workspace
from messaging.models import Message
from messaging.quota import ledger
from messaging.quota.ledger import Balance
from messaging.quota.models import Quota, QuotaEntry
from messaging.quota.periods import begins, ends
from messaging.quota.showing import left_words
from tests.messaging.conftest import number

NOVEMBER = datetime(2026, 11, 20, 11, 5, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 3, 9, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 3, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
EVERY = [every for every in Quota.Every.values if every != Quota.Every.ONCE]


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(EVERY),
    st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_periods_follow_each_other_without_a_gap(at: datetime, every: str, zone: str) -> None:
    where = ZoneInfo(zone)
    end = ends(every, where, at)

    assert end is not None
    assert begins(every, where, at) <= at < end
    assert begins(every, where, end) == end


@pytest.mark.parametrize(
    ("every", "begun", "over"),
    [
        ("day", "2026-11-20", "2026-11-21"),
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_period_is_that_of_the_calendar(every: str, begun: str, over: str) -> None:
    end = ends(every, PARIS, NOVEMBER)

    assert end is not None
    assert f"{begins(every, PARIS, NOVEMBER).astimezone(PARIS):%Y-%m-%d %H}" == f"{begun} 00"
    assert f"{end.astimezone(PARIS):%Y-%m-%d %H}" == f"{over} 00"


@pytest.fixture
def give(workspace: Workspace) -> Any:
    def give(amount: int, **rules: Any) -> Quota:
        rules = {"unit": "messages", "every": "month", **rules}
        return ledger.grant(workspace, None, None, amount=amount, **rules)

    return give


def stands(quota: Quota) -> Balance:
    return ledger.standings([Quota.objects.get(pk=quota.pk)])[0]


def booked(quota: Quota) -> list[tuple[str, int]]:
    entries = QuotaEntry.objects.filter(period__quota=quota).order_by("pk")
    return list(entries.values_list("kind", "amount"))


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOVEMBER, tick=True) as traveller:
        yield traveller


def test_a_new_period_begins_by_itself_and_what_was_left_expires(give, clock) -> None:
    quota = give(10)
    assert left_words(stands(quota)) == "10 of 10 messages left until 1 December"

    clock.move_to(FEBRUARY)

    assert left_words(stands(quota)) == "10 of 10 messages left until 1 March"
    assert booked(quota) == [("granted", 10), ("expired", -10), ("granted", 10)]


def test_what_is_left_is_carried_over_through_periods_nobody_saw(give, clock, write) -> None:
    quota = give(10, carries=True, carries_most=15)
    write(*map(number, range(4)))

    clock.move_to(FEBRUARY)

    # 6 of November and 10 of December; of these 16 only 15 go on into January, and of 25 into February.
    assert stands(quota).granted == 25
    assert quota.periods.count() == 4


def test_what_comes_back_after_the_end_is_carried_over_too(give, clock, write) -> None:
    quota = give(5, carries=True)
    write(*map(number, range(5)))
    clock.move_to(DECEMBER)
    assert ledger.renew_due() == 1
    assert stands(quota).left == 5

    Message.objects.update(status="cancelled")
    ledger.renew_due()
    ledger.renew_due()

    assert stands(quota).left == 10


def test_one_that_does_not_renew_ends_and_takes_credit(give, clock, write) -> None:
    quota = give(5, renews=False)
    clock.move_to(DECEMBER)
    assert stands(quota).has_ended
    assert write(number(1))[0].reason == "quota"

    ledger.credit(quota, 3, "Fair", None)
    assert stands(quota).left == 3
    ledger.renew(quota, None)

    assert stands(quota).left == 5
    assert not stands(quota).has_ended


def test_credit_without_a_period_lasts_until_it_is_used_up(give, clock, write) -> None:
    quota = give(2, every="once")
    write(number(1))
    clock.move_to(FEBRUARY)

    assert left_words(stands(quota)) == "1 of 2 messages left"


def test_a_changed_amount_counts_at_once_and_a_changed_period_begins_one(
    give, clock, write
) -> None:
    quota = give(10)
    write(number(1))

    ledger.change(quota, None, amount=4)
    assert (stands(quota).left, stands(quota).used) == (3, 1)

    ledger.change(quota, None, every="day")
    assert (stands(quota).left, stands(quota).used) == (4, 0)
    assert booked(quota)[-2:] == [("expired", -3), ("granted", 4)]


def test_the_ledger_refuses_changes(give) -> None:
    give(10)
    entry = QuotaEntry.objects.get()

    with pytest.raises(TypeError):
        entry.save()
