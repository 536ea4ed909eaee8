"""Credentials of a phone are nowhere but in its encrypted settings.

A provider that repeats all it is told, in success and in failure, is the worst one to keep secrets
from: what it says is stored, shown, mailed and logged. Here every secret is a word that is looked for
in all these places afterwards, as it is and in every form in which it travels.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

import django_rq
import pytest
from django.conf import settings as live
from django.core import mail
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import technical_500_response
from twilio.request_validator import RequestValidator

from accounts.models import User
from lib.jobs import DEFAULT, enqueue, redis
from lib.redact import Redactor
from messaging import receiving
from messaging.models import Message
from phones.lines import line
from phones.models import Exchange, Phone
from tests.test_doors import NAMES, address, things

__all__ = ["things"]
pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = 'tOk3n"of/the+account=é1'
KEY = "s3cret&of<the-api-key>77"
SHARED = "sh4red%key of callbacks"
SIGNING = "s1gning\\key-of-the-simulator"
SECRETS = [TOKEN, KEY, SHARED, SIGNING]
FORM = "application/x-www-form-urlencoded"
ACCOUNT = "AC" + "0" * 32
TWILIO = {
    "name": "Desk", "rate": "50", "settings-account_sid": ACCOUNT, "settings-auth_token": TOKEN,
    "settings-sender": "+33600000001", "settings-api_key_sid": "SK" + "1" * 32,
    "settings-api_key_secret": KEY, "settings-webhook_secret": SHARED,
}  # fmt: skip


OF_A_PHONE = {
    "phone", "phone_addresses", "phone_edit", "phone_rotate", "phone_delete", "phone_prices",
    "phone_prices_import",
}  # fmt: skip
# Without a page of their own, or for strangers.
NOT_PAGES = {
    "account_logout", "account_reset_password_from_key", "admin_usage_export", "callback",
    "campaigns_failing_export", "channel", "email_agree", "import_rejected",
    "invitation", "media_public", "openid_connect_callback", "openid_connect_login", "site_echo",
    "set_language",
    "sign_up_finish", "usage_export",
}  # fmt: skip


# ---- Looking ------------------------------------------------------------------------------------


def forms_of(text: str) -> Iterator[str]:
    """Give a text as it is and as it reads once an encoding is taken off it."""
    yield text
    yield unquote_plus(text)
    yield html.unescape(text)
    yield re.sub(r"\\(u[0-9a-f]{4}|.)", lambda found: bare(found[1]), text)
    yield json.dumps(text)
    for run in set(re.findall(r"[A-Za-z0-9+/_-]{12,}", unquote_plus(text) + " " + text)):
        yield from inside(run)


@cache  # pages repeat the same words
def inside(run: str) -> tuple[str, ...]:
    """Give what a run of letters may be the base64 of, wherever in it that begins."""
    found = []
    for start in range(4):
        letters = run[start:].replace("-", "+").replace("_", "/")
        letters = letters[:-1] if len(letters) % 4 == 1 else letters
        decoded = base64.b64decode(letters + "=" * (-len(letters) % 4))
        found += [decoded.decode("utf-8", "ignore"), decoded.decode("latin-1")]
    return tuple(found)


def bare(escaped: str) -> str:
    return chr(int(escaped[1:], 16)) if len(escaped) == 5 else escaped


def leaks(text: str, secrets: list[str]) -> list[str]:
    """Give the secrets that somebody can read out of the text."""
    wanted = {word: secret for secret in secrets for word in (secret, json.dumps(secret)[1:-1])}
    return sorted(
        {secret for form in forms_of(text) for word, secret in wanted.items() if word in form}
    )


@pytest.mark.parametrize(
    "hide",
    [
        str, quote, html.escape, json.dumps,
        lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
        lambda s: base64.urlsafe_b64encode(f"u:{s}:x".encode()).decode(),
        lambda s: f"repeat={quote(base64.b64encode(s.encode()).decode())}",
    ],
    ids=["plain", "url", "html", "json", "basic", "base64url", "base64 in a form"],
)  # fmt: skip
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_hidden_in_every_form_it_travels_in(
    secret: str, hide: Callable[[str], str]
) -> None:
    said = f"You said {hide(secret)} there."

    assert leaks(said, [secret]) == [secret]
    assert leaks(Redactor([secret]).text(said), [secret]) == []


# ---- A provider that repeats what it is told ----------------------------------------------------


class Parrot:
    """Answers each request with all it was told, as `status`; 0 hangs up."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                said = f"{self.command} {self.path}\n{self.headers}\n{body}"
                outer.heard.append(said)
                if not outer.status:
                    self.close_connection = True
                    return
                self.reply(said)

            do_GET = do_POST = answer

            def reply(self, said: str) -> None:
                # Its number comes first: words are cut where they are stored.
                said = "".join(re.findall(r"Authorization: \S+ (\S+)", said)) + " " + said
                body = json.dumps({
                    "sid": f"SM{uuid.uuid4().hex}", "id": uuid.uuid4().hex, "status": "active",
                    "friendly_name": said, "message": said, "code": said, "balance": "1",
                    "currency": said, "phone_number": said, "error_message": said,
                    "incoming_phone_numbers": [
                        {"sid": "PN1", "capabilities": {"sms": True}, "friendly_name": said}
                    ],
                }).encode()  # fmt: skip
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Repeated", said.split("\n")[0])
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: its lines are not ours."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    parrot = Parrot()
    thread = threading.Thread(target=parrot.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield parrot
    parrot.server.shutdown()
    parrot.server.server_close()
    thread.join(2)


@pytest.fixture
def twilio(parrot: Parrot, as_alice: Client, settings: Any) -> Phone:
    settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    as_alice.post("/phones/add/twilio/", TWILIO | {"settings-base_url": parrot.url})
    return Phone.objects.get(name="Desk")


@pytest.fixture
def simulator(parrot: Parrot, as_alice: Client, settings: Any) -> Phone:
    settings.PHONE_SETTINGS = {"simulator": {"base_url": parrot.url}}
    typed = {"name": "Toy", "rate": "50", "settings-key": SIGNING}
    as_alice.post("/phones/add/simulator/", typed)
    return Phone.objects.get(name="Toy")


def ask_everything(client: Client, phone: Phone, jobs: Callable[[], None]) -> None:
    """Let the phone talk to its provider in every way there is."""
    for name in ("phone_check", "phone_balance", "phone_connect", "phone_start"):
        client.post(reverse(name, args=[phone.pk]))
    for ending in ("01", "02"):
        form = {"to": f"+336123456{ending}", "text": "Hello", "phone": phone.pk}
        client.post("/compose/", form | {"submission": str(uuid.uuid4())})
    jobs()


def call_back(phone: Phone, client: Client) -> list[int]:
    """Call our addresses rightly, wrongly signed, and with too little; give our answers."""
    base = phone.addresses.of("incoming")
    form = {
        "From": "+33612345678",
        "Body": f"{TOKEN} {phone.token}",
        "MessageSid": uuid.uuid4().hex,
    }
    signature = RequestValidator(TOKEN).compute_signature(base, form)
    path = base.removeprefix(live.PUBLIC_URL)
    nothing = RequestValidator(TOKEN).compute_signature(base, {})
    calls = [(form, signature), (form, quote(TOKEN)), ({}, nothing)]
    return [
        client.post(path, urlencode(said), FORM, headers={"X-Twilio-Signature": signed}).status_code
        for said, signed in calls
    ]


@pytest.fixture
def after_all(
    things: Any, twilio: Phone, simulator: Phone, parrot: Parrot, as_alice: Client, jobs: Callable[[], None],
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[str]]:  # fmt: skip
    """Do all that a phone can do, in luck and in misfortune; give the secrets to look for."""
    caplog.set_level(logging.DEBUG)
    client.raise_request_exception = False
    for status in (200, 401, 500, 429, 0):
        parrot.status = status
        for phone in (twilio, simulator):
            ask_everything(as_alice, phone, jobs)
    assert call_back(twilio, client) == [200, 403, 400]
    with monkeypatch.context() as patched:
        patched.setattr(receiving, "apply", lambda phone, events: boom(phone.pk))
        assert call_back(twilio, client) == [503, 403, 400]
    twilio.refresh_from_db()
    return [*SECRETS, twilio.token, simulator.token]


# ---- Everywhere ---------------------------------------------------------------------------------


def rows() -> Iterator[tuple[str, str]]:
    """Give (place, text) of all that the database keeps."""
    # A callback is looked up by its token; who writes a secret into a message reads it again.
    known = {"phones_phone": "token", "messaging_message": "text"}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                kept = dict(zip(names, row, strict=True))
                yield table, str({n: str(v) for n, v in kept.items() if n != known.get(table)})


def pages(client: Client, things: Any) -> Iterator[tuple[str, str]]:
    """Give (address, HTML) of the pages of an owner, but for those made to copy an address from."""
    places = [address(name, things) for name in NAMES if name not in NOT_PAGES]
    for phone in Phone.objects.all():
        places += [reverse(name, args=[phone.pk]) for name in NAMES if name in OF_A_PHONE]
        told = phone.exchanges.order_by("pk").values_list("pk", flat=True)
        places += [f"/phones/{phone.pk}/?before={last}" for last in told[::19]]
    for status in Message.objects.order_by("status").values_list("status", flat=True).distinct():
        of_status = Message.objects.exclude(direction="in").filter(status=status)
        places += [reverse("message", args=[message.pk]) for message in of_status[:3]]
    for place in places:
        html_of_page = client.get(place).content.decode()
        for phone in Phone.objects.all() if "/phones/" in place else ():
            for endpoint in phone.kind.endpoints:
                html_of_page = html_of_page.replace(phone.addresses.of(endpoint.name), "")
        yield place, html_of_page


def wake_ups(jobs: Callable[[], None], phone: Phone) -> Iterator[tuple[str, str]]:
    """Give all that lies in Valkey, after a job has failed over the phone's settings."""
    enqueue(boom, phone.pk)
    jobs()
    (failed,) = django_rq.get_queue(DEFAULT).failed_job_registry.get_job_ids()
    result = django_rq.get_queue(DEFAULT).fetch_job(failed).latest_result()
    assert "RuntimeError" in str(result.exc_string)
    yield "failed job", str(result.exc_string)
    for key in redis().scan_iter():
        yield str(key), repr(redis().dump(key))


def test_a_secret_is_nowhere_but_in_the_encrypted_settings(
    after_all: list[str], things: Any, parrot: Parrot, twilio: Phone, as_alice: Client,
    caplog: pytest.LogCaptureFixture, jobs: Callable[[], None],
) -> None:  # fmt: skip
    Message.objects.filter(direction="in").update(text="")
    logged = [logging.Formatter().format(record) for record in caplog.get_records("setup")]
    places = [
        *rows(),
        *pages(as_alice, things),
        *(("log", line) for line in logged),
        *(("mail", str(item.message())) for item in mail.outbox),
        *wake_ups(jobs, twilio),
    ]

    # It was said and it did go wrong, and all that was written down somewhere.
    assert leaks("\n".join(parrot.heard), [TOKEN, KEY]) == sorted([TOKEN, KEY])
    assert {0, 200, 401, 403, 429, 500} <= set(Exchange.objects.values_list("status", flat=True))
    assert any("Forbidden" in line for line in logged)
    assert any("RuntimeError" in line for line in logged)
    assert mail.outbox
    assert [(place, found) for place, text in places if (found := leaks(text, after_all))] == []


def test_no_form_gives_a_secret_back(twilio: Phone, as_alice: Client, parrot: Parrot) -> None:
    wrong = TWILIO | {"settings-base_url": parrot.url, "settings-sender": "?", "name": ""}
    for page in (
        as_alice.post("/phones/add/twilio/", wrong),
        as_alice.post(f"/phones/{twilio.pk}/edit/", wrong),
        as_alice.post("/phones/add/twilio/try/", TWILIO | {"settings-base_url": parrot.url}),
        as_alice.post(f"/phones/{twilio.pk}/edit/try/", TWILIO | {"settings-base_url": parrot.url}),
    ):
        assert page.status_code in (200, 422)
        assert leaks(page.content.decode(), SECRETS) == []


def boom(phone_id: int) -> None:
    phone = Phone.objects.get(pk=phone_id)
    kind = line(phone)
    settings, token = dict(phone.settings), phone.token
    raise RuntimeError(f"{kind} {phone.settings} broke {len(settings)} {len(token)}")


@pytest.mark.parametrize("debug", [True, False], ids=["debug", "mail to admins"])
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_no_error_report_holds_a_secret(
    debug: bool, accept: str, twilio: Phone, alice: User, settings: Any, rf: RequestFactory
) -> None:
    settings.DEBUG = debug
    settings.EMAIL_URL = f"smtp://user:{KEY}@mail.example.org"
    settings.REDIS_URL = f"redis://:{SHARED}@host"
    request = rf.post("/phones/add/twilio/", TWILIO, headers={"Accept": accept})
    request.user = alice
    try:
        boom(twilio.pk)
    except RuntimeError:
        report = technical_500_response(request, *sys.exc_info())

    assert "broke" in report.content.decode()
    assert leaks(report.content.decode(), [*SECRETS, twilio.token]) == []


def test_what_lies_in_the_data_folder_is_for_us_alone(
    twilio: Phone, as_alice: Client, jobs: Callable[[], None]
) -> None:
    places = [Path(live.DATA_DIR), *Path(live.DATA_DIR).rglob("*")]

    assert len(places) > 2
    assert {str(p): oct(p.stat().st_mode & 0o077) for p in places if p.stat().st_mode & 0o077} == {}
