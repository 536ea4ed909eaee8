"""The pages about people: listing, adding, changing many, putting together, forgetting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from contacts import keeping, services
from contacts.models import Change, Contact, Field, Group
from messaging.models import Conversation, Direction, Media, Message, Status
from phones.models import Exchange, Phone
from tests.contacts.cast import contact, field

pytestmark = pytest.mark.django_db


@pytest.fixture
def nadia(workspace: Workspace) -> Contact:
    return contact(workspace, "Nadia Benali", "+33612345678", town="Lyon")


def message(workspace: Workspace, phone: Phone, **given: Any) -> Message:
    return Message.objects.create(
        **{
            "workspace": workspace, "phone": phone, "direction": Direction.OUT, "status": Status.SENT,
            "peer": "+33612345678", "text": "Hello", **given,
        }
    )  # fmt: skip


def test_the_list_costs_the_same_whoever_is_in_it(
    workspace: Workspace, as_alice: Client, django_assert_max_num_queries: Any
) -> None:
    group, tag = keeping.group_named(workspace, "Choir"), keeping.tag_named(workspace, "vip")
    for number in range(20):
        person = contact(workspace, f"N{number}", f"+336123456{number:02}")
        person.groups.add(group)
        person.tags.add(tag)

    with django_assert_max_num_queries(15):
        page = as_alice.get("/contacts/").content.decode()

    assert "N19" in page
    assert "20 people" in page


def test_somebody_is_added_with_all_that_is_known(workspace: Workspace, as_bob: Client) -> None:
    field(workspace, "Town")
    field(workspace, "Born", "date")
    group = keeping.group_named(workspace, "Choir")
    answer = as_bob.post(
        "/contacts/add/",
        {
            "name": "Zoé", "number": "06 12 34 56 78", "value_town": "Lyon", "value_born": "1999-12-31",
            "groups": [group.pk], "tags": "vip, Été", "language": "fr", "time_zone": "Europe/Paris",
            "carrier": "Orange France",
        },
    )  # fmt: skip

    person = Contact.objects.get()
    assert answer["Location"] == f"/contacts/{person.pk}/"
    assert (person.number, person.carrier) == ("+33612345678", "orange-france")
    assert person.values == {"town": "Lyon", "born": "1999-12-31"}
    assert [tag.name for tag in person.tags.all()] == ["Été", "vip"]
    page = as_bob.get(answer["Location"]).content.decode()
    assert "Lyon" in page
    assert "Choir" in page


def test_a_number_that_somebody_has_leads_to_them(as_bob: Client, nadia: Contact) -> None:
    answer = as_bob.post("/contacts/add/", {"name": "Other", "number": "+33612345678"})

    assert answer.status_code == 422
    assert f'href="/contacts/{nadia.pk}/"' in answer.content.decode()


def test_what_is_wrong_with_a_value_is_said_beside_it(workspace: Workspace, as_bob: Client) -> None:
    field(workspace, "Level", "number")
    answer = as_bob.post("/contacts/add/", {"number": "+33612345678", "value_level": "high"})

    assert answer.status_code == 422
    assert "is no number" in answer.content.decode()
    assert not Contact.objects.exists()


def test_all_that_match_are_changed_and_brought_back(
    workspace: Workspace, as_alice: Client, nadia: Contact
) -> None:
    contact(workspace, "Omar", "+33612345679")
    asked = as_alice.get("/contacts/change/?q=nadia&all=1&what=delete").content.decode()
    contact(workspace, "Nadia Later", "+33612345670")
    done = as_alice.post(
        "/contacts/change/", {"q": "nadia", "all": "1", "what": "delete", "upto": nadia.pk}
    )

    assert "Delete 1 person" in asked
    assert sorted(c.name for c in Contact.objects.living()) == ["Nadia Later", "Omar"]
    assert "1 person was deleted." in as_alice.get(done["Location"]).content.decode()
    as_alice.post(f"/contacts/changes/{Change.objects.get().pk}/undo/")
    assert Contact.objects.living().count() == 3


def test_a_new_group_is_made_while_people_are_put_in(
    workspace: Workspace, as_bob: Client, nadia: Contact
) -> None:
    as_bob.post("/contacts/change/", {"chosen": [nadia.pk], "what": "group", "new": "Choir"})

    assert list(services.members(Group.objects.get())) == [nadia]


def test_who_sends_deletes_nobody(workspace: Workspace, as_bob: Client, nadia: Contact) -> None:
    answer = as_bob.post("/contacts/change/", {"chosen": [nadia.pk], "what": "delete"})

    assert answer.status_code == 403
    assert Contact.objects.living().exists()


def test_doubles_are_found_and_put_together(
    workspace: Workspace, as_alice: Client, nadia: Contact
) -> None:
    other = contact(workspace, "Nadia Benali", "+33698765432", level=3)
    alike = contact(workspace, "Pro", "+32612345678")
    page = as_alice.get("/contacts/duplicates/").content.decode()
    as_alice.post("/contacts/merge/", {"chosen": [nadia.pk, other.pk], "kept": nadia.pk})

    assert f"/contacts/{other.pk}/" in page
    assert f"/contacts/{alike.pk}/" in page
    nadia.refresh_from_db()
    assert nadia.values == {"town": "Lyon", "level": 3}
    assert set(Contact.objects.living()) == {nadia, alike}


def test_a_persons_page_shows_what_was_said(
    workspace: Workspace, as_vera: Client, phone: Phone, nadia: Contact
) -> None:
    message(workspace, phone, text="See you at nine")
    page = as_vera.get(f"/contacts/{nadia.pk}/").content.decode()

    assert "See you at nine" in page


def test_people_get_a_file_with_all_that_is_held(
    workspace: Workspace, as_alice: Client, phone: Phone, nadia: Contact
) -> None:
    field(workspace, "Town")
    message(workspace, phone)
    services.opt_out(workspace, nadia.number, "person", "asked")

    told = json.loads(as_alice.get(f"/contacts/{nadia.pk}/data/").content)

    assert told["contact"]["fields"] == {"Town": "Lyon"}
    assert told["messages"][0]["text"] == "Hello"
    assert told["opt_out"]["reason"] == "asked"


def test_erasing_leaves_nothing_but_the_opt_out(
    workspace: Workspace, as_alice: Client, phone: Phone, nadia: Contact
) -> None:
    said = message(workspace, phone)
    other = message(workspace, phone, peer="+33699999999")
    picture = Media.objects.create(workspace=workspace, file=ContentFile(b"x", "x.png"))
    picture.messages.add(said)
    Exchange.objects.create(phone=phone, message=said.pk, direction="out", method="POST", url="/")
    Conversation.objects.create(
        workspace=workspace, peer=nadia.number, phone=phone, last=said, last_at=timezone.now()
    )
    services.opt_out(workspace, nadia.number, "person")

    unsure = as_alice.post(f"/contacts/{nadia.pk}/erase/")
    assert unsure.status_code == 422
    as_alice.post(f"/contacts/{nadia.pk}/erase/", {"sure": "1"})

    assert list(Message.objects.all()) == [other]
    for model in (Contact, Media, Exchange, Conversation):
        assert not model._default_manager.exists()
    assert services.opted_out(workspace, [nadia.number])


def test_nothing_is_erased_while_a_message_is_leaving(
    workspace: Workspace, as_alice: Client, phone: Phone, nadia: Contact
) -> None:
    waits = message(workspace, phone, status=Status.QUEUED)
    message(workspace, phone, status=Status.SENDING, lease_until=timezone.now())

    as_alice.post(f"/contacts/{nadia.pk}/erase/", {"sure": "1"})

    waits.refresh_from_db()
    assert waits.status == Status.QUEUED
    assert Message.objects.count() == 2
    assert Contact.objects.filter(pk=nadia.pk).exists()


def test_deleting_a_field_shows_what_is_lost(
    workspace: Workspace, as_alice: Client, jobs: Any
) -> None:
    town = field(workspace, "Town")
    contact(workspace, "Nadia", "+33612345678", town="Lyon")
    page = as_alice.get(f"/contacts/fields/{town.pk}/delete/").content.decode()
    as_alice.post(f"/contacts/fields/{town.pk}/delete/")
    keeping.forget_values(town.pk)

    assert "Lyon" in page
    assert "1 person" in page
    assert not Field.objects.exists()
    assert Contact.objects.get().values == {}


def test_groups_are_kept_apart_by_name(as_bob: Client, workspace: Workspace) -> None:
    as_bob.post("/groups/add/", {"name": "Choir"})
    again = as_bob.post("/groups/add/", {"name": "CHOIR"})

    assert again.status_code == 422
    assert Group.objects.get().name == "Choir"


def test_nothing_of_another_workspace_is_reached(
    workspace: Workspace, as_charlie: Client, charlie: User, nadia: Contact
) -> None:
    group = keeping.group_named(workspace, "Choir")
    page = as_charlie.get("/contacts/?q=nadia").content.decode()
    as_charlie.post("/contacts/change/", {"chosen": [nadia.pk], "what": "delete"})
    own = contact(charlie.memberships.get().workspace, "Own", "+33611111111")
    as_charlie.post("/contacts/change/", {"chosen": [own.pk], "what": "group", "target": group.pk})

    assert "Benali" not in page
    assert Contact.objects.living().count() == 2
    assert not group.contacts.exists()
