"""People and groups are written to by name; one person is reached once."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Workspace
from contacts import keeping, services
from contacts.models import Contact, Group
from lib import e164
from messaging import planning
from messaging.models import Conversation, Direction, Message, Status
from phones.models import Phone
from tests.contacts.cast import contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def choir(workspace: Workspace) -> Group:
    group = keeping.group_named(workspace, "Choir")
    group.contacts.set(
        [contact(workspace, name, f"+3361234567{n}") for n, name in enumerate(["Nadia", "Omar"])]
    )
    return group


def form(phone: Phone, **given: Any) -> dict[str, Any]:
    return {"text": "Hello", "phone": phone.pk, "submission": str(uuid.uuid4()), "to": "", **given}


def test_each_person_gets_one_message_however_chosen(
    as_bob: Client, phone: Phone, choir: Group, workspace: Workspace
) -> None:
    nadia = Contact.objects.get(name="Nadia")
    services.opt_out(workspace, "+33612345671", "person")
    who = [f"g{choir.pk}", f"c{nadia.pk}", "g999", "c1x", "z1"]

    as_bob.post("/compose/", form(phone, to="+33612345670, +33699999999", who=who))

    sent = {message.peer: message.status for message in Message.objects.all()}
    assert sent == {
        "+33612345670": Status.QUEUED,
        "+33612345671": Status.SKIPPED,
        "+33699999999": Status.QUEUED,
    }


def test_an_address_chooses_people_and_groups(as_bob: Client, phone: Phone, choir: Group) -> None:
    nadia = Contact.objects.get(name="Nadia")
    page = as_bob.get(f"/compose/?group={choir.pk}&contact={nadia.pk}").content.decode()

    assert f'value="g{choir.pk}" checked' in page
    assert f'value="c{nadia.pk}" checked' in page
    assert "Send to 2 people" in page


def test_nobody_chosen_is_said(as_bob: Client, phone: Phone, workspace: Workspace) -> None:
    empty = keeping.group_named(workspace, "Empty")
    nothing = as_bob.post("/compose/", form(phone))
    nobody = as_bob.post("/compose/", form(phone, who=[f"g{empty.pk}"]))

    assert "Type at least one number." in nothing.content.decode()
    assert "Nobody is in this." in nobody.content.decode()
    assert not Message.objects.exists()


def test_too_large_a_group_is_refused_whole(
    as_bob: Client, phone: Phone, choir: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_PEOPLE", 1)
    answer = as_bob.post("/compose/", form(phone, who=[f"g{choir.pk}"]))

    assert answer.status_code == 422
    assert "more than 1 people" in answer.content.decode()
    assert not Message.objects.exists()


def test_groups_of_others_reach_nobody(as_charlie: Client, phone: Phone, choir: Group) -> None:
    page = as_charlie.get(f"/compose/?group={choir.pk}").content.decode()
    found = as_charlie.get("/compose/recipients/?q=choir").content.decode()

    assert "Choir" not in page + found


def test_letters_bring_suggestions(as_bob: Client, choir: Group) -> None:
    found = as_bob.get("/compose/recipients/?q=nad").content.decode()
    group = as_bob.get("/compose/recipients/?q=CHO").content.decode()
    number = as_bob.get("/compose/recipients/?q=06123").content.decode()

    assert "Nadia" in found
    assert "2 people" in group
    assert "Omar" in number
    assert "Nobody is called that." in as_bob.get("/compose/recipients/?q=x").content.decode()


def test_lists_show_names_and_find_them(
    as_bob: Client, phone: Phone, choir: Group, workspace: Workspace
) -> None:
    said = Message.objects.create(
        workspace=workspace, phone=phone, direction=Direction.IN, status=Status.RECEIVED,
        peer="+33612345670", text="Bonjour",
    )  # fmt: skip
    talk = Conversation.objects.create(
        workspace=workspace, peer=said.peer, phone=phone, last=said, last_at=timezone.now()
    )
    pages = [
        "/",
        "/inbox/",
        "/inbox/?q=nadia",
        f"/inbox/{talk.pk}/",
        "/messages/",
        "/messages/?q=nadia",
    ]
    pages.append(f"/messages/{said.pk}/")
    for page in pages:
        shown = as_bob.get(page).content.decode()
        assert "Nadia" in shown, page
    assert "Nadia" not in as_bob.get("/inbox/?q=omar").content.decode()


def test_many_doubtful_numbers_are_one_sentence() -> None:
    one = e164.read("+33639980001", "FR")
    two = e164.read("+33639980001 +33639980002", "FR")

    assert planning.doubts(one) == [
        "+33 6 39 98 00 01 has the right length, but we know no such range. It is tried all the same."
    ]
    assert len(planning.doubts(two)) == 1
    assert planning.doubts(two)[0].startswith("2 numbers, such as +33 6 39 98 00 01,")


def test_two_hours_are_two_hours() -> None:
    spoken = [planning.duration(seconds) for seconds in (119, 120, 7199, 7200)]

    assert spoken == ["119 s", "2 min", "120 min", "2 h"]
