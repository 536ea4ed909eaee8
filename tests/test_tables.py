"""Django's admin shows rows to administrators of the site: to look at, and nothing that anybody wrote."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from accounts.models import User, Workspace
from contacts.models import Contact
from messaging.models import Direction, Message, Status
from phones.models import Phone
from smsapp import tables
from tests.conftest import logged_in

pytestmark = pytest.mark.django_db
MODELS = [m for app in tables.OURS for m in tables.apps.get_app_config(app).get_models()]


@pytest.fixture
def as_root() -> Client:
    return logged_in(User.objects.create_superuser("root@example.org"))


@pytest.fixture
def message(workspace: Workspace, phone: Phone) -> Message:
    Contact.objects.create(workspace=workspace, number="+33612345678", name="Nadia Secret")
    return Message.objects.create(
        workspace=workspace, phone=phone, direction=Direction.OUT, status=Status.QUEUED,
        peer="+33612345678", text="Come at noon",
    )  # fmt: skip


def place(model: type[models.Model], view: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_table_is_listed(model: type[models.Model], as_root: Client, message) -> None:
    assert as_root.get(place(model, "changelist")).status_code == 200


def test_tables_have_the_names_of_the_code(as_root: Client) -> None:
    page = as_root.get(reverse("admin:index")).text

    assert ">QuietHours<" in page
    assert "hourss" not in page


def test_nothing_that_people_wrote_is_shown(as_root: Client, message: Message, phone) -> None:
    contact = Contact.objects.get()
    pages = [
        place(Message, "changelist"), place(Message, "change", message.pk),
        place(Contact, "changelist"), place(Contact, "change", contact.pk),
        place(Phone, "changelist"), place(Phone, "change", phone.pk),
    ]  # fmt: skip

    for page in pages:
        answer = as_root.get(page)
        assert answer.status_code == 200, page
        for words in ("612345678", "6 12 34", "Nadia", "Come at noon", phone.token):
            assert words not in answer.text, (page, words)


def test_hidden_columns_cannot_be_guessed_by_asking(as_root: Client, message: Message) -> None:
    asked = {"peer__startswith": "+336", "text__contains": "noon", "o": "-8", "q": "+336"}
    for name, value in asked.items():
        answer = as_root.get(place(Message, "changelist"), {name: value})
        found = answer.status_code == 200 and f"/{message.pk}/change/" in answer.text
        told = as_root.get(place(Message, "changelist"), {name: "nothing"})
        is_same = told.status_code == 200 and f"/{message.pk}/change/" in told.text
        assert found == is_same, name


def test_nothing_can_be_changed(as_root: Client, message: Message) -> None:
    before = Message.objects.values().get()
    for page in (place(Message, "changelist"), place(Message, "change", message.pk)):
        assert as_root.post(page, {"status": "cancelled", "_save": "1"}).status_code in (403, 405)

    assert Message.objects.values().get() == before
    for verb in ("add", "delete"):
        assert as_root.get(f"/administration/tables/messaging/message/{verb}/").status_code != 200


def test_it_is_not_there_for_others(as_alice: Client, message: Message) -> None:
    staff = logged_in(User.objects.create_user("staff@example.org", is_staff=True))
    pages = [
        reverse("admin:index"), reverse("admin:jsi18n"), reverse("admin:app_list", args=["messaging"]),
        place(Message, "changelist"), place(Message, "change", message.pk),
    ]  # fmt: skip

    for page in pages:
        assert as_alice.get(page).status_code == staff.get(page).status_code == 404, page
        assert Client().get(page).headers["Location"].startswith("/login/"), page


def test_a_row_is_found_by_its_number(as_root: Client, message: Message, monkeypatch) -> None:
    monkeypatch.setattr(tables, "MOST", 0)
    row = f"/{message.pk}/change/"

    assert row not in as_root.get(place(Message, "changelist")).text
    assert row in as_root.get(place(Message, "changelist"), {"q": str(message.pk)}).text
