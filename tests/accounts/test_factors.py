"""Second factors: what lets somebody in, what does not, and who must have one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import Event, User
from accounts.passkeys import passkeys_work
from tests.conftest import PASSWORD, logged_in

pytestmark = pytest.mark.django_db

ALICE = {"login": "alice@example.org", "password": PASSWORD}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(secret: str = SECRET, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def is_in(client: Client) -> bool:
    return client.get("/settings/me/").status_code == 200


@pytest.fixture
def app(alice: User) -> Authenticator:
    return TOTP.activate(alice, SECRET).instance


@pytest.fixture
def codes(alice: User, app: Authenticator) -> list[str]:
    return RecoveryCodes.activate(alice).generate_codes()


def test_a_password_alone_does_not_let_in_who_has_an_app(client: Client, app: object) -> None:
    answer = client.post("/login/", ALICE)

    assert answer["Location"] == "/login/code/"
    assert not is_in(client)


@pytest.mark.parametrize("steps", [-1, 0, 1], ids=["late", "now", "early"])
def test_the_code_of_the_app_lets_in(steps: int, client: Client, app: object) -> None:
    client.post("/login/", ALICE)

    answer = client.post("/login/code/", {"code": code(steps=steps)})

    assert answer["Location"] == "/"
    assert is_in(client)


def test_a_code_works_once(client: Client, app: object) -> None:
    once = code()
    for _time in range(2):
        client = Client()
        client.post("/login/", ALICE)
        client.post("/login/code/", {"code": once})

    assert not is_in(client)


def test_a_wrong_code_is_said_and_after_five_the_right_one_waits(
    client: Client, app: object
) -> None:
    client.post("/login/", ALICE)
    answers = [client.post("/login/code/", {"code": "000000x"}) for _ in range(5)]

    assert "not right" in answers[0].content.decode()
    client.post("/login/code/", {"code": code()})
    assert not is_in(client)


def test_each_recovery_code_lets_in_once(client: Client, codes: list[str]) -> None:
    again = Client()
    for browser in (client, again):
        browser.post("/login/", ALICE)
        browser.post("/login/code/", {"code": codes[0]})

    assert is_in(client)
    assert not is_in(again)


def test_where_somebody_was_going_is_kept_over_the_second_step(client: Client, app: object) -> None:
    client.post("/login/", ALICE | {"next": "/settings/people/"})

    answer = client.post("/login/code/", {"code": code()})

    assert answer["Location"] == "/settings/people/"


def test_the_second_step_is_closed_to_who_gave_no_password(client: Client, app: object) -> None:
    assert client.get("/login/code/")["Location"] == "/login/"
    assert client.post("/login/code/", {"code": code()})["Location"] == "/login/"
    assert not is_in(client)


def test_a_new_password_by_mail_does_not_replace_the_second_factor(
    client: Client, app: object
) -> None:
    client.post("/password/reset/", {"email": "alice@example.org"})
    found = re.search(r"https?://[^/]+(/\S+)", str(mail.outbox[0].body))
    assert found
    form = client.get(found[1])["Location"]
    client.post(form, {"password1": "seven quiet herons", "password2": "seven quiet herons"})

    client.post("/login/", ALICE | {"password": "seven quiet herons"})

    assert not is_in(client)


def test_what_is_stored_gives_no_secret_away(codes: list[str]) -> None:
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))

    assert SECRET not in stored
    assert not any(code in stored for code in codes)


# ---- Adding and removing -------------------------------------------------------------------------


def again(client: Client) -> None:
    client.post("/login/again/", {"password": PASSWORD})


@pytest.mark.parametrize(
    "path", ["app/", "app/remove/", "codes/", "codes/new/", "passkeys/add/", "codes/file/"]
)
def test_who_finds_an_open_browser_must_know_the_password(
    path: str, as_alice: Client, codes: list[str]
) -> None:
    answer = as_alice.get(f"/settings/security/{path}", follow=True)

    assert answer.redirect_chain
    assert "Is it you?" in answer.content.decode() or path == "app/"


def test_somebody_adds_an_app_and_gets_recovery_codes(
    as_alice: Client, alice: User, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    again(as_alice)
    page = as_alice.get("/settings/security/app/").content.decode()
    found = re.search(r'value="([A-Z2-7]{32})"', page)
    assert found
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        answer = as_alice.post("/settings/security/app/", {"code": code(found[1])})

    assert answer["Location"] == "/settings/security/codes/"
    shown = as_alice.get(answer["Location"]).content.decode()
    mine = Authenticator.objects.get(user=alice, type="recovery_codes").wrap().get_unused_codes()
    assert all(one in shown for one in mine)
    assert Event.objects.filter(action="person.factor_added", actor_id=alice.pk).count() == 1
    assert "authenticator app was added" in mail.outbox[0].subject


def test_a_wrong_code_adds_no_app(as_alice: Client) -> None:
    again(as_alice)
    as_alice.get("/settings/security/app/")
    as_alice.post("/settings/security/app/", {"code": "123"})

    assert not Authenticator.objects.exists()


def test_removing_the_app_takes_the_recovery_codes_along(
    as_alice: Client, codes: list[str]
) -> None:
    again(as_alice)
    as_alice.post("/settings/security/app/remove/")

    assert not Authenticator.objects.exists()


def test_new_recovery_codes_replace_the_old_ones(
    as_alice: Client, alice: User, codes: list[str]
) -> None:
    again(as_alice)
    as_alice.post("/settings/security/codes/new/")
    page = as_alice.get("/settings/security/codes/").content.decode()

    assert (
        "recovery-codes.txt"
        in as_alice.get("/settings/security/codes/file/").headers["Content-Disposition"]
    )
    assert not any(one in page for one in codes)


def test_a_passkey_of_somebody_else_does_not_exist(as_charlie: Client, alice: User) -> None:
    key = Authenticator.objects.create(user=alice, type="webauthn", data={"name": "Laptop"})
    again(as_charlie)

    for act in ("rename", "remove"):
        path = f"/settings/security/passkeys/{key.pk}/{act}/"
        assert as_charlie.get(path).status_code == 404
        assert as_charlie.post(path, {"name": "Mine"}).status_code == 404
    assert Authenticator.objects.get().data["name"] == "Laptop"


def test_a_made_up_passkey_lets_nobody_in(client: Client, alice: User) -> None:
    client.get("/login/passkey/", headers={"Accept": "application/json"})
    for credential in ("", "x", "{}", "[]", '{"id": "AA", "rawId": "AA", "response": {}}'):
        answer = client.post("/login/passkey/", {"credential": credential})

        assert answer["Location"] == "/login/"
    assert not is_in(client)


@pytest.mark.parametrize(
    ("host", "secure", "works"),
    [
        ("sms.example.org", True, True), ("sms.example.org", False, False), ("localhost:8000", False, True),
        ("127.0.0.1:8000", True, False), ("[::1]:8000", True, False),
    ],
)  # fmt: skip
def test_passkeys_are_offered_where_browsers_make_them(
    host: str, secure: bool, works: bool, rf: RequestFactory, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert passkeys_work(rf.get("/", headers={"host": host}, secure=secure)) is works


# ---- Required ------------------------------------------------------------------------------------


@pytest.fixture
def root(alice: User) -> User:
    alice.is_superuser = True
    alice.save()
    return alice


def test_an_administrator_without_second_factor_gets_nowhere_else(
    root: User, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = "administrators"
    browser = logged_in(root)

    for path in ("/", "/settings/me/", "/settings/people/", "/phones/"):
        assert browser.get(path)["Location"] == "/settings/security/", path
        assert browser.post(path)["Location"] == "/settings/security/", path
    assert browser.get("/settings/security/").status_code == 200
    assert browser.post("/logout/").status_code == 302


def test_with_one_everything_opens(root: User, app: object, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = "administrators"

    assert is_in(logged_in(root))


@pytest.mark.parametrize(("who", "opens"), [("administrators", True), ("everybody", False)])
def test_the_operator_says_whom_it_is_wanted_of(
    who: str, opens: bool, as_bob: Client, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = who

    assert is_in(as_bob) is opens
