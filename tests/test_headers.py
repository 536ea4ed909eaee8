"""What every answer carries, whoever asks for it and whatever comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from messaging.models import Message
from phones.models import Phone
from smsapp.wsgi import application
from tests.conftest import PASSWORD
from tests.test_doors import NAMES, OPEN, things
from tests.test_nasty_input import at, undone

__all__ = ["things"]
pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent


def faults(answer: HttpResponse) -> list[str]:
    """Give what an answer lacks."""
    policy = answer.headers.get("Content-Security-Policy", "")
    right = {
        "csp": "default-src 'self'" in policy or "sandbox" in policy,
        "csp without exceptions": not any(word in policy for word in ("unsafe", "*", "http")),
        "nosniff": answer.headers.get("X-Content-Type-Options") == "nosniff",
        "referrer": answer.headers.get("Referrer-Policy") == "same-origin",
        "frames": answer.headers.get("X-Frame-Options") == "DENY",
        "opener": answer.headers.get("Cross-Origin-Opener-Policy") == "same-origin",
        "permissions": "camera=()" in answer.headers.get("Permissions-Policy", ""),
        "no shared cache": any(
            word in answer.headers.get("Cache-Control", "") for word in ("private", "no-store")
        ),
    }
    return [name for name, holds in right.items() if not holds]


@pytest.mark.usefixtures("unrendered")
def test_every_answer_is_guarded(things: Any, as_alice: Client) -> None:
    lacking = []
    for name in NAMES:
        path, stranger = at(name, things), Client()
        for who in (as_alice, stranger):
            # Whoever is not logged in is led away before anything looks at the method.
            asks = (who.get, who.post) if who is as_alice or name in OPEN else (who.get,)
            for ask in asks:
                with undone(who):
                    lacking += [(name, ask.__name__, fault) for fault in faults(ask(path))]

    assert lacking == []


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/nothing/", {}, 404),
        ("/messages", {}, 301),
        ("/messages/?before=x", {}, 404),
        ("/?q=%00", {}, 400),
        ("/callbacks/unknown/status/", {}, 404),
        ("/callbacks/unknown", {}, 404),
        ("/media/forged/", {}, 404),
        ("/login/", {"headers": {"Host": "evil.example"}}, 400),
    ],
)
def test_errors_and_redirects_are_guarded(
    path: str, options: dict[str, Any], status: int, as_alice: Client
) -> None:
    answer = as_alice.get(path, **options)

    assert answer.status_code == status
    assert [fault for fault in faults(answer) if fault != "no shared cache"] == []


def test_a_broken_page_is_guarded_and_says_nothing(
    as_alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smsapp.views.overview", lambda *_: 1 / 0)
    as_alice.raise_request_exception = False

    answer = as_alice.get("/")

    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.content.decode()
    assert [fault for fault in faults(answer) if fault != "no shared cache"] == []


def test_a_page_with_a_link_that_opens_something_is_never_stored(
    things: Any, as_alice: Client
) -> None:
    for name in ("phone_addresses", "people", "setup", "invitation"):
        assert "no-store" in as_alice.get(at(name, things)).headers["Cache-Control"], name


def test_a_browser_forgets_the_pages_of_who_logs_out(as_alice: Client) -> None:
    assert as_alice.post("/logout/").headers["Clear-Site-Data"] == '"cache"'


# ---- What does not come in ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login/", "/compose/", "/setup/"])
def test_what_is_far_too_large_is_not_read(path: str, as_alice: Client, settings: Any) -> None:
    settings.REQUEST_LIMIT = 1000

    answer = as_alice.post(path, {"text": "x" * 2000})

    assert answer.status_code == 413
    assert "too large" in answer.content.decode()


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "utf-16"])
def test_an_encoding_that_nobody_uses_is_refused(charset: str, as_alice: Client) -> None:
    for path in ("/messages/?q=%5Cud800", "/inbox/?q=%5Cud800", "/opt-outs/?q=1"):
        answer = as_alice.get(path, headers={"Content-Type": f"text/plain; charset={charset}"})

        assert answer.status_code == 400


@pytest.mark.parametrize("charset", ["hex", "idna", "base64", "rot13", "undefined", "punycode"])
@pytest.mark.parametrize("path", ["/login/", "/callbacks/t0ken/incoming/"])
def test_what_is_no_encoding_of_text_is_refused_with_a_page(
    charset: str, path: str, client: Client, db: None
) -> None:
    # The test client makes its requests itself; this is what gunicorn calls.
    environ = client._base_environ(
        PATH_INFO=path, QUERY_STRING="a=%ff", CONTENT_TYPE=f"text/plain; charset={charset}"
    )
    answered = []

    body = b"".join(application(environ, lambda status, headers: answered.append(status)))

    assert answered == ["400 Bad Request"]
    assert b"<html" in body


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "ISO-8859-1", "latin1", "windows-1252"])
def test_usual_encodings_pass(charset: str, as_alice: Client) -> None:
    kind = {"Content-Type": f"text/plain; charset={charset}"}

    assert as_alice.get("/messages/?q=a", headers=kind).status_code == 200


def test_an_unknown_host_gets_nothing(client: Client, alice: User) -> None:
    answer = client.post(
        "/password/reset/", {"email": alice.email}, headers={"Host": "evil.example"}
    )

    assert answer.status_code == 400


# ---- Cookies ------------------------------------------------------------------------------------

SHOW = """
import json
from django.conf import settings as s
print(json.dumps({name: getattr(s, name) for name in dir(s) if "COOKIE" in name or "HSTS" in name}))
"""


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_cookies_stay_on_https_where_the_site_is(scheme: str, secure: bool, tmp_path: Path) -> None:
    env = {**os.environ, "PUBLIC_URL": f"{scheme}://sms.example.org", "DATA_DIR": str(tmp_path)}
    env |= {"DJANGO_BUILD": "1", "DJANGO_SETTINGS_MODULE": "smsapp.settings"}
    command = [sys.executable, "-c", SHOW]
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True)
    chosen = json.loads(said.stdout)

    for kind in ("SESSION", "CSRF", "LANGUAGE"):
        assert chosen[f"{kind}_COOKIE_SECURE"] is secure
        assert chosen[f"{kind}_COOKIE_SAMESITE"] == "Lax"
    assert chosen["SESSION_COOKIE_HTTPONLY"] is True
    assert bool(chosen["SECURE_HSTS_SECONDS"]) is secure
    assert chosen["SESSION_COOKIE_NAME"].startswith("__Host-") is secure
    assert chosen["CSRF_COOKIE_NAME"].startswith("__Host-") is secure


def test_no_cookie_but_the_form_s_token_is_for_scripts(
    client: Client, alice: User, settings: Any
) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client.post("/login/", {"login": alice.email, "password": PASSWORD})
    client.post("/settings/people/invite/", {"role": "sender"})
    client.post("/language/", {"language": "fr", "next": "/"})

    cookies = {name: cookie for name, cookie in client.cookies.items() if cookie.value}

    assert {"sessionid", "known", "invitation"} <= set(cookies)
    assert {name for name, cookie in cookies.items() if not cookie["httponly"]} <= {"csrftoken"}
    assert all(cookie["samesite"] for cookie in cookies.values())
    assert all(cookies[name]["secure"] for name in ("sessionid", "known", "invitation"))


# ---- Where redirects lead -----------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example/", "//evil.example/", "/\\evil.example/", "http:///evil.example",
    "javascript:alert(1)", "\thttps://evil.example", "https:evil.example", "/%5cevil.example/..",
    "http://testserver@evil.example/", "https://testserver.evil.example/",
]  # fmt: skip


@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_form_leads_to_another_site(place: str, client: Client, alice: User) -> None:
    inside = {"login": alice.email, "password": PASSWORD, "next": place}
    answers = [
        client.post("/language/", {"language": "fr", "next": place}, headers={"Referer": place}),
        client.post("/login/", inside),
        client.get("/login/", {"next": place}),
        client.post("/logout/", {"next": place}),
    ]

    for answer in answers:
        where = answer.headers.get("Location", "/")
        assert where.startswith("/")
        assert not where.startswith(("//", "/\\"))


def test_pages_of_messages_escape_what_providers_say(
    as_alice: Client, phone: Phone, workspace: Any
) -> None:
    evil = "<script>alert(1)</script>"
    message = Message.objects.create(
        workspace=workspace, phone=phone, direction="out", status="failed", peer="+33612345678",
        text=evil, words=evil, code=evil,
    )  # fmt: skip
    phone.exchanges.create(
        message=message.pk, direction="out", method="POST", url=evil, sent=evil, received=evil,
        status=200, error=evil,
    )  # fmt: skip
    Phone.objects.filter(pk=phone.pk).update(pause_words=evil, paused_at=message.created_at)

    for page in (
        reverse("message", args=[message.pk]),
        reverse("phone", args=[phone.pk]),
        "/messages/",
    ):
        assert evil not in as_alice.get(page).content.decode()
