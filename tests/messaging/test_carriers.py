"""Carriers of numbers: known ones reach the type that asks for them, unknown ones are never guessed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client

from accounts.models import Workspace
from contacts import carriers as known
from contacts.carriers import carriers, remember
from contacts.models import NumberCarrier
from messaging.models import Status
from phones.models import Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db

US = "+12025550123"


@pytest.fixture
def gateway(workspace: Workspace) -> Phone:
    settings = {"from_address": "sms@example.org", "carriers": "fr-mine,fr,Mine,sms.mine.fr"}
    return Phone.objects.create(
        workspace=workspace, type="email_gateway", name="Mail", settings=settings
    )


def test_a_message_leaves_with_its_recipient_s_carrier(
    scripted: Any, workspace: Workspace, write: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "wants_carrier", True)
    remember(workspace, {number(1): "us-att"}, NumberCarrier.Source.PERSON)
    write(number(1), number(2))

    send()

    assert {sms.to: sms.carrier for sms in scripted.sent} == {number(1): "us-att", number(2): ""}


def test_a_type_that_needs_none_costs_no_question(
    scripted: Any, write: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "rows", lambda *_: 1 / 0)
    write(number(1))

    send()

    assert len(scripted.sent) == 1


def test_with_the_database_away_a_message_waits_and_does_not_fail(
    scripted: Any, write: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(scripted, "wants_carrier", True)
    monkeypatch.setattr(known, "rows", away)
    (message,) = write(number(1))

    send()

    assert states(message) == [Status.QUEUED]
    assert scripted.sent == []


def test_what_is_remembered_again_replaces_what_was_known(workspace: Workspace) -> None:
    remember(workspace, {US: "us-att"}, NumberCarrier.Source.PERSON)
    remember(workspace, {US: "us-verizon"}, NumberCarrier.Source.IMPORT)

    assert carriers(workspace.pk, [US]) == {US: "us-verizon"}


def test_carriers_are_each_workspace_s_own(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Elsewhere", country="US", time_zone="UTC")
    remember(other, {US: "us-att"}, NumberCarrier.Source.PERSON)

    assert carriers(workspace.pk, [US]) == {}


# ---- The page -----------------------------------------------------------------------------------


def test_a_number_is_added_and_shown(as_alice: Client, gateway: Phone) -> None:
    answer = as_alice.post(
        "/carriers/add/", {"number": "+1 202 555 0123", "carrier": "us-verizon"}, follow=True
    )

    assert "Verizon Wireless" in answer.content.decode()
    assert NumberCarrier.objects.get().number == US


def test_only_gateways_that_run_can_be_chosen(as_alice: Client, gateway: Phone) -> None:
    page = as_alice.get("/carriers/").content.decode()

    assert 'value="us-verizon"' in page
    assert 'value="fr-mine"' in page
    assert 'value="us-att"' not in page
    assert as_alice.post("/carriers/add/", {"number": US, "carrier": "us-att"}).status_code == 422


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_file_is_imported(delimiter: str, as_alice: Client, gateway: Phone) -> None:
    lines = ["number,carrier", f"{US},us-verizon", "", "0612345678,FR-mine"]
    file = SimpleUploadedFile("n.csv", "\n".join(lines).replace(",", delimiter).encode())

    as_alice.post("/carriers/import/", {"file": file})

    assert dict(NumberCarrier.objects.values_list("number", "carrier")) == {
        US: "us-verizon",
        "+33612345678": "fr-mine",
    }


def test_a_file_with_a_mistake_changes_nothing_and_names_the_lines(
    as_alice: Client, gateway: Phone
) -> None:
    file = SimpleUploadedFile("n.csv", f"{US},us-verizon\nabc1,us-verizon\n{US},us-att".encode())

    answer = as_alice.post("/carriers/import/", {"file": file})

    assert answer.status_code == 422
    assert "Lines 2, 3" in answer.content.decode()
    assert NumberCarrier.objects.count() == 0


def test_a_file_that_would_take_long_is_refused(as_alice: Client, gateway: Phone) -> None:
    file = SimpleUploadedFile("n.csv", b"1,x\n" * 50_001)

    answer = as_alice.post("/carriers/import/", {"file": file})

    assert answer.status_code == 422
    assert "too large" in answer.content.decode()


@pytest.mark.parametrize(("searched", "found"), [("202555", 1), ("verizon", 1), ("orange", 0)])
def test_the_list_is_searched(
    searched: str, found: int, as_alice: Client, gateway: Phone, workspace: Workspace
) -> None:
    remember(workspace, {US: "us-verizon"}, NumberCarrier.Source.PERSON)

    page = as_alice.get("/carriers/", {"q": searched}).content.decode()

    assert page.count("+1 202-555-0123") == found * 2


def test_a_number_is_forgotten(as_alice: Client, workspace: Workspace) -> None:
    remember(workspace, {US: "us-verizon"}, NumberCarrier.Source.PERSON)

    as_alice.post(f"/carriers/{NumberCarrier.objects.get().pk}/remove/")

    assert NumberCarrier.objects.count() == 0
