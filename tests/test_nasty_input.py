"""Whatever arrives in an address, a form, a header or a cookie: the site says no, it does not break.

Seeded, so that what fails once fails again.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from phones.models import Phone
from tests.test_doors import NAMES, OPEN, address, things

__all__ = ["things"]
pytestmark = pytest.mark.django_db

# As they travel: percent-encoded bytes.
NASTY = [
    quote_from_bytes(value)
    for value in (
        b"", b"0", b"-1", b"1.5", b"1e999", b"NaN", b"99999999999999999999", b"9223372036854775807",
        b"9223372036854775808", b"9" * 5000, "٣٣٣".encode(), "²".encode(), b"\x00", b"a\x00b",
        b"+336\x0012345678", b"0" * 9 + b"\x00", b"\xed\xa0\x80", b"\xff\xfe", b"\xf0\x9f\x92\xa9",
        "\u202e\u200f\u200b".encode(), b"' OR 1=1 --", b"%", b"_%_", b"\\", b"{{ 7 }}", b"%s%n%(a)s",
        b"<script>alert(1)</script>", b"a\r\nBcc: b@example.org", b"../../etc/passwd", b"//evil.example",
        b"javascript:alert(1)", b"0001-01-01", b"9999-12-31", b"2026-02-30", b"0001-01-01T00:00",
        b"9999-12-31T23:59", b"2026-03-29T02:30", b"10000-01-01T00:00", b"true", b"null", b"[]",
        b"00000000-0000-0000-0000-000000000000", b"x" * 20_000, b"1-1", b"99999999999999999-1",
        b"+" * 300, b"+33612345678", b"@" * 300, b"a@b\x00.example", b"AC" + b"0" * 32,
        "ß@ＥXAMPLE.org".encode(), b"Europe/Paris\x00", b"../../../etc/localtime",
    )
]  # fmt: skip
ASKED = [
    "after", "all", "at", "back", "before", "behind", "campaign", "chosen", "contact", "country",
    "days", "direction", "done", "field", "format", "from", "group", "kind", "need", "next",
    "only", "order", "page", "percent", "phone", "place", "q", "reason", "seen", "segment",
    "show", "since", "state", "status", "step", "submission", "tag", "text", "times", "to",
    "until", "value", "what", "where", "who", "why",
]  # fmt: skip
TYPED = [
    "act", "action", "administrator", "after", "all", "at", "begin", "carrier", "check", "chosen", "code",
    "column", "column-0", "countries", "country", "credential", "currency", "delimiter", "description",
    "detail", "direction", "done", "drop_picture", "drop_sheet", "email", "encoding", "flash",
    "forget", "groups", "headings", "heir", "kept", "known", "label", "language", "limit-approval",
    "limit-people", "limit-phones", "literal", "login",
    "mode", "n0-0.is", "n0-0.value", "n0-0.what", "n0.count", "n0.not", "name", "new",
    "new_password1", "next", "number", "oldpassword", "owner", "password", "password1", "password2",
    "pasted", "phone", "picture", "pictured", "place", "prefix", "price", "q", "rate", "reason",
    "remark", "remember", "replace", "resend_unknown", "role", "segment", "settings-account_sid",
    "settings-auth_token", "settings-base_url", "settings-key", "settings-sender", "sheet",
    "since", "source", "status", "submission", "sure", "table", "tags", "target", "test",
    "test_number", "test_submission", "text", "theme", "through", "time_zone", "to", "type",
    "until", "upto", "urgent", "value_town", "version", "webhook", "what", "when", "where", "who", "without",
    "without_to", "words", "workspace",
]  # fmt: skip
FORM = "application/x-www-form-urlencoded"
ROUNDS = 1
# Turned away at the door, so that it would hide what a page does with the rest.
SILENT = [value for value in NASTY if "%00" not in value]
# `healthz` says of itself when something of ours is away.
EVERY = sorted(set(NAMES) - {"healthz", "favicon"})


def dice(*seed: object) -> random.Random:
    return random.Random(repr(seed))


def at(name: str, things: dict[str, dict[str, Any]]) -> str:
    """Give an address; those that are open to the world have arguments of their own."""
    arguments: dict[str, tuple[str, ...]] = {
        "callback": (Phone.objects.all()[0].token, "status"),
        "channel": (Phone.objects.all()[0].token, "receive"),
        "invitation": ("token",),
        "media_public": ("1:1:1",),
        "sign_up_finish": ("token",),
        "email_agree": ("token",),
        "site_echo": ("nonce",),
        "openid_connect_callback": ("oidc",),
        "openid_connect_login": ("oidc",),
        "account_reset_password_from_key": ("1", "set-password"),
    }
    if name in arguments:
        return reverse(name, args=arguments[name])
    return address(name, things)


def nasty(names: list[str], luck: random.Random, values: list[str] = NASTY) -> str:
    """Give a query or a form, some of its values nasty and the others missing."""
    chosen = luck.sample(names, k=luck.randint(1, len(names)))
    return "&".join(f"{name}={luck.choice(values)}" for name in chosen)


@pytest.fixture(autouse=True)
def open_to_strangers(settings: Any, alice: User) -> None:
    settings.SIGNUP_OPEN = True
    User.objects.filter(pk=alice.pk).update(is_superuser=True)


def test_no_address_breaks_a_page(things: Any, as_alice: Client) -> None:
    for name in EVERY:
        luck = dice("query", name)
        for values in (SILENT,) * ROUNDS + (NASTY,):
            asked = nasty(ASKED, luck, values)
            asked_by = luck.choice([{}, {"HX-Request": "true"}])
            with undone(as_alice):
                answer = as_alice.get(at(name, things), QUERY_STRING=asked, headers=asked_by)

            assert answer.status_code < 500, (name, asked)


def test_no_form_breaks_a_page(things: Any, as_alice: Client) -> None:
    for name in EVERY:
        luck, path = dice("form", name), at(name, things)
        for who in (as_alice, Client()):
            typed = nasty(TYPED, luck)
            with undone(who):
                answer = who.post(path, typed.encode(), FORM)

            assert answer.status_code < 500, (name, typed)


@contextmanager
def undone(who: Client) -> Iterator[None]:
    """Take back what was stored within, here and in the browser: the next address finds all in its place.

    So whoever logged out is logged in again.
    """
    cookies = SimpleCookie(who.cookies)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    who.cookies = cookies


# Whole forms: what lies behind the first check is reached with one wrong field at a time.
WHOLE: dict[str, dict[str, str]] = {
    "campaign_new": {
        "submission": "0b8a7c1e-6d55-4b8e-9d7e-0c1f2a3b4c5d", "name": "Fair", "text": "Hi",
        "to": "+33612345678", "through": "any", "when": "later", "at": "2036-01-01T10:00",
        "tags": "a, b", "who": "g1", "without": "c1", "without_to": "+33612345679", "column": "0",
        "test": "1", "place": "0-1", "test_number": "+33612345678",
        "test_submission": "0b8a7c1e-6d55-4b8e-9d7e-0c1f2a3b4c5e",
    },
    "campaign_retry": {"reason": "expired"},
    "campaign_start": {"version": "1"},
    "campaigns_failing_stop": {"all": "1", "what": "invalid", "chosen": "+33612345678"},
    "campaigns_failing_undo": {"done": "1", "days": "30"},
    "compose": {"to": "+33612345678", "text": "Hello", "when": "later", "at": "2036-01-01T10:00"},
    "compose_preview": {"to": "+33612345678", "text": "Hello"},
    "conversation": {"text": "Hello"},
    "messages_cancel": {"q": "", "status": "queued", "upto": "1", "since": "2026-01-01"},
    "messages_settle": {"q": "", "status": "unknown", "upto": "1", "arrived": "1"},
    "message_move": {"phone": "1"},
    "message_settle": {"arrived": "0"},
    "opt_out_add": {"number": "+33612345679", "detail": "asked"},
    "people_invite": {"email": "new@example.org", "role": "sender"},
    "people_role": {"role": "viewer"},
    "phone_edit": {
        "name": "Simulator", "rate": "1", "settings-sender": "+33639980000", "priority": "1",
        "weight": "2", "allowed": "FR, +33 6", "denied": "GB",
    },
    "phone_new": {"name": "Another", "rate": "1", "settings-sender": "", "settings-key": "k"},
    "phone_limit_remove": {"limit": "1"},
    "phone_limit_set": {"amount": "5", "unit": "messages", "period": "day", "spill": "1"},
    "phone_pause": {"words": "Sunday"},
    "phone_watch": {
        "failed": "5", "unknown": "5", "window": "60", "least": "20", "margin": "0", "action": "rest",
    },
    "pool_add": {"name": "Both", "in_1": "on", "priority_1": "1", "weight_1": "2"},
    "phone_price_remove": {"prefix": "33"},
    "phone_price_set": {"where": "+33", "price": "0,05", "currency": "EUR"},
    "phone_prices_import": {"pasted": "33;0,05;EUR", "currency": "EUR"},
    "profile": {"name": "Alice", "language": "fr", "time_zone": "Europe/Paris", "theme": "dark"},
    "settings_workspace": {"name": "W", "country": "FR", "time_zone": "UTC", "description": ""},
    "account_login": {"login": "alice@example.org", "password": "x", "next": "/", "remember": "on"},
    "account_reset_password": {"email": "alice@example.org"},
    "account_signup": {"email": "new@example.org"},
    "campaign_when": {
        "when": "again", "unit": "MONTHLY", "every": "2", "which": "-1", "weekday": "working",
        "month_day": "31", "weekdays": "1", "first": "2026-11-21", "clock": "09:00", "end": "until",
        "until": "2027-11-21", "count": "3", "zone": "Europe/Paris", "own_zone": "on", "spread": "2",
        "late": "24", "at": "2026-12-01T09:00", "birthday": "born",
    },
    "recurrence_skip": {"at": "1795248000"},
    "recurrences_preview": {
        "when": "again", "unit": "WEEKLY", "every": "2", "weekdays": "1", "first": "2026-11-21",
        "clock": "09:00", "end": "count", "count": "3", "zone": "Europe/Paris",
    },
    "quiet_hours_add": {
        "country": "ES", "begins": "20:00", "ends": "08:00", "days": "1", "whole_days": "6", "is_off": "",
    },
    "quiet_hours_edit": {"begins": "20:00", "ends": "08:00", "days": "1", "whole_days": "6"},
    "setup": {"code": "ABCD-EFGH", "name": "A", "email": "a@example.org", "password": "long enough"},
    "contact_add": {
        "name": "Nadia", "number": "+33612345670", "groups": "1", "tags": "a, b", "language": "fr",
        "time_zone": "Europe/Paris", "carrier": "orange", "notes": "n", "value_town": "Lyon",
    },
    "contacts_change": {"what": "tag", "chosen": "1", "all": "1", "upto": "9", "new": "vip", "q": ""},
    "contacts_merge": {"chosen": "1", "kept": "1"},
    "segment_add": {
        "name": "S", "act": "save", "mode": "build", "n0.count": "1", "n0.join": "all", "n0.not": "1",
        "n0-0.what": "town", "n0-0.is": "=", "n0-0.value": "Lyon", "text": "x",
    },
    "field_add": {"label": "Age", "type": "number"},
    "group_add": {"name": "Team", "description": ""},
    "text_add": {"name": "Bus", "source": "{{ contact.firstname | default: 'x' }}"},
    "text_check": {"source": "{% if contact.town %}x{% endif %}"},
    "set_language": {"language": "fr", "next": "/"},
    "admin_site": {
        "name": "S", "language": "en", "country": "", "time_zone": "", "signup_domains": "a.example",
        "second_factor": "nobody", "password_length": "12", "keep_exchanges_days": "7",
    },
    "admin_user_add": {"email": "new@example.org", "name": "N", "workspace": "1", "role": "sender"},
    "admin_user_edit": {"email": "new@example.org", "name": "N", "administrator": "on"},
    "admin_user_delete": {"heir": "alice@example.org"},
    "admin_user_impersonate": {"reason": "They asked for help."},
    "admin_users_change": {"what": "logout", "chosen": "1"},
    "admin_users_import": {"pasted": "new@example.org;N;;sender", "sure": "1"},
    "admin_workspace": {"name": "W", "country": "FR", "time_zone": "UTC", "description": ""},
    "admin_workspace_add": {
        "name": "W", "owner": "alice@example.org", "country": "FR", "time_zone": "UTC",
    },
    "admin_workspace_delete": {"name": "W"},
    "admin_workspace_member": {"role": "viewer"},
    "admin_workspace_member_add": {"member-person": "bob@example.org", "member-role": "viewer"},
    "admin_workspace_transfer": {"transfer-heir": "bob@example.org"},
    "email_change": {"email": "new@example.org", "password": "x"},
    "account_reauthenticate": {"password": "x", "next": "/"},
    "mfa_login_webauthn": {"credential": "{}", "next": "/"},
    "workspace_switch": {"workspace": "1"},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_one_nasty_field_breaks_no_form(name: str, things: Any, as_alice: Client) -> None:
    luck = dice("field", name)
    submission = {"submission": str(uuid.UUID(int=luck.getrandbits(128)))}
    whole = WHOLE[name] | submission | ({"phone": "1"} if name == "compose" else {})
    who = Client() if name in OPEN else as_alice
    for field in whole:
        for value in luck.sample(NASTY, k=ROUNDS):
            rest = urlencode({key: kept for key, kept in whole.items() if key != field})
            answer = who.post(at(name, things), f"{rest}&{field}={value}".encode(), FORM)

            assert answer.status_code < 500, (field, value)


@pytest.mark.usefixtures("unrendered")  # it is the same page that says so, of each
@pytest.mark.parametrize(
    "path",
    [
        "/messages/{}/", "/inbox/{}/", "/phones/{}/", "/phones/{}/edit/", "/files/{}/",
        "/contacts/{}/", "/contacts/{}/edit/", "/contacts/{}/erase/", "/groups/{}/", "/groups/{}/edit/",
        "/segments/{}/", "/segments/{}/edit/", "/texts/{}/edit/", "/texts/{}/delete/",
        "/contacts/imports/{}/", "/contacts/imports/{}/rejected/",
        "/contacts/fields/{}/delete/", "/contacts/changes/{}/undo/",
        "/opt-outs/{}/remove/", "/settings/people/{}/role/", "/settings/people/invitations/{}/renew/",
        "/password/reset/{}-abc-def/", "/join/{}/", "/signup/{}/", "/media/{}/", "/media/{}:a:b/",
        "/callbacks/{}/status/", "/phones/add/{}/", "/email/{}/", "/settings/security/sessions/{}/end/",
        "/settings/security/passkeys/{}/remove/", "/administration/users/{}/",
        "/administration/workspaces/{}/",
        "/administration/users/{}/impersonate/", "/settings/security/connections/{}/end/",
    ],
)  # fmt: skip
def test_no_id_is_too_odd(path: str, as_alice: Client, phone: Phone) -> None:
    for value in dice(path).sample([value for value in NASTY if value], k=6):
        assert as_alice.get(path.format(value)).status_code < 500, value
        assert as_alice.post(path.format(value)).status_code < 500, value


@pytest.mark.parametrize(
    "number", ["9223372036854775807", "9223372036854775808", "9" * 20, "9" * 5000]
)
def test_an_id_that_no_database_holds_does_not_exist(number: str, as_alice: Client) -> None:
    assert as_alice.get(f"/messages/{number}/").status_code == 404
    assert as_alice.get(f"/phones/{number}/").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Language": "\x00,٣;q=٣,fr-é"}, {"Accept-Language": "x" * 9000},
        {"Accept-Language": "fr;q=" + "9" * 400}, {"Cookie": "sessionid=abcdefgh\\000ij"},
        {"Cookie": 'sessionid="abcdefgh\\000ij"; django_language="\\000"; known="\\000"'},
        {"Cookie": "messages=" + "A" * 9000}, {"Cookie": "invitation=a:b:c; csrftoken=é"},
        {"Referer": "http://[::1"}, {"HX-Current-URL": "http://[::1"}, {"If-None-Match": "\xff"},
        {"Content-Length": "-1"}, {"Content-Length": "9" * 30}, {"Range": "bytes=9-1"},
        {"X-Forwarded-For": "nonsense"}, {"X-Forwarded-Proto": "ftp"},
    ],
)  # fmt: skip
def test_no_header_breaks_a_page(headers: dict[str, str], alice: User, things: Any) -> None:
    for path in (
        "/",
        "/login/",
        "/setup/",
        "/signup/",
        "/settings/people/",
        "/callbacks/x/status/",
    ):
        stranger = Client()
        assert stranger.get(path, headers=headers).status_code < 500
        assert stranger.post(path, {"login": "a"}, headers=headers).status_code < 500


def test_an_odd_file_breaks_no_form(as_alice: Client, phone: Phone) -> None:
    for name, content, kind in (
        ("a\x00b.png", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("../../evil.html", b"<script>", "text/html"),
        ("x" * 400 + ".jpg", b"\xff\xd8\xff", "image/jpeg; charset=hex"),
        ("", b"", ""),
    ):
        picture = SimpleUploadedFile(name or "empty", content, kind)
        form = {"to": "+33612345678", "text": "", "phone": phone.pk, "submission": uuid.uuid4()}
        answer = as_alice.post("/compose/", form | {"picture": picture})

        assert answer.status_code < 500, name

        people = SimpleUploadedFile(name or "empty", content, kind)
        assert as_alice.post("/contacts/imports/add/", {"file": people}).status_code < 500, name


@pytest.mark.usefixtures("unrendered")  # whole forms show it, above
@pytest.mark.parametrize("text", NASTY)
def test_no_rule_breaks_its_reader(text: str, as_alice: Client) -> None:
    for rule in (text, f'name = "{text}"', f"level > {text}", f"({text}"):
        form = f"mode=write&act=save&name=x&text={rule}"
        assert as_alice.post("/segments/add/", form.encode(), FORM).status_code < 500, rule


@pytest.mark.parametrize("endpoint", ["status", "incoming", "call", "call_end"])
def test_no_callback_breaks_on_what_it_is_told(endpoint: str, client: Client, phone: Phone) -> None:
    """503 would let the provider repeat it for ever: what can never be read is 400 or 403."""
    luck = dice("callback", endpoint)
    path = phone.addresses.of(endpoint).removeprefix(settings.PUBLIC_URL)
    for body in (
        b"", b"[]", b"null", b"\x00", b"{", b"\xff\xfe", b'"\\ud800"', b"[" * 100_000,
        b"&".join(b"a=b" for _ in range(2000)), nasty(TYPED, luck).encode(),
    ):  # fmt: skip
        for kind in (FORM, "application/json", "multipart/form-data; boundary=x", "text/plain"):
            answer = client.post(path, body, kind)

            assert answer.status_code in (400, 403), body[:50]
