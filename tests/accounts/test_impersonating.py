"""An administrator who acts as somebody else: seen, bounded and written down."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from accounts.models import Event, User, Workspace
from tests.conftest import logged_in, person

pytestmark = pytest.mark.django_db

WHY = {"reason": "Bob cannot find his message."}


@pytest.fixture
def root(db: None) -> User:
    user = person("root@example.org", "Root")
    user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def as_root(root: User) -> Client:
    return logged_in(root)


def act_as(client: Client, somebody: User) -> int:
    return client.post(f"/administration/users/{somebody.pk}/impersonate/", WHY).status_code


def whose(client: Client) -> str:
    page = client.get("/settings/me/").content.decode()
    return "bob" if "bob@example.org" in page else "root" if "root@example.org" in page else ""


def test_an_administrator_sees_what_the_person_sees_under_a_banner(
    as_root: Client, bob: User, workspace: Workspace
) -> None:
    act_as(as_root, bob)
    page = as_root.get("/").content.decode()

    assert workspace.name in page
    assert "You act as Bob Rossi" in page
    assert WHY["reason"] in page
    assert whose(as_root) == "bob"


def test_the_banner_is_on_pages_without_a_workspace_and_of_errors(
    as_root: Client, charlie: User
) -> None:
    charlie.memberships.all().delete()
    act_as(as_root, charlie)

    for path in ("/workspaces/none/", "/nowhere/", "/administration/"):
        assert "You act as Charlie Out" in as_root.get(path).content.decode(), path


def test_a_reason_is_asked_for(as_root: Client, bob: User) -> None:
    for reason in ("", "  ", "x"):
        path = f"/administration/users/{bob.pk}/impersonate/"
        assert as_root.post(path, {"reason": reason}).status_code == 422

    assert whose(as_root) == "root"


def test_the_button_gives_the_administrator_back(as_root: Client, bob: User) -> None:
    act_as(as_root, bob)
    as_root.post("/impersonation/stop/")

    assert whose(as_root) == "root"
    assert as_root.get("/administration/").status_code == 200


def test_it_ends_by_itself_after_an_hour(as_root: Client, bob: User) -> None:
    act_as(as_root, bob)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert whose(as_root) == "root"

    assert Event.objects.filter(action="impersonation.ended").count() == 1


@pytest.mark.parametrize("change", ["demoted", "person suspended", "person promoted"])
def test_it_ends_when_either_is_no_longer_what_they_were(
    change: str, as_root: Client, root: User, bob: User
) -> None:
    act_as(as_root, bob)
    if change == "demoted":
        User.objects.filter(pk=root.pk).update(is_superuser=False)
    elif change == "person suspended":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        User.objects.filter(pk=bob.pk).update(is_superuser=True)

    assert whose(as_root) == "root"


def test_never_another_administrator_nor_oneself(as_root: Client, root: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_superuser=True)

    assert act_as(as_root, bob) == 403
    assert act_as(as_root, root) == 403


def test_nobody_else_acts_as_anybody(as_alice: Client, bob: User) -> None:
    assert act_as(as_alice, bob) == 404


@pytest.mark.parametrize(
    "path",
    [
        "/password/", "/settings/security/", "/settings/security/app/", "/settings/security/email/",
        "/settings/security/codes/", "/settings/security/passkeys/add/", "/settings/security/sessions/end/",
        "/login/again/", "/administration/", "/administration/users/add/", "/administration/activity/",
    ],
)  # fmt: skip
def test_what_is_for_the_person_alone_stays_closed(path: str, as_root: Client, bob: User) -> None:
    act_as(as_root, bob)

    assert as_root.get(path).status_code in (403, 405)
    assert as_root.post(path).status_code == 403


def test_what_is_done_is_written_down_with_both_names(as_root: Client, alice: User) -> None:
    act_as(as_root, alice)
    as_root.post("/settings/people/invite/", {"email": "new@example.org", "role": "viewer"})

    begun, invited = Event.objects.order_by("pk")
    assert (begun.action, begun.actor, begun.subject) == (
        "impersonation.started",
        "Root",
        "Alice Martin",
    )
    assert begun.details == {"reason": WHY["reason"]}
    assert (invited.action, invited.actor, invited.behalf) == (
        "member.invited",
        "Root",
        "Alice Martin",
    )


def test_the_person_is_not_seen_here_by_it(as_root: Client, bob: User) -> None:
    act_as(as_root, bob)
    as_root.get("/")

    bob.refresh_from_db()
    assert bob.last_seen_at is None
    assert not UserSession.objects.filter(user=bob).exists()


def test_logging_out_ends_both(as_root: Client, bob: User) -> None:
    act_as(as_root, bob)
    as_root.post("/logout/")

    assert as_root.get("/settings/me/").status_code == 302


def test_an_administrator_comes_back_to_their_own_workspace(
    as_root: Client, root: User, bob: User, charlie: User
) -> None:
    own = charlie.memberships.get().workspace
    for place in (own, bob.memberships.get().workspace):
        place.memberships.create(user=root, role="viewer")
    as_root.post("/workspaces/switch/", {"workspace": own.pk})
    act_as(as_root, bob)
    as_root.post("/impersonation/stop/")

    assert as_root.session["workspace"] == own.pk
