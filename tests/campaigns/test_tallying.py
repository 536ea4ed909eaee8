"""Counters equal the rows, whatever happens to them and whoever does it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Workspace
from campaigns import tallying
from campaigns.models import Campaign, Tally
from campaigns.tallying import TALLIES
from lib.tallies import Counts
from messaging import activity
from messaging.activity import ACTIVITY
from messaging.models import Activity, Direction, Message, Status
from phones.models import Phone

_STATES = [s for s in Status.values if s != Status.RECEIVED]
_CHANGE = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(_STATES).filter(lambda s: s != Status.SENDING),
        "reason": st.sampled_from(["", "expired", "landline"]),
        "cost": st.none() | st.integers(0, 10**9),
        "currency": st.sampled_from(["", "EUR", "USD"]),
        "cost_is_estimate": st.booleans(),
        "segments": st.integers(1, 9),
        "country": st.sampled_from(["", "FR", "DE"]),
    },
)
_STEP: st.SearchStrategy[tuple[str, int, Any]] = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 1), _CHANGE),
    st.tuples(st.just("change"), st.integers(0, 5), _CHANGE),
    st.tuples(st.just("delete"), st.integers(0, 5), st.just({})),
    st.tuples(st.just("melt"), st.integers(0, 1), st.just({})),
    st.tuples(st.just("undo"), st.integers(0, 5), _CHANGE),
)


@pytest.mark.database
class Counting(TestCase):
    @settings(max_examples=25)
    @given(st.lists(_STEP, max_size=12))
    def test_counters_always_equal_the_rows_and_those_that_were_deleted(
        self, steps: list[tuple[str, int, Any]]
    ) -> None:
        workspace = Workspace.objects.create(name="W")
        phone = Phone.objects.create(
            workspace=workspace, type="simulator", name="P", settings={}, rate=1
        )
        both = [Campaign.objects.create(workspace=workspace, name=name) for name in "ab"]

        owners = [(TALLIES, campaign.pk) for campaign in both] + [(ACTIVITY, workspace.pk)]
        gone: list[Counter[Any]] = [Counter() for _ in owners]

        for number, (what, place, change) in enumerate(steps):
            before = [by_sum(counters.recount(pk)) for counters, pk in owners]
            apply(what, place, change, number, both, phone)

            for was, mine, (counters, pk) in zip(before, gone, owners, strict=True):
                there = by_sum(counters.recount(pk))
                if what == "delete":
                    mine.update(minus(was, there))
                assert by_sum(counters.counts(pk, removed=False)) == there
                assert by_sum(counters.counts(pk, removed=True)) == nonzero(mine)
                assert by_sum(counters.counts(pk)) == together(there, mine)


def by_sum(counts: Counts) -> Counter[Any]:
    """Give each sum by itself: {(key, place of the sum): sum}."""
    return nonzero(
        Counter({(key, at): n for key, sums in counts.items() for at, n in enumerate(sums)})
    )


def minus(before: Counter[Any], after: Counter[Any]) -> dict[Any, int]:
    return {key: before[key] - after[key] for key in before}


def together(one: Counter[Any], other: Counter[Any]) -> Counter[Any]:
    return nonzero(Counter({key: one[key] + other[key] for key in {*one, *other}}))


def nonzero(counts: Counter[Any]) -> Counter[Any]:
    return Counter({key: amount for key, amount in counts.items() if amount})


def apply(
    what: str, place: int, change: dict[str, Any], number: int, both: list[Campaign], phone: Phone
) -> None:
    if what == "add":
        Message.objects.create(
            workspace=phone.workspace,
            direction=Direction.OUT,
            phone=phone,
            peer=str(number),
            campaign=both[place],
            **{"status": Status.QUEUED, **change},
        )
    elif what == "melt":
        TALLIES.melt_one(both[place].pk)
        ACTIVITY.melt_one(phone.workspace_id)
    elif what == "delete":
        Message.objects.filter(pk__in=Message.objects.order_by("pk")[place:][:2]).delete()
    elif change:
        with transaction.atomic():
            Message.objects.filter(pk__in=Message.objects.order_by("pk")[place:][:3]).update(
                **change
            )
            transaction.set_rollback(what == "undo")


@pytest.fixture
def sent(workspace: Workspace, phone: Phone) -> Campaign:
    campaign = Campaign.objects.create(workspace=workspace, name="Flu")
    Message.objects.create(
        workspace=workspace,
        direction=Direction.OUT,
        phone=phone,
        peer="+33600000001",
        campaign=campaign,
        status=Status.SENT,
    )
    return campaign


@pytest.mark.database
def test_what_a_workspace_counts_is_mended_under_the_time_of_its_rows(
    sent: Campaign, workspace: Workspace
) -> None:
    at = datetime(2026, 11, 20, 9, 20, tzinfo=UTC)
    Message.objects.update(send_at=at)
    Message.objects.create(
        workspace=workspace, direction=Direction.OUT, phone=Phone.objects.get(), peer="+33600000002",
        status=Status.FAILED, send_at=at + timedelta(days=1),
    )  # fmt: skip

    def counted() -> list[tuple[datetime, str, int]]:
        found = activity.by_quarter(workspace, at - timedelta(days=9), at + timedelta(days=9))
        return sorted(line for line in found if line[2])

    before = counted()
    quarter = at.replace(minute=15)
    assert before == [(quarter, "sent", 1), (quarter + timedelta(days=1), "failed", 1)]
    # The sums are right, their times are not.
    Activity.objects.filter(status="failed").update(at=at)

    assert not activity.agrees(workspace)
    call_command("recount", "--mend", stdout=StringIO())

    assert counted() == before
    assert activity.agrees(workspace)


def test_the_command_says_whether_counters_are_right(sent: Campaign) -> None:
    call_command("recount", stdout=StringIO())
    Tally.objects.all().delete()

    with pytest.raises(CommandError, match="1 of 1"):
        call_command("recount", sent.pk, stdout=StringIO())


def test_mending_keeps_what_was_deleted(sent: Campaign) -> None:
    Message.objects.all().delete()

    tallying.mend(sent)

    assert tallying.figures_of(sent).by_status == {"sent": 1}
    assert tallying.agrees(sent)


def test_the_command_mends_them(sent: Campaign) -> None:
    Tally.objects.all().delete()

    call_command("recount", mend=True, stdout=StringIO())

    assert tallying.figures_of(sent).by_status == {"sent": 1}
    assert tallying.agrees(sent)


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_a_workspace_goes_with_its_messages_and_counts(sent: Campaign) -> None:
    workspace = sent.workspace
    assert ACTIVITY.counts(workspace.pk)

    with transaction.atomic():
        Message.objects.all().delete()
        sent.delete()
        Phone.objects.all().delete()
        workspace.delete()

    assert not Workspace.objects.exists()
    assert not Activity.objects.exists()
