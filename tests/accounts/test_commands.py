"""The commands for scripts: the same as the pages do, said in the terminal."""

from __future__ import annotations

import io
import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Role, User, Workspace
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "seven quiet herons"


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said)
    return said.getvalue().strip()


def lets_in(email: str, password: str) -> bool:
    browser = Client()
    browser.post("/login/", {"login": email, "password": password})
    return browser.get("/settings/me/").status_code == 200


def choose(link: str) -> None:
    browser = Client()
    form = browser.get(re.sub(r"https?://[^/]+", "", link))["Location"]
    browser.post(form, {"password1": NEW, "password2": NEW})


def test_an_administrator_is_made_and_chooses_a_password_by_the_link() -> None:
    choose(run("create_admin", "Root@Example.org", "--name", "Root"))

    user = User.objects.get()
    assert (user.email, user.name, user.is_superuser) == ("root@example.org", "Root", True)
    assert lets_in("root@example.org", NEW)


def test_the_password_of_an_administrator_comes_from_the_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))

    assert run("create_admin", "root@example.org", "--password-stdin") == ""
    assert lets_in("root@example.org", NEW)


def test_a_weak_password_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("12345\n"))

    with pytest.raises(CommandError, match="too short"):
        run("create_admin", "root@example.org", "--password-stdin")


def test_somebody_is_made_an_administrator(alice: User) -> None:
    run("create_admin", alice.email)

    alice.refresh_from_db()
    assert alice.is_superuser
    assert lets_in(alice.email, PASSWORD)


def test_somebody_new_is_invited_into_a_workspace(workspace: Workspace) -> None:
    link = run("invite", "nina@example.org", "--workspace", "les tilleuls", "--role", "viewer")

    assert workspace.memberships.get().role == Role.VIEWER
    assert mail.outbox[0].to == ["nina@example.org"]
    choose(link)
    assert lets_in("nina@example.org", NEW)


def test_somebody_known_is_let_in_without_another_account(
    charlie: User, workspace: Workspace
) -> None:
    run("invite", charlie.email, "--workspace", str(workspace.pk))

    assert workspace.memberships.get().user == charlie


@pytest.mark.parametrize(
    "arguments",
    [
        ("invite", "no address"), ("invite", "alice@example.org"), ("suspend", "nobody@example.org"),
        ("invite", "n@example.org", "--workspace", "Nowhere"), ("reset_mfa", "nobody@example.org"),
        ("reset_password", "nobody@example.org"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], alice: User) -> None:
    with pytest.raises(CommandError):
        run(*arguments)

    assert User.objects.count() == 1


def test_an_account_is_closed_and_opened(alice: User) -> None:
    run("suspend", alice.email)
    assert not lets_in(alice.email, PASSWORD)

    run("suspend", alice.email, "--undo")
    assert lets_in(alice.email, PASSWORD)


def test_the_only_administrator_is_not_suspended(alice: User) -> None:
    run("create_admin", alice.email)

    with pytest.raises(CommandError, match="only administrator"):
        run("suspend", alice.email)


def test_a_password_is_reset(alice: User) -> None:
    hers = Client()
    hers.post("/login/", {"login": alice.email, "password": PASSWORD})
    link = run("reset_password", alice.email, "--force")

    assert hers.get("/").status_code == 302
    choose(link)
    assert lets_in(alice.email, NEW)


def test_second_factors_are_reset(alice: User) -> None:
    Authenticator.objects.create(user=alice, type="webauthn", data={"name": "Lost"})

    assert run("reset_mfa", alice.email) == ""
    assert run("reset_mfa", alice.email) == "There was none."
    assert lets_in(alice.email, PASSWORD)
