"""People choose when, see what is to come, and change a single run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client

from accounts.models import User, Workspace
from campaigns import recurring, scheduling
from campaigns.models import Campaign, Recurrence, State
from campaigns.when_form import WhenForm
from contacts.models import Field
from phones.models import Phone

pytestmark = pytest.mark.django_db

# Friday noon in Paris.
NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
WEEKLY = {
    "when": "again", "unit": "WEEKLY", "every": "1", "weekdays": ["0", "4"], "first": "2026-11-20",
    "clock": "09:00", "end": "", "zone": "Europe/Paris", "spread": "2", "late": "6",
}  # fmt: skip


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def draft(workspace: Workspace, phone: Phone) -> Campaign:
    return Campaign.objects.create(
        workspace=workspace, name="Reminder", text="Hello", numbers=["+33612345678"], phone=phone,
        time_zone="Europe/Paris",
    )  # fmt: skip


def form(workspace: Workspace, **said: Any) -> WhenForm:
    filled = WhenForm(workspace, {**WEEKLY, **said}, campaign=None)
    filled.is_valid()
    return filled


def nine(day: int) -> int:
    return int(datetime(2026, 11, day, 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "Every week on Monday and Friday"),
        ({"unit": "weekdays"}, "Every weekday"),
        ({"unit": "DAILY", "every": "3"}, "Every 3 days"),
        ({"every": "2", "weekdays": ["2"]}, "Every 2 weeks on Wednesday"),
        ({"unit": "MONTHLY", "which": "-1", "weekday": "4"}, "Every month on the last Friday"),
        (
            {"unit": "MONTHLY", "which": "1", "weekday": "working"},
            "Every month on the first weekday",
        ),
        ({"unit": "MONTHLY", "which": "day", "month_day": "15"}, "Every month on day 15"),
        (
            {"unit": "MONTHLY", "which": "day", "month_day": "31"},
            "Every month on day 31, or its last one",
        ),
        ({"unit": "MONTHLY", "which": "day", "month_day": "-1"}, "Every month on its last day"),
        ({"unit": "YEARLY"}, "Every year on November 20"),
        (
            {"unit": "YEARLY", "first": "2024-02-29"},
            "Every year on February 29 (28 February where there is none)",
        ),
        (
            {"unit": "DAILY", "end": "count", "count": "3"},
            "Every day at 09:00, Paris time, 3 times",
        ),
        (
            {"unit": "DAILY", "end": "until", "until": "2026-12-24"},
            "Every day at 09:00, Paris time, until Dec. 24, 2026",
        ),
        (
            {"unit": "DAILY", "zone": "America/New_York"},
            "Every day at 09:00, New York time",
        ),
        (
            {"unit": "DAILY", "own_zone": "on"},
            "Every day at 09:00, by each recipient's own clock",
        ),
        (
            {"unit": "birthday", "birthday": "born"},
            "On the day of each person's “Birthday”, every year",
        ),
    ],
)
def test_a_rhythm_is_said_in_words_and_kept_as_it_was_chosen(
    workspace: Workspace, draft: Campaign, said: dict[str, Any], words: str
) -> None:
    Field.objects.create(workspace=workspace, key="born", label="Birthday", type="date")
    filled = form(workspace, **said)

    assert filled.errors == {}
    assert filled.words == (words if " at " in words else f"{words} at 09:00, Paris time")
    # Stored, the form shows the same again.
    recurring.arrange(draft, filled.rhythm, filled.birthday_key)
    Campaign.objects.filter(pk=draft.pk).update(**filled.values)
    again = WhenForm(workspace, campaign=Campaign.objects.get(pk=draft.pk))
    shown = {name: again[name].value() for name in again.fields}
    repeated = WhenForm(
        workspace, {k: v for k, v in shown.items() if v not in (None, False)}, campaign=None
    )
    assert repeated.is_valid(), repeated.errors
    assert (repeated.rhythm, repeated.values) == (filled.rhythm, filled.values)
    assert repeated.birthday_key == filled.birthday_key


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"weekdays": []}, "weekdays", "Tick one day at least."),
        ({"clock": ""}, "clock", "Say at what time of the day."),
        ({"first": ""}, "first", "Say from which day on."),
        ({"first": "2028-01-01"}, "first", "This is more than a year ahead."),
        ({"end": "until"}, "until", "Say which day is the last one."),
        ({"end": "count"}, "count", "Say how many times."),
        ({"end": "until", "until": "2026-11-20"}, "until", "All of its runs have passed."),
        ({"unit": "birthday"}, "unit", "Select a valid choice"),
        ({"every": "0"}, "every", "greater than or equal to 1"),
        ({"zone": "Mars/Base"}, "zone", "Select a valid choice"),
        ({"late": "999"}, "late", "less than or equal to 168"),
        ({"when": "later", "at": ""}, "at", "Choose the day and the time"),
        ({"when": "later", "at": "2026-11-20T11:59"}, "at", "This time has passed."),
        ({"when": "later", "at": "2027-03-28T02:30"}, "at", "This time does not exist"),
        ({"when": "later", "at": "2028-03-28T02:30"}, "at", "more than a year ahead"),
        ({"when": "later", "at": "x"}, "at", "This is not a date and a time."),
        ({"when": "later", "at": "0001-01-01T00:00"}, "at", "This is not a date and a time."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    workspace: Workspace, said: dict[str, Any], field: str, words: str
) -> None:
    filled = form(workspace, **said)

    assert words in str(filled.errors[field])
    assert filled.rhythm is None


def test_what_was_typed_before_somebody_changed_their_mind_does_not_matter(
    workspace: Workspace,
) -> None:
    filled = form(workspace, when="now", count="x", at="y", first="z", own_zone="on")

    assert filled.errors == {}
    assert filled.rhythm is None
    assert filled.values == {
        "send_at": None, "time_zone": "Europe/Paris", "own_zone": False, "spread": 7200, "late": 6,
    }  # fmt: skip


def test_a_time_counts_in_the_zone_that_is_chosen(workspace: Workspace) -> None:
    filled = form(workspace, when="later", at="2026-12-01T09:00", zone="America/New_York")

    nine = datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("America/New_York"))
    assert filled.values["send_at"] == nine
    assert filled.values["time_zone"] == "America/New_York"


def test_while_people_choose_the_next_ten_runs_are_shown(as_bob: Client) -> None:
    page = as_bob.post("/campaigns/recurring/preview/", WEEKLY).text

    assert "Every week on Monday and Friday at 09:00, Paris time" in page
    assert page.count("<li>") == 10
    assert "Mon 23 Nov 2026, 09:00" in page
    assert "shown here" in as_bob.post("/campaigns/recurring/preview/", {"when": "again"}).text


def test_a_draft_recurs_once_somebody_lets_it_run(as_bob: Client, draft: Campaign) -> None:
    assert "Again and again" in as_bob.get(f"/campaigns/{draft.pk}/when/").text
    answer = as_bob.post(f"/campaigns/{draft.pk}/when/", WEEKLY, follow=True)
    here = Recurrence.objects.get()

    assert answer.redirect_chain == [(f"/campaigns/recurring/{here.pk}/", 302)]
    assert "It does not run yet." in answer.text
    as_bob.post(f"/campaigns/recurring/{here.pk}/begin/")
    page = as_bob.get(f"/campaigns/recurring/{here.pk}/").text
    assert "Active" in page
    assert "Monday 23 November 2026, 09:00" in page
    here.refresh_from_db()
    assert here.next_at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (here.pattern.spread, here.pattern.late) == (7200, 6)
    listed = as_bob.get("/campaigns/recurring/").text
    assert "next: Monday 23 November, 09:00" in listed


def test_what_cannot_run_says_why(as_bob: Client, draft: Campaign) -> None:
    Campaign.objects.filter(pk=draft.pk).update(text="")
    as_bob.post(f"/campaigns/{draft.pk}/when/", WEEKLY)
    here = Recurrence.objects.get()

    assert "The text is empty." in as_bob.get(f"/campaigns/recurring/{here.pk}/").text
    answer = as_bob.post(f"/campaigns/recurring/{here.pk}/begin/", follow=True)
    assert "The text is empty." in answer.text
    assert Recurrence.objects.get().phase == "draft"


@pytest.fixture
def running(as_bob: Client, draft: Campaign) -> Recurrence:
    as_bob.post(f"/campaigns/{draft.pk}/when/", WEEKLY)
    here = Recurrence.objects.get()
    recurring.begin(here, None)
    return here


def test_one_run_is_skipped_brought_back_and_changed(as_bob: Client, running: Recurrence) -> None:
    path = f"/campaigns/recurring/{running.pk}/"

    assert (
        "Skipped by hand · Bob Rossi"
        in as_bob.post(f"{path}skip/", {"at": nine(23)}, follow=True).text
    )
    assert (
        "Skipped by hand" not in as_bob.post(f"{path}unskip/", {"at": nine(23)}, follow=True).text
    )
    answer = as_bob.post(f"{path}prepare/", {"at": nine(27)}, follow=True)
    run = Campaign.objects.get(recurrence=running)
    assert answer.redirect_chain == [(f"/campaigns/{run.pk}/write/", 302)]
    assert "it leaves only if you schedule it" in answer.text
    assert run.state == State.DRAFT
    assert "does not leave by itself" in as_bob.get(path).text
    assert (
        "This is no run to come." in as_bob.post(f"{path}skip/", {"at": nine(24)}, follow=True).text
    )


@pytest.mark.parametrize("wrong", ["", "0", "-1", "x", "9" * 18, "٣"])
def test_a_run_that_cannot_be_meant_does_not_exist(
    as_bob: Client, running: Recurrence, wrong: str
) -> None:
    answer = as_bob.post(f"/campaigns/recurring/{running.pk}/skip/", {"at": wrong})

    assert answer.status_code == 404


def test_it_is_paused_resumed_and_ended(as_bob: Client, running: Recurrence) -> None:
    path = f"/campaigns/recurring/{running.pk}/"

    for act, phase in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        as_bob.post(f"{path}{act}/")
        running.refresh_from_db()
        assert running.phase == phase
        assert as_bob.get(path).status_code == 200
    assert "It has ended already." in as_bob.post(f"{path}end/", follow=True).text


def test_past_runs_are_told_with_their_figures(as_vera: Client, running: Recurrence) -> None:
    with time_machine.travel(datetime(2026, 11, 27, 20, tzinfo=UTC), tick=False):
        recurring.make_due()
        scheduling.start_due()
        page = as_vera.get(f"/campaigns/recurring/{running.pk}/").text
        older = as_vera.get(f"/campaigns/recurring/{running.pk}/?before={nine(27)}").text

    assert "Fri 27 Nov 2026, 09:00" not in older
    assert "Too late: the site was not running then" in older
    assert "Fri 27 Nov 2026, 09:00" in page
    assert "Skip<" not in page  # who only looks


def test_changing_when_keeps_it_running(as_bob: Client, running: Recurrence) -> None:
    daily = {**WEEKLY, "unit": "DAILY", "clock": "18:00"}
    as_bob.post(f"/campaigns/{running.pattern_id}/when/", daily)

    running.refresh_from_db()
    assert (running.phase, running.next_at) == ("active", datetime(2026, 11, 20, 17, tzinfo=UTC))
    answer = as_bob.post(f"/campaigns/{running.pattern_id}/when/", {"when": "now"}, follow=True)
    assert "It recurs already." in answer.text
    assert Recurrence.objects.filter(pk=running.pk).exists()


def test_a_draft_may_go_back_to_now(as_bob: Client, draft: Campaign) -> None:
    as_bob.post(f"/campaigns/{draft.pk}/when/", WEEKLY)
    as_bob.post(
        f"/campaigns/{draft.pk}/when/", {"when": "later", "at": "2026-12-01T09:00", "zone": "UTC"}
    )

    draft.refresh_from_db()
    assert not Recurrence.objects.exists()
    assert draft.send_at == datetime(2026, 12, 1, 9, tzinfo=UTC)


def test_what_others_wrote_is_not_there(as_charlie: Client, running: Recurrence) -> None:
    assert as_charlie.get(f"/campaigns/recurring/{running.pk}/").status_code == 404
    assert as_charlie.get(f"/campaigns/{running.pattern_id}/when/").status_code == 404
    assert "Reminder" not in as_charlie.get("/campaigns/recurring/").text


def test_the_list_costs_the_same_however_many_there_are(
    as_bob: Client,
    running: Recurrence,
    workspace: Workspace,
    bob: User,
    django_assert_num_queries: Any,
) -> None:
    for index in range(3):
        pattern = Campaign.objects.create(workspace=workspace, name=f"R{index}")
        assert running.created_by is None
        Recurrence.objects.create(
            workspace=workspace, pattern=pattern, rule="FREQ=DAILY", starts_on="2026-11-20", at="09:00",
            zone="UTC", created_by=bob,
        )  # fmt: skip
    as_bob.get("/campaigns/recurring/")

    with django_assert_num_queries(8):
        as_bob.get("/campaigns/recurring/")
