"""The pages of campaigns that exist: the list, one of them, its people, files, and what can be done to it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, User, Workspace
from campaigns import tagging
from campaigns.models import Campaign, State
from contacts.models import Contact, OptOut
from messaging.models import Direction, Message, Status
from phones import quotas
from phones.models import Phone
from tests.campaigns.conftest import work
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ended(workspace: Workspace, line: Phone, bob: User) -> Callable[..., Campaign]:
    """Make a campaign whose messages have the states given: {state: how many} or (state, reason)."""

    def ended(states: dict[Any, int], **fields: Any) -> Campaign:
        values = {"name": "Flu", "state": State.DONE, "started_at": timezone.now(), "phone": line}
        values |= fields
        made = Campaign.objects.create(
            workspace=workspace, text="Come", created_by=bob, expanded_at=timezone.now(), **values
        )
        rows = []
        for state, amount in states.items():
            status, reason = state if isinstance(state, tuple) else (state, "")
            rows += [
                Message(
                    workspace=workspace, direction=Direction.OUT, phone=line, status=status,
                    reason=reason, peer=number(len(rows) + place), campaign=made, country="FR",
                    submission=made.submission, text="Come", held=status == Status.QUEUED,
                    lease_until=timezone.now(), ended_at=timezone.now(),
                    sent_at=None if status in (Status.QUEUED, Status.SKIPPED) else timezone.now(),
                )
                for place in range(amount)
            ]  # fmt: skip
        Message.objects.bulk_create(rows, batch_size=500)
        return made

    return ended


def shown(client: Client, name: str, *args: Any, **asked: Any) -> str:
    return client.get(reverse(name, args=args), asked).content.decode()


# ---- The list -----------------------------------------------------------------------------------


def test_the_list_says_how_far_each_campaign_is(as_vera: Client, ended: Any) -> None:
    ended(
        {"delivered": 3, ("failed", "expired"): 1, "queued": 6}, name="Summer fair", state="running"
    )

    page = shown(as_vera, "campaigns")

    assert "Summer fair" in page
    assert "3 of 10 delivered" in page
    assert "1 running" in page


def test_the_list_is_searched_without_accents_and_filtered(as_vera: Client, ended: Any) -> None:
    tagged = ended({}, name="Été à Lyon")
    tagging.set_tags(tagged, "School, Spring")
    ended({}, name="Winter", state="cancelled")
    school = tagged.tags.get(name="School")

    assert "Winter" not in shown(as_vera, "campaigns", q="ete lyon")
    assert "Été" in shown(as_vera, "campaigns", q="ete lyon")
    assert "Été" not in shown(as_vera, "campaigns", state="cancelled")
    assert "Winter" not in shown(as_vera, "campaigns", tag=school.pk)


def test_the_list_goes_on_behind_its_last_line(as_vera: Client, ended: Any) -> None:
    made = [ended({}, name=f"No {place}.") for place in range(26)]

    first = shown(as_vera, "campaigns")
    then = shown(as_vera, "campaigns", before=made[1].pk)

    assert "No 1." in first
    assert "No 0." not in first
    assert "No 0." in then
    assert f"before={made[1].pk}" in first


def test_who_only_looks_is_offered_nothing_to_do(
    as_vera: Client, as_bob: Client, ended: Any
) -> None:
    one = ended({"queued": 2, "delivered": 1}, state="running")

    assert reverse("campaign_pause", args=[one.pk]) in shown(as_bob, "campaign", one.pk)
    assert reverse("campaign_pause", args=[one.pk]) not in shown(as_vera, "campaign", one.pk)


# ---- One of them --------------------------------------------------------------------------------


def test_a_campaign_tells_what_became_of_everybody(as_vera: Client, ended: Any) -> None:
    one = ended(
        {
            "delivered": 5,
            ("failed", "expired"): 2,
            ("failed", "bad_number"): 1,
            ("skipped", "landline"): 1,
        }
    )

    page = shown(as_vera, "campaign", one.pk)

    assert "It could not be delivered in time" in page
    assert "This is a landline" in page
    assert "37.5" in page  # percent of the eight that left


def test_a_page_costs_the_same_for_three_people_and_for_many(
    as_bob: Client, ended: Any, django_assert_max_num_queries: Any
) -> None:
    few = ended({"delivered": 2, ("failed", "expired"): 1})
    many = ended({"delivered": 300, ("failed", "expired"): 100, "queued": 50}, state="running")

    for one in (few, many):
        with django_assert_max_num_queries(26):
            as_bob.get(reverse("campaign", args=[one.pk]))


def test_people_are_found_by_number_name_state_and_reason(
    as_vera: Client, ended: Any, workspace: Workspace
) -> None:
    one = ended({"delivered": 3, ("failed", "expired"): 1, ("failed", "blocked"): 1})
    Contact.objects.create(
        workspace=workspace, number=number(1), name="Nadia Benali", searched="nadia benali"
    )

    def people(**asked: Any) -> list[str]:
        answer = as_vera.get(reverse("campaign", args=[one.pk]), asked, headers=HTMX)
        return [message.peer for message in answer.context["page"].rows]

    assert people(q=number(3)) == [number(3)]
    assert people(q="nadia") == [number(1)]
    assert people(status="failed") == [number(4), number(3)]
    assert people(status="failed", reason="blocked") == [number(4)]
    assert people(q="+4912345") == []


def test_a_page_asks_for_news_and_is_loaded_again_when_the_state_changed(
    as_vera: Client, ended: Any
) -> None:
    one = ended({"queued": 1, "delivered": 1}, state="running")
    address = reverse("campaign", args=[one.pk])

    news = as_vera.get(address, {"seen": "running"}, headers=HTMX)
    Campaign.objects.update(state="done")
    changed = as_vera.get(address, {"seen": "running"}, headers=HTMX)

    assert 'hx-swap-oob="true"' in news.content.decode()
    assert "<html" not in news.content.decode()
    assert changed["HX-Refresh"] == "true"


def test_answers_and_opt_outs_since_its_start_are_counted(
    as_vera: Client, ended: Any, workspace: Workspace, line: Phone
) -> None:
    one = ended({"delivered": 3}, started_at=timezone.now() - timedelta(minutes=1))
    for peer in (number(0), number(0), number(77)):
        Message.objects.create(
            workspace=workspace, direction=Direction.IN, status=Status.RECEIVED, phone=line,
            peer=peer, text="Thank you",
        )  # fmt: skip
    OptOut.objects.create(workspace=workspace, number=number(1), source="person")
    OptOut.objects.create(workspace=workspace, number=number(78), source="person")

    answers = as_vera.get(reverse("campaign", args=[one.pk])).context["answers"]

    assert (answers.people, answers.opted_out) == (1, 1)


def test_the_export_has_everybody_with_state_and_reason(as_bob: Client, ended: Any) -> None:
    one = ended({"delivered": 2, ("failed", "expired"): 1}, name="Été!")
    address = reverse("campaign_export", args=[one.pk])

    answer = as_bob.get(address, {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    failed = b"".join(as_bob.get(address, {"format": "csv", "status": "failed"}).streaming_content)
    book = b"".join(as_bob.get(address, {"format": "xlsx"}).streaming_content)
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active

    assert 'filename="ete.csv"' in answer["Content-Disposition"]
    assert len(lines) == 4
    assert "It could not be delivered in time" in lines[3]
    assert failed.decode().count("\r\n") == 2
    assert [cell.value for cell in sheet[2]][1:4] == [number(0), "France", "Delivered"]


def test_the_export_shows_times_as_the_reader_s_clock_does(as_bob: Client, ended: Any) -> None:
    one = ended({"delivered": 1})
    at = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    Message.objects.update(delivered_at=at)
    address = reverse("campaign_export", args=[one.pk])

    csv = b"".join(as_bob.get(address, {"format": "csv"}).streaming_content).decode()
    book = b"".join(as_bob.get(address, {"format": "xlsx"}).streaming_content)
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active

    assert "2026-11-24 09:30:00" in csv
    assert datetime(2026, 11, 24, 9, 30) in [cell.value for cell in sheet[2]]


# ---- What can be done ---------------------------------------------------------------------------


def test_a_campaign_is_paused_and_goes_on(as_bob: Client, begin: Callable[..., Campaign]) -> None:
    one = begin()

    as_bob.post(reverse("campaign_pause", args=[one.pk]))
    paused = Campaign.objects.get().state
    as_bob.post(reverse("campaign_resume", args=[one.pk]))

    assert paused == State.PAUSED
    assert Campaign.objects.get().state == State.RUNNING
    noted = list(Event.objects.order_by("pk").values_list("action", "subject"))
    assert noted == [("campaign.paused", "Flu"), ("campaign.resumed", "Flu")]


def test_cancelling_names_the_number_and_leaves_what_has_left(as_bob: Client, ended: Any) -> None:
    one = ended({"queued": 4, "delivered": 1}, state="running")
    address = reverse("campaign_cancel", args=[one.pk])

    asked = as_bob.get(address).content.decode()
    as_bob.post(address)
    work(one)

    assert "Cancel 4 messages?" in asked
    states = sorted(Message.objects.values_list("status", flat=True))
    assert states == ["cancelled"] * 4 + ["delivered"]


def test_only_what_may_go_better_is_tried_again(as_bob: Client, ended: Any) -> None:
    one = ended({("failed", "expired"): 2, ("failed", "bad_number"): 1})
    address = reverse("campaign_retry", args=[one.pk])

    nothing = as_bob.post(address)
    as_bob.post(address, {"reason": ["expired", "bad_number"]})
    work(one)

    assert nothing.status_code == 422
    assert Message.objects.get(status=Status.FAILED).reason == "bad_number"


def test_each_copy_has_a_name_of_its_own(as_bob: Client, ended: Any) -> None:
    one, nameless = ended({}, name="Flu"), ended({}, name="")

    for _time in range(2):
        as_bob.post(reverse("campaign_duplicate", args=[one.pk]))
    third = Campaign.objects.get(name="Flu (3)")
    as_bob.post(reverse("campaign_duplicate", args=[third.pk]))
    as_bob.post(reverse("campaign_duplicate", args=[nameless.pk]))

    names = Campaign.objects.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["Flu", "", "Flu (2)", "Flu (3)", "Flu (4)", ""]


def test_a_copy_is_a_draft_and_only_drafts_are_deleted(as_bob: Client, ended: Any) -> None:
    one = ended({"delivered": 1})

    answer = as_bob.post(reverse("campaign_duplicate", args=[one.pk]))
    copy = Campaign.objects.exclude(pk=one.pk).get()
    as_bob.post(reverse("campaign_delete", args=[one.pk]))
    as_bob.post(reverse("campaign_delete", args=[copy.pk]))

    assert answer["Location"] == reverse("campaign_write", args=[copy.pk])
    assert copy.state == State.DRAFT
    assert list(Campaign.objects.all()) == [one]


# ---- Messages -----------------------------------------------------------------------------------


def test_a_message_leads_to_its_campaign_and_says_what_it_waits_for(
    as_vera: Client, ended: Any
) -> None:
    one = ended({"queued": 1}, name="Flu", state="running")
    message = Message.objects.get()
    address = reverse("campaign", args=[one.pk])

    running = shown(as_vera, "message", message.pk)
    Campaign.objects.update(state="paused")
    paused = shown(as_vera, "message", message.pk)

    assert address in running
    assert "Waits for its turn in Flu" in running
    assert "Waits: Flu is paused" in paused
    assert address in shown(as_vera, "messages")


def test_messages_are_filtered_by_campaign(
    as_vera: Client, as_charlie: Client, ended: Any, workspace: Workspace
) -> None:
    one = ended({"delivered": 2})
    ended({("failed", "expired"): 1}, name="Other", submission=uuid.uuid4())

    mine = as_vera.get(reverse("messages"), {"campaign": one.pk})
    theirs = as_charlie.get(reverse("messages"), {"campaign": one.pk})

    assert {message.campaign_id for message in mine.context["rows"]} == {one.pk}
    assert theirs.context["rows"] == []


# ---- Tags ---------------------------------------------------------------------------------------


def test_usage_counts_people_messages_and_segments_under_each_tag(
    as_vera: Client, ended: Any
) -> None:
    one = ended({"delivered": 3, ("skipped", "landline"): 1})
    tagging.set_tags(one, "School")
    two = ended({"delivered": 1}, name="Two")
    tagging.set_tags(two, "school, Clinic")

    lines = as_vera.get(reverse("campaigns_tags")).context["lines"]

    told = {line.tag.name: (line.people, line.messages, line.segments) for line in lines}
    assert told == {"School": (5, 4, 4), "Clinic": (1, 1, 1)}


def test_a_tag_that_nothing_has_is_forgotten(workspace: Workspace, ended: Any) -> None:
    one = ended({})

    tagging.set_tags(one, "school, School , Clinic")
    first = [tag.name for tag in workspace.campaign_tags.all()]
    tagging.set_tags(one, "Clinic")

    assert first == ["Clinic", "School"]
    assert [tag.name for tag in workspace.campaign_tags.all()] == ["Clinic"]


def test_tags_are_renamed_put_together_and_deleted(
    as_alice: Client, workspace: Workspace, ended: Any
) -> None:
    one, two = ended({"delivered": 1}, name="One"), ended({"delivered": 1}, name="Two")
    tagging.set_tags(one, "school, Clinic")
    tagging.set_tags(two, "shcool")
    school, wrong = (workspace.campaign_tags.get(name=name) for name in ("school", "shcool"))

    as_alice.post(reverse("campaigntag_rename", args=[school.pk]), {"name": "Schools"})
    address = reverse("campaigntag_rename", args=[wrong.pk])
    asked = as_alice.post(address, {"name": "schools"})
    assert (asked.status_code, workspace.campaign_tags.count()) == (422, 3)
    as_alice.post(address, {"name": "schools", "merge": "1"})

    listed = as_alice.get(reverse("campaigns_tags")).context["tags"]
    assert [(tag.name, tag.amount) for tag in listed] == [("Clinic", 1), ("Schools", 2)]

    as_alice.post(reverse("campaigntag_delete", args=[school.pk]))
    assert [tag.name for tag in workspace.campaign_tags.all()] == ["Clinic"]
    assert Campaign.objects.count() == 2


@pytest.mark.parametrize("spill", [True, False])
def test_a_page_says_that_a_limit_is_reached_and_promises_no_end(
    as_bob: Client, begin: Any, line: Phone, spill: bool
) -> None:
    quotas.set_limit(line, period="day", unit="messages", amount=1, spill=spill)
    quotas.charge(line, quotas.hold(line), [(number(9), 1)])
    campaign = work(begin())

    page = as_bob.get(reverse("campaign", args=[campaign.pk])).text

    assert f"{line} has reached its limit; it goes on" in page
    assert " left · " not in page


def test_a_page_says_nothing_of_limits_that_hold_nothing_up(
    as_bob: Client, begin: Any, line: Phone
) -> None:
    quotas.set_limit(line, period="day", unit="messages", amount=100, spill=False)
    campaign = work(begin())

    assert "has reached" not in as_bob.get(reverse("campaign", args=[campaign.pk])).text


def test_a_page_says_that_the_phone_is_paused(as_bob: Client, begin: Any, line: Phone) -> None:
    Phone.objects.filter(pk=line.pk).update(paused_at=timezone.now(), pause_reason="person")
    campaign = work(begin())

    assert f"{line} is paused" in as_bob.get(reverse("campaign", args=[campaign.pk])).text
