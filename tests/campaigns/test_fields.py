"""What texts may say of people and of the workspace."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from accounts.models import User, Workspace
from campaigns import fields
from campaigns.fields import contact_values, workspace_values
from campaigns.models import Sheet
from campaigns.texts import compiled
from contacts import keeping
from contacts.models import Contact, Field

pytestmark = pytest.mark.django_db
NUMBER = "+33612345678"


def contact(workspace: Workspace, **more: Any) -> Contact:
    return Contact.objects.create(workspace=workspace, number=NUMBER, country="FR", **more)


@pytest.fixture
def kept(workspace: Workspace) -> list[Field]:
    for key, type_ in (
        ("born", "date"),
        ("points", "number"),
        ("member", "yes_no"),
        ("town", "text"),
    ):
        Field.objects.create(workspace=workspace, key=key, label=key.title(), type=type_)
    return keeping.fields_of(workspace)


def test_each_field_has_its_type(workspace: Workspace, kept: list[Field]) -> None:
    values = {
        "born": "1999-08-03",
        "points": 12.5,
        "member": False,
        "town": "2026-01-01",
        "gone": "x",
    }
    nadia = contact(workspace, name="Nadia Benali", language="fr", values=values)

    found = contact_values(nadia, NUMBER, "FR", kept)

    assert found == {
        "name": "Nadia Benali", "firstname": "Nadia", "lastname": "Benali", "number": NUMBER,
        "country": "FR", "language": "fr", "born": date(1999, 8, 3), "points": 12.5, "member": False,
        "town": "2026-01-01",
    }  # fmt: skip


def test_what_is_not_known_is_not_there(workspace: Workspace, kept: list[Field]) -> None:
    assert contact_values(contact(workspace), NUMBER, "FR", kept) == {
        "number": NUMBER,
        "country": "FR",
    }


def test_a_number_that_is_nobodys_is_still_a_number() -> None:
    assert contact_values(None, NUMBER, "FR") == {"number": NUMBER, "country": "FR"}


def test_a_field_of_the_workspace_goes_before_half_of_a_name(workspace: Workspace) -> None:
    Field.objects.create(workspace=workspace, key="firstname", label="First name", type="text")

    known = contact_values(
        contact(workspace, name="Dr Benali", values={"firstname": "Nadia"}), NUMBER, "FR"
    )
    unknown = contact_values(Contact(workspace=workspace, name="Dr Benali"), NUMBER, "FR")

    assert (known["firstname"], known["lastname"]) == ("Nadia", "Benali")
    assert "firstname" not in unknown


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Nadia Benali", "Nadia", "Benali"),
        ("Jean-Luc de La Tour", "Jean-Luc", "de La Tour"),
        ("Benali, Nadia", "Nadia", "Benali"),
        ("DE LA TOUR Jean", "Jean", "DE LA TOUR"),
        ("NADIA BENALI", "NADIA", "BENALI"),
        ("Nadia", "Nadia", ""),
        ("", "", ""),
    ],
)
def test_a_name_is_split_as_people_write_it(name: str, first: str, last: str) -> None:
    assert fields.split_name(name) == (first, last)


def test_tags_are_there_when_they_were_fetched(workspace: Workspace) -> None:
    keeping.set_tags(contact(workspace), ["vip"])

    (fetched,) = workspace.contacts.prefetch_related("tags")

    assert contact_values(fetched, NUMBER, "FR", [])["tags"] == ("vip",)
    assert "tags" not in contact_values(workspace.contacts.get(), NUMBER, "FR", [])


def test_dates_speak_the_authors_language_else_the_owners(
    workspace: Workspace, alice: User, bob: User
) -> None:
    alice.language = "fr"
    alice.save(update_fields=["language"])
    assert workspace_values(workspace, bob) == {"name": "Les Tilleuls", "language": "fr"}

    bob.language = "es"
    assert workspace_values(workspace, bob)["language"] == "es"


def test_every_field_that_is_offered_can_be_written(
    workspace: Workspace, kept: list[Field]
) -> None:
    sheet = Sheet(keys=["child", "1st child"], shape={"columns": ["Prénom de l’enfant", ""]})

    offers = fields.offered(workspace, sheet)

    assert [(offer.name, offer.label) for offer in offers[:2]] == [
        ("row.child", "Prénom de l’enfant"),
        ("row.1st child", "1st child"),
    ]
    assert {"contact.firstname", "contact.born", "workspace.name"} <= {
        offer.name for offer in offers
    }
    for offer in offers:
        assert compiled(offer.written).fields == {offer.name}
