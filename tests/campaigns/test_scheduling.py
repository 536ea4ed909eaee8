"""What waits for its time leaves then, or says why it did not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.core import mail

from accounts.models import User, Workspace
from campaigns import scheduling, steering
from campaigns.models import Campaign, State
from phones.models import Phone

pytestmark = pytest.mark.django_db

NINE = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def planned(workspace: Workspace, phone: Phone, alice: User) -> Callable[..., Campaign]:
    def planned(**said: Any) -> Campaign:
        fields = {
            "name": "Sale", "text": "Hello", "numbers": ["+33612345678"], "phone": phone,
            "send_at": NINE, "time_zone": "Europe/Paris", "state": State.SCHEDULED,
            "started_by": alice, **said,
        }  # fmt: skip
        return Campaign.objects.create(workspace=workspace, **fields)

    return planned


def look(*moment: int) -> None:
    with time_machine.travel(datetime(*moment, tzinfo=UTC), tick=False):  # type: ignore[arg-type,misc]
        scheduling.start_due()


def after(campaign: Campaign) -> Campaign:
    campaign.refresh_from_db()
    return campaign


def test_it_starts_at_its_time_and_not_before(planned: Any, alice: User) -> None:
    campaign = planned()

    look(2026, 12, 1, 7, 59)
    assert after(campaign).state == State.SCHEDULED
    look(2026, 12, 1, 8, 0)

    assert (after(campaign).state, campaign.started_by) == (State.RUNNING, alice)


def test_where_each_zone_counts_it_starts_when_the_first_is_there(planned: Any) -> None:
    campaign = planned(own_zone=True)

    look(2026, 11, 30, 18, 59)
    assert after(campaign).state == State.SCHEDULED
    look(2026, 11, 30, 19, 0)

    assert after(campaign).state == State.RUNNING


def test_a_late_one_still_leaves_within_its_hours(planned: Any) -> None:
    campaign = planned(late=24)

    look(2026, 12, 2, 8, 0)

    assert after(campaign).state == State.RUNNING


@pytest.mark.parametrize(
    ("late", "words"),
    [(24, "It was not to leave more than 24 hours late."), (0, "It was not to leave late.")],
)
def test_one_that_is_too_late_is_cancelled_and_says_why(
    planned: Any, late: int, words: str
) -> None:
    campaign = planned(late=late)

    look(2026, 12, 2, 8, 1)

    assert (after(campaign).state, bool(campaign.ended_at)) == (State.CANCELLED, True)
    assert campaign.problem == (
        f"It was to leave on Tuesday 1 December, 09:00, and could not. {words}"
    )


@pytest.mark.parametrize(
    ("is_active", "told"), [(True, ["bob@example.org"]), (False, ["alice@example.org"])]
)
def test_one_that_never_left_is_told_by_mail(
    planned: Any,
    alice: User,
    bob: User,
    is_active: bool,
    told: list[str],
) -> None:
    campaign = planned(started_by=None, created_by=bob, name="Sale\nX", late=0)
    User.objects.filter(pk=bob.pk).update(is_active=is_active)
    with patch.object(scheduling, "enqueue") as enqueue:
        look(2026, 12, 1, 10, 0)
    job, pk = enqueue.call_args.args

    job(pk)

    assert pk == campaign.pk
    assert [sent.to for sent in mail.outbox] == [told]
    assert mail.outbox[0].subject == "Sale X was not sent"
    assert "It was not to leave late." in mail.outbox[0].body


def test_one_that_cannot_start_says_why_and_is_tried_again(planned: Any) -> None:
    campaign = planned(text=" ")

    look(2026, 12, 1, 8, 0)
    assert after(campaign).state == State.SCHEDULED
    assert "The text is empty." in campaign.problem
    Campaign.objects.filter(pk=campaign.pk).update(text="Hello")
    look(2026, 12, 1, 8, 1)

    assert (after(campaign).state, campaign.problem) == (State.RUNNING, "")


def test_one_that_never_could_ends_with_the_reason(planned: Any) -> None:
    campaign = planned(text=" ", late=1)

    look(2026, 12, 1, 8, 0)
    look(2026, 12, 1, 9, 1)

    assert after(campaign).state == State.CANCELLED
    assert "The text is empty." in campaign.problem


def test_one_that_breaks_keeps_no_other_from_leaving(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = planned(name="broken"), planned()
    start = steering.start

    def start_or_break(campaign: Campaign, by: User | None) -> None:
        if campaign == broken:
            raise RuntimeError
        start(campaign, by)

    monkeypatch.setattr(steering, "start", start_or_break)

    look(2026, 12, 1, 8, 0)

    assert (after(broken).state, after(sound).state) == (State.SCHEDULED, State.RUNNING)


@pytest.mark.parametrize("state", set(State) - {State.SCHEDULED})
def test_what_does_not_wait_is_left_alone(planned: Any, state: State) -> None:
    campaign = planned(state=state)

    look(2026, 12, 1, 8, 0)
    look(2026, 12, 9, 8, 0)

    assert after(campaign).state == state
