"""The connection of a phone that stays connected, on its page."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Workspace
from lib.jobs import SEND, redis
from phones import leases, live
from phones.models import Phone
from phones.sessions import Bind

pytestmark = pytest.mark.django_db


@pytest.fixture
def bound(workspace: Workspace) -> Phone:
    settings = {"host": "smsc.example.org", "port": 2775, "system_id": "acme", "password": "secret"}
    return Phone.objects.create(
        workspace=workspace, type="smpp", name="Operator", settings=settings
    )


def page(client: Client, phone: Phone, name: str = "phone_binds") -> str:
    answer = client.get(reverse(name, args=[phone.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def show(phone: Phone, **values: object) -> None:
    bind = Bind(name="trx", state="bound", since=90, window=10, in_flight=3, **values)  # type: ignore[arg-type]
    live.show(phone.pk, [asdict(bind)])


def test_it_says_where_nothing_keeps_it_connected(bound: Phone, as_vera: Client) -> None:
    assert "Nothing keeps this phone connected." in page(as_vera, bound, "phone")


def test_each_bind_is_shown_as_it_is(bound: Phone, as_vera: Client) -> None:
    leases.take(bound)
    show(bound, per_second=12, answer_ms=34, in_doubt=5, enquired=20, received=1)

    said = page(as_vera, bound)

    for words in ("Connected", "3 / 10", "12 segments a second", "after 34 ms", "Held by"):
        assert words in said


def test_what_keeps_a_bind_from_standing_is_said(bound: Phone, as_vera: Client) -> None:
    leases.take(bound)
    live.show(bound.pk, [asdict(Bind("trx", "closed", 3, words="Invalid Password <0x0E>"))])

    said = page(as_vera, bound)

    assert "Not connected" in said
    assert "Invalid Password &lt;0x0E&gt;" in said


def test_managers_ask_for_a_trace_and_only_they_see_it(
    bound: Phone, as_alice: Client, as_bob: Client
) -> None:
    leases.take(bound)
    show(bound)
    ask = reverse("phone_trace", args=[bound.pk])

    assert as_bob.post(ask).status_code == 403
    assert as_alice.post(ask).status_code == 302
    live.add_trace(bound.pk, ["12:00:00.000 trx > enquire_link #7"])

    assert live.wants_trace(bound.pk) > 50
    assert "enquire_link #7" in page(as_alice, bound)
    assert "enquire_link #7" not in page(as_bob, bound)


def test_strangers_see_nothing(bound: Phone, as_charlie: Client) -> None:
    assert as_charlie.get(reverse("phone_binds", args=[bound.pk])).status_code == 404
    assert as_charlie.post(reverse("phone_trace", args=[bound.pk])).status_code == 404


def test_a_phone_that_does_not_stay_connected_leads_to_its_page(
    phone: Phone, as_vera: Client
) -> None:
    answer = as_vera.get(reverse("phone_binds", args=[phone.pk]))

    assert answer.headers["Location"] == reverse("phone", args=[phone.pk])


def test_a_paused_phone_says_that_the_operator_keeps_what_comes(
    bound: Phone, as_vera: Client
) -> None:
    redis(SEND).delete(f"live:{bound.pk}")
    Phone.objects.filter(pk=bound.pk).update(paused_at="2026-11-21T12:00Z")

    assert "A paused phone is not connected." in page(as_vera, bound)
