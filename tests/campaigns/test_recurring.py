"""Each occurrence has its campaign, exactly one, or a reason why it has none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, connection

from accounts.models import User, Workspace
from campaigns import alerting, recurring, scheduling, sources, steering
from campaigns.models import Campaign, Recurrence, SkippedRun, State, Tag
from campaigns.rhythms import WEEK, WORKING, Rhythm
from contacts.models import Contact, Field, Group
from contacts.rules import compiling, tree
from phones.models import Phone

pytestmark = pytest.mark.django_db

PARIS = "Europe/Paris"
# A Friday.
NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
DAILY = Rhythm(datetime(2026, 11, 20, 9, 0), PARIS)
WEEKDAYS = Rhythm(datetime(2026, 11, 20, 9, 0), PARIS, unit=WEEK, days=WORKING)


def at(day: int, hour: int = 8, minute: int = 0) -> datetime:
    """A moment of November in UTC; nine in Paris is eight."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def begun(workspace: Workspace, phone: Phone, alice: User) -> Callable[..., Recurrence]:
    """Begin a recurrence on Friday noon."""

    def begun(rhythm: Rhythm = DAILY, birthday: str = "", **said: Any) -> Recurrence:
        pattern = Campaign.objects.create(
            workspace=workspace, name="Reminder", text="Hello", numbers=["+33612345678"],
            phone=phone, time_zone=PARIS, **said,
        )  # fmt: skip
        with time_machine.travel(NOON, tick=False):
            recurrence = recurring.arrange(pattern, rhythm, birthday, alice)
            assert recurrence
            recurring.begin(recurrence, alice)
        return recurrence

    return begun


def look(moment: datetime) -> None:
    """Do what the tick does, at a moment."""
    with time_machine.travel(moment, tick=False):
        recurring.make_due()
        scheduling.start_due()


def runs(recurrence: Recurrence) -> list[tuple[int, str]]:
    """The day and the state of each run that has a campaign."""
    rows = recurrence.runs.order_by("occurrence").values_list("occurrence", "state")
    return [(occurrence.day, state) for occurrence, state in rows if occurrence]


def skips(recurrence: Recurrence) -> list[tuple[int, str]]:
    return [(skip.occurrence.day, skip.why) for skip in recurrence.skips.order_by("occurrence")]


def test_each_occurrence_becomes_a_campaign_that_says_the_same(
    begun: Any, workspace: Workspace
) -> None:
    recurrence = begun()
    recurrence.pattern.tags.add(Tag.objects.create(workspace=workspace, name="Flu", folded="flu"))

    look(at(21, 7, 59))
    assert runs(recurrence) == []
    for _again in range(3):
        look(at(21, 8, 0))
    look(at(22, 8, 1))

    assert runs(recurrence) == [(21, "running"), (22, "running")]
    run = recurrence.runs.first()
    assert run
    assert run.send_at == run.occurrence == at(21)
    assert (run.text, run.numbers, run.phone) == (
        "Hello",
        ["+33612345678"],
        recurrence.pattern.phone,
    )
    assert [tag.name for tag in run.tags.all()] == ["Flu"]
    assert Campaign.objects.get(pk=recurrence.pattern_id).state == State.DRAFT


def test_nothing_runs_before_it_has_begun(workspace: Workspace, phone: Phone) -> None:
    draft = Campaign.objects.create(workspace=workspace, name="R", text="Hello", phone=phone)
    recurrence = recurring.arrange(draft, DAILY)
    assert recurrence

    look(at(25))

    assert runs(recurrence) == []
    assert list(recurring.without_patterns(Campaign.objects.all())) == [draft]


def test_the_database_knows_no_second_campaign_of_one_occurrence(begun: Any) -> None:
    recurrence = begun()
    look(at(21))

    with pytest.raises(IntegrityError):
        steering.duplicate(recurrence.pattern, None, recurrence=recurrence, occurrence=at(21))


def test_what_dies_half_way_leaves_the_occurrence_to_be_made(
    begun: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recurrence = begun()
    with monkeypatch.context() as patch:
        patch.setattr(recurring, "_copy", lambda *_: 1 / 0)
        look(at(21))
    recurrence.refresh_from_db()
    assert (recurrence.next_at, runs(recurrence)) == (at(21), [])

    look(at(21, 8, 1))

    assert runs(recurrence) == [(21, "running")]


def test_one_that_breaks_keeps_no_other_from_running(begun: Any) -> None:
    broken, sound = begun(), begun()
    Recurrence.objects.filter(pk=broken.pk).update(rule="FREQ=NEVER")

    look(at(21))

    broken.refresh_from_db()
    assert broken.phase == "paused"
    assert "Choose it again" in broken.problem
    assert runs(sound) == [(21, "running")]


def test_after_an_outage_what_is_too_late_is_skipped_and_only_the_last_leaves(begun: Any) -> None:
    recurrence = begun(late=36)

    look(at(25, 8, 30))

    assert skips(recurrence) == [(21, "late"), (22, "late"), (23, "late"), (24, "later")]
    assert runs(recurrence) == [(25, "running")]


def test_who_wants_nothing_late_gets_nothing_late(begun: Any) -> None:
    recurrence = begun(late=0)

    look(at(21, 9, 0))

    assert (runs(recurrence), skips(recurrence)) == ([], [(21, "late")])


def test_a_run_is_skipped_and_the_others_are_not(begun: Any, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        recurring.skip(recurrence, at(21), bob)
        recurring.skip(recurrence, at(22), bob)
        recurring.unskip(recurrence, at(22))
        coming = recurring.coming(recurrence, 2)

    look(at(21))
    look(at(22))

    assert [bool(run.skip) for run in coming] == [True, False]
    assert (skips(recurrence), runs(recurrence)) == ([(21, "person")], [(22, "running")])


@pytest.mark.parametrize("wrong", [at(21, 9), at(20, 8), at(19, 8)])
def test_only_runs_to_come_are_skipped_or_prepared(begun: Any, wrong: datetime, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        for act in (recurring.skip, recurring.prepare):
            with pytest.raises(steering.Refused):
                act(recurrence, wrong, bob)

    assert (runs(recurrence), skips(recurrence)) == ([], [])


def test_a_run_that_was_changed_leaves_as_it_is_then(begun: Any, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        made = recurring.prepare(recurrence, at(22), bob)
        assert recurring.prepare(recurrence, at(22), bob) == made
        assert made.state == State.SCHEDULED
        Campaign.objects.filter(pk=made.pk).update(text="Hello, it is Sunday")
        with pytest.raises(steering.Refused):
            recurring.skip(recurrence, at(22), bob)

    look(at(21))
    look(at(22))

    assert [run.text for run in recurrence.runs.order_by("occurrence")] == [
        "Hello", "Hello, it is Sunday",
    ]  # fmt: skip
    assert runs(recurrence) == [(21, "running"), (22, "running")]


def test_a_pause_holds_everything_and_is_not_made_up_for(begun: Any, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        recurring.prepare(recurrence, at(22), bob)
        recurring.pause(recurrence)
    look(at(22, 8, 1))
    assert runs(recurrence) == [(22, "scheduled")]

    with time_machine.travel(at(23, 7), tick=False):
        recurring.resume(recurrence, None)
    look(at(23))

    assert runs(recurrence) == [(22, "cancelled"), (23, "running")]
    assert "A later run leaves in its place." in recurrence.runs.get(occurrence=at(22)).problem


@pytest.mark.parametrize(("late", "state"), [(2, "cancelled"), (24, "running")])
def test_what_was_prepared_before_a_pause_leaves_late_or_not_as_chosen(
    begun: Any, bob: User, late: int, state: str
) -> None:
    recurrence = begun(late=late)
    with time_machine.travel(NOON, tick=False):
        recurring.prepare(recurrence, at(22), bob)
        recurring.pause(recurrence)

    with time_machine.travel(at(22, 20), tick=False):
        recurring.resume(recurrence, None)
    look(at(22, 20))

    assert runs(recurrence) == [(22, state)]


def test_a_run_that_stayed_a_draft_is_told_of_once(begun: Any, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        run = recurring.prepare(recurrence, at(22), bob)
        steering.unschedule(run)

    told = [scheduling.tell_of_drafts(moment) for moment in (at(21), at(22), at(23))]
    look(at(22, 8, 1))
    alerting.gave_up(run.pk)

    assert told == [0, 1, 0]
    assert "still a draft at its time" in recurrence.runs.get(pk=run.pk).problem
    assert [(sent.to, sent.subject) for sent in mail.outbox] == [
        (["bob@example.org"], "Reminder was not sent")
    ]


def test_the_end_cancels_what_waits(begun: Any, bob: User) -> None:
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        recurring.prepare(recurrence, at(22), bob)
        recurring.end(recurrence, bob)
        with pytest.raises(steering.Refused):
            recurring.resume(recurrence, None)

    look(at(23))

    assert runs(recurrence) == [(22, "cancelled")]
    assert recurring.coming(recurrence, 10, NOON) == [recurring.Run(at(22), recurrence.runs.get())]


def test_it_ends_by_itself_with_its_last_run(begun: Any) -> None:
    recurrence = begun(Rhythm(datetime(2026, 11, 20, 9, 0), PARIS, count=2))

    look(at(21))

    recurrence.refresh_from_db()
    assert recurrence.phase == "ended"
    assert runs(recurrence) == [(21, "running")]


def test_a_new_rhythm_counts_from_now_on(begun: Any) -> None:
    recurrence = begun()
    look(at(21))
    evening = Rhythm(datetime(2026, 11, 20, 18, 0), PARIS)
    with time_machine.travel(at(22, 7), tick=False):
        recurring.arrange(recurrence.pattern, evening)

    look(at(22, 8, 1))
    look(at(22, 17, 0))

    assert [run.occurrence for run in recurrence.runs.order_by("occurrence")] == [
        at(21),
        at(22, 17),
    ]


def test_a_run_without_a_place_in_the_new_rhythm_is_cancelled(begun: Any, bob: User) -> None:
    """Or the same people would get that one and the new one."""
    recurrence = begun()
    with time_machine.travel(NOON, tick=False):
        made = recurring.prepare(recurrence, at(22), bob)
        same = recurring.rhythm_of(recurrence)
        recurring.arrange(recurrence.pattern, same, by=bob)
        assert runs(recurrence) == [(22, "scheduled")]

        later = replace(same, starts=same.starts + timedelta(hours=1))
        recurring.arrange(recurrence.pattern, later, by=bob)

    made.refresh_from_db()
    assert made.state == State.CANCELLED


def test_where_each_zone_counts_a_run_is_made_before_the_first_reaches_it(begun: Any) -> None:
    recurrence = begun(own_zone=True)

    look(at(20, 18, 59))
    assert runs(recurrence) == []
    look(at(20, 19, 0))  # nine on the 21st in Kiritimati

    assert runs(recurrence) == [(21, "running")]


@pytest.mark.parametrize(
    ("year", "born", "runs_on"),
    [(2027, "1990-02-28", 28), (2027, "1992-02-29", 28), (2028, "1992-02-29", 29)],
)
def test_birthdays_reach_those_whose_day_it_is(
    begun: Any, workspace: Workspace, year: int, born: str, runs_on: int
) -> None:
    Field.objects.create(workspace=workspace, key="born", label="Birthday", type="date")
    person, other = (
        Contact.objects.create(workspace=workspace, number=f"+3361234567{i}", values={"born": day})
        for i, day in enumerate((born, "1990-03-01"))
    )
    recurrence = begun(birthday="born", late=48)
    with time_machine.travel(datetime(year, 2, 26, 12, tzinfo=UTC), tick=False):
        recurring.pause(recurrence)
        recurring.resume(recurrence, None)

    look(datetime(year, 3, 1, 7, tzinfo=UTC))

    run = recurrence.runs.get()
    assert run.occurrence
    assert run.occurrence.day == runs_on
    assert list(compiling.people(workspace, tree.load(run.only))) == [person]
    assert set(recurrence.skips.values_list("why", flat=True)) <= {"nobody", "late"}

    look(datetime(year, 3, 1, 8, tzinfo=UTC))
    last = recurrence.runs.order_by("-occurrence").first()
    assert last
    assert list(compiling.people(workspace, tree.load(last.only))) == [other]


def test_a_birthday_whose_field_is_gone_pauses_and_says_so(
    begun: Any, workspace: Workspace
) -> None:
    field = Field.objects.create(workspace=workspace, key="born", label="Birthday", type="date")
    recurrence = begun(birthday="born")
    field.delete()

    look(at(21))

    recurrence.refresh_from_db()
    assert recurrence.phase == "paused"
    assert "deleted" in recurrence.problem
    assert (runs(recurrence), skips(recurrence)) == ([], [])


def test_what_happened_is_told_in_order(begun: Any) -> None:
    recurrence = begun(WEEKDAYS, late=0)
    look(at(23))
    look(at(24, 12))

    told = recurring.past(recurrence, 10, at(25))

    assert [(run.at.day, run.skip.why if run.skip else "") for run in told] == [
        (24, "late"),
        (23, ""),
    ]
    assert SkippedRun.objects.count() == 1
    assert date(2026, 11, 21) not in {run.at.date() for run in told}
    assert recurring.past(recurrence, 10, at(24)) == told[1:]


def test_a_rhythm_that_is_over_cannot_begin(workspace: Workspace, phone: Phone) -> None:
    draft = Campaign.objects.create(workspace=workspace, name="R", text="Hello", phone=phone)
    over = Rhythm(datetime(2026, 11, 1, 9, 0), PARIS, until=date(2026, 11, 10))
    recurrence = recurring.arrange(draft, over)
    assert recurrence

    with time_machine.travel(NOON, tick=False), pytest.raises(steering.Refused):
        recurring.begin(recurrence, None)
    assert recurring.arrange(draft, None) is None
    assert not Recurrence.objects.exists()


def test_the_distance_between_runs_is_kept_over_the_summer(begun: Any) -> None:
    recurrence = begun()
    days = [run.at for run in recurring.coming(recurrence, 200, NOON)]

    assert {(next_ - day) for day, next_ in pairwise(days)} == {
        timedelta(hours=24), timedelta(hours=23),
    }  # fmt: skip


def test_nothing_half_written_is_copied_into_a_run(begun: Any) -> None:
    recurrence = begun()
    pattern = Campaign.objects.get(pk=recurrence.pattern_id)

    with pytest.raises(steering.Refused):
        steering.save(pattern, text="Hel")
    with time_machine.travel(NOON, tick=False):
        recurring.pause(recurrence)
    steering.save(pattern, text="Hello again")

    assert Campaign.objects.get(pk=pattern.pk).text == "Hello again"


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_many_ticks_at_once_make_one_campaign(begun: Any) -> None:
    recurrence = begun()
    gate = threading.Barrier(4)

    def tick() -> int:
        gate.wait()
        try:
            return recurring.make_due(at(21))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [future.result() for future in [pool.submit(tick) for _ in range(4)]]

    assert sum(made) == 1
    assert runs(recurrence) == [(21, "scheduled")]


def test_a_birthday_leaves_out_whoever_else_is_in_the_list(
    begun: Any, workspace: Workspace
) -> None:
    Field.objects.create(workspace=workspace, key="born", label="Birthday", type="date")
    group = Group.objects.create(workspace=workspace, name="All", folded="all")
    for index, day in enumerate(("1990-11-21", "1985-11-21", "1990-11-22")):
        number = f"+3361234567{index}"
        person = Contact.objects.create(workspace=workspace, number=number, values={"born": day})
        group.contacts.add(person)
    # One of those who are named by number is in the contacts, and it is his day; of the other nobody knows.
    recurrence = begun(birthday="born", who=[f"g{group.pk}"])
    Campaign.objects.filter(pk=recurrence.pattern_id).update(
        numbers=["+33612345670", "+33699999999"]
    )
    look(at(21))

    run = recurrence.runs.get()
    reached = [recipient.number for _place, chunk in sources.chunks(run, 10) for recipient in chunk]

    left_out = sources.excluded(run, reached)
    assert sorted({*reached} - left_out) == ["+33612345670", "+33612345671"]
    assert sources.expected(run) == 4


def test_what_is_copied_from_is_never_sent_nor_deleted(begun: Any, alice: User) -> None:
    pattern = begun().pattern

    for act in (lambda: steering.start(pattern, alice), lambda: steering.discard(pattern)):
        with pytest.raises(steering.Refused):
            act()
