"""From a draft to its end: everybody is reached once, and who is not is told why."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from campaigns import alerting, expanding, feeding, showing, sources, steering, tallying
from campaigns.judging import Judge
from campaigns.models import Campaign, State
from contacts.models import Group
from contacts.services import opt_out
from messaging.models import Direction, Message, Priority, Status
from messaging.sending import claim
from phones.models import Phone
from tests.campaigns.conftest import by_state, messages, work
from tests.contacts.cast import contact
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]

Begin = Callable[..., Campaign]


def group_of(workspace: Workspace, name: str, *numbers: str) -> Group:
    group = Group.objects.create(workspace=workspace, name=name, folded=name.lower())
    group.contacts.set([contact(workspace, f"Person {n}", n) for n in numbers])
    return group


def test_a_campaign_reaches_everybody_and_ends(begin: Begin, send: Callable[[], None]) -> None:
    campaign = work(begin())
    assert [m.held for m in messages(campaign)] == [False] * 3

    send()
    work(campaign)

    assert by_state(campaign) == {"sent": 3}
    assert campaign.state == State.DONE
    assert campaign.ended_at is not None


def test_one_person_is_reached_once_however_often_they_are_named(
    begin: Begin, workspace: Workspace
) -> None:
    choir = group_of(workspace, "Choir", number(1), number(2))
    staff = Group.objects.create(workspace=workspace, name="Staff", folded="staff")
    staff.contacts.set(choir.contacts.all())

    campaign = work(
        begin(
            numbers=[number(1), number(1), "06 00 00 00 01"], who=[f"g{choir.pk}", f"g{staff.pk}"]
        )
    )

    assert sorted(m.peer for m in messages(campaign)) == [number(1), number(2)]
    assert (campaign.seen, campaign.repeated) == (7, 5)


def test_who_gets_nothing_is_kept_with_the_reason(begin: Begin, workspace: Workspace) -> None:
    opt_out(workspace, number(2), source="person")

    campaign = work(begin(numbers=[number(1), number(2), "+33140000000", "06 12", "hello"]))

    assert {m.peer: (m.status, m.reason) for m in messages(campaign)} == {
        number(1): ("queued", ""),
        number(2): ("skipped", "opted_out"),
        "+33140000000": ("skipped", "landline"),
        "06 12": ("skipped", "not_a_number"),
        "hello": ("skipped", "not_a_number"),
    }


def test_people_to_be_left_out_are(begin: Begin, workspace: Workspace) -> None:
    choir = group_of(workspace, "Choir", number(1), number(2), number(3))
    ill = group_of(workspace, "Ill", number(7))
    ill.contacts.add(choir.contacts.get(number=number(2)))

    campaign = work(
        begin(who=[f"g{choir.pk}"], without=[f"g{ill.pk}"], without_numbers=[number(3)])
    )

    assert [m.peer for m in messages(campaign)] == [number(1)]
    assert campaign.excluded == 2


@pytest.fixture
def hundredth(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a hundredth of what SQLite takes in one statement, and of what is put into one.

    SQLite takes 32,766 variables unless its builder says else (https://www.sqlite.org/limits.html).
    """
    monkeypatch.setattr(sources, "_MOST", sources._MOST // 100)
    monkeypatch.setattr(showing, "_NAMED", showing._NAMED // 100)
    if connection.vendor != "sqlite":
        yield
        return
    usual = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 327)
    yield
    connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, usual)


@pytest.mark.usefixtures("hundredth")
@pytest.mark.parametrize("part", ["who", "without"])
def test_more_people_may_be_chosen_than_a_database_takes_in_one_statement(
    draft: Begin, workspace: Workspace, part: str
) -> None:
    people = [contact(workspace, f"Person {i}", number(i)) for i in range(3)]
    chosen = [f"c{pk}" for pk in range(people[0].pk, people[0].pk + 400)]
    reached = [person.number for person in people] if part == "who" else []
    campaign = draft(numbers=[person.number for person in people] if part == "without" else [])
    setattr(campaign, part, chosen)

    assert sources.expected(campaign) == 3
    found = [one for _place, chunk in sources.chunks(campaign, 2) for one in chunk]
    assert sources.excluded(campaign, [one.number for one in found]) == {
        one.number for one in found if one.number not in reached
    }
    assert len(found) == 3
    assert sources.preceding(campaign, found[2].place) == found[1]
    assert sources.at(campaign, found[1].place) == found[1]
    showing.chosen(campaign)


@pytest.mark.parametrize("killed_after", [0, 1, 2, 3])
def test_killed_at_any_chunk_it_resumes_without_loss_or_double(
    begin: Begin, killed_after: int
) -> None:
    campaign = begin(numbers=[number(i) for i in range(40)])
    store, done = expanding._Expansion._store, list[None]()

    def dying(*arguments: Any) -> None:
        if len(done) == killed_after:
            raise KeyboardInterrupt
        store(*arguments)
        done.append(None)

    with (
        patch.object(expanding, "_CHUNK", 10),
        patch.object(expanding._Expansion, "_store", dying),
        pytest.raises(KeyboardInterrupt),
    ):
        expanding.run(campaign.pk)
    expanding.run(campaign.pk)
    assert len(messages(campaign)) == killed_after * 10  # the lease of the dead holds

    Campaign.objects.filter(pk=campaign.pk).update(lease_until=timezone.now())
    work(campaign)

    assert sorted(m.peer for m in messages(campaign)) == [number(i) for i in range(40)]
    assert (campaign.seen, campaign.repeated) == (40, 0)


def test_a_run_that_was_overtaken_stores_nothing(begin: Begin) -> None:
    campaign = begin(numbers=[number(i) for i in range(4)])
    judge = Judge.__call__

    def slow(self: Any, recipients: Any) -> Any:
        judged = judge(self, recipients)
        steering.pause(campaign)
        return judged

    with patch.object(Judge, "__call__", slow):
        expanding.run(campaign.pk)

    assert messages(campaign) == []
    steering.resume(campaign, None)
    work(campaign)
    assert len(messages(campaign)) == 4


def test_only_a_share_is_let_through_so_that_others_overtake(
    begin: Begin, line: Phone, workspace: Workspace
) -> None:
    Phone.objects.update(rate=1)
    huge = begin(numbers=[number(i) for i in range(100)])
    work(huge)
    through = [m for m in messages(huge) if not m.held]
    assert len(through) == feeding.WINDOW

    small = begin(numbers=[number(i) for i in range(200, 210)])
    work(small)
    claim(line, uuid.uuid4(), len(through))
    work(huge)
    work(small)

    assert all(not m.held for m in messages(small))
    assert 0 < sum(m.status == "queued" and not m.held for m in messages(huge)) <= 15


def test_urgent_ones_go_before_what_is_there(begin: Begin, line: Phone) -> None:
    work(begin(numbers=[number(1)]))
    urgent = work(begin(numbers=[number(2)], urgent=True))

    first = claim(line, uuid.uuid4(), 1)

    assert [m.peer for m in first] == [number(2)]
    assert messages(urgent)[0].priority == Priority.URGENT


def test_a_paused_campaign_sends_nothing_until_it_is_resumed(
    begin: Begin, send: Callable[[], None]
) -> None:
    campaign = work(begin())

    steering.pause(campaign)
    work(campaign)
    send()
    assert by_state(campaign) == {"queued": 3}

    steering.resume(campaign, None)
    work(campaign)
    send()
    assert by_state(campaign) == {"sent": 3}


def test_a_cancelled_campaign_sends_nothing_more(
    begin: Begin, send: Callable[[], None], bob: User
) -> None:
    campaign = work(begin())
    send()
    late = work(begin(numbers=[number(5), number(6)]))

    steering.cancel(late, bob)
    send()
    work(late)

    assert by_state(late) == {"cancelled": 2}
    assert late.state == State.CANCELLED
    assert by_state(campaign) == {"sent": 3}


def test_cancelling_in_the_middle_of_expansion_adds_nobody(begin: Begin, bob: User) -> None:
    campaign = begin(numbers=[number(i) for i in range(30)])
    with patch.object(expanding, "_CHUNK", 10), patch.object(expanding, "_RUN", 0):
        expanding.run(campaign.pk)

    steering.cancel(campaign, bob)
    work(campaign)

    assert by_state(campaign) == {"cancelled": 10}


def test_failures_worth_it_are_tried_again(
    begin: Begin, scripted: Any, send: Callable[[], None], bob: User
) -> None:
    campaign = work(begin())
    first, second, third = messages(campaign)
    failed = {"status": "failed", "ended_at": timezone.now(), "held": False}
    Message.objects.filter(pk=first.pk).update(**failed, reason="expired", code="7")
    Message.objects.filter(pk=second.pk).update(**failed, reason="bad_number")
    Message.objects.filter(pk=third.pk).update(**failed, reason="unreachable")

    steering.retry(campaign, ["expired", "bad_number"], bob)
    work(campaign)
    send()

    assert [m.status for m in messages(campaign)] == ["sent", "failed", "failed"]
    assert first.trail.get().by == bob


def test_a_copy_is_a_draft_of_its_own(begin: Begin, bob: User) -> None:
    campaign = work(begin())

    copy = steering.duplicate(campaign, bob)
    steering.start(copy, bob)
    work(copy)

    assert copy.submission != campaign.submission
    assert [m.peer for m in messages(copy)] == [m.peer for m in messages(campaign)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"numbers": []}, "Nobody"),
        ({"text": "  "}, "text is empty"),
        ({"who": ["g999"]}, "does not exist any more"),
    ],
)
def test_what_cannot_work_does_not_start(
    draft: Begin, bob: User, fields: dict[str, Any], words: str
) -> None:
    campaign = draft(**fields)

    with pytest.raises(steering.Refused, match=words):
        steering.start(campaign, bob)

    assert campaign.state == State.DRAFT


def test_a_campaign_that_has_begun_cannot_be_rewritten(begin: Begin) -> None:
    campaign = begin()

    with pytest.raises(steering.Refused, match="has begun"):
        steering.save(campaign, text="Other words")


def test_starting_twice_starts_once(draft: Begin, bob: User) -> None:
    campaign = draft()
    same = Campaign.objects.get(pk=campaign.pk)
    steering.start(campaign, bob)

    with pytest.raises(steering.Refused):
        steering.start(same, bob)


def test_a_change_after_the_look_keeps_it_from_starting(draft: Begin, bob: User) -> None:
    seen = draft()
    steering.save(Campaign.objects.get(pk=seen.pk), text="Something else")

    with pytest.raises(steering.Refused, match="meanwhile"):
        steering.start(seen, bob)


def test_a_spread_goes_evenly_over_its_time(begin: Begin) -> None:
    campaign = begin(numbers=[number(i) for i in range(10)], spread=600)

    expanding.run(campaign.pk)

    times = [m.send_at for m in messages(campaign)]
    assert times == sorted(times)
    assert timedelta(seconds=500) < times[-1] - times[0] <= timedelta(seconds=600)


def test_the_phone_is_chosen_when_it_leaves(begin: Begin, line: Phone) -> None:
    campaign = begin(phone=None)
    expanding.run(campaign.pk)
    Phone.objects.filter(pk=line.pk).update(paused_at=timezone.now())
    other = Phone.objects.create(
        workspace=line.workspace, type="scripted", name="Other", settings={}, rate=100
    )

    feeding.feed(campaign.pk)

    assert {m.phone_id for m in messages(campaign)} == {other.pk}


def test_a_test_goes_to_oneself_and_counts_for_nothing(
    draft: Begin, bob: User, workspace: Workspace
) -> None:
    campaign = draft()

    sent = steering.send_test(campaign, number(9), None, bob, uuid.uuid4())

    assert [m.text for m in sent.queued] == ["Come on Monday"]
    assert sent.queued[0].campaign is None
    assert tallying.figures_of(campaign).total == 0
    assert Message.objects.filter(workspace=workspace, direction=Direction.OUT).count() == 1


def test_a_stopped_campaign_says_why(begin: Begin, line: Phone) -> None:
    campaign = begin()
    Phone.objects.update(deleted_at=timezone.now())
    Campaign.objects.update(phone=None)

    expanding.run(campaign.pk)
    campaign.refresh_from_db()

    assert campaign.state == State.PAUSED
    assert "no phone" in campaign.problem
    alerting.stopped(campaign.pk)
    assert campaign.problem in mail.outbox[0].body
    assert mail.outbox[0].to == ["bob@example.org"]


def test_what_waits_for_its_time_is_not_let_through(begin: Begin) -> None:
    campaign = begin()
    expanding.run(campaign.pk)
    Message.objects.update(send_at=timezone.now() + timedelta(hours=1))

    assert feeding.feed(campaign.pk) == 0
    assert tallying.figures_of(campaign).of(Status.QUEUED) == 3


def test_where_who_started_it_has_left_owners_are_told(
    begin: Begin, alice: User, bob: User
) -> None:
    campaign = begin()
    steering.pause(campaign, problem="No phone is left.")
    Membership.objects.filter(user=bob).delete()

    alerting.stopped(campaign.pk)

    assert [letter.to for letter in mail.outbox] == [[alice.email]]
