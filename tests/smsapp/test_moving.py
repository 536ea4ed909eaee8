"""A site that moves to another database is there as it was here, row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from accounts.models import User, Workspace
from contacts.models import Contact, Group
from messaging.activity import ACTIVITY
from messaging.models import (
    Activity,
    Attempt,
    Direction,
    IncomingPart,
    Message,
    PartSet,
    Report,
    Status,
)
from phones.models import Phone
from smsapp import moving
from tests.peers.postgres import start_postgres

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def elsewhere(db: None, tmp_path: Path, settings: Any) -> str:
    """An empty SQLite database: the address to move to. Its tables are there: making them takes seconds."""
    settings.DATA_DIR = tmp_path
    place = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as empty:
        empty.execute("VACUUM INTO ?", (str(place),))
    return f"sqlite:///{place}"


def connect(database: BaseDatabaseWrapper) -> None:
    if database.connection is None:
        database.connect()


@pytest.fixture(autouse=True)
def another_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Allow one that the test did not begin with, and forget it afterwards."""
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", connect)
    yield
    if connections.databases.pop(moving.THERE, None):
        del connections[moving.THERE]


@pytest.fixture
def site(elsewhere: str, phone: Phone, alice: User, bob: User) -> None:
    """Something of each kind of value, and rows that point at later ones."""
    phone.settings = {"auth_token": "s3cret"}
    phone.save(update_fields=["settings"])
    workspace = phone.workspace
    other = Phone.objects.create(workspace=workspace, type="simulator", name="B", settings={})
    Phone.objects.filter(pk=phone.pk).update(look_up_by=other.pk)
    contact = Contact.objects.create(workspace=workspace, number="+33612345678", name="Zoë 🐈")
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    group.contacts.add(contact)
    old = timezone.now() - timedelta(days=700)
    message = Message.objects.create(
        workspace=workspace, phone=phone, direction=Direction.OUT, status=Status.DELIVERED,
        peer="+33612345678", text="Ça va?", created_at=old, cost=75_000, currency="EUR",
    )  # fmt: skip
    Attempt.objects.create(message=message, kind="temporary", phone=phone)
    Report.objects.create(phone=phone, state="failed", aliases=["a", "b"])
    parts = PartSet.objects.create(phone=phone, sender="+336", reference="1", total=2)
    IncomingPart.objects.create(set=parts, number=1, text="½".encode("utf-16-be"))


def rows(alias: str) -> dict[str, list[tuple[Any, ...]]]:
    return {
        model._meta.label: [
            tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
            for row in model._base_manager.using(alias).order_by("pk").values_list()
        ]
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }


def test_every_row_is_there_as_it_was(site: None, elsewhere: str) -> None:
    before = rows("default")

    call_command("move_database", to=elsewhere)

    assert rows(moving.THERE) == before
    assert rows("default") == before
    assert sum(map(len, before.values())) > 10


def test_new_rows_there_begin_behind_the_old_ones(site: None, elsewhere: str) -> None:
    call_command("move_database", to=elsewhere)

    added = Workspace.objects.using(moving.THERE).create(name="New")

    assert added.pk > Workspace.objects.latest("pk").pk


def test_people_there_are_not_overwritten(site: None, elsewhere: str) -> None:
    call_command("move_database", to=elsewhere)

    with pytest.raises(CommandError, match="has people already"):
        call_command("move_database", to=elsewhere)


def test_a_row_that_differs_undoes_all(
    site: None, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = moving._copy

    def careless(model: Any) -> int:
        many = copy(model)
        model._base_manager.using(moving.THERE).filter(pk__lt=0).delete()
        if model is Message:
            model.objects.using(moving.THERE).update(text="Other")
        return many

    monkeypatch.setattr(moving, "_copy", careless)

    with pytest.raises(CommandError, match=r"messaging\.Message .* differs there"):
        call_command("move_database", to=elsewhere)

    assert not User.objects.using(moving.THERE).exists()


def test_counts_that_postgresql_keeps_in_several_rows_are_one_on_sqlite(
    site: None, elsewhere: str
) -> None:
    (row,) = Activity.objects.values("workspace_id", "at", "status", "phone", "person", "currency")
    ACTIVITY.remove("default")
    try:
        for amount in (3, -1):
            Activity.objects.create(**row, amount=amount, segments=0, cost=0, estimate=0)

        call_command("move_database", to=elsewhere)

        there = Activity.objects.using(moving.THERE)
        assert list(there.values_list("amount", flat=True)) == [3]
        with pytest.raises(IntegrityError):
            there.create(**row, amount=1, segments=0, cost=0, estimate=0)
    finally:
        ACTIVITY.install()


@pytest.mark.parametrize("to", ["nowhere", "postgres://", "redis://x/y"])
def test_an_address_of_no_database_is_refused(to: str, elsewhere: str) -> None:
    with pytest.raises(CommandError):
        call_command("move_database", to=to)


@pytest.mark.peer
def test_sqlite_moves_to_postgresql(site: None, elsewhere: str) -> None:
    before = rows("default")

    with start_postgres() as postgres:
        call_command("move_database", to=postgres.database_url)

        assert rows(moving.THERE) == before
        added = Workspace.objects.using(moving.THERE).create(name="New")
        assert added.pk > Workspace.objects.latest("pk").pk
        connections[moving.THERE].close()
