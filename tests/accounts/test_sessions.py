"""Where somebody is logged in, and how that ends."""

from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from accounts import sessions
from accounts.models import Event, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1"


def browser_of(email: str, agent: str = FIREFOX, address: str = "198.51.100.7") -> Client:
    browser = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    browser.post("/login/", {"login": email, "password": PASSWORD})
    return browser


def is_in(client: Client) -> bool:
    return client.get("/settings/me/").status_code == 200


def test_each_browser_is_listed_with_what_it_is_and_where(alice: User) -> None:
    here, _there = browser_of(alice.email), browser_of(alice.email, SAFARI, "203.0.113.9")

    page = here.get("/settings/security/").content.decode()

    assert "Firefox on Windows" in page
    assert "Safari on iPhone" in page
    assert "203.0.113.9" in page
    assert page.index("Firefox on Windows") < page.index("Safari on iPhone")


def test_one_other_browser_is_logged_out(alice: User) -> None:
    here, there, elsewhere = (browser_of(alice.email) for _ in range(3))
    key = there.cookies["sessionid"].value
    row = UserSession.objects.get(session_key=key)

    here.post(f"/settings/security/sessions/{row.pk}/end/")

    assert [is_in(browser) for browser in (here, there, elsewhere)] == [True, False, True]
    assert Event.objects.filter(action="person.sessions_ended").count() == 1


def test_all_others_are_logged_out(alice: User) -> None:
    here, there, elsewhere = (browser_of(alice.email) for _ in range(3))

    here.post("/settings/security/sessions/end/")

    assert [is_in(browser) for browser in (here, there, elsewhere)] == [True, False, False]


def test_nobody_ends_a_session_of_somebody_else(alice: User, charlie: User) -> None:
    hers, his = browser_of(alice.email), browser_of(charlie.email)
    row = UserSession.objects.get(user=alice)

    assert his.post(f"/settings/security/sessions/{row.pk}/end/").status_code == 404
    assert is_in(hers)


def test_a_session_from_before_is_listed_once_it_is_used(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get("/")

    assert UserSession.objects.filter(user=alice).count() == 1
    alice.refresh_from_db()
    assert alice.last_seen_at


def test_a_second_page_writes_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get("/settings/me/")
    seen = UserSession.objects.get().last_seen_at

    client.get("/settings/me/")

    assert UserSession.objects.get().last_seen_at == seen


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"), (SAFARI, "Safari on iPhone"), ("curl/8.0", "Unknown browser"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Linux"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_is_named_as_people_name_it(agent: str, words: str) -> None:
    assert sessions.words(agent) == words
