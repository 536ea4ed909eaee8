from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Workspace
from contacts.models import Contact
from lib import bulk
from phones.models import Phone

pytestmark = pytest.mark.database


def phones(workspace: Workspace, count: int) -> list[Phone]:
    return Phone.objects.bulk_create(
        Phone(workspace=workspace, type="x", name=f"P{i}", settings={}) for i in range(count)
    )


def test_each_row_gets_its_own_values(workspace: Workspace) -> None:
    first, second, _ = phones(workspace, 3)
    later = timezone.now() + timedelta(days=1)

    changed = bulk.update(
        Phone,
        ["id", "address", "paused_at"],
        [(second.pk, "b", None), (first.pk, "a", later)],
        assign="address = v.address, paused_at = v.paused_at",
        where="m.deleted_at IS NULL",
    )

    assert changed == [first.pk, second.pk]
    assert list(Phone.objects.order_by("id").values_list("address", "paused_at")) == [
        ("a", later),
        ("b", None),
        ("", None),
    ]


def test_only_rows_that_meet_the_condition_change(workspace: Workspace) -> None:
    first, second = phones(workspace, 2)

    changed = bulk.update(
        Phone,
        ["id", "address"],
        [(first.pk, "a"), (second.pk, "b")],
        assign="address = v.address",
        where="m.name = %s",
        arguments=["P1"],
    )

    assert changed == [second.pk]


def test_more_rows_than_one_statement_takes(workspace: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "_VARIABLES", 4)
    rows = phones(workspace, 7)

    changed = bulk.update(
        Phone,
        ["id", "address"],
        [(row.pk, f"n{row.pk}") for row in rows],
        assign="address = v.address",
        where="1 = 1",
    )

    assert changed == [row.pk for row in rows]


def test_no_rows_change_nothing(db: None) -> None:
    assert bulk.update(Phone, ["id"], [], assign="rate = 1", where="1 = 1") == []


def test_rows_are_inserted_with_what_they_share_and_defaults(workspace: Workspace) -> None:
    when = timezone.now()
    bulk.insert(
        Contact,
        ("number", "values", "deleted_at"),
        [("+33600000001", {"town": "Lyon"}, None), ("+33600000002", {}, when)],
        workspace=workspace.pk,
        name="Somebody",
    )

    found = Contact.objects.order_by("number")
    assert [(c.number, c.values, c.deleted_at) for c in found] == [
        ("+33600000001", {"town": "Lyon"}, None),
        ("+33600000002", {}, when),
    ]
    assert {(c.name, c.notes, c.workspace) for c in found} == {("Somebody", "", workspace)}
