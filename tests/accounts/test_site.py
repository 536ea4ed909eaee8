"""The settings of the site: they win over the environment and hold everywhere; administrators set them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import site
from accounts.administration.site import check_address
from accounts.models import Event, Site, User, Workspace
from lib.http import Guard, Http
from tests.conftest import PASSWORD, logged_in, person

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
TYPED = {
    "name": "Tilleuls SMS", "language": "fr", "country": "ES", "time_zone": "Europe/Madrid",
    "signup_domains": "@Example.org, example.com", "second_factor": "nobody", "password_length": "14",
    "keep_exchanges_days": "30",
}  # fmt: skip


@pytest.fixture
def as_root(db: None) -> Client:
    user = person("root@example.org", "Root")
    user.is_superuser = True
    user.save()
    return logged_in(user)


def save(browser: Client, **typed: object) -> int:
    return browser.post("/administration/site/", TYPED | typed).status_code


def test_what_is_saved_is_shown_and_wins_over_the_environment(
    as_root: Client, client: Client, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True
    save(as_root)

    assert "Tilleuls SMS" in client.get("/login/").content.decode()
    assert client.post("/signup/", {"email": "new@example.org"}).status_code == 403
    assert site.keep_exchanges_days() == 30
    assert Event.objects.filter(action="site.edited").count() == 1


def test_what_nobody_has_saved_is_as_the_environment_says(settings: Settings) -> None:
    settings.SIGNUP_OPEN, settings.SIGNUP_DOMAINS = True, ["example.org"]
    settings.REQUIRE_SECOND_FACTOR, settings.KEEP_EXCHANGES_DAYS = "everybody", 3

    assert site.sign_up_is_open()
    assert site.sign_up_domains() == ["example.org"]
    assert site.second_factor() == "everybody"
    assert site.keep_exchanges_days() == 3


def test_sign_up_is_for_the_domains_that_are_named(as_root: Client, client: Client) -> None:
    save(as_root, signup_open="on")

    for email, status in (("a@example.com", 200), ("a@other.example", 422)):
        assert client.post("/signup/", {"email": email}).status_code == status, email


def test_a_short_password_is_refused_with_the_length_that_is_wanted(
    as_root: Client, alice: User
) -> None:
    save(as_root, language="en")
    hers = logged_in(alice)
    short = {"oldpassword": PASSWORD, "password1": "thirteen char", "password2": "thirteen char"}
    answer = hers.post("/password/", short).content.decode()

    assert "it needs 14 characters" in answer
    assert "At least 14 characters" in answer


def test_a_second_factor_is_wanted_of_whom_the_settings_say(as_root: Client, alice: User) -> None:
    save(as_root, second_factor="everybody")

    assert logged_in(alice).get("/settings/me/")["Location"] == "/settings/security/"


@pytest.mark.parametrize(("asked", "spoken"), [("", "fr"), ("xx,yy;q=0.5", "fr"), ("es", "es")])
def test_who_asks_for_none_of_our_languages_reads_the_site_s(
    asked: str, spoken: str, as_root: Client
) -> None:
    save(as_root)
    browser = Client(headers={"accept-language": asked} if asked else {})

    assert f'<html lang="{spoken}"' in browser.get("/login/").content.decode()


def test_a_logo_stands_on_the_log_in_page(as_root: Client, client: Client) -> None:
    save(as_root, logo_file=SimpleUploadedFile("logo.png", PNG))
    answer = client.get("/site/logo/")

    assert answer.content == PNG
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "/site/logo/?" in client.get("/login/").content.decode()
    save(as_root, no_logo="on")
    assert client.get("/site/logo/").status_code == 404


@pytest.mark.parametrize(
    "content",
    [b"<svg onload=alert(1)>", b"GIF89a", PNG + b"\0" * 200_000],
    ids=["svg", "gif", "too large"],
)
def test_only_small_pictures_are_taken(content: bytes, as_root: Client) -> None:
    assert save(as_root, logo_file=SimpleUploadedFile("logo.png", content)) == 422
    assert not Site.objects.exists()


def test_other_processes_see_a_change_within_seconds(as_root: Client) -> None:
    site.remember(Site(pk=1), seconds=-1)
    Site.objects.create(pk=1, name="Changed elsewhere")

    assert site.current().name == "Changed elsewhere"


def test_a_mail_is_sent_to_try_the_server(as_root: Client) -> None:
    as_root.post("/administration/site/mail/")

    assert mail.outbox[0].to == ["root@example.org"]


def test_what_a_dead_mail_server_says_is_shown(as_root: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_passwords.DeadMailServer"

    page = as_root.post("/administration/site/mail/", follow=True).content.decode()

    assert "no mail server here" in page


@pytest.mark.django_db(transaction=True)
def test_the_public_address_is_known_again(live_server: LiveServer, settings: Settings) -> None:
    settings.PUBLIC_URL = live_server.url
    http = Http(guard=Guard(frozenset({"127.0.0.1", "localhost"})))
    User.objects.create_user("a@example.org")

    assert check_address(http)[0]


def test_another_site_under_the_public_address_is_told(
    another_site: str, settings: Settings
) -> None:
    settings.PUBLIC_URL = another_site
    ok, words = check_address(Http(guard=Guard(frozenset({"127.0.0.1"}))))

    assert not ok
    assert "not this site" in words


def test_an_address_that_nobody_can_call_is_told(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    for guard in (Guard(), Guard(frozenset({"127.0.0.1"}))):
        ok, words = check_address(Http(guard=guard))
        assert not ok
        assert "cannot be called" in words


@pytest.fixture
def another_site(tmp_path: Path) -> Iterator[str]:
    """Serve a folder of files on the loopback; give its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_workspace_may_keep_things_for_less_time_but_not_for_more(
    as_root: Client, alice: User, workspace: Workspace
) -> None:
    hers = logged_in(alice)
    save(as_root, language="en", keep_texts_days="90", keep_messages_days="365")
    typed = {"name": "W", "country": "FR", "time_zone": "Europe/Paris"}

    assert "90 at most" in hers.get("/settings/").content.decode()
    answer = hers.post("/settings/", typed | {"keep_texts_days": "91"})
    assert answer.status_code == 422
    hers.post("/settings/", typed | {"keep_texts_days": "30"})

    workspace.refresh_from_db()
    assert site.keep_days("texts", workspace) == 30
    assert site.keep_days("messages", workspace) == 365


@pytest.mark.parametrize("typed", [{"keep_messages_days": "29"}, {"keep_texts_days": "0"}])
def test_nothing_goes_before_its_repetitions_have_stopped(
    typed: dict[str, str], as_root: Client
) -> None:
    assert save(as_root, **typed) == 422
