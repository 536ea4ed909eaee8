"""Where the parts meet: whatever changes while a campaign runs, nobody gets what they should not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from accounts import administering
from accounts.models import User, Workspace
from campaigns import expanding, feeding, scheduling, steering
from campaigns.judging import Judge
from campaigns.models import Campaign, State
from contacts.holdings import erase, everything
from contacts.models import Group
from contacts.services import opt_out
from messaging import actions, carrying, conversations, quiet, reporting, sending, sweeping, threads
from messaging.composing import CannotSend
from messaging.models import Media, Message, QuietHours, Segment
from messaging.outcomes import Outcome, record
from phones import services
from phones.base import Delivery, Reason, Sent, StatusReport, Temporary
from phones.models import Phone, Pool, PoolPhone
from tests.campaigns.conftest import by_state, messages, work
from tests.contacts.cast import contact
from tests.messaging.conftest import number
from tests.messaging.threads import conversation_with, incoming

pytestmark = [pytest.mark.django_db, pytest.mark.database]

Begin = Callable[..., Campaign]


# ---- Opting out ---------------------------------------------------------------------------------


def test_who_opts_out_while_held_gets_nothing(
    begin: Begin, workspace: Workspace, send: Callable[[], None]
) -> None:
    campaign = begin()
    expanding.run(campaign.pk)

    opt_out(workspace, number(2), source="person")
    work(campaign)
    send()

    assert [(m.status, m.reason) for m in messages(campaign)] == [
        ("sent", ""),
        ("skipped", "opted_out"),
        ("sent", ""),
    ]


def test_who_opts_out_while_it_waits_at_a_phone_gets_nothing(
    begin: Begin, workspace: Workspace, send: Callable[[], None]
) -> None:
    campaign = work(begin())

    opt_out(workspace, number(2), source="person")
    send()

    assert by_state(campaign) == {"sent": 2, "skipped": 1}


def test_who_opts_out_between_judgement_and_row_gets_nothing(
    begin: Begin, workspace: Workspace, send: Callable[[], None]
) -> None:
    campaign = begin()
    judge = Judge.__call__

    def slow(self: Any, recipients: Any) -> Any:
        judged = judge(self, recipients)
        opt_out(workspace, number(2), source="person")
        return judged

    with patch.object(Judge, "__call__", slow):
        expanding.run(campaign.pk)
    work(campaign)
    send()

    assert by_state(campaign) == {"sent": 2, "skipped": 1}


# ---- Pausing and cancelling what is just leaving ------------------------------------------------


def come_back(line: Phone, run: uuid.UUID, claimed: Any) -> None:
    record(run, line, [Outcome(message, error=Temporary("Busy")) for message in claimed])
    Message.objects.update(not_before=timezone.now())


def test_what_was_leaving_at_the_pause_and_comes_back_waits(begin: Begin, line: Phone) -> None:
    campaign, run = work(begin()), uuid.uuid4()
    claimed = sending.claim(line, run, 10)

    steering.pause(campaign)
    come_back(line, run, claimed)

    assert not sending.due(line).exists()
    steering.resume(campaign, None)
    work(campaign)
    assert sending.due(line).count() == 3


def test_what_was_leaving_at_the_end_and_comes_back_is_cancelled(
    begin: Begin, line: Phone, bob: User
) -> None:
    campaign, run = work(begin()), uuid.uuid4()
    claimed = sending.claim(line, run, 10)

    steering.cancel(campaign, bob)
    come_back(line, run, claimed)
    assert not sending.due(line).exists()
    assert steering.go_on_all() == 1
    work(campaign)

    assert by_state(campaign) == {"cancelled": 3}


def test_what_was_leaving_at_the_pause_and_left_is_held_no_more(begin: Begin, line: Phone) -> None:
    campaign, run = work(begin()), uuid.uuid4()
    first, *others = sending.claim(line, run, 10)

    steering.pause(campaign)
    record(run, line, [Outcome(first, sent=Sent("A1"))])
    Message.objects.filter(status="sending").update(lease_until=timezone.now())
    sweeping.end_leases()

    assert len(others) == 2
    assert by_state(campaign) == {"sent": 1, "unknown": 2}
    assert not Message.objects.filter(held=True).exists()


def test_a_conversation_ends_with_what_happened_and_not_with_what_waits(
    begin: Begin, line: Phone
) -> None:
    asked = incoming(line, "Are you open today?", peer=number(1))
    campaign = begin()
    expanding.run(campaign.pk)

    assert conversation_with(number(1)).last == asked
    work(campaign)

    talk = conversation_with(number(1))
    assert talk.last == messages(campaign)[0]
    again = incoming(line, "Are you?", peer=number(1))
    assert conversation_with(number(1)).last == again


def test_what_comes_after_a_campaign_was_written_stays_unread(begin: Begin, line: Phone) -> None:
    incoming(line, "Are you open today?", peer=number(1))
    campaign = begin()
    expanding.run(campaign.pk)
    shown = threads.thread(conversation_with(number(1))).messages
    incoming(line, "Are you?", peer=number(1))
    work(campaign)  # the last one is older by its id than what came

    conversations.mark_read(conversation_with(number(1)), shown)

    assert conversation_with(number(1)).unread == 2


# ---- One of them at once ------------------------------------------------------------------------


def test_one_that_is_held_leaves_at_once_by_a_phone_of_its_group(
    begin: Begin, workspace: Workspace, line: Phone, bob: User, send: Callable[[], None]
) -> None:
    first = Phone.objects.create(
        workspace=workspace, type="scripted", name="First", settings={}, paused_at=timezone.now()
    )
    pool = Pool.objects.create(workspace=workspace, name="Both", folded="both")
    for phone in (first, line):
        PoolPhone.objects.create(pool=pool, phone=phone)
    campaign = begin(phone=None, pool=pool)
    expanding.run(campaign.pk)
    steering.pause(campaign)
    one = messages(campaign)[0]

    assert actions.send_now(one, by=bob)
    send()

    one.refresh_from_db()
    assert (one.status, one.phone, one.held) == ("sent", line, False)
    assert {other.status for other in messages(campaign)[1:]} == {"queued"}
    steering.resume(campaign, None)
    work(campaign)
    send()
    assert by_state(campaign) == {"sent": 3}
    assert list(one.trail.values_list("kind", flat=True)) == ["hurried"]


def test_one_of_a_cancelled_campaign_is_not_hurried(begin: Begin, bob: User) -> None:
    campaign = begin()
    expanding.run(campaign.pk)
    steering.cancel(campaign, bob)

    with pytest.raises(CannotSend, match="cancelled"):
        actions.send_now(messages(campaign)[0], by=bob)


def test_one_that_no_phone_can_send_now_says_why_and_waits(
    begin: Begin, line: Phone, bob: User
) -> None:
    campaign = begin()
    expanding.run(campaign.pk)
    Phone.objects.update(paused_at=timezone.now())

    with pytest.raises(CannotSend):
        actions.send_now(messages(campaign)[0], by=bob)

    assert [m.held for m in messages(campaign)] == [True] * 3


# ---- What is gone -------------------------------------------------------------------------------


def test_a_campaign_whose_phone_is_gone_is_not_tried_again(begin: Begin, bob: User) -> None:
    campaign = work(begin())
    Message.objects.update(status="failed", reason="expired", ended_at=timezone.now())
    work(campaign)
    Phone.objects.update(deleted_at=timezone.now())

    with pytest.raises(steering.Refused, match="no phone"):
        steering.retry(campaign, ["expired"], bob)

    assert by_state(campaign) == {"failed": 3}


def test_what_is_held_for_a_phone_that_is_deleted_never_leaves_and_is_cancelled_in_portions(
    begin: Begin, line: Phone, bob: User
) -> None:
    campaign = begin(numbers=[number(i) for i in range(7)])
    expanding.run(campaign.pk)

    services.delete(line, by=bob)
    assert feeding.feed(campaign.pk) == 0
    assert by_state(campaign) == {"queued": 7}  # not within the request
    with patch.object(steering, "_BATCH", 3), patch.object(steering, "_RUN", 0.0):
        steering._cancel_some(campaign, Reason.PHONE_GONE)
        assert by_state(campaign) == {"queued": 4, "cancelled": 3}
    assert steering.go_on_all() == 1  # the tick takes it up again
    work(campaign)

    assert {(m.status, m.reason, m.held) for m in messages(campaign)} == {
        ("cancelled", "phone_gone", False)
    }
    assert campaign.state == State.DONE


def test_what_failed_by_a_group_that_is_gone_does_not_leave_by_any_phone(
    begin: Begin, workspace: Workspace, line: Phone, bob: User
) -> None:
    pool = Pool.objects.create(workspace=workspace, name="Fast", folded="fast")
    PoolPhone.objects.create(pool=pool, phone=line)
    campaign = work(begin(phone=None, pool=pool))
    Message.objects.update(status="failed", reason="expired", ended_at=timezone.now())
    work(campaign)
    assert campaign.state == State.DONE
    pool.delete()
    campaign.refresh_from_db()

    with pytest.raises(steering.Refused, match="group of phones"):
        steering.retry(campaign, ["expired"], bob)


@pytest.mark.parametrize("part", ["who", "without"])
def test_without_a_group_that_it_names_it_goes_no_further(
    begin: Begin, workspace: Workspace, part: str
) -> None:
    staff = Group.objects.create(workspace=workspace, name="Staff", folded="staff")
    staff.contacts.set([contact(workspace, f"Person {n}", number(n)) for n in range(25, 30)])
    numbers = [number(i) for i in range(30)]
    campaign = begin(numbers=numbers, **{part: [f"g{staff.pk}"]})
    with patch.object(expanding, "_CHUNK", 10), patch.object(expanding, "_RUN", 0):
        expanding.run(campaign.pk)

    staff.delete()
    work(campaign)

    assert campaign.state == State.PAUSED
    assert "group" in campaign.problem
    assert len(messages(campaign)) == 10


def test_a_picture_is_never_left_behind(
    begin: Begin, workspace: Workspace, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = begin()
    campaign.media.add(Media.objects.create(workspace=workspace, content_type="image/png"))
    expanding.run(campaign.pk)
    lacks = carrying.lacks
    monkeypatch.setattr(carrying, "lacks", lambda phone: [*lacks(phone), "mms_out"])

    work(campaign)

    assert {(m.status, m.reason) for m in messages(campaign)} == {("skipped", "no_phone")}


def test_an_archived_workspace_starts_nothing_and_its_campaigns_wait(
    begin: Begin, draft: Begin, workspace: Workspace, line: Phone, bob: User
) -> None:
    running = work(begin())
    later = draft(send_at=timezone.now() + timedelta(minutes=1))
    steering.start(later, bob)

    administering.archive(workspace)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert scheduling.start_due() == 0
    administering.restore(workspace)
    Phone.objects.update(paused_at=None)
    running.refresh_from_db()

    assert running.state == State.PAUSED
    assert "archived" in running.problem
    assert not sending.due(line).exists()


# ---- Copies -------------------------------------------------------------------------------------


def test_a_copy_reaches_nobody_else(draft: Begin, bob: User) -> None:
    rule = {"field": "birthdate", "operator": "=", "value": "2026-11-21"}
    campaign = draft(only=rule)

    assert steering.duplicate(campaign, bob).only == rule


# ---- The right time, and no waiting for others --------------------------------------------------


def test_what_a_phone_cannot_send_for_now_takes_no_place(begin: Begin, line: Phone) -> None:
    Phone.objects.update(rate=0.1)
    campaign = begin(numbers=[number(i) for i in range(30)])
    expanding.run(campaign.pk)
    assert feeding.feed(campaign.pk) == feeding.LEAST

    Message.objects.filter(held=False).update(not_before=timezone.now() + timedelta(hours=9))

    assert feeding.feed(campaign.pk) == 30 - feeding.LEAST


def test_campaigns_that_wait_for_their_time_take_no_share(begin: Begin, line: Phone) -> None:
    Phone.objects.update(rate=1)
    idle = begin()
    expanding.run(idle.pk)
    Message.objects.update(send_at=timezone.now() + timedelta(hours=1))
    campaign = begin(numbers=[number(i) for i in range(40)])
    expanding.run(campaign.pk)

    assert feeding.feed(campaign.pk) == feeding.WINDOW


def test_what_was_wanted_at_night_and_leaves_by_day_heeds_the_next_night(
    begin: Begin, workspace: Workspace, line: Phone
) -> None:
    QuietHours.objects.create(
        workspace=workspace, begins=time(20), ends=time(8), days=list(range(7))
    )
    night = datetime(2026, 11, 20, 22, tzinfo=ZoneInfo("Europe/Paris"))
    quiet._kept.clear()
    with time_machine.travel(night, tick=False):
        campaign = begin()
        expanding.run(campaign.pk)
        steering.pause(campaign)
    with time_machine.travel(night + timedelta(hours=14), tick=False):
        steering.resume(campaign, None)
        assert feeding.feed(campaign.pk) == 3
    with time_machine.travel(night + timedelta(hours=24), tick=False):
        assert sending.claim(line, uuid.uuid4(), 10) == []


@pytest.mark.parametrize(("late", "reason"), [(2, "too_late"), (24, "")])
def test_whose_own_clock_is_past_it_gets_it_late_or_not_as_chosen(
    begin: Begin, late: int, reason: str
) -> None:
    in_an_hour = timezone.now() + timedelta(hours=1)
    japanese = "+819012345678"
    campaign = work(
        begin(numbers=[number(1), japanese], send_at=in_an_hour, own_zone=True, late=late)
    )

    assert {m.peer: m.reason for m in messages(campaign)} == {number(1): "", japanese: reason}


@pytest.mark.parametrize(("late", "state"), [(2, "skipped"), (24, "queued")])
def test_what_was_to_leave_while_the_site_was_down_leaves_late_or_not_as_chosen(
    begin: Begin, late: int, state: str
) -> None:
    nine = timezone.now().replace(microsecond=0)
    with time_machine.travel(nine, tick=False) as clock, patch.object(expanding, "_CHUNK", 2):
        campaign = begin(send_at=nine, late=late)
        with patch.object(expanding, "_RUN", 0):
            expanding.run(campaign.pk)
        assert by_state(campaign) == {"queued": 2}
        clock.move_to(nine + timedelta(hours=10))
        work(campaign)

        assert by_state(campaign) == {state: 3}  # who was looked at only afterwards too
        if state == "skipped":
            assert {m.reason for m in messages(campaign)} == {"too_late"}
            assert campaign.state == State.DONE


def test_what_was_let_through_before_the_site_was_down_is_late_too(begin: Begin) -> None:
    nine = timezone.now().replace(microsecond=0)
    with time_machine.travel(nine, tick=False) as clock:
        campaign = work(begin(send_at=nine, late=2))
        assert [m.held for m in messages(campaign)] == [False] * 3
        clock.move_to(nine + timedelta(hours=10))
        work(campaign)

    assert {(m.status, m.reason) for m in messages(campaign)} == {("skipped", "too_late")}


def test_what_only_waits_for_its_phone_is_never_too_late(begin: Begin, line: Phone) -> None:
    Phone.objects.filter(pk=line.pk).update(paused_at=timezone.now())
    nine = timezone.now().replace(microsecond=0)
    with time_machine.travel(nine, tick=False) as clock:
        campaign = begin(send_at=nine, late=0)
        expanding.run(campaign.pk)
        for minutes in range(0, 60, 5):
            clock.move_to(nine + timedelta(minutes=minutes))
            feeding.feed(campaign.pk)

    assert by_state(campaign) == {"queued": 3}


def test_what_somebody_resumes_is_not_too_late(begin: Begin) -> None:
    nine = timezone.now().replace(microsecond=0)
    with time_machine.travel(nine, tick=False) as clock:
        campaign = begin(send_at=nine, late=0)
        expanding.run(campaign.pk)
        steering.pause(campaign)
        clock.move_to(nine + timedelta(hours=10))
        steering.resume(campaign, None)
        work(campaign)

    assert by_state(campaign) == {"queued": 3}


# ---- Again --------------------------------------------------------------------------------------


def failed_once(begin: Begin, line: Phone, bob: User, sent: Sent) -> tuple[Campaign, Message]:
    """Send to one person, hear that it failed, and ask for another try, which is held."""
    campaign, run = work(begin(numbers=[number(1)])), uuid.uuid4()
    record(run, line, [Outcome(message, sent=sent) for message in sending.claim(line, run, 1)])
    names = sent.provider_ids or (sent.provider_id,)
    reporting.apply(
        line, [StatusReport(Delivery.FAILED, provider_id=n, reason="expired") for n in names]
    )
    work(campaign)
    steering.retry(campaign, ["expired"], bob)
    steering.go_on(campaign.pk)
    (message,) = messages(campaign)
    assert message.status == "queued"
    return campaign, message


def test_what_arrives_after_all_is_not_sent_again(begin: Begin, line: Phone, bob: User) -> None:
    campaign, _message = failed_once(begin, line, bob, Sent("A1"))

    reporting.apply(line, [StatusReport(Delivery.DELIVERED, provider_id="A1")])
    work(campaign)

    assert by_state(campaign) == {"delivered": 1}
    assert not sending.due(line).exists()


def test_another_phone_is_not_asked_for_the_name_of_the_first(
    begin: Begin, workspace: Workspace, line: Phone, bob: User
) -> None:
    campaign, _message = failed_once(begin, line, bob, Sent("A1"))
    other = Phone.objects.create(workspace=workspace, type="scripted", name="Other", settings={})
    Campaign.objects.update(phone=other)

    work(campaign)

    (message,) = messages(campaign)
    assert (message.phone, message.provider_id) == (other, "")


def test_segments_of_the_first_try_say_nothing_of_the_second(
    begin: Begin, line: Phone, bob: User
) -> None:
    campaign, message = failed_once(begin, line, bob, Sent("A1", provider_ids=("A1", "A2")))
    work(campaign)
    run = uuid.uuid4()
    (claimed,) = sending.claim(line, run, 1)
    record(run, line, [Outcome(claimed, sent=Sent("B1", provider_ids=("B1", "B2")))])

    reporting.apply(
        line, [StatusReport(Delivery.DELIVERED, provider_id=name) for name in ("B1", "B2")]
    )

    assert by_state(campaign) == {"delivered": 1}
    assert Segment.objects.filter(message=message).count() == 2


# ---- At the same time ---------------------------------------------------------------------------


def test_a_database_that_is_away_stops_no_campaign(begin: Begin) -> None:
    campaign = begin()

    with (
        patch.object(expanding._Expansion, "_store", side_effect=OperationalError("deadlock")),
        pytest.raises(OperationalError),
    ):
        expanding.run(campaign.pk)
    Campaign.objects.filter(pk=campaign.pk).update(lease_until=timezone.now())
    work(campaign)

    assert campaign.state == State.RUNNING
    assert len(messages(campaign)) == 3


def test_what_is_to_be_tried_again_keeps_a_campaign_from_its_end(begin: Begin, bob: User) -> None:
    campaign = work(begin())
    Message.objects.update(status="failed", reason="expired", ended_at=timezone.now())
    finish = feeding._finish

    def late(campaign: Campaign) -> None:
        steering.retry(campaign, ["expired"], bob)
        finish(campaign)

    with patch.object(feeding, "_finish", late):
        feeding.finish()
    work(campaign)

    assert by_state(campaign) == {"queued": 3}
    assert campaign.state == State.RUNNING


def test_a_clock_that_steps_back_hides_no_change(draft: Begin, bob: User) -> None:
    campaign = draft()
    seen = Campaign.objects.get(pk=campaign.pk)

    with time_machine.travel(timezone.now() - timedelta(hours=1)):
        steering.save(campaign, text="Another text")

    with pytest.raises(steering.Refused, match="meanwhile"):
        steering.start(seen, bob)


def test_pictures_of_a_draft_can_be_changed(draft: Begin, workspace: Workspace) -> None:
    campaign = draft()
    picture = Media.objects.create(workspace=workspace, content_type="image/png")

    steering.set_media(campaign, [picture])

    assert campaign.has_picture


def test_who_waits_for_one_phone_does_not_keep_others_from_theirs(
    begin: Begin, workspace: Workspace, line: Phone
) -> None:
    Phone.objects.update(allowed=["FR"], paused_at=timezone.now())
    make = {"type": "scripted", "settings": {}, "rate": 100_000, "allowed": ["IT"]}
    Phone.objects.create(workspace=workspace, name="Other", **make)
    campaign = begin(phone=None, numbers=[*(number(i) for i in range(30)), "+393331234567"])
    expanding.run(campaign.pk)

    with patch.object(feeding, "_CHUNK", 5):
        assert [feeding.feed(campaign.pk) for _look in range(6)] == [0, 0, 0, 0, 0, 1]


def test_looking_in_vain_is_soon_over(begin: Begin, workspace: Workspace, line: Phone) -> None:
    Phone.objects.update(priority=5, rate=0.1)
    Phone.objects.create(workspace=workspace, type="scripted", name="Other", settings={}, rate=10)
    campaign = begin(phone=None, numbers=[number(i) for i in range(60)])
    expanding.run(campaign.pk)

    with patch.object(feeding, "_CHUNK", 5):
        assert feeding.feed(campaign.pk) == feeding.LEAST
        with patch.object(feeding, "_portion", wraps=feeding._portion) as portion:
            assert feeding.feed(campaign.pk) == 0

    assert portion.call_count == feeding._FRUITLESS


def test_a_pause_that_meets_results_being_recorded_is_tried_again(begin: Begin) -> None:
    campaign = work(begin())
    hold = steering._hold

    with patch.object(steering, "_hold", side_effect=[OperationalError("deadlock"), None]) as tried:
        steering.pause(campaign)

    assert (tried.call_count, campaign.state) == (2, State.PAUSED)
    hold(campaign)
    assert {m.held for m in messages(campaign)} == {True}


def test_who_is_erased_stands_in_no_pasted_list(draft: Begin, workspace: Workspace) -> None:
    campaign = draft(numbers=[number(1), number(2)], without_numbers=[number(1)])
    person = contact(workspace, "Nadia", number(1))

    assert [row["name"] for row in everything(person)["campaigns"]] == ["Flu"]
    erase(person)
    campaign.refresh_from_db()

    assert (campaign.numbers, campaign.without_numbers) == (["", number(2)], [])
