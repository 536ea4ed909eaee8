"""Quiet hours are set in words, and Compose says what they do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client

from accounts.models import Workspace
from messaging.models import Message, Priority, QuietHours
from phones.models import Phone

pytestmark = pytest.mark.django_db

NIGHTFALL = datetime(2026, 11, 20, 21, tzinfo=ZoneInfo("Europe/Paris"))
EVERY_DAY = list(range(7))
TYPED = {"country": "", "begins": "20:00", "ends": "08:00", "days": EVERY_DAY, "whole_days": [6]}


@pytest.fixture
def night(workspace: Workspace) -> Iterator[None]:
    """Nine in the evening, and quiet hours from eight to eight."""
    QuietHours.objects.create(workspace=workspace, begins=time(20), ends=time(8), days=EVERY_DAY)
    with time_machine.travel(NIGHTFALL, tick=False):
        yield


def compose(client: Client, phone: Phone, url: str = "/compose/", **changes: Any) -> Any:
    form = {"to": "06 12 34 56 78", "text": "Hello", "phone": phone.pk, "when": "now", "at": ""}
    return client.post(url, form | {"submission": str(uuid.uuid4())} | changes, follow=True)


def test_hours_are_added_shown_changed_and_removed(as_alice: Client, workspace: Workspace) -> None:
    assert "Messages leave at any hour" in as_alice.get("/settings/quiet-hours/").text

    as_alice.post("/settings/quiet-hours/add/", TYPED)
    as_alice.post("/settings/quiet-hours/add/", {"country": "US", "is_off": "on"})
    page = as_alice.get("/settings/quiet-hours/").text

    assert "20:00 to 08:00 · all day on Sunday" in page
    assert page.index("Everywhere") < page.index("United States")
    assert "No quiet hours" in page
    row = workspace.quiet_hours.get(country="")
    assert 'value="20:00"' in as_alice.get(f"/settings/quiet-hours/{row.pk}/").text
    as_alice.post(f"/settings/quiet-hours/{row.pk}/", TYPED | {"begins": "22:30", "days": [4, 5]})
    assert "22:30 to 08:00 on Friday, Saturday" in as_alice.get("/settings/quiet-hours/").text
    as_alice.post(f"/settings/quiet-hours/{row.pk}/delete/")
    assert not workspace.quiet_hours.filter(country="").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ends": ""}, "Say both when they begin and when they end."),
        ({"ends": "20:00"}, "They end when they begin."),
        ({"whole_days": EVERY_DAY}, "Then nothing would ever leave."),
        ({"days": [], "whole_days": []}, "Tick the days on which they begin."),
        ({"begins": "x"}, "This is no time of day"),
        ({"is_off": "on"}, "there is nothing to add"),
        ({"country": "XX"}, "Select a valid choice"),
    ],
)
def test_hours_that_make_no_sense_are_refused(
    as_alice: Client, workspace: Workspace, wrong: dict[str, Any], words: str
) -> None:
    answer = as_alice.post("/settings/quiet-hours/add/", TYPED | wrong)

    assert answer.status_code == 422
    assert words in answer.text
    assert not workspace.quiet_hours.exists()


def test_a_country_has_its_hours_once(as_alice: Client, workspace: Workspace) -> None:
    as_alice.post("/settings/quiet-hours/add/", TYPED)

    assert as_alice.post("/settings/quiet-hours/add/", TYPED).status_code == 422
    assert workspace.quiet_hours.count() == 1


def test_compose_says_before_that_it_will_wait(night: Any, as_bob: Client, phone: Phone) -> None:
    preview = compose(as_bob, phone, "/compose/preview/").text

    assert "Quiet hours until Saturday 21 November, 08:00: it leaves then." in preview
    assert 'name="urgent"' in preview

    mixed = compose(as_bob, phone, "/compose/preview/", to="0612345678, +12125550123").text
    assert "Quiet hours for 1 person until Saturday" in mixed


def test_compose_holds_it_and_says_so(night: Any, as_bob: Client, phone: Phone) -> None:
    page = compose(as_bob, phone).text

    assert "1 message waits for the end of quiet hours." in page
    assert "on its way" not in page
    assert Message.objects.get().send_at > NIGHTFALL


def test_what_is_urgent_leaves_all_the_same(night: Any, as_bob: Client, phone: Phone) -> None:
    page = compose(as_bob, phone, urgent="on").text

    assert "1 message is on its way." in page
    message = Message.objects.get()
    assert (message.send_at, message.priority) == (NIGHTFALL, Priority.URGENT)


def test_by_day_compose_says_nothing_of_it(night: Any, as_bob: Client, phone: Phone) -> None:
    with time_machine.travel(NIGHTFALL.replace(hour=12), tick=False):
        assert "urgent" not in compose(as_bob, phone, "/compose/preview/").text
    planned = {"when": "later", "at": "2026-11-22T03:00"}
    assert (
        "Sunday 22 November, 08:00" in compose(as_bob, phone, "/compose/preview/", **planned).text
    )
