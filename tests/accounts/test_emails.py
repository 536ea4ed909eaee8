"""Another e-mail address: both the old and the new one agree, and nobody else decides."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import EmailChange, Event, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "alice@elsewhere.example"


def ask(client: Client, email: str = NEW, password: str = PASSWORD) -> int:
    typed = {"email": email, "password": password}
    return client.post("/settings/security/email/", typed).status_code


def link_to(address: str) -> str:
    (message,) = [one for one in mail.outbox if one.to == [address]]
    found = re.search(r"https?://[^/]+(/email/\S+)", str(message.body))
    assert found
    return found[1]


@pytest.mark.parametrize("first", ["old", "new"])
def test_the_address_changes_when_both_have_agreed(
    first: str, as_alice: Client, alice: User, client: Client
) -> None:
    ask(as_alice)
    links = [link_to("alice@example.org"), link_to(NEW)]
    for link in links if first == "old" else links[::-1]:
        alice.refresh_from_db()
        assert alice.email == "alice@example.org"
        client.post(link)

    alice.refresh_from_db()
    assert alice.email == NEW
    assert client.post("/login/", {"login": NEW, "password": PASSWORD})["Location"] == "/"
    assert Event.objects.filter(action="person.email", actor_id=alice.pk).count() == 1


def test_opening_a_link_agrees_to_nothing(as_alice: Client, alice: User, client: Client) -> None:
    ask(as_alice)
    for link in (link_to("alice@example.org"), link_to(NEW)):
        assert NEW in client.get(link).content.decode()

    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


@pytest.mark.parametrize("side", ["alice@example.org", NEW])
def test_either_address_can_stop_it(side: str, as_alice: Client, client: Client) -> None:
    ask(as_alice)
    link = link_to(side)
    client.post(link, {"stop": "1"})

    assert not EmailChange.objects.exists()
    assert client.get(link).status_code == 410


def test_one_side_cannot_agree_for_the_other(as_alice: Client, alice: User, client: Client) -> None:
    ask(as_alice)
    for _time in range(2):
        client.post(link_to(NEW))

    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


def test_the_password_is_asked_for(as_alice: Client) -> None:
    assert ask(as_alice, password="wrong") == 422
    assert not mail.outbox


def test_an_address_in_use_is_told_in_its_own_mailbox_only(
    as_alice: Client, alice: User, bob: User, client: Client
) -> None:
    status = ask(as_alice, bob.email)
    client.post(link_to("alice@example.org"))

    assert status == 302
    assert "has one already" in str(next(m for m in mail.outbox if m.to == [bob.email]).body)
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


def test_an_address_taken_meanwhile_stays_whose_it_is(
    as_alice: Client, alice: User, client: Client
) -> None:
    ask(as_alice)
    User.objects.create_user(NEW, PASSWORD)
    client.post(link_to("alice@example.org"))
    answer = client.post(link_to(NEW))

    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    assert "cannot be used" in answer.content.decode()


def test_a_second_wish_closes_the_links_of_the_first(as_alice: Client, client: Client) -> None:
    ask(as_alice)
    link = link_to(NEW)
    ask(as_alice, "other@example.org")

    assert client.post(link).status_code == 410


def test_a_link_is_good_for_three_days(as_alice: Client, client: Client) -> None:
    ask(as_alice)
    with time_machine.travel(timezone.now() + timedelta(days=3, hours=1)):
        assert client.post(link_to(NEW)).status_code == 410


def test_a_dead_mail_server_is_said_and_nothing_is_asked(
    as_alice: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_passwords.DeadMailServer"

    assert ask(as_alice) == 503
    assert not EmailChange.objects.exists()


def test_the_old_address_can_be_kept(as_alice: Client) -> None:
    ask(as_alice)
    as_alice.post("/settings/security/email/cancel/")

    assert not EmailChange.objects.exists()
