"""Logging in by OpenID Connect: whom the provider's word lets in, and whom it does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from accounts.models import Event, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


class Provider:
    """An OpenID Connect provider on the loopback that says `claims` of whoever comes."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, list[str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages = {
                    "/.well-known/openid-configuration": {
                        "issuer": outer.url,
                        "authorization_endpoint": f"{outer.url}/authorize",
                        "token_endpoint": f"{outer.url}/token",
                        "userinfo_endpoint": f"{outer.url}/userinfo",
                    },
                    "/userinfo": outer.claims,
                }
                self.say(pages[self.path])

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.asked.append(parse_qs(self.rfile.read(length).decode()))
                self.say({"access_token": "t", "token_type": "Bearer"})

            def say(self, words: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(words).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    provider = Provider()
    app = {
        "provider_id": "oidc", "name": "Example", "client_id": "smsapp", "secret": "s",
        "settings": {"server_url": provider.url},
    }  # fmt: skip
    settings.OIDC_URL = provider.url
    settings.OIDC_NAME = "Example"
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}
    }
    yield provider
    provider.stop()


def come(provider: Provider, browser: Client, **claims: Any) -> Any:
    """Go to the provider and come back as who it says."""
    provider.claims = {"sub": "42", "email_verified": True} | claims
    sent = browser.post("/login/with/oidc/", {"next": "/settings/me/"})
    asked = parse_qs(urlsplit(sent["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    return browser.get(
        "/login/with/oidc/callback/", {"code": "c", "state": asked["state"][0]}, follow=True
    )


def who(browser: Client) -> str:
    page = browser.get("/settings/me/").content.decode()
    return next((name for name in ("alice@", "new@") if name in page), "")


@pytest.fixture
def without_password(alice: User) -> User:
    alice.set_unusable_password()
    alice.save()
    return alice


def test_an_account_without_password_is_connected_at_once(
    provider: Provider, client: Client, without_password: User
) -> None:
    answer = come(provider, client, email="Alice@example.org")

    assert answer.redirect_chain[-1][0] == "/settings/me/"
    assert who(client) == "alice@"
    assert SocialAccount.objects.get().user == without_password
    assert "code_verifier" in provider.asked[0]


def test_an_account_with_a_password_is_connected_once_that_is_given(
    provider: Provider, client: Client, alice: User
) -> None:
    answer = come(provider, client, email=alice.email)
    assert "Give its password once" in answer.content.decode()
    assert who(client) == ""
    client.post("/login/", {"login": alice.email, "password": PASSWORD})

    again = Client()
    come(provider, again, email=alice.email)
    assert who(again) == "alice@"
    assert User.objects.get().check_password(PASSWORD)


def test_another_account_is_not_connected_by_its_own_password(
    provider: Provider, client: Client, alice: User, bob: User
) -> None:
    come(provider, client, email=alice.email)
    client.post("/login/", {"login": bob.email, "password": PASSWORD})

    assert not SocialAccount.objects.exists()


def test_an_address_that_is_not_proven_lets_nobody_in(
    provider: Provider, client: Client, without_password: User
) -> None:
    for verified in (False, None, "false", 0):
        answer = come(provider, client, email="alice@example.org", email_verified=verified)
        assert answer.status_code == 403

    assert who(client) == ""
    assert not SocialAccount.objects.exists()


def test_who_came_before_is_known_by_the_provider_s_name_for_them(
    provider: Provider, client: Client, without_password: User
) -> None:
    come(provider, client, email="alice@example.org")
    again = Client()
    come(provider, again, email="other@example.org")

    assert who(again) == "alice@"


def test_strangers_stay_out_of_a_closed_site(
    provider: Provider, client: Client, alice: User
) -> None:
    answer = come(provider, client, email="new@example.org")

    assert answer.status_code == 403
    assert User.objects.count() == 1


@pytest.mark.parametrize(("domain", "comes_in"), [("example.org", True), ("other.example", False)])
def test_an_open_site_takes_in_whom_its_domains_let(
    domain: str, comes_in: bool, provider: Provider, client: Client, alice: User, settings: Settings
) -> None:
    settings.SIGNUP_OPEN, settings.SIGNUP_DOMAINS = True, [domain]

    come(provider, client, email="new@example.org", name="Nina New")

    assert (who(client) == "new@") is comes_in
    if comes_in:
        made = User.objects.get(email="new@example.org")
        assert (made.name, made.has_usable_password()) == ("Nina New", False)
        assert made.memberships.get().role == "owner"


def test_the_second_factor_is_asked_for_all_the_same(
    provider: Provider, client: Client, without_password: User
) -> None:
    TOTP.activate(without_password, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")

    answer = come(provider, client, email="alice@example.org")

    assert answer.redirect_chain[-1][0] == "/login/code/"
    assert who(client) == ""


def test_who_is_suspended_stays_out(
    provider: Provider, client: Client, without_password: User
) -> None:
    User.objects.update(is_active=False)
    come(provider, client, email="alice@example.org")

    assert who(client) == ""


def test_coming_back_without_having_gone_lets_nobody_in(
    provider: Provider, client: Client, without_password: User
) -> None:
    provider.claims = {"sub": "42", "email": "alice@example.org", "email_verified": True}
    answer = client.get("/login/with/oidc/callback/", {"code": "c", "state": "made-up"})

    assert answer.status_code in (200, 401)
    assert "did not work" in answer.content.decode()
    assert who(client) == ""


def test_a_provider_that_is_away_is_said(
    provider: Provider, client: Client, alice: User, settings: Settings
) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = "http://127.0.0.1:9"

    answer = client.post("/login/with/oidc/")

    assert "did not work" in answer.content.decode()


def test_without_a_provider_there_is_no_button_and_no_way(client: Client, alice: User) -> None:
    assert "/login/with/" not in client.get("/login/").content.decode()
    assert client.post("/login/with/oidc/").status_code == 404
    assert client.get("/login/with/oidc/callback/").status_code == 404


def test_a_link_starts_nothing(provider: Provider, client: Client, alice: User) -> None:
    assert client.get("/login/with/oidc/")["Location"] == "/login/"
    assert "Log in with Example" in client.get("/login/").content.decode()


def test_a_connection_ends_when_a_password_is_there(
    provider: Provider, client: Client, without_password: User
) -> None:
    come(provider, client, email="alice@example.org")
    path = f"/settings/security/connections/{SocialAccount.objects.get().pk}/end/"
    assert "Choose a password first" in client.post(path, follow=True).content.decode()
    without_password.set_password(PASSWORD)
    without_password.save()

    again = Client()
    again.force_login(without_password)
    again.post(path)
    assert not SocialAccount.objects.exists()
    assert [event.action for event in Event.objects.filter(action__contains="connected")] == [
        "person.connected",
        "person.disconnected",
    ]


def test_nobody_ends_a_connection_of_somebody_else(as_bob: Client, alice: User) -> None:
    hers = SocialAccount.objects.create(user=alice, provider="oidc", uid="42")

    assert as_bob.post(f"/settings/security/connections/{hers.pk}/end/").status_code == 404
