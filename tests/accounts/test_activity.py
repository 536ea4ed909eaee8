"""The activity log: what it hears, who reads it, and that it only grows."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.activity import ACTIONS, KINDS, record
from accounts.models import Event, User, Workspace
from phones.models import Phone
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("action", flat=True))


def test_log_ins_are_kept_with_the_address_they_came_from(alice: User) -> None:
    browser = Client(REMOTE_ADDR="198.51.100.7")
    browser.post("/login/", {"login": alice.email, "password": "wrong"})
    browser.post("/login/", {"login": "my secret password", "password": "wrong"})
    browser.post("/login/", {"login": alice.email, "password": PASSWORD})
    browser.post("/logout/")

    assert actions() == ["person.login_failed", "person.login", "person.logout"]
    assert set(Event.objects.values_list("address", flat=True)) == {"198.51.100.7"}
    assert Event.objects.get(action="person.login").actor == "Alice Martin"


def test_what_is_done_to_people_and_phones_is_kept(
    as_alice: Client, alice: User, bob: User, phone: Phone, workspace: Workspace
) -> None:
    his = workspace.memberships.get(user=bob)
    as_alice.post(f"/settings/people/{his.pk}/role/", {"role": "viewer"})
    as_alice.post(f"/phones/{phone.pk}/pause/")
    as_alice.post(f"/phones/{phone.pk}/start/")
    as_alice.post(f"/phones/{phone.pk}/delete/", {"sure": "1"})
    as_alice.get("/contacts/export/?format=csv")
    as_alice.post(f"/settings/people/{his.pk}/remove/")

    assert actions() == [
        "member.role", "phone.paused", "phone.started", "phone.deleted", "contacts.exported",
        "member.removed",
    ]  # fmt: skip
    assert {event.workspace_id for event in Event.objects.all()} == {workspace.pk}
    assert {event.actor_id for event in Event.objects.all()} == {alice.pk}
    assert Event.objects.first().details == {"before": "sender", "role": "viewer"}  # type: ignore[union-attr]


def test_the_log_only_grows(alice: User) -> None:
    event = record("person.login", actor=alice)

    for change in (
        lambda: Event.objects.update(actor="Eve"),
        lambda: Event.objects.all().delete(),
        event.delete,
        event.save,
    ):
        with pytest.raises(TypeError):
            change()


def test_lines_outlive_whom_and_what_they_are_about(alice: User, workspace: Workspace) -> None:
    record("workspace.edited", actor=alice, workspace=workspace)
    alice.delete()
    workspace.delete()

    event = Event.objects.get()
    assert (event.actor, event.workspace) == ("Alice Martin", "Les Tilleuls")


def test_managers_read_the_lines_of_their_workspace_only(
    as_alice: Client, workspace: Workspace, charlie: User
) -> None:
    theirs = charlie.memberships.get().workspace
    record("phone.added", subject="Our line", workspace=workspace)
    record("phone.added", subject="Their line", workspace=theirs)
    record("person.login", actor=charlie)

    page = as_alice.get("/settings/activity/").content.decode()

    assert "Our line" in page
    assert "Their line" not in page
    assert "Charlie" not in page


def test_lines_are_found_by_words_kind_and_day(as_alice: Client, workspace: Workspace) -> None:
    record("phone.added", subject="Red line", workspace=workspace)
    record("member.invited", subject="nina@example.org", workspace=workspace)
    for query, found, left_out in (
        ("q=nina", "nina@", "Red line"),
        ("kind=phone", "Red line", "nina@"),
        ("until=2020-01-01", "Nothing matches", "Red line"),
        ("since=2020-01-01", "Red line", "Nothing matches"),
        ("since=0001-01-01&until=9999-12-31", "Red line", "Nothing matches"),
    ):
        page = as_alice.get(f"/settings/activity/?{query}").content.decode()
        assert found in page, query
        assert left_out not in page.replace('value="nina', ""), query


def test_older_lines_follow(as_alice: Client, workspace: Workspace) -> None:
    for number in range(52):
        record("phone.edited", subject=f"Line {number:02}.", workspace=workspace)
    first = as_alice.get("/settings/activity/").content.decode()
    older = as_alice.get(
        f"/settings/activity/?before={Event.objects.get(subject='Line 02.').pk}"
    ).content.decode()

    assert "Line 51." in first
    assert "Line 01." not in first
    assert "Line 01." in older


def test_every_action_has_words_and_a_kind_to_filter_by() -> None:
    assert {action.partition(".")[0] for action in ACTIONS} == set(KINDS)
