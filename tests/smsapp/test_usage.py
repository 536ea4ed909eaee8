"""What was used, month by month: figures equal the messages, and everything is named."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns.models import Campaign, Tag
from messaging.activity import ACTIVITY
from messaging.costs import Spent
from messaging.models import Direction, Message, Status
from phones.models import Phone
from smsapp import usage
from smsapp.usage import By, Figures, Line
from tests.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
Store = Callable[..., Message]


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def store(phone: Phone, bob: User) -> Store:
    """Store a message as it is once it has been delivered, on 10 November unless something else is said."""

    def store(**fields: Any) -> Message:
        values = {
            "workspace": phone.workspace,
            "phone": phone,
            "direction": Direction.OUT,
            "status": Status.DELIVERED,
            "peer": "+33612345678",
            "created_by": bob,
            "send_at": datetime(2026, 11, 10, 9, tzinfo=UTC),
            "sent_at": NOW,
        }
        return Message.objects.create(**{**values, **fields})

    return store


def lines(by: By, workspace: Workspace | None) -> list[Line]:
    return usage.lines(usage.months(workspace, timezone.now()), by, workspace)


def counted(by: By, workspace: Workspace | None) -> list[tuple[str, str, int]]:
    return [
        (f"{line.month:%Y-%m}", line.name, line.figures.messages) for line in lines(by, workspace)
    ]


def read(answer: Any) -> list[list[str]]:
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(content)))


def make_admin(user: User) -> Client:
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    return logged_in(user)


def test_a_month_says_what_left_what_failed_what_came_in_and_what_it_cost(
    store: Store, workspace: Workspace
) -> None:
    store(segments=3, cost=90_000, currency="EUR")
    store(segments=2, cost=50_000, currency="EUR", cost_is_estimate=True)
    store(status=Status.UNKNOWN, cost=10_000, currency="USD")
    store(status=Status.FAILED, cost=70_000, currency="EUR", cost_is_estimate=True, sent_at=None)
    store(status=Status.RECEIVED, direction=Direction.IN, created_by=None)
    store(status=Status.QUEUED)
    store(status=Status.SKIPPED)

    (line,) = lines(By.MONTH, workspace)

    assert line.month == NOVEMBER
    spent = (Spent("EUR", 90_000, 50_000), Spent("USD", 10_000, 0))
    assert line.figures == Figures(messages=4, segments=7, failed=1, received=1, spent=spent)


def test_months_are_those_of_the_workspace(store: Store, workspace: Workspace) -> None:
    # In Paris it is November already.
    store(send_at=datetime(2026, 10, 31, 23, 15, tzinfo=UTC))
    store(send_at=datetime(2026, 10, 31, 22, 45, tzinfo=UTC))

    assert [line.month for line in lines(By.MONTH, workspace)] == [NOVEMBER, OCTOBER]


def test_the_parts_of_a_month_add_up_to_it(
    store: Store, workspace: Workspace, alice: User, phone: Phone
) -> None:
    other = Phone.objects.create(
        workspace=workspace, type="simulator", name="Other", settings={}, rate=1
    )
    store(segments=2, cost=90_000, currency="EUR")
    store(created_by=alice, phone=other, cost=10_000, currency="EUR")
    store(created_by=None, phone=other, status=Status.RECEIVED, direction=Direction.IN)

    (month,) = lines(By.MONTH, workspace)

    for by in (By.PHONE, By.PERSON):
        assert usage.total(lines(by, workspace)) == month.figures
    assert counted(By.PERSON, workspace) == [
        ("2026-11", "Alice Martin", 1),
        ("2026-11", "Bob Rossi", 1),
        ("2026-11", "Nobody in particular", 0),
    ]


def test_a_deleted_phone_keeps_its_name(store: Store, workspace: Workspace, phone: Phone) -> None:
    store()
    Phone.objects.filter(pk=phone.pk).update(deleted_at=NOW)

    assert counted(By.PHONE, workspace) == [("2026-11", "Simulator (deleted)", 1)]


def test_what_a_deleted_person_sent_still_counts(
    store: Store, workspace: Workspace, bob: User, alice: User
) -> None:
    store()
    store(created_by=alice)
    bob.memberships.all().delete()

    assert ("2026-11", "Bob Rossi", 1) in counted(By.PERSON, workspace)

    bob.delete()

    assert counted(By.PERSON, workspace) == [
        ("2026-11", "Alice Martin", 1),
        ("2026-11", "Nobody in particular", 1),
    ]
    assert ACTIVITY.agree(workspace.pk)


def test_a_campaign_counts_under_each_of_its_tags(store: Store, workspace: Workspace) -> None:
    flu, bare = (Campaign.objects.create(workspace=workspace, name=name) for name in "fb")
    for name in ("Health", "Winter"):
        flu.tags.add(Tag.objects.create(workspace=workspace, name=name, folded=name.lower()))
    store(campaign=flu, cost=90_000, currency="EUR")
    store(campaign=flu, status=Status.QUEUED, held=True, cost=1, cost_is_estimate=True)
    store(campaign=bare)
    store()

    by_tag = {line.name: line.figures for line in lines(By.TAG, workspace)}

    flus = Figures(1, 1, 0, 0, (Spent("EUR", 90_000, 0),))
    assert by_tag == {
        "Health": flus,
        "Winter": flus,
        "Without a tag": Figures(1, 1, 0, 0, ()),
    }


def test_a_workspace_sees_only_its_own(store: Store, phone: Phone, as_charlie: Client) -> None:
    store()

    for by in By.values:
        answer = as_charlie.get(f"/usage/?by={by}")

        assert "Nothing in these months" in answer.content.decode()
        assert len(read(as_charlie.get(f"/usage/export/?by={by}"))) == 1


def test_the_site_tells_workspaces_apart(store: Store, charlie: User, dora: User) -> None:
    elsewhere = charlie.memberships.get().workspace
    far = Phone.objects.create(
        workspace=elsewhere, type="simulator", name="Far", settings={}, rate=1
    )
    mine = store()
    store(workspace=elsewhere, phone=far, created_by=charlie)
    store(workspace=elsewhere, phone=far, created_by=charlie)
    browser = make_admin(dora)

    page = browser.get("/administration/usage/").content.decode().partition("<main")[2]
    one = browser.get(f"/administration/usage/?workspace={mine.workspace_id}").content.decode()

    assert counted(By.WORKSPACE, None) == [
        ("2026-11", "Elsewhere", 2),
        ("2026-11", "Les Tilleuls", 1),
    ]
    assert counted(By.PHONE, None)[0] == ("2026-11", "Far · Elsewhere", 2)
    assert page.index("Elsewhere") < page.index("Les Tilleuls")
    assert "Les Tilleuls" in one
    assert "Elsewhere" not in one.partition("<main")[2]
    assert browser.get("/administration/usage/?workspace=999999").status_code == 404
    assert browser.get("/administration/usage/?workspace=x").status_code == 404


def test_the_file_holds_numbers_that_add_up(store: Store, as_alice: Client, phone: Phone) -> None:
    Phone.objects.filter(pk=phone.pk).update(name="=1+1")
    store(segments=2, cost=49_000, currency="EUR")
    store(cost=10_000, currency="USD", cost_is_estimate=True)
    store(send_at=datetime(2026, 10, 3, tzinfo=UTC), status=Status.FAILED)

    answer = as_alice.get("/usage/export/?by=phone&since=2026-10")

    assert 'filename="usage-phone-2026-10-2026-11.csv"' in answer["Content-Disposition"]
    assert read(answer) == [
        ["Month", "Phone", "Messages", "Segments", "Failed", "Received",
         "Cost (EUR)", "Estimated (EUR)", "Cost (USD)", "Estimated (USD)"],
        ["2026-11", "'=1+1", "2", "3", "0", "0", "0.049", "0", "0", "0.01"],
        ["2026-10", "'=1+1", "1", "1", "1", "0", "0", "0", "0", "0"],
    ]  # fmt: skip


def test_the_filters_say_which_months(store: Store, as_alice: Client) -> None:
    store(send_at=datetime(2026, 9, 3, tzinfo=UTC), segments=9)
    store(send_at=datetime(2026, 10, 3, tzinfo=UTC), segments=8)
    store(segments=7)

    def shown(query: str) -> list[str]:
        return [row[0] for row in read(as_alice.get(f"/usage/export/?{query}"))[1:]]

    assert shown("since=2026-10&until=2026-10") == ["2026-10"]
    assert shown("since=2026-10&until=2026-09") == ["2026-10", "2026-09"]
    for nonsense in ("", "since=2026-13&until=x&by=who", "since=1900-01", "page=zz"):
        assert shown(nonsense) == ["2026-11", "2026-10", "2026-09"]
        assert as_alice.get(f"/usage/?{nonsense}").status_code == 200


def test_the_page_says_all_and_never_reads_messages(store: Store, as_alice: Client) -> None:
    store(segments=2, cost=49_000, currency="EUR")
    store(cost=10_000, currency="EUR", cost_is_estimate=True)

    for by in By.values:
        with CaptureQueriesContext(connection) as asked:
            page = as_alice.get(f"/usage/?by={by}").content.decode()

        assert [q["sql"] for q in asked.captured_queries if "messaging_message" in q["sql"]] == []
        assert len(asked) <= 12
        assert ("<tbody>" in page) is (by != By.TAG)
    assert "0.059\xa0EUR" in as_alice.get("/usage/").content.decode()
