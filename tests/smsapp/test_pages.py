"""Promises of every template, and the pages that no app owns."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Membership, User, Workspace
from messaging.models import Conversation
from phones.models import Phone
from smsapp import views
from tests.conftest import no_server

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ICONS = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))


def found_in_templates(look: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Give {template: what `look` finds in its source} of those in which it finds something."""
    found = {
        str(file.relative_to(ROOT)): look(file.read_text(encoding="utf-8")) for file in TEMPLATES
    }
    assert len(found) > 100
    return {name: words for name, words in found.items() if words}


def test_templates_have_nothing_that_the_csp_refuses() -> None:
    def refused(source: str) -> list[str]:
        scripts = re.findall(r"<script\b[^>]*>", source)
        bare = [tag for tag in scripts if "src=" not in tag and "application/json" not in tag]
        inline = r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:"
        return [*re.findall(inline, source, re.IGNORECASE), *bare]

    assert found_in_templates(refused) == {}


def test_templates_use_icons_that_exist() -> None:
    def missing(source: str) -> list[str]:
        return sorted(set(re.findall(r'{% icon "([^"]+)"', source)) - ICONS)

    assert found_in_templates(missing) == {}


def test_ids_are_never_written_with_a_thousands_separator() -> None:
    # USE_THOUSAND_SEPARATOR makes 1,234 of {{ phone.pk }}; {% url %} is safe, text is not.
    # Ids of form fields and of providers are words.
    bare = re.compile(
        r"{{ *(?!message\.provider_id|\w*\.auto_id|\w*\.field_id|option\.attrs)[\w.]*(?:\.pk|\.id|_id) *}}"
    )

    assert found_in_templates(bare.findall) == {}


def test_every_page_has_its_csp(as_alice: Client, phone: Phone) -> None:
    policy = as_alice.get("/").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_viewer_is_not_offered_to_compose(as_vera: Client, as_bob: Client) -> None:
    compose = f'href="{reverse("compose")}"'

    assert compose not in as_vera.get("/").content.decode()
    assert compose in as_bob.get("/").content.decode()


def test_the_sidebar_marks_the_current_place(as_alice: Client) -> None:
    page = as_alice.get("/").content.decode()

    assert f'<a href="{reverse("home")}" data-key="g h" aria-current="page">' in page
    assert page.count('aria-current="page"') == 2  # sidebar and bottom bar


def test_the_sidebar_counts_unread_conversations_of_this_workspace_alone(
    as_alice: Client, as_charlie: Client, workspace: Workspace, phone: Phone
) -> None:
    for peer, unread in (("+33612345678", 2), ("+33612345679", 0)):
        Conversation.objects.create(
            workspace=workspace,
            peer=peer,
            phone=phone,
            last_at="2025-11-20T10:00:00Z",
            unread=unread,
        )

    assert '<b id="unread">1<' in as_alice.get("/").content.decode()
    assert '<b id="unread"></b>' in as_charlie.get("/").content.decode()


def test_people_of_several_workspaces_can_switch(as_alice: Client, alice: User) -> None:
    other = Workspace.objects.create(name="École du Parc")
    Membership.objects.create(workspace=other, user=alice, role="viewer")

    page = as_alice.get("/more/").content.decode()

    assert "École du Parc" in page
    assert f'name="workspace" value="{other.pk}"' in page


@pytest.mark.parametrize(("theme", "there"), [("dark", True), ("", False)], ids=["dark", "system"])
def test_a_chosen_appearance_is_set_on_the_page(
    as_alice: Client, alice: User, theme: str, there: bool
) -> None:
    User.objects.filter(pk=alice.pk).update(theme=theme)

    assert (f'data-bs-theme="{theme}"' in as_alice.get("/").content.decode()) is there


def test_a_missing_page_says_so_inside_the_shell(as_alice: Client) -> None:
    answer = as_alice.get("/nothing/here/")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert 'class="nav-places"' in answer.content.decode()


def test_a_missing_page_shows_strangers_no_places(client: Client, alice: User) -> None:
    answer = client.get("/nothing/here/")

    assert answer.status_code == 404
    assert 'class="nav-places"' not in answer.content.decode()


def test_a_refusal_shows_its_reason_and_escapes_it(rf: RequestFactory) -> None:
    answer = views.forbidden(rf.get("/"), PermissionDenied("Ask <Dora>."))

    assert answer.status_code == 403
    assert "Ask &lt;Dora&gt;." in answer.content.decode()


def test_a_failed_csrf_check_explains_itself(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    answer = client.post(reverse("set_language"), {"language": "fr"})

    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (lambda request: views.bad_request(request, ValueError()), 400),
        (views.server_error, 500),
    ],
    ids=["400", "500"],
)
def test_an_error_page_stands_without_database_and_session(
    rf: RequestFactory, handler: Callable[[HttpRequest], object], status: int
) -> None:
    answer = handler(rf.get("/"))

    assert answer.status_code == status  # type: ignore[attr-defined]
    assert b"<h1>" in answer.content  # type: ignore[attr-defined]


def test_health_is_good_without_logging_in(client: Client, db: None) -> None:
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "queue": "ok"}


def test_health_says_which_part_is_down(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = no_server()
    monkeypatch.setattr(views, "redis", lambda: nowhere)

    answer = client.get("/healthz")

    assert answer.status_code == 503
    assert answer.json() == {"database": "ok", "queue": "down"}


def test_requests_may_come_while_the_queue_server_is_down(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in front would else turn away receipts, and people, of a site that can keep both."""
    nowhere = no_server()
    monkeypatch.setattr(views, "redis", lambda: nowhere)
    monkeypatch.setattr(views, "_migrated", [True])

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["queue"]) == (200, "down")


def test_the_language_can_be_changed_before_logging_in(client: Client, alice: User) -> None:
    answer = client.post("/language/", {"language": "fr", "next": "/login/"})

    assert answer.status_code == 302
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "fr"
