"""Who may open what: every address of people and opt-outs, for each role and for strangers."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import services
from accounts.models import Membership, Role, User, Workspace
from contacts.models import OptOut
from tests.conftest import logged_in

pytestmark = pytest.mark.django_db

# Method, address, and the answer for owner, administrator, sender, viewer.
TABLE = [
    ("get", "/settings/", (200, 200, 403, 403)),
    ("post", "/settings/", (422, 422, 403, 403)),
    ("get", "/settings/me/", (200, 200, 200, 200)),
    ("get", "/password/", (200, 200, 200, 200)),
    ("get", "/settings/people/", (200, 200, 200, 200)),
    ("post", "/settings/people/invite/", (302, 302, 403, 403)),
    ("get", "/settings/people/{sender}/role/", (200, 200, 403, 403)),
    ("post", "/settings/people/{sender}/role/", (302, 302, 403, 403)),
    ("get", "/settings/people/{sender}/remove/", (200, 200, 200, 403)),
    ("get", "/settings/people/{admin}/remove/", (200, 200, 403, 403)),
    ("post", "/settings/people/{admin}/remove/", (302, 302, 403, 403)),
    ("post", "/settings/people/invitations/{invitation}/renew/", (302, 302, 403, 403)),
    ("post", "/settings/people/invitations/{invitation}/revoke/", (302, 302, 403, 403)),
    ("get", "/opt-outs/", (200, 200, 200, 200)),
    ("post", "/opt-outs/add/", (302, 302, 302, 403)),
    ("get", "/opt-outs/{opt_out}/remove/", (200, 200, 403, 403)),
    ("post", "/opt-outs/{opt_out}/remove/", (302, 302, 403, 403)),
]
ROLES = ["owner", "admin", "sender", "viewer"]
TYPED = {"email": "new@example.org", "role": "viewer", "number": "06 12 34 56 99"}
_IDS = [f"{method} {address}" for method, address, _answers in TABLE]


@pytest.fixture
def cast(alice: User, dora: User, bob: User, vera: User) -> dict[str, User]:
    return {"owner": alice, "admin": dora, "sender": bob, "viewer": vera}


@pytest.fixture
def ids(cast: dict[str, User], workspace: Workspace, owner: Membership) -> dict[str, int]:
    invitation, _token = services.invite(owner, email="", role=Role.VIEWER)
    opt_out = OptOut.objects.create(workspace=workspace, number="+33612345678", source="person")
    members = {name: user.memberships.get().pk for name, user in cast.items()}
    return members | {"invitation": invitation.pk, "opt_out": opt_out.pk}


def ask(client: Client, method: str, address: str, ids: dict[str, int]) -> tuple[int, str]:
    answer = getattr(client, method)(address.format(**ids), TYPED if method == "post" else None)
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "address", "answers"), TABLE, ids=_IDS)
def test_each_role_gets_what_it_may(
    method: str,
    address: str,
    answers: tuple[int, ...],
    role: str,
    cast: dict[str, User],
    ids: dict[str, int],
) -> None:
    status, body = ask(logged_in(cast[role]), method, address, ids)

    assert status == answers[ROLES.index(role)]
    if status == 403:
        assert "administrator" in body.lower()


@pytest.mark.parametrize(("method", "address", "answers"), TABLE, ids=_IDS)
def test_the_anonymous_are_asked_to_log_in(
    method: str, address: str, answers: tuple[int, ...], client: Client, ids: dict[str, int]
) -> None:
    answer = getattr(client, method)(address.format(**ids))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=/")


@pytest.mark.parametrize(
    ("method", "address"),
    [(method, address) for method, address, _answers in TABLE if "{" in address],
    ids=[identity for identity in _IDS if "{" in identity],
)
def test_strangers_find_nothing(
    method: str, address: str, as_charlie: Client, ids: dict[str, int]
) -> None:
    status, _body = ask(as_charlie, method, address, ids)

    assert status == 404


def test_strangers_see_nobody_of_us(as_charlie: Client, ids: dict[str, int]) -> None:
    people, opt_outs = as_charlie.get("/settings/people/"), as_charlie.get("/opt-outs/")

    assert "alice@example.org" not in people.content.decode()
    assert "12 34 56 78" not in opt_outs.content.decode()


@pytest.mark.parametrize("address", [row[1] for row in TABLE if row[0] == "post"])
def test_what_changes_something_needs_a_token_of_the_form(
    address: str, alice: User, ids: dict[str, int]
) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(alice)

    assert careful.post(address.format(**ids), TYPED).status_code == 403
