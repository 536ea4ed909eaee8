"""What the page before sending promises is what sending does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns import previewing, recurring, rehearsing, steering
from campaigns.models import Campaign
from campaigns.rhythms import Rhythm
from contacts.models import Contact, Field, Group
from contacts.services import opt_out
from tests.campaigns.conftest import by_state, work
from tests.contacts.cast import contact
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db

Draft = Callable[..., Campaign]


def rehearsed(campaign: Campaign) -> dict[str, object]:
    steering.check(campaign)
    work(campaign)
    plan: dict[str, object] = campaign.plan
    assert plan["state"] == "done"
    return plan


def test_it_counts_what_will_happen(draft: Draft, workspace: Workspace, bob: User) -> None:
    opt_out(workspace, number(2), source="person")
    campaign = draft(
        numbers=[number(1), number(2), number(1), "nobody", "+33140000000", number(3)],
        without_numbers=[number(3)],
    )

    plan = rehearsed(campaign)

    assert plan["people"] == 1
    assert plan["segments"] == 1
    assert plan["out"] == {
        "opted_out": 1, "repeated": 1, "not_a_number": 1, "landline": 1, "excluded": 1,
    }  # fmt: skip
    steering.start(campaign, bob)
    work(campaign)
    assert by_state(campaign) == {"queued": 1, "skipped": 3}


def test_it_foresees_whose_own_clock_is_past(draft: Draft, bob: User) -> None:
    in_an_hour = timezone.now() + timedelta(hours=1)
    japanese = "+819012345678"
    campaign = draft(numbers=[number(1), japanese], send_at=in_an_hour, own_zone=True, late=2)

    plan = rehearsed(campaign)

    assert (plan["people"], plan["out"]) == (1, {"too_late": 1})
    (left_out,) = previewing.left_out(campaign, "too_late").people
    assert left_out.recipient.number == japanese
    steering.start(campaign, bob)
    work(campaign)
    assert by_state(campaign) == {"queued": 1, "skipped": 1}


def test_of_what_begins_later_nobody_is_too_late(draft: Draft) -> None:
    in_a_week = timezone.now() + timedelta(days=7)
    campaign = draft(numbers=["+819012345678"], send_at=in_a_week, own_zone=True, late=0)

    assert rehearsed(campaign)["people"] == 1


def test_of_birthdays_it_counts_who_gets_the_next_run(
    draft: Draft, workspace: Workspace, bob: User, as_bob: Client
) -> None:
    Field.objects.create(workspace=workspace, key="born", label="Birthday", type="date")
    days = ["1990-11-24", "2001-11-24", "1980-12-01", "2004-02-29", ""]
    for i, day in enumerate(days):
        person = contact(workspace, f"Person {i}", number(i))
        Contact.objects.filter(pk=person.pk).update(values={"born": day} if day else {})
    campaign = draft(numbers=[number(i) for i in range(6)])

    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        daily = Rhythm(datetime(2026, 11, 20, 9, 0), "Europe/Paris")
        recurring.arrange(campaign, daily, "born", bob)
        plan = rehearsed(campaign)
        page = as_bob.get(f"/campaigns/{campaign.pk}/check/")
        left_out = previewing.left_out(campaign, "no_day").people

    assert (plan["people"], plan["out"]) == (4, {"no_day": 2})
    assert [(run.at, run.figures["people"]) for run in page.context["runs"]] == [
        (datetime(2026, 11, 24, 9), 2),
        (datetime(2026, 12, 1, 9), 1),
        (datetime(2027, 2, 28, 9), 1),
    ]
    assert page.context["plan"]["people"] == 2
    assert "about 2 people" in page.text
    assert "We do not know their day" in page.text
    assert [judged.recipient.number for judged in left_out] == [number(4), number(5)]


def test_another_birthday_voids_it(draft: Draft, bob: User) -> None:
    campaign = draft()
    rehearsed(campaign)

    recurring.arrange(campaign, Rhythm(datetime(2026, 11, 20, 9, 0), "Europe/Paris"), "born", bob)

    assert Campaign.objects.get(pk=campaign.pk).planned_at is None


def test_who_is_there_more_than_once_is_named_with_where(
    draft: Draft, workspace: Workspace, as_bob: Client
) -> None:
    choir = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    choir.contacts.add(contact(workspace, "Nadia", number(2)))
    campaign = draft(numbers=[number(1), number(2), number(1)], who=[f"g{choir.pk}"])
    with patch.object(rehearsing, "_CHUNK", 2), patch.object(rehearsing, "_RUN", 0):
        rehearsed(campaign)

    page = as_bob.get(f"/campaigns/{campaign.pk}/check/left-out/?why=repeated")

    assert [(r.number, r.name, r.first, r.again) for r in page.context["repeats"]] == [
        (number(1), "", "Numbers you pasted", "Numbers you pasted"),
        (number(2), "Nadia", "Numbers you pasted", "Choir"),
    ]
    assert "Nadia" in page.text
    check = as_bob.get(f"/campaigns/{campaign.pk}/check/").text
    assert "/check/left-out/?why=repeated" in check


def test_it_goes_on_in_turns_and_finds_the_same(draft: Draft) -> None:
    numbers = [number(i % 30) for i in range(50)]
    with patch.object(rehearsing, "_CHUNK", 7), patch.object(rehearsing, "_RUN", 0):
        plan = rehearsed(draft(numbers=numbers))

    assert (plan["people"], plan["out"]) == (30, {"repeated": 20})


def test_a_run_that_died_is_begun_anew(draft: Draft) -> None:
    campaign = draft(numbers=[number(i) for i in range(30)])
    steering.check(campaign)
    with patch.object(rehearsing, "_CHUNK", 10), patch.object(rehearsing, "_RUN", 0):
        rehearsing.run(campaign.pk)
    with (
        patch.object(rehearsing, "_CHUNK", 10),
        patch.object(rehearsing._Numbers, "keep", side_effect=KeyboardInterrupt),
        patch.object(rehearsing, "_RUN", 0),
        pytest.raises(KeyboardInterrupt),
    ):
        rehearsing.run(campaign.pk)
    Campaign.objects.update(lease_until=None)

    work(campaign)

    assert (campaign.plan["people"], campaign.plan["out"]) == (30, {})


def test_a_change_voids_it(draft: Draft) -> None:
    campaign = draft()
    rehearsed(campaign)

    steering.save(campaign, numbers=[number(1)])

    assert (campaign.plan, campaign.planned_at) == ({}, None)
    assert rehearsed(campaign)["people"] == 1


def test_what_was_changed_meanwhile_is_not_written_over(draft: Draft) -> None:
    campaign = draft()
    steering.check(campaign)

    def changing(*_: object) -> None:
        steering.save(Campaign.objects.get(pk=campaign.pk), text="Other words")

    with patch.object(rehearsing._Rehearsal, "_count", changing):
        rehearsing.run(campaign.pk)
    campaign.refresh_from_db()

    assert campaign.plan == {}
