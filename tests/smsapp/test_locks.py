"""An upgrade keeps no big table locked for long: what a migration does on PostgreSQL, judged by its SQL.

See https://www.postgresql.org/docs/current/sql-altertable.html and explicit-locking.html there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    ValidateConstraint,
)
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState
from django.db.models.functions import Random

from tests.releases import of_last_stable

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# Tables that may have millions of rows: a site waits while one is read or written from end to end.
BIG = (
    "messaging_message", "messaging_attempt", "messaging_segment", "messaging_report",
    "messaging_message_media", "phones_exchange", "contacts_contact", "contacts_group_contacts",
)  # fmt: skip
_ON = r'(?:ONLY\s+)?"?(?P<table>\w+)"?'
# What holds up everybody for as long as it takes to read or write the whole table, and what to do instead.
SLOW = (
    (rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).* ON {_ON}", "index it by AddIndexConcurrently"),
    (
        rf"ALTER TABLE {_ON} ADD CONSTRAINT (?!.*(NOT VALID|USING INDEX))",
        "add the constraint NOT VALID, and validate it in another migration",
    ),
    (
        rf"ALTER TABLE {_ON} ALTER COLUMN .* TYPE (?!varchar)",
        "add a column instead of rewriting one",
    ),
    (rf"ALTER TABLE {_ON} ALTER COLUMN .* SET NOT NULL", "validate a check instead"),
    (
        rf"ALTER TABLE {_ON} ADD COLUMN .*DEFAULT \(?(RANDOM|CLOCK_TIMESTAMP|GEN_RANDOM|UUID)",
        "give the column a default that is one value",
    ),
    (rf"ALTER TABLE {_ON} ADD COLUMN .* (GENERATED|UNIQUE|SERIAL)", "fill the column in batches"),
    (rf"(UPDATE|DELETE FROM|VACUUM FULL|CLUSTER) {_ON}", "change rows in batches, by RunPython"),
)


def problems(migration: Migration, state: ProjectState) -> Iterator[str]:
    """Say what keeps a big table locked, and how it would not."""
    name = f"{migration.app_label}.{migration.name}"
    for operation in migration.operations:
        code = isinstance(operation, migrations.RunPython)
        if code and migration.atomic and getattr(operation, "atomic", None) is not False:
            yield f"{name}: RunPython holds its locks until all is done: atomic = False, in batches"
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    for statement in editor.collected_sql:
        one_line = " ".join(statement.split())
        for pattern, instead in SLOW:
            found = re.match(pattern, one_line, re.IGNORECASE)
            if found and found["table"] in BIG:
                yield f"{name}: {instead}: {one_line[:120]}"


def test_no_migration_since_the_last_release_locks_a_big_table(settings: Any) -> None:
    settings.MIGRATION_MODULES = {}
    ends = of_last_stable()
    if ends is None:
        return  # nobody has a site of the first release yet
    loader = MigrationLoader(None)
    done = {node for app, name in ends.items() for node in loader.graph.forwards_plan((app, name))}
    found = []
    for node in loader.graph.nodes:
        if node[0] in ends and node not in done:
            state = loader.project_state(loader.graph.forwards_plan(node)[:-1])
            found += problems(loader.graph.nodes[node], state)

    assert found == []


def a_migration(*operations: Any, atomic: bool = True) -> Migration:
    migration = Migration("9999_next", "messaging")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


@pytest.fixture(scope="module")
def now() -> ProjectState:
    """The tables as they are, without going through all migrations."""
    from django.apps import apps  # noqa: PLC0415

    return ProjectState.from_apps(apps)


INDEX = models.Index(fields=["words"], name="by_words")
CHECK = models.CheckConstraint(condition=models.Q(segments__gte=0), name="some_segments")
FORGET = migrations.RunPython(migrations.RunPython.noop)


@pytest.mark.parametrize(
    ("operations", "atomic"),
    [
        ([migrations.AddIndex("message", INDEX)], True),
        ([migrations.AddConstraint("message", CHECK)], True),
        ([migrations.AddField("message", "chance", models.FloatField(db_default=Random()))], True),
        ([migrations.AddField("message", "by", models.ForeignKey("accounts.User", models.CASCADE,
            null=True, related_name="+"))], True),
        ([migrations.AlterField("message", "segments", models.BigIntegerField(default=1))], True),
        ([migrations.AlterField("message", "sent_at", models.DateTimeField())], True),
        ([migrations.RunSQL("UPDATE messaging_message SET words = ''")], True),
        ([FORGET], True),
    ],
    ids=["index", "check", "volatile", "foreign key", "type", "not null", "update", "in one go"],
)  # fmt: skip
def test_what_locks_a_big_table_is_seen(
    operations: Sequence[Any], atomic: bool, now: ProjectState
) -> None:
    assert list(problems(a_migration(*operations, atomic=atomic), now.clone()))


@pytest.mark.parametrize(
    ("operations", "atomic"),
    [
        ([AddIndexConcurrently("message", INDEX)], False),
        ([AddConstraintNotValid("message", CHECK)], True),
        (
            [AddConstraintNotValid("message", CHECK), ValidateConstraint("message", CHECK.name)],
            True,
        ),
        ([migrations.AddField("message", "a", models.CharField(default="", max_length=9))], True),
        ([migrations.AddField("message", "b", models.IntegerField(null=True))], True),
        ([migrations.AddIndex("workspace", models.Index(fields=["name"], name="by_name"))], True),
        ([FORGET], False),
    ],
    ids=["index", "check", "check validated", "constant", "null", "small table", "in batches"],
)
def test_what_locks_nothing_for_long_is_let_through(
    operations: Sequence[Any], atomic: bool, now: ProjectState
) -> None:
    migration = a_migration(*operations, atomic=atomic)
    if operations[0].__class__.__name__ == "AddIndex":
        migration.app_label = "accounts"

    assert list(problems(migration, now.clone())) == []
