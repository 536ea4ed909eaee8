"""Home tells what happened today and what needs a look, at a fixed price."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User, Workspace
from campaigns.models import Campaign, Recurrence, SkippedRun
from messaging.models import Conversation, Direction, Message, Status
from phones import limits, quotas
from phones.base import Reason
from phones.models import EndpointCall, PauseReason, Phone, Usage, Watch
from smsapp.home import overview
from smsapp.plot import Day, draw, round_top
from tests.conftest import no_server

# 10:00 in Paris.
NOW = datetime(2025, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def messages(phone: Phone, status: str, count: int = 1, **fields: object) -> list[Message]:
    at = fields.pop("send_at", NOW - timedelta(hours=1))
    direction = Direction.IN if status == Status.RECEIVED else Direction.OUT
    first = Message.objects.count()
    rows = [
        Message(
            workspace=phone.workspace,
            phone=phone,
            direction=direction,
            status=status,
            peer=f"+336120{first + index:05}",
            text="Hello",
            send_at=at,
            not_before=at,
            sent_at=at,
            provider_id=f"p{first + index}",
            **fields,
        )
        for index in range(count)
    ]
    return Message.objects.bulk_create(rows)


@pytest.mark.database
def test_figures_count_what_left_today(workspace: Workspace, phone: Phone) -> None:
    for status, count in (("delivered", 6), ("sent", 2), ("failed", 1), ("unknown", 1)):
        messages(phone, status, count)
    messages(phone, "received", 3)
    messages(phone, "cancelled", 5)

    figures = overview(workspace, NOW).figures

    assert (figures.sent, figures.delivered, figures.failed, figures.unknown) == (10, 6, 1, 1)
    assert figures.received == 3
    assert figures.delivered_share == 60
    assert not figures.is_settled


@pytest.mark.database
def test_today_begins_at_midnight_of_the_workspace(workspace: Workspace, phone: Phone) -> None:
    midnight = datetime(2025, 11, 19, 23, 0, tzinfo=UTC)
    messages(phone, "sent", send_at=midnight)
    messages(phone, "sent", 5, send_at=midnight - timedelta(seconds=1))

    home = overview(workspace, NOW)

    assert home.figures.sent == 1
    assert [bar.day.sent for bar in home.plot.bars[-2:]] == [5, 1]


@pytest.mark.database
def test_a_day_of_25_hours_is_one_day(workspace: Workspace, phone: Phone) -> None:
    # On 26 October 2025 Paris left summer time: 22:00 UTC the day before to 23:00 UTC.
    first = datetime(2025, 10, 25, 22, 0, tzinfo=UTC)
    messages(phone, "sent", send_at=first)
    messages(phone, "sent", send_at=first + timedelta(hours=24, minutes=59))

    bars = overview(workspace, NOW).plot.bars

    assert [bar.day.sent for bar in bars if bar.day.sent] == [2]


@pytest.mark.database
def test_usual_is_the_mean_of_seven_days_up_to_this_hour(
    workspace: Workspace, phone: Phone
) -> None:
    for days in range(1, 8):
        messages(phone, "sent", days, send_at=NOW - timedelta(days=days, hours=1))
        messages(phone, "sent", 50, send_at=NOW - timedelta(days=days) + timedelta(hours=1))

    assert overview(workspace, NOW).figures.usual == 4


def test_nothing_is_usual_in_the_first_week(workspace: Workspace, phone: Phone) -> None:
    messages(phone, "sent", 9, send_at=NOW - timedelta(days=2))

    assert overview(workspace, NOW).figures.usual is None


def test_other_workspaces_are_not_counted(
    as_charlie: Client, workspace: Workspace, phone: Phone
) -> None:
    messages(phone, "failed", 3)

    page = as_charlie.get("/").content.decode()

    assert "Welcome" in page
    assert phone.name not in page


def test_a_paused_phone_needs_attention_with_its_reason_and_what_waits(
    as_alice: Client, phone: Phone
) -> None:
    messages(phone, "queued", 46)
    Phone.objects.update(
        paused_at=NOW, pause_reason=PauseReason.MISCONFIGURED, pause_words="Authenticate"
    )

    page = as_alice.get("/").content.decode()

    assert "Simulator is paused" in page
    assert "The provider refuses the account, " in page
    assert "<q>Authenticate</q>" in page
    assert "46 messages wait." in page


def test_the_days_are_those_of_the_workspace_wherever_the_reader_is(
    as_alice: Client, alice: User, phone: Phone
) -> None:
    messages(phone, "sent")
    User.objects.filter(pk=alice.pk).update(time_zone="America/New_York")

    page = as_alice.get("/").content.decode()

    # Thirty days that end today, in Paris; midnight there is still the day before in New York.
    assert "<li>22 Oct</li>" in page
    assert "Thursday 20 November: 1 sent, 0 failed" in page


def test_unknown_messages_need_attention_whatever_their_age(as_alice: Client, phone: Phone) -> None:
    messages(phone, "unknown", 2, send_at=NOW - timedelta(days=90))

    assert "2 unknown messages" in as_alice.get("/").content.decode()


def test_a_phone_that_sent_and_was_never_called_back_is_silent(
    workspace: Workspace, phone: Phone
) -> None:
    messages(phone, "sent")
    assert [row.phone for row in overview(workspace, NOW).silent] == [phone]

    EndpointCall.objects.create(phone=phone, endpoint="status", last_at=NOW)

    home = overview(workspace, NOW)
    assert home.silent == []
    assert home.phones[0].last_callback == NOW


def test_a_provider_that_does_not_follow_delivery_is_not_waited_for(
    workspace: Workspace, phone: Phone
) -> None:
    Phone.objects.update(type="email_gateway")
    messages(phone, "sent")

    assert overview(workspace, NOW).silent == []


def test_a_provider_has_ten_minutes_to_call_back(workspace: Workspace, phone: Phone) -> None:
    messages(phone, "sent", send_at=NOW - timedelta(minutes=9))

    assert overview(workspace, NOW).silent == []


def test_a_slowed_phone_shows_its_rate(as_alice: Client, phone: Phone) -> None:
    limits.slow_down(phone, words="Too many requests", seconds=5)
    messages(phone, "sent")

    page = as_alice.get("/").content.decode()

    assert "Slowed down" in page
    assert "500 of 1,000 /s" in page


def test_the_end_of_the_queue_follows_from_the_rate(workspace: Workspace, phone: Phone) -> None:
    Phone.objects.update(rate=0.1)
    messages(phone, "queued", 60)
    messages(phone, "queued", 7, send_at=NOW + timedelta(days=1))

    home = overview(workspace, NOW)

    assert home.waiting == 60
    assert home.done_at == NOW + timedelta(minutes=10)


def test_a_paused_phone_has_no_end_in_sight(workspace: Workspace, phone: Phone) -> None:
    Phone.objects.update(paused_at=NOW, rate=0.1)
    messages(phone, "queued", 60)

    assert overview(workspace, NOW).done_at is None


@pytest.mark.database
def test_messages_that_wait_for_a_limit_say_so(as_alice: Client, phone: Phone) -> None:
    quotas.set_limit(phone, period="day", unit="messages", amount=1, spill=False)
    Usage.objects.create(phone=phone, at=quotas.quarter(NOW), messages=1, segments=1, people=1)
    Phone.objects.update(rate=0.1)
    messages(phone, "queued", 60)

    page = as_alice.get("/").content.decode()

    assert ">Limit reached<" in page
    assert "Simulator has reached its limit; it goes on Friday 21 November, 00:00." in page
    assert "done at about" not in page


def test_a_phone_that_rests_is_not_called_ready(as_alice: Client, phone: Phone) -> None:
    Phone.objects.update(metered=True)
    Watch.objects.create(phone=phone, rests_until=NOW + timedelta(minutes=5))

    assert ">Resting<" in as_alice.get("/").content.decode()


@pytest.mark.database
def test_messages_that_wait_for_a_quota_are_told(as_alice: Client, phone: Phone) -> None:
    messages(phone, "queued", 3, held=True, reason=Reason.QUOTA)

    page = as_alice.get("/").content.decode()

    assert "3 messages</a>" in page
    assert "wait until the quota has room." in page


def test_next_joins_the_messages_of_one_submission(workspace: Workspace, phone: Phone) -> None:
    later = NOW + timedelta(hours=3)
    messages(phone, "queued", 28, send_at=later, submission=uuid.uuid4())
    messages(phone, "queued", send_at=NOW + timedelta(hours=1), submission=uuid.uuid4())

    planned = overview(workspace, NOW).planned

    assert [(item.people, item.has_more) for item in planned] == [(1, False), (28, False)]


@pytest.mark.database
def test_a_big_batch_is_not_read_whole(workspace: Workspace, phone: Phone) -> None:
    messages(phone, "queued", 80, send_at=NOW + timedelta(hours=1), submission=uuid.uuid4())

    planned = overview(workspace, NOW).planned

    assert [(item.people, item.has_more) for item in planned] == [(60, True)]


def later(workspace: Workspace, name: str, hours: int, **fields: object) -> Campaign:
    at = NOW + timedelta(hours=hours)
    return Campaign.objects.create(
        workspace=workspace, name=name, state="scheduled", send_at=at, **fields
    )


@pytest.mark.database
def test_a_campaign_stands_for_its_messages_under_next(
    as_alice: Client, workspace: Workspace, phone: Phone
) -> None:
    flu = later(workspace, "Flu shots", 2, plan={"people": 1200}, planned_at=NOW)
    runs = later(workspace, "Own zones", -1)
    Campaign.objects.filter(pk=runs.pk).update(state="running")
    messages(phone, "queued", 5, send_at=NOW + timedelta(minutes=5), campaign=runs, held=True)
    single = messages(phone, "queued", send_at=NOW + timedelta(hours=3))[0]
    pattern = Campaign.objects.create(workspace=workspace, name="Every Monday")
    weekly = Recurrence.objects.create(
        workspace=workspace, pattern=pattern, rule="FREQ=WEEKLY", zone="UTC", starts_on=NOW.date(),
        at=NOW.time(), started_at=NOW, next_at=NOW + timedelta(hours=1),
    )  # fmt: skip

    planned = overview(workspace, NOW).planned
    page = as_alice.get("/").content.decode()

    assert [(item.recurrence, item.campaign, item.first, item.people) for item in planned] == [
        (weekly, None, None, None), (None, flu, None, 1200), (None, None, single, 1),
    ]  # fmt: skip
    assert "Flu shots" in page
    assert "1,200 people" in page
    assert "Every Monday" in page


@pytest.mark.database
@pytest.mark.parametrize("skips", [True, False])
def test_a_run_that_is_skipped_or_has_its_own_campaign_is_not_told_twice(
    workspace: Workspace, skips: bool
) -> None:
    at = NOW + timedelta(hours=1)
    weekly = Recurrence.objects.create(
        workspace=workspace, pattern=Campaign.objects.create(workspace=workspace, name="Weekly"),
        rule="FREQ=WEEKLY", zone="UTC", starts_on=NOW.date(), at=NOW.time(), started_at=NOW, next_at=at,
    )  # fmt: skip
    if skips:
        SkippedRun.objects.create(recurrence=weekly, occurrence=at, why="person")
    else:
        later(workspace, "This Monday", 1, recurrence=weekly, occurrence=at)

    planned = overview(workspace, NOW).planned

    assert [item.campaign and item.campaign.name for item in planned] == (
        [] if skips else ["This Monday"]
    )


@pytest.mark.database
def test_campaigns_that_stand_still_need_attention(
    as_alice: Client, workspace: Workspace, phone: Phone
) -> None:
    messages(phone, "sent")
    create = Campaign.objects.create
    create(workspace=workspace, name="Broken", state="paused", problem="Its file is gone.")
    create(workspace=workspace, name="By hand", state="paused")
    later(workspace, "Stuck", -1, problem="It could not start.")
    later(workspace, "Fine", 1)
    others = Workspace.objects.create(name="Others", country="FR", time_zone="UTC")
    create(workspace=others, name="Theirs", state="paused")

    stopped = overview(workspace, NOW).stopped
    page = as_alice.get("/").content.decode()

    assert [campaign.name for campaign in stopped] == ["Stuck", "By hand", "Broken"]
    for words in ("Its file is gone.", "By hand is paused", "Stuck cannot start"):
        assert words in page


def test_the_first_minutes_offer_the_next_steps(as_alice: Client, phone: Phone) -> None:
    page = as_alice.get("/").content.decode()

    assert "Send a test message" in page
    assert "Add your phone" in page
    assert "Invite people" in page


@pytest.mark.parametrize(
    ("who", "offered", "not_offered"),
    [
        ("as_bob", "Send a test message", "Invite people"),
        ("as_vera", "Nothing was sent or received yet", "Send a test message"),
    ],
    ids=["sender", "viewer"],
)
def test_the_first_minutes_offer_only_what_one_may_do(
    request: pytest.FixtureRequest, phone: Phone, who: str, offered: str, not_offered: str
) -> None:
    page = request.getfixturevalue(who).get("/").content.decode()

    assert offered in page
    assert not_offered not in page


def test_home_costs_the_same_whatever_there_is(
    as_alice: Client,
    workspace: Workspace,
    phone: Phone,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    messages(phone, "sent")
    with django_assert_num_queries(18):
        as_alice.get("/")
    for index in range(12):
        other = Phone.objects.create(
            workspace=workspace, type="simulator", name=f"P{index}", settings={}
        )
        last = messages(other, "received", 3)[-1]
        messages(other, "queued", 5)
        messages(other, "queued", 2, send_at=NOW + timedelta(hours=index + 1))
        Conversation.objects.create(
            workspace=workspace, peer=last.peer, phone=other, last=last, last_at=NOW, unread=1
        )

    with django_assert_num_queries(19):
        as_alice.get("/")


def test_home_stands_while_the_queue_server_is_down(
    as_alice: Client, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages(phone, "sent")
    server = no_server()
    monkeypatch.setattr(limits, "redis", lambda queue: server)

    page = as_alice.get("/").content.decode()

    assert "1,000 /s" in page


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 2), (1, 2), (3, 4), (9, 10), (11, 20), (6842, 8000), (10_000, 10_000), (10_001, 20_000)],
    ids=str,
)
def test_the_plot_ends_at_a_round_number(most: int, top: int) -> None:
    assert round_top(most) == top


def test_bars_stay_within_the_plot() -> None:
    days = [Day(NOW, sent=8000, failed=failed) for failed in (0, 1, 4000, 8000)]

    for bar in draw(days).bars:
        assert 0 <= float(bar.y[:-1]) <= 100
        assert 0 <= float(bar.bad_y[:-1]) <= 100
        assert float(bar.y[:-1]) + float(bar.height[:-1]) == pytest.approx(100, abs=0.02)


def test_a_single_failure_can_be_seen() -> None:
    plot = draw([Day(NOW, sent=9000, failed=1)])

    assert float(plot.bars[0].bad_height[:-1]) >= 0.7
