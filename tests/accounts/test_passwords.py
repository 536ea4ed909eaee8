"""Log in, log out, throttling, remember me, password reset by mail, sign-up."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import Role, User
from smsapp.settings import PASSWORD_HASHERS
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

ALICE = {"login": "alice@example.org", "password": PASSWORD}
NEW = "seven quiet herons"


class DeadMailServer(BaseEmailBackend):
    def send_messages(self, email_messages: object) -> int:
        raise ConnectionRefusedError("no mail server here")


def link_in(message: EmailMessage) -> str:
    found = re.search(r"https?://\S+", str(message.body))
    assert found
    return found.group()


def path_of(link: str, host: str) -> str:
    assert link.startswith(host + "/")
    return link.removeprefix(host)


def without_csrf(answer: HttpResponse) -> str:
    return re.sub(r'csrf\w+" value="\w+"', "", answer.content.decode())


def is_in(client: Client) -> bool:
    return client.get("/settings/me/").status_code == 200


@pytest.mark.parametrize("email", ["alice@example.org", "Alice@Example.ORG", " alice@example.org "])
def test_the_right_password_lets_in(email: str, client: Client, alice: User) -> None:
    answer = client.post("/login/", ALICE | {"login": email})

    assert answer["Location"] == "/"
    assert is_in(client)


@pytest.mark.parametrize(
    "typed",
    [{"password": "wrong"}, {"login": "nobody@example.org"}],
    ids=["wrong password", "unknown address"],
)
def test_a_failed_log_in_does_not_say_whether_the_address_is_known(
    typed: dict[str, str], client: Client, alice: User
) -> None:
    answer = client.post("/login/", ALICE | typed)

    assert "do not belong together" in answer.content.decode()
    assert not is_in(client)


def test_log_in_goes_on_to_where_the_person_was_going(client: Client, alice: User) -> None:
    asked = client.get("/settings/people/")
    page = client.get(asked["Location"])

    answer = client.post("/login/", ALICE | {"next": "/settings/people/"})

    assert 'value="/settings/people/"' in page.content.decode()
    assert answer["Location"] == "/settings/people/"


def test_log_in_never_leads_to_another_site(client: Client, alice: User) -> None:
    answer = client.post("/login/", ALICE | {"next": "https://evil.example/"})

    assert answer["Location"] == "/"


def test_after_five_failures_the_right_password_must_wait(client: Client, alice: User) -> None:
    for _try in range(5):
        client.post("/login/", ALICE | {"password": "wrong"})

    answer = client.post("/login/", ALICE)

    assert "Too many attempts" in answer.content.decode()
    assert not is_in(client)


def test_failures_from_one_address_are_throttled_whomever_they_try(client: Client) -> None:
    User.objects.create_user("somebody@example.org", PASSWORD)
    answers = [
        client.post("/login/", {"login": f"p{n}@example.org", "password": "x"}) for n in range(11)
    ]

    assert "Too many attempts" in answers[-1].content.decode()


def test_a_remembered_session_lasts_thirty_days(client: Client, alice: User) -> None:
    client.post("/login/", ALICE | {"remember": "on"})

    assert client.cookies["sessionid"]["max-age"] == 30 * 24 * 60 * 60


def test_other_sessions_end_with_the_browser(client: Client, alice: User) -> None:
    client.post("/login/", ALICE)

    assert client.cookies["sessionid"]["max-age"] == ""


def test_log_out_needs_a_post(as_alice: Client) -> None:
    asked = as_alice.get("/logout/")

    assert asked.status_code == 200
    assert is_in(as_alice)


def test_log_out(as_alice: Client) -> None:
    answer = as_alice.post("/logout/")

    assert answer["Location"] == "/login/"
    assert not is_in(as_alice)


def test_a_closed_account_is_told_so_at_the_right_password(client: Client, alice: User) -> None:
    User.objects.update(is_active=False)

    answer = client.post("/login/", ALICE, follow=True)

    assert answer.status_code == 200
    assert not is_in(client)


def test_passwords_are_argon2(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS

    user = User.objects.create_user("strong@example.org", NEW)

    assert user.password.startswith("argon2$argon2id$")


# ---- Reset --------------------------------------------------------------------------------------


def test_a_reset_link_leads_to_the_public_address_whatever_host_was_asked(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://sms.tilleuls.example"

    client.post("/password/reset/", {"email": "alice@example.org"}, headers={"host": "localhost"})

    assert link_in(mail.outbox[0]).startswith("https://sms.tilleuls.example/password/reset/")
    assert "localhost" not in f"{mail.outbox[0].subject} {mail.outbox[0].body}"


def test_a_reset_link_changes_the_password_once(
    client: Client, alice: User, settings: Settings
) -> None:
    client.post("/password/reset/", {"email": "alice@example.org"})
    path = path_of(link_in(mail.outbox[0]), settings.PUBLIC_URL)
    form = client.get(path)["Location"]

    done = client.post(form, {"password1": NEW, "password2": NEW})
    again = Client().get(path)

    alice.refresh_from_db()
    assert client.get(done["Location"]).status_code == 200
    assert alice.check_password(NEW)
    assert "no longer works" in again.content.decode()


def test_a_changed_password_ends_the_other_sessions(
    client: Client, as_alice: Client, settings: Settings
) -> None:
    client.post("/password/reset/", {"email": "alice@example.org"})
    form = client.get(path_of(link_in(mail.outbox[0]), settings.PUBLIC_URL))["Location"]

    client.post(form, {"password1": NEW, "password2": NEW})

    assert not is_in(as_alice)


def test_asking_for_a_reset_says_the_same_for_everybody(client: Client, alice: User) -> None:
    answers = [
        client.post("/password/reset/", {"email": email}, follow=True)
        for email in ("alice@example.org", "nobody@example.org")
    ]

    assert without_csrf(answers[0]) == without_csrf(answers[1])
    assert [message.to for message in mail.outbox] == [
        ["alice@example.org"],
        ["nobody@example.org"],
    ]
    assert "no account" in str(mail.outbox[1].body)


def test_a_dead_mail_server_is_said(client: Client, alice: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_passwords.DeadMailServer"

    answer = client.post("/password/reset/", {"email": "alice@example.org"})

    assert answer.status_code == 503
    assert "could not be sent" in answer.content.decode()


def test_a_site_without_mail_server_says_so_before_the_mail(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"

    assert "no mail server" in client.get("/password/reset/").content.decode()


def test_somebody_logged_in_changes_the_password_and_stays_in(as_alice: Client) -> None:
    typed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}

    answer = as_alice.post("/password/", typed)

    assert answer["Location"] == "/settings/me/"
    assert is_in(as_alice)
    assert User.objects.get().check_password(NEW)


def test_the_current_password_is_asked_for(as_alice: Client) -> None:
    as_alice.post("/password/", {"oldpassword": "wrong", "password1": NEW, "password2": NEW})

    assert User.objects.get().check_password(PASSWORD)


# ---- Sign-up ------------------------------------------------------------------------------------


def test_sign_up_is_closed(client: Client, alice: User) -> None:
    answer = client.post("/signup/", {"email": "eve@example.org"})

    assert answer.status_code == 403
    assert not mail.outbox
    assert "Sign up" not in client.get("/login/").content.decode()


def test_an_open_site_takes_in_whoever_reads_the_mail(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True

    client.post("/signup/", {"email": "Eve@Example.org"})
    path = path_of(link_in(mail.outbox[0]), settings.PUBLIC_URL)
    done = client.post(path, {"name": "Eve Blanc", "password": NEW})

    eve = User.objects.get(email="eve@example.org")
    assert done["Location"] == "/"
    assert is_in(client)
    assert not eve.is_superuser
    assert eve.memberships.get().role == Role.OWNER
    assert eve.memberships.get().workspace != alice.memberships.get().workspace


def test_sign_up_says_the_same_for_a_known_address(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True

    known, unknown = (
        without_csrf(client.post("/signup/", {"email": f"{name}@example.org"}))
        for name in ("alice", "nadia")
    )

    assert known.replace("alice", "nadia") == unknown
    assert "has one already" in str(mail.outbox[0].body)
    assert User.objects.count() == 1


def test_a_forged_sign_up_link_makes_nobody(client: Client, alice: User) -> None:
    answer = client.post("/signup/Im1hbGxvcnkiOmZha2Ui/", {"name": "Mallory", "password": NEW})

    assert answer.status_code == 410
    assert User.objects.count() == 1


def test_a_stranger_who_tries_passwords_does_not_lock_the_person_out(alice: User) -> None:
    hers, stranger = Client(REMOTE_ADDR="198.51.100.7"), Client(REMOTE_ADDR="203.0.113.9")
    hers.post("/login/", ALICE)
    hers.post("/logout/")
    for _try in range(6):
        refused = stranger.post("/login/", ALICE | {"password": "wrong"})

    assert "Too many attempts" in refused.content.decode()
    assert hers.post("/login/", ALICE)["Location"] == "/"


def test_a_known_browser_gets_no_more_tries_than_others(client: Client, alice: User) -> None:
    client.post("/login/", ALICE)
    client.post("/logout/")
    for _try in range(6):
        answer = client.post("/login/", ALICE | {"password": "wrong"})

    assert "Too many attempts" in answer.content.decode()


def test_a_browser_known_to_one_person_is_a_stranger_to_another(
    client: Client, alice: User, bob: User
) -> None:
    client.post("/login/", ALICE)
    client.post("/logout/")
    for _try in range(5):
        Client(REMOTE_ADDR="203.0.113.9").post("/login/", {"login": bob.email, "password": "no"})

    answer = client.post("/login/", {"login": bob.email, "password": PASSWORD})

    assert "Too many attempts" in answer.content.decode()


def test_another_password_ends_the_other_sessions(alice: User) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post("/login/", ALICE)
    before = here.cookies["sessionid"].value

    here.post("/password/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})

    assert is_in(here)
    assert not is_in(there)
    assert here.cookies["sessionid"].value != before


def test_a_session_that_somebody_planted_is_not_the_one_logged_in(
    client: Client, alice: User
) -> None:
    client.get("/login/")
    client.session.save()
    planted = client.cookies.get("sessionid")
    client.post("/login/", ALICE)

    assert planted is None or client.cookies["sessionid"].value != planted.value
