"""Campaigns and quotas: reserved when it starts, given back, waiting or left out, tried again."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns import feeding, pacing, steering, tallying
from campaigns.models import State
from messaging import actions
from messaging.composing import CannotSend
from messaging.models import Message, Status
from messaging.quota import ledger, releasing
from messaging.quota.models import Quota, QuotaEntry, QuotaUse
from tests.campaigns.conftest import by_state, messages, work
from tests.conftest import logged_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def give(workspace: Workspace) -> Any:
    def give(amount: int, person: User | None = None, **rules: Any) -> Quota:
        rules = {"unit": "segments", "every": "month", **rules}
        return ledger.grant(workspace, person, None, amount=amount, **rules)

    return give


def left(quota: Quota) -> int:
    return ledger.standings([quota])[0].left


def test_a_campaign_reserves_when_it_starts(begin, give, bob) -> None:
    shared, own = give(5), give(4, bob)

    work(begin())

    assert (left(shared), left(own)) == (2, 1)
    assert ledger.standings([shared])[0].reserved == 3


def test_what_it_has_no_room_for_waits_and_goes_on_with_credit(begin, give, send) -> None:
    quota = give(2)
    campaign = work(begin())
    send()
    assert [m.held for m in messages(campaign)] == [False, False, True]
    assert feeding.feed(campaign.pk) == 0
    assert campaign.state == State.RUNNING

    ledger.credit(quota, 1, "Fair", None)
    releasing.release()
    work(campaign)
    send()

    assert by_state(work(campaign)) == {"sent": 3}
    assert campaign.state == State.DONE
    assert tallying.agrees(campaign)


def test_its_page_says_what_it_waits_for(begin, give, bob, send) -> None:
    give(2)
    campaign = work(begin())
    send()

    words = pacing.held_up(campaign, campaign.started_at)

    assert words.startswith("1 message waits for room in the quota; 0 of 2 segments left until")
    page = logged_in(bob).get(reverse("campaign", args=[campaign.pk])).content.decode()
    assert "1 message waits for room in the quota" in page


def test_what_it_has_no_room_for_is_left_out_where_that_was_chosen(begin, give, send) -> None:
    give(2, over="skip")
    campaign = work(begin())
    send()

    assert by_state(work(campaign)) == {"sent": 2, "skipped": 1}
    assert Message.objects.get(status=Status.SKIPPED).reason == "quota"
    assert campaign.state == State.DONE


def test_a_cancelled_campaign_gives_back_what_has_not_left(begin, give, bob) -> None:
    quota = give(2)
    campaign = work(begin())

    steering.cancel(campaign, bob)
    work(campaign)

    assert by_state(campaign) == {"cancelled": 3}
    assert left(quota) == 2


@pytest.mark.parametrize("over", ["wait", "skip"])
def test_what_is_tried_again_is_charged_again(begin, give, send, bob, over: str) -> None:
    quota = give(4, over=over)
    campaign = work(begin())
    send()
    Message.objects.update(status=Status.FAILED, reason="expired", ended_at=timezone.now())
    assert left(quota) == 1

    steering.retry(campaign, ["expired"], bob)
    work(campaign)
    send()
    work(campaign)

    rest = {"wait": {"sent": 1, "queued": 2}, "skip": {"sent": 1, "failed": 2}}[over]
    assert by_state(campaign) == rest
    assert left(quota) == 0
    booked = QuotaEntry.objects.filter(kind="resent").values_list("amount", flat=True)
    assert list(booked) == [{"wait": -3, "skip": -1}[over]]
    assert campaign.state == (State.RUNNING if over == "wait" else State.DONE)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "1 of 3 segments have to wait, the last until"),
        ({"over": "skip"}, "1 of 3 segments are left out."),
        ({"every": "once"}, "1 of 3 segments have to wait until more is given."),
    ],
    ids=str,
)
def test_the_page_before_sending_says_what_would_wait(draft, give, bob, rules, words) -> None:
    give(2, **rules)
    campaign = draft()
    client = logged_in(bob)
    client.get(reverse("campaign_check", args=[campaign.pk]))
    work(campaign)

    page = client.get(reverse("campaign_check", args=[campaign.pk])).content.decode()

    assert words in page
    assert "2 of 2 segments left" in page


def test_recount_proves_quotas_and_mends_them(begin, give) -> None:
    quota = give(5)
    work(begin())
    call_command("recount", stdout=StringIO())
    QuotaUse.objects.all().delete()

    with pytest.raises(CommandError, match="1 periods of quotas differ"):
        call_command("recount", stdout=StringIO())
    call_command("recount", mend=True, stdout=StringIO())

    assert left(quota) == 2


def test_what_is_sent_again_of_one_that_is_over_leaves_once_there_is_room(
    begin, give, send, bob
) -> None:
    quota = give(3)
    campaign = work(begin())
    send()
    work(campaign)
    Message.objects.update(status=Status.UNKNOWN, ended_at=timezone.now())
    message = messages(campaign)[0]
    assert campaign.state == State.DONE
    assert actions.resend(message, by=bob)

    ledger.credit(quota, 1, "Fair", None)
    releasing.release()
    work(campaign)
    send()

    assert by_state(campaign) == {"sent": 1, "unknown": 2}


def test_what_waits_for_a_quota_is_not_late_because_the_site_was_down(begin, give, send) -> None:
    nine = timezone.now().replace(microsecond=0)
    with time_machine.travel(nine, tick=False) as clock:
        quota = give(2)
        campaign = work(begin(send_at=nine, late=2))
        send()
        clock.move_to(nine + timedelta(hours=10))
        work(campaign)
        assert by_state(campaign) == {"sent": 2, "queued": 1}

        ledger.credit(quota, 1, "Fair", None)
        releasing.release()
        work(campaign)
        send()

    assert by_state(campaign) == {"sent": 3}


def test_what_would_wait_in_a_cancelled_campaign_is_not_sent_again(begin, give, send, bob) -> None:
    give(3)
    campaign = work(begin())
    send()
    steering.cancel(campaign, bob)
    Message.objects.update(status=Status.UNKNOWN, ended_at=timezone.now())

    with pytest.raises(CannotSend, match="quota"):
        actions.resend(messages(campaign)[0], by=bob)

    assert by_state(work(campaign)) == {"unknown": 3}
