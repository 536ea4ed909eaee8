"""Whatever happens to messages and quotas, the ledger adds up and no quota is passed."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Membership, User, Workspace
from messaging import actions, composing
from messaging.composing import CannotSend
from messaging.models import Attempt, Message, Status
from messaging.quota import charging, ledger, releasing
from messaging.quota.charging import counts
from messaging.quota.counting import QUOTA_USES
from messaging.quota.models import Quota, QuotaEntry, QuotaPeriod
from messaging.routing import Route
from phones.models import Phone
from tests.messaging.conftest import number

_STEP: st.SearchStrategy[tuple[str, int]] = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 4)),
    st.tuples(st.just("write_long"), st.integers(1, 2)),
    st.tuples(st.just("write_as_nobody"), st.integers(1, 2)),
    st.tuples(
        st.sampled_from(
            ["cancel", "skip", "refused", "sent", "delivered", "lost", "unknown", "again", "delete"]
        ),
        st.integers(0, 5),
    ),
    st.tuples(st.just("credit"), st.integers(-3, 5)),
    st.tuples(st.just("change"), st.integers(0, 9)),
    st.tuples(st.sampled_from(["renew", "over", "release", "late", "melt"]), st.integers(0, 1)),
)


@pytest.mark.database
class Ledger(TestCase):
    @settings(max_examples=25)
    @given(
        st.lists(_STEP, max_size=14),
        st.sampled_from(Quota.Unit.values),
        st.sampled_from(Quota.Over.values),
        st.booleans(),
        st.none() | st.integers(0, 3),
    )
    def test_the_ledger_always_adds_up(
        self, steps: list[tuple[str, int]], unit: str, over: str, carries: bool, most: int | None
    ) -> None:
        world = World(unit, over, carries, most)

        for step in steps:
            world.do(*step)

            world.prove()


class World:
    """A workspace and a person in it, each with a quota."""

    def __init__(self, unit: str, over: str, carries: bool, most: int | None) -> None:
        self.workspace = Workspace.objects.create(name="W", time_zone="Europe/Paris")
        self.person = User.objects.create(email=f"{uuid.uuid4()}@example.org")
        Membership.objects.create(workspace=self.workspace, user=self.person, role="sender")
        self.phone = Phone.objects.create(
            workspace=self.workspace, type="simulator", name="P", settings={}, rate=1
        )
        rules = {"unit": unit, "over": over, "carries": carries, "carries_most": most}
        self.quotas = [
            ledger.grant(self.workspace, None, None, every="month", amount=6, **rules),
            ledger.grant(self.workspace, self.person, None, every="day", amount=4, **rules),
        ]
        # Reports that come late may tell that more left than was granted.
        self.has_late_news = False
        self.gone: list[Message] = []

    def do(self, what: str, how: int) -> None:
        if what.startswith("write"):
            self._write(what, how)
        elif what == "again":
            self._again(how)
        elif what == "credit":
            self.has_late_news |= how < 0
            ledger.credit(self.quotas[how % 2], how, "because", None)
        elif what == "change":
            self.has_late_news = True
            ledger.change(self.quotas[how % 2], None, amount=how)
        elif what == "renew":
            ledger.renew(self.quotas[how], None)
        elif what == "over":
            self._let_a_period_end(self.quotas[how])
        elif what == "release":
            releasing.release()
        elif what == "late":
            ledger.renew_due()
        elif what == "melt":
            for period in QuotaPeriod.objects.all():
                QUOTA_USES.melt_one(period.pk)
        else:
            self._happen(what, how)

    def _write(self, what: str, amount: int) -> None:
        composing.create(
            workspace=self.workspace,
            route=Route(self.phone),
            numbers=[number(place) for place in range(amount)],
            text="x" * (200 if what == "write_long" else 5),
            by=None if what == "write_as_nobody" else self.person,
            submission=uuid.uuid4(),
        )

    def _again(self, place: int) -> None:
        message = self._messages().filter(status=Status.UNKNOWN)[place:].first()
        if message:
            try:
                actions.resend(message, by=self.person)
            except CannotSend:
                assert message.quota_period

    def _let_a_period_end(self, quota: Quota) -> None:
        """Let the clock go on: the period that runs began, and is over, before now."""
        period = quota.periods.latest("starts_at")
        others = quota.periods.exclude(pk=period.pk).order_by("starts_at")
        for older in [*others, period]:
            QuotaPeriod.objects.filter(pk=older.pk).update(
                starts_at=older.starts_at - timedelta(days=32),
                ends_at=older.ends_at and older.ends_at - timedelta(days=32),
            )

    def _happen(self, what: str, place: int) -> None:
        now = timezone.now()
        queued = {"status": Status.QUEUED, "held": False}
        flown = {"claimed_at": now, "held": False}
        before, after = {
            "cancel": ({"status": Status.QUEUED}, {"status": Status.CANCELLED}),
            "skip": ({"status": Status.QUEUED}, {"status": Status.SKIPPED, "held": False}),
            "refused": (queued, {"status": Status.FAILED, **flown}),
            "sent": (queued, {"status": Status.SENT, "sent_at": now, **flown}),
            "unknown": (queued, {"status": Status.UNKNOWN, **flown}),
            "lost": ({"status": Status.SENT}, {"status": Status.FAILED}),
            "delivered": ({"status__in": ["sent", "failed"]}, {"status": Status.DELIVERED}),
            "delete": ({}, None),
        }[what]
        some = self._messages().filter(
            pk__in=[m.pk for m in self._messages().filter(**before)[place:][:2]]
        )
        self.has_late_news |= what == "delivered"
        if after is None:
            # What is kept no more goes on counting.
            self.gone += list(some)
            some.delete()
        else:
            some.update(**after)

    def _messages(self) -> Any:
        return Message.objects.filter(workspace=self.workspace).order_by("pk")

    def prove(self) -> None:
        messages = list(self._messages())
        assert QUOTA_USES.differing() == []
        for quota in self.quotas:
            for balance in ledger.balances(list(quota.periods.select_related("quota"))).values():
                entries = balance.period.entries.aggregate(sum=Sum("amount", default=0))["sum"]
                account = charging.Account(balance)
                taken = sum(
                    account.price(message.segments)
                    for message in [*messages, *self.gone]
                    if counts(message)
                    and balance.period.pk in (message.quota_period, message.person_quota_period)
                )
                assert balance.left == entries - taken
                assert balance.left >= 0 or self.has_late_news
            carried = QuotaEntry.objects.filter(period__quota=quota, kind="carried")
            assert carried.aggregate(sum=Sum("amount", default=0))["sum"] == 0
        for message in messages:
            waits = message.reason in ("quota", "own_quota") and message.status == Status.QUEUED
            assert message.held == waits or message.status != Status.QUEUED
            assert not (waits and (message.quota_period or message.person_quota_period))


@pytest.mark.database
@pytest.mark.django_db
def test_what_is_released_is_all_that_fits() -> None:
    world = World("segments", "wait", carries=False, most=None)
    world.do("write", 4)
    world.do("write", 4)
    ledger.credit(world.quotas[1], 3, "for the fair", None)

    releasing.release()

    states = [(m.held, m.reason) for m in world._messages()]
    assert states == [(False, "")] * 6 + [(True, "own_quota")] * 2
    assert Attempt.objects.filter(kind="quota").count() == 4
    with transaction.atomic():
        assert releasing.release() == 0
