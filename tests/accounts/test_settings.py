"""Profile, workspace, and going from one workspace to another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, Role, User, Workspace
from contacts.models import OptOut

pytestmark = pytest.mark.django_db

ME = {"name": "Alice Martin", "language": "", "time_zone": "", "theme": ""}


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("", "13:00:00"), ("Asia/Tokyo", "21:00:00"), ("America/New_York", "07:00:00")],
    ids=["the workspace's", "Tokyo", "New York"],
)
def test_times_are_shown_in_the_zone_of_the_reader(
    zone: str, shown: str, as_alice: Client, workspace: Workspace
) -> None:
    at = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    OptOut.objects.create(workspace=workspace, number="+33612345678", created_at=at)

    as_alice.post("/settings/me/", ME | {"time_zone": zone})

    assert shown in as_alice.get("/opt-outs/").content.decode()


def test_a_zone_that_no_longer_exists_does_not_lock_out(as_alice: Client) -> None:
    User.objects.update(time_zone="Asia/Atlantis")

    assert as_alice.get("/opt-outs/").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/callbacks/no-such-token/status/"])
def test_machines_cost_no_session(path: str, as_alice: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        answer = as_alice.get(path)

    tables = " ".join(query["sql"] for query in asked.captured_queries)
    assert "django_session" not in tables
    assert "accounts_user" not in tables
    assert "accounts_membership" not in tables
    assert not answer.cookies


def test_who_asks_where_costs_one_query(as_alice: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        as_alice.get("/workspaces/none/")

    tables = [query["sql"] for query in asked.captured_queries]
    assert len(tables) == 3, "session, user, membership with its workspace"


def test_a_new_language_shows_at_once(as_alice: Client) -> None:
    page = as_alice.post("/settings/me/", ME | {"language": "es"}, follow=True)

    assert '<html lang="es"' in page.content.decode()
    assert page["Content-Language"] == "es"


def test_without_a_choice_the_browser_chooses_the_language(as_alice: Client) -> None:
    page = as_alice.get("/settings/me/", headers={"accept-language": "fr"})

    assert '<html lang="fr"' in page.content.decode()


def test_the_language_of_one_does_not_stay_for_the_next(as_alice: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="es")
    as_alice.get("/settings/me/")

    assert '<html lang="en"' in Client().get("/login/").content.decode()


@pytest.mark.parametrize("theme", ["light", "dark", ""])
def test_a_theme_takes_effect(theme: str, as_alice: Client) -> None:
    page = as_alice.post("/settings/me/", ME | {"theme": theme}, follow=True).content.decode()

    assert (f'data-bs-theme="{theme}"' in page) == bool(theme)
    assert ("data-bs-theme" in page) == bool(theme)


@pytest.mark.parametrize(
    "typed",
    [{"language": "tlh"}, {"time_zone": "Mars/Olympus"}, {"theme": "pink"}, {"name": ""}],
    ids=str,
)
def test_nonsense_is_refused(typed: dict[str, str], as_alice: Client) -> None:
    answer = as_alice.post("/settings/me/", ME | typed)

    assert answer.status_code == 422
    assert User.objects.get().name == "Alice Martin"


def test_nobody_changes_their_address_or_rights_here(as_alice: Client) -> None:
    as_alice.post("/settings/me/", ME | {"email": "eve@example.org", "is_superuser": "on"})

    user = User.objects.get()
    assert (user.email, user.is_superuser) == ("alice@example.org", False)


def test_a_manager_changes_the_workspace(as_alice: Client, workspace: Workspace) -> None:
    typed = {
        "name": "The Limes",
        "description": "School",
        "country": "GB",
        "time_zone": "Europe/London",
    }

    as_alice.post("/settings/", typed)

    workspace.refresh_from_db()
    changed = {name: getattr(workspace, name) for name in typed}
    assert changed == typed


def test_a_refused_change_of_the_workspace_shows_the_old_name(as_alice: Client) -> None:
    typed = {"name": "New name", "country": "XX", "time_zone": "Europe/Paris"}

    page = as_alice.post("/settings/", typed).content.decode()

    assert "Les Tilleuls</title>" in page


def test_countries_are_named_in_the_language_of_the_reader(as_alice: Client) -> None:
    page = as_alice.get("/settings/", headers={"accept-language": "fr"}).content.decode()

    assert '<option value="DE">Allemagne</option>' in page
    assert '<option value="FR" selected>France</option>' in page


@pytest.fixture
def second(alice: User) -> Workspace:
    workspace = Workspace.objects.create(name="Second")
    Membership.objects.create(workspace=workspace, user=alice, role=Role.VIEWER)
    return workspace


def current(client: Client) -> str:
    name: str = client.get("/settings/me/").context["request"].workspace.name
    return name


def test_somebody_goes_to_another_workspace_and_stays_there(
    as_alice: Client, second: Workspace
) -> None:
    before = current(as_alice)

    as_alice.post("/workspaces/switch/", {"workspace": second.pk})

    assert (before, current(as_alice)) == ("Les Tilleuls", "Second")


def test_rights_are_those_of_the_current_workspace(as_alice: Client, second: Workspace) -> None:
    as_alice.post("/workspaces/switch/", {"workspace": second.pk})

    assert as_alice.get("/settings/").status_code == 403


def test_somebody_thrown_out_of_the_current_workspace_lands_in_another(
    as_alice: Client, second: Workspace
) -> None:
    as_alice.post("/workspaces/switch/", {"workspace": second.pk})
    second.memberships.all().delete()

    assert current(as_alice) == "Les Tilleuls"


@pytest.mark.parametrize("chosen", ["theirs", "", "x", "1e3", "9" * 40, "-1", "²"])
def test_nobody_goes_to_a_workspace_of_others(chosen: str, as_alice: Client, charlie: User) -> None:
    theirs = charlie.memberships.get().workspace_id
    answer = as_alice.post(
        "/workspaces/switch/", {"workspace": theirs if chosen == "theirs" else chosen}
    )

    assert answer.status_code == 404
    assert current(as_alice) == "Les Tilleuls"
