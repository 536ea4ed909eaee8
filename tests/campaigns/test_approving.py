"""What a sender may not send by themselves leaves once somebody else has looked at it, and not before."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, Membership, User, Workspace
from campaigns import approving, drafting, recurring, rehearsing, scheduling, steering
from campaigns.forms import version
from campaigns.models import Approval, Campaign, Recurrence, State
from campaigns.rhythms import Rhythm
from campaigns.steering import Refused
from messaging.models import Conversation, Direction, Message, Status
from phones.models import Phone
from tests.campaigns.conftest import messages, work
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
Draft = Callable[..., Campaign]


@pytest.fixture(autouse=True)
def limited(bob: User, alice: User, dora: User) -> None:
    """Let what bob writes be approved, by alice or dora."""
    Membership.objects.filter(user=bob).update(limits={"approval": True})


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send mails without waiting for a worker, or for a commit, which tests never see."""
    monkeypatch.setattr(approving, "enqueue", lambda tell, pk: tell(pk))


def page(client: Client, name: str, *places: int) -> str:
    return client.get(reverse(name, args=places), follow=True).content.decode()


def check(client: Client, campaign: Campaign) -> str:
    """Look at the page before sending, until everybody was looked at."""
    page(client, "campaign_check", campaign.pk)
    rehearsing.run(campaign.pk)
    campaign.refresh_from_db()
    return page(client, "campaign_check", campaign.pk)


def post(client: Client, name: str, campaign: Campaign, **said: Any) -> str:
    campaign.refresh_from_db()
    said = {"version": version(campaign), **said}
    answer = client.post(reverse(name, args=[campaign.pk]), said, follow=True)
    campaign.refresh_from_db()
    return answer.content.decode()


@pytest.fixture
def asked(draft: Draft, as_bob: Client) -> Draft:
    """Write a campaign, and let bob ask for it."""

    def asked(**fields: Any) -> Campaign:
        campaign = draft(**fields)
        check(as_bob, campaign)
        post(as_bob, "campaign_ask", campaign)
        assert campaign.state == State.ASKED
        return campaign

    return asked


def last(campaign: Campaign) -> Approval:
    request = campaign.approvals.last()
    assert request
    return request


# ---- Asking -------------------------------------------------------------------------------------


def test_who_must_ask_is_offered_to_ask_and_not_to_send(draft: Draft, as_bob: Client) -> None:
    campaign = draft()

    before = check(as_bob, campaign)
    refused = post(as_bob, "campaign_start", campaign)

    assert "Ask for approval" in before
    assert "Send to" not in before
    assert "must be approved" in refused
    assert campaign.state == State.DRAFT


def test_approvers_are_told_and_see_it(
    asked: Draft, as_alice: Client, as_bob: Client, as_vera: Client
) -> None:
    campaign = asked()

    assert sorted(item.to[0] for item in mail.outbox) == ["alice@example.org", "dora@example.org"]
    assert mail.outbox[0].subject == "Bob Rossi asks you to approve “Flu”"
    assert f"/campaigns/{campaign.pk}/" in mail.outbox[0].body
    assert "Flu is to be approved" in page(as_alice, "home")
    assert "Flu is to be approved" not in page(as_bob, "home")
    listed = as_alice.get(reverse("campaigns"), {"state": "asked"}).content.decode()
    assert "Flu" in listed
    assert "To approve" in page(as_vera, "campaign", campaign.pk)
    looked = page(as_alice, "campaign", campaign.pk)
    assert "Approve for 3 people" in looked
    assert "Approve for" not in page(as_bob, "campaign", campaign.pk)


def test_a_double_click_asks_once(draft: Draft, as_bob: Client) -> None:
    campaign = draft()
    check(as_bob, campaign)
    seen = version(campaign)
    twin = Campaign.objects.get(pk=campaign.pk)

    post(as_bob, "campaign_ask", campaign, version=seen)
    post(as_bob, "campaign_ask", campaign, version=seen)
    approving.ask(twin, Approval.objects.get().asked_by)

    assert Approval.objects.count() == 1


def test_only_what_was_checked_is_asked_for(draft: Draft, as_bob: Client) -> None:
    campaign = draft()

    said = post(as_bob, "campaign_ask", campaign)

    assert "changed since it was checked" in said
    assert campaign.state == State.DRAFT


def test_what_waits_cannot_be_changed(asked: Draft, bob: User, line: Phone) -> None:
    campaign = asked()

    with pytest.raises(Refused):
        drafting.keep(campaign, {"text": "Something else"}, bob)
    with pytest.raises(Refused):
        steering.save(campaign, text="Something else")
    with pytest.raises(Refused):
        steering.discard(campaign)


def test_it_is_taken_back_and_asked_for_anew(asked: Draft, as_bob: Client) -> None:
    campaign = asked()

    post(as_bob, "campaign_edit", campaign)
    assert (campaign.state, last(campaign).answer) == (State.DRAFT, "taken_back")
    check(as_bob, campaign)
    post(as_bob, "campaign_ask", campaign)

    assert [item.answer for item in campaign.approvals.all()] == ["taken_back", ""]
    # Who was told a moment ago is not told anew.
    assert len(mail.outbox) == 2


# ---- Answering ----------------------------------------------------------------------------------


def test_what_is_approved_leaves_as_it_was_asked(asked: Draft, as_alice: Client, bob: User) -> None:
    campaign = asked()
    check(as_alice, campaign)

    post(as_alice, "campaign_approve", campaign, when="asked")
    work(campaign)

    assert [item.status for item in messages(campaign)] == [Status.QUEUED] * 3
    assert campaign.started_by == bob
    said = page(as_alice, "campaign", campaign.pk)
    assert "Asked by Bob Rossi" in said
    assert "Approved by Alice Martin" in said
    assert mail.outbox[-1].to == ["bob@example.org"]
    assert mail.outbox[-1].subject == "“Flu” was approved"
    done = list(Event.objects.order_by("pk").values_list("action", flat=True))
    assert done == ["campaign.asked", "campaign.approved"]


def test_who_has_left_is_told_no_more(asked: Draft, as_alice: Client, bob: User) -> None:
    campaign = asked()
    check(as_alice, campaign)
    Membership.objects.filter(user=bob).delete()
    mail.outbox.clear()

    post(as_alice, "campaign_approve", campaign, when="asked")

    assert campaign.state == State.RUNNING
    assert mail.outbox == []


def test_of_two_who_answer_at_once_one_does(asked: Draft, alice: User, dora: User) -> None:
    campaign = asked()
    twins = [Campaign.objects.get(pk=campaign.pk) for _ in range(3)]

    approving.approve(twins[0], alice)
    with pytest.raises(Refused):
        approving.approve(twins[1], dora)
    with pytest.raises(Refused):
        approving.give_back(twins[2], dora, "No")

    campaign.refresh_from_db()
    assert campaign.state == State.RUNNING
    assert last(campaign).answered_by == alice


def test_nobody_approves_what_they_asked_for(asked: Draft, bob: User, as_bob: Client) -> None:
    campaign = asked()
    Membership.objects.filter(user=bob).update(role="admin", limits={})

    said = post(as_bob, "campaign_approve", campaign, when="asked")

    assert "You asked for this yourself" in said
    assert campaign.state == State.ASKED


def test_who_does_not_manage_any_more_approves_nothing(
    asked: Draft, dora: User, client: Client
) -> None:
    campaign = asked()
    client.force_login(dora)
    Membership.objects.filter(user=dora).update(role="sender")

    answer = client.post(
        reverse("campaign_approve", args=[campaign.pk]), {"version": version(campaign)}
    )

    assert answer.status_code == 403


def test_only_what_was_looked_at_is_approved(
    asked: Draft, as_alice: Client, as_bob: Client
) -> None:
    campaign = asked()
    seen = version(campaign)
    post(as_bob, "campaign_edit", campaign)
    steering.save(campaign, text="Something else")
    check(as_bob, campaign)
    post(as_bob, "campaign_ask", campaign)

    said = post(as_alice, "campaign_approve", campaign, version=seen, when="asked")

    assert "not what you have looked at" in said
    assert campaign.state == State.ASKED


def test_nobody_starts_it_past_the_request(asked: Draft, as_alice: Client, alice: User) -> None:
    campaign = asked()
    post(as_alice, "campaign_start", campaign)

    assert campaign.state == State.ASKED
    with pytest.raises(Refused):
        steering.start(campaign, alice)


def test_it_comes_back_with_a_remark(asked: Draft, as_alice: Client, as_bob: Client) -> None:
    campaign = asked()
    silent = post(as_alice, "campaign_return", campaign)
    assert "Say what should be different" in silent

    post(as_alice, "campaign_return", campaign, remark="Which Monday?")

    assert (campaign.state, last(campaign).answer) == (State.DRAFT, "returned")
    assert "Which Monday?" in mail.outbox[-1].body
    written = page(as_bob, "campaign_write", campaign.pk)
    assert "Alice Martin sent it back" in written
    assert "Which Monday?" in written


def test_what_came_back_is_on_the_home_of_who_asked_until_they_ask_again(
    asked: Draft, as_alice: Client, as_bob: Client, bob: User
) -> None:
    campaign = asked()
    post(as_alice, "campaign_return", campaign, remark="Say where")

    assert "Flu was sent back" in page(as_bob, "home")
    assert "Say where" in page(as_bob, "home")
    assert "was sent back" not in page(as_alice, "home")

    check(as_bob, campaign)
    post(as_bob, "campaign_ask", campaign)

    assert "was sent back" not in page(as_bob, "home")


def test_an_approver_may_take_it_over(asked: Draft, as_alice: Client, alice: User) -> None:
    campaign = asked()

    post(as_alice, "campaign_edit", campaign)
    check(as_alice, campaign)
    post(as_alice, "campaign_start", campaign)

    assert campaign.state == State.RUNNING
    assert campaign.started_by == alice


# ---- When ---------------------------------------------------------------------------------------


def test_what_was_asked_for_a_time_waits_for_it(asked: Draft, as_alice: Client) -> None:
    campaign = asked(send_at=timezone.now() + timedelta(hours=3))
    check(as_alice, campaign)

    said = post(as_alice, "campaign_approve", campaign, when="asked")

    assert campaign.state == State.SCHEDULED
    assert "begins by itself" in said


@pytest.mark.parametrize("when", ["now", "later"])
def test_once_its_time_has_passed_another_is_chosen(
    when: str, asked: Draft, as_alice: Client
) -> None:
    campaign = asked(send_at=timezone.now() + timedelta(hours=3))
    with time_machine.travel(timezone.now() + timedelta(hours=9), tick=False):
        looked = check(as_alice, campaign)
        refused = post(as_alice, "campaign_approve", campaign, when="asked")
        assert campaign.state == State.ASKED
        at = timezone.localtime(timezone=PARIS) + timedelta(hours=2)
        post(as_alice, "campaign_approve", campaign, when=when, at=f"{at:%Y-%m-%dT%H:%M}")

    assert "a new time must be chosen" in looked
    assert "Its time has passed" in refused
    assert campaign.state == (State.RUNNING if when == "now" else State.SCHEDULED)
    assert last(campaign).version == campaign.updated_at


def test_what_was_approved_and_is_changed_must_be_approved_again(
    asked: Draft, as_alice: Client, as_bob: Client, bob: User
) -> None:
    campaign = asked(send_at=timezone.now() + timedelta(hours=3))
    post(as_alice, "campaign_approve", campaign, when="asked")
    post(as_bob, "campaign_edit", campaign)
    assert steering.is_approved(campaign)

    steering.save(campaign, text="Something else")

    with pytest.raises(steering.NeedsApproval):
        steering.start(campaign, bob)


def test_what_was_scheduled_before_is_asked_for_at_its_time(draft: Draft, bob: User) -> None:
    Membership.objects.filter(user=bob).update(limits={})
    campaign = draft(send_at=timezone.now() + timedelta(hours=1))
    steering.start(campaign, bob)
    Membership.objects.filter(user=bob).update(limits={"approval": True})

    with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1), tick=False):
        scheduling.start_due()

    campaign.refresh_from_db()
    assert campaign.state == State.ASKED
    assert last(campaign).asked_by == bob
    assert len(mail.outbox) == 2
    assert Event.objects.get().action == "campaign.asked"


def test_what_somebody_asked_for_who_left_is_still_answered(
    asked: Draft, bob: User, alice: User
) -> None:
    campaign = asked()
    Membership.objects.filter(user=bob).delete()

    approving.approve(Campaign.objects.get(pk=campaign.pk), alice)

    campaign.refresh_from_db()
    assert campaign.state == State.RUNNING


def test_the_limits_of_whoever_asked_hold_and_not_those_of_who_approves(
    asked: Draft, as_alice: Client, bob: User, workspace: Workspace
) -> None:
    circle = workspace.groups.create(name="Choir", folded="choir")
    circle.contacts.create(workspace=workspace, number=number(1))
    limits = {"approval": True, "people": [f"g{circle.pk}"]}
    Membership.objects.filter(user=bob).update(limits=limits)
    campaign = asked()

    looked = check(as_alice, campaign)
    post(as_alice, "campaign_approve", campaign, when="asked")
    work(campaign)

    assert "Approve for 1 person" in looked
    assert [m.status for m in messages(campaign)] == [Status.QUEUED] + [Status.SKIPPED] * 2


# ---- Messages and replies -----------------------------------------------------------------------


def test_who_must_ask_is_never_offered_to_send_a_message(
    as_bob: Client, as_alice: Client, line: Phone
) -> None:
    said = {"to": number(1), "text": "Come on Monday", "phone": line.pk, "when": "now"}

    asking, sending = (
        client.post(reverse("compose_preview"), said, headers={"HX-Request": "true"}).text
        for client in (as_bob, as_alice)
    )

    assert "Send to 1 person" not in asking
    assert "Send to 1 person" in sending


def test_a_message_becomes_a_request_once(as_bob: Client, line: Phone) -> None:
    at = timezone.localtime(timezone=PARIS) + timedelta(days=1)
    said = {
        "begin": "ask", "to": number(1), "text": "Come on Monday", "phone": line.pk, "when": "later",
        "at": f"{at:%Y-%m-%dT%H:%M}", "submission": uuid.uuid4(),
    }  # fmt: skip

    first = as_bob.post(reverse("campaign_new"), said)
    as_bob.post(reverse("campaign_new"), said)

    campaign = Campaign.objects.get()
    assert first.headers["Location"] == reverse("campaign_check", args=[campaign.pk])
    assert (campaign.name, campaign.numbers, campaign.phone) == (
        "Come on Monday",
        [number(1)],
        line,
    )
    assert campaign.send_at
    assert f"{campaign.send_at.astimezone(PARIS):%Y-%m-%dT%H:%M}" == said["at"]
    assert 'name="begin" value="ask"' in page(as_bob, "compose")


@pytest.mark.parametrize("at", ["", "2020-01-01T09:00", "9999-12-31T23:59", "soon"])
def test_a_time_that_cannot_be_kept_is_chosen_again(at: str, as_bob: Client, line: Phone) -> None:
    said = {"begin": "ask", "to": number(1), "text": "Come", "phone": line.pk, "when": "later"}

    answer = as_bob.post(reverse("campaign_new"), {**said, "at": at, "submission": uuid.uuid4()})

    campaign = Campaign.objects.get()
    assert answer.headers["Location"] == reverse("campaign_write", args=[campaign.pk])
    assert campaign.send_at is None


def test_a_reply_becomes_a_request(as_bob: Client, workspace: Workspace, line: Phone) -> None:
    told = Message.objects.create(
        workspace=workspace, phone=line, direction=Direction.IN, status=Status.RECEIVED,
        peer=number(1), text="When?",
    )  # fmt: skip
    talk = Conversation.objects.create(
        workspace=workspace, peer=number(1), phone=line, last=told, last_at=timezone.now()
    )

    shown = page(as_bob, "conversation", talk.pk)
    said = {"begin": "ask", "to": number(1), "text": "At nine", "phone": line.pk}
    as_bob.post(reverse("campaign_new"), {**said, "submission": uuid.uuid4()})

    assert "Ask for approval…" in shown
    assert f'action="{reverse("campaign_new")}"' in shown
    assert Campaign.objects.get().text == "At nine"


# ---- Again and again ----------------------------------------------------------------------------


@pytest.fixture
def daily(draft: Draft, bob: User) -> Recurrence:
    pattern = draft()
    at = timezone.localtime(timezone=PARIS) + timedelta(minutes=30)
    starts = at.replace(tzinfo=None, second=0, microsecond=0)
    recurrence = recurring.arrange(pattern, Rhythm(starts, str(PARIS)), by=bob)
    assert recurrence
    return recurrence


def test_what_recurs_is_approved_once_for_all_its_runs(
    daily: Recurrence, as_bob: Client, as_alice: Client, bob: User
) -> None:
    pattern = daily.pattern
    check(as_bob, pattern)
    post(as_bob, "campaign_ask", pattern)
    assert "It waits for approval" in page(as_alice, "recurrence", daily.pk)
    check(as_alice, pattern)

    post(as_alice, "campaign_approve", pattern)
    for day in (0, 1):
        with time_machine.travel(timezone.now() + timedelta(days=day, hours=1), tick=False):
            recurring.make_due()
            scheduling.start_due()

    daily.refresh_from_db()
    assert (pattern.state, daily.phase, daily.created_by) == ("draft", "active", bob)
    assert [run.state for run in daily.runs.all()] == [State.RUNNING] * 2
    assert "Approved by" in page(as_alice, "recurrence", daily.pk)


def test_what_recurs_and_was_changed_is_approved_again_or_resumed_by_who_may(
    daily: Recurrence, as_bob: Client, bob: User, alice: User
) -> None:
    check(as_bob, daily.pattern)
    post(as_bob, "campaign_ask", daily.pattern)
    approving.approve(Campaign.objects.get(pk=daily.pattern_id), alice)
    daily = Recurrence.objects.get(pk=daily.pk)
    recurring.pause(daily)
    steering.save(daily.pattern, text="Something else")

    with pytest.raises(steering.NeedsApproval):
        recurring.resume(Recurrence.objects.get(pk=daily.pk), bob)
    recurring.resume(Recurrence.objects.get(pk=daily.pk), alice)

    assert steering.is_approved(Campaign.objects.get(pk=daily.pattern_id))
    assert last(daily.pattern).answered_by == alice
    assert Event.objects.filter(action="campaign.approved", actor_id=alice.pk).exists()


def test_a_paused_one_is_asked_for_and_goes_on_when_approved(
    daily: Recurrence, as_bob: Client, as_alice: Client, alice: User
) -> None:
    check(as_bob, daily.pattern)
    post(as_bob, "campaign_ask", daily.pattern)
    approving.approve(Campaign.objects.get(pk=daily.pattern_id), alice)
    recurring.pause(Recurrence.objects.get(pk=daily.pk))
    pattern = Campaign.objects.get(pk=daily.pattern_id)
    steering.save(pattern, text="Something else")
    check(as_bob, pattern)
    post(as_bob, "campaign_ask", pattern)
    with pytest.raises(Refused):
        recurring.resume(Recurrence.objects.get(pk=daily.pk), alice)
    check(as_alice, pattern)

    post(as_alice, "campaign_approve", pattern)

    assert Recurrence.objects.get(pk=daily.pk).phase == "active"
    assert pattern.state == State.DRAFT


def test_the_days_of_what_runs_are_not_changed_by_who_must_ask(
    daily: Recurrence, as_bob: Client, bob: User, alice: User
) -> None:
    check(as_bob, daily.pattern)
    post(as_bob, "campaign_ask", daily.pattern)
    approving.approve(Campaign.objects.get(pk=daily.pattern_id), alice)
    pattern = Campaign.objects.get(pk=daily.pattern_id)
    rhythm = recurring.rhythm_of(daily)
    other = Rhythm(rhythm.starts + timedelta(hours=1), rhythm.zone)

    with pytest.raises(Refused):
        recurring.arrange(pattern, other, by=bob)
    recurring.arrange(pattern, other, by=alice)

    assert steering.is_approved(Campaign.objects.get(pk=daily.pattern_id))


# ---- At once ------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_who_answer_at_the_same_moment_one_does(
    asked: Draft, alice: User, dora: User
) -> None:
    campaign = asked()
    together = threading.Barrier(6)

    def answer(index: int) -> bool:
        here = Campaign.objects.select_related("workspace").get(pk=campaign.pk)
        together.wait()
        try:
            if index % 3:
                approving.approve(here, alice if index % 2 else dora)
            else:
                approving.give_back(here, alice, "No")
        except Refused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        answered = list(pool.map(answer, range(6)))

    campaign.refresh_from_db()
    assert sum(answered) == 1
    is_approved = last(campaign).answer == Approval.Answer.APPROVED
    assert campaign.state == (State.RUNNING if is_approved else State.DRAFT)
