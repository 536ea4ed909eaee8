"""A database of the release before, with something in every table, becomes one of today: all is there."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import AppConfig
from django.apps import apps as today
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import OperationalError, connection, models
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from accounts.models import User, Workspace
from lib.vault import EncryptedJSONField
from messaging.activity import ACTIVITY
from smsapp import preparing
from smsapp.supervisor import CannotStart
from tests.conftest import ON_POSTGRESQL
from tests.releases import previous

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

ROOT = Path(__file__).parents[2]
ROWS = 3
LATELY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAGES = [
    "/",
    "/messages/",
    "/inbox/",
    "/contacts/",
    "/phones/",
    "/campaigns/",
    "/compose/",
    "/usage/",
]
Row = dict[str, Any]


@pytest.fixture
def of_models(db: None) -> set[str]:
    """Give the schema that all other tests have: made from the models, without migrations."""
    return schema()


@pytest.fixture
def another_database(db: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    """Let this test have an empty database of its own."""
    settings.MIGRATION_MODULES = {}  # tests do without them otherwise
    before = connection.settings_dict["NAME"]
    connection.close()
    other = "smsapp_of_before" if ON_POSTGRESQL else str(tmp_path / "before.sqlite3")
    if ON_POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {other}")
        connection.close()
    connection.settings_dict["NAME"] = other
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        if ON_POSTGRESQL:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {other} WITH (FORCE)")


def test_a_site_of_the_release_before_goes_on_with_all_it_had(
    of_models: set[str], another_database: None
) -> None:
    old = built_before()
    fill(old)
    before = {model._meta.db_table: rows_of(model) for model in tables(old)}
    assert all(before.values()), [table for table, rows in before.items() if not rows]

    call_command("migrate", interactive=False, verbosity=0)

    assert lost(before) == []
    assert schema() == of_models
    for workspace in Workspace.objects.all():
        assert ACTIVITY.agree(workspace.pk)
    call_command("recount")
    call_command("check", databases=["default"])
    someone = User.objects.get(email="person0@example.org")
    client = Client()
    client.force_login(someone)
    assert {page: client.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)


def test_a_database_that_starts_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    connect = connection.ensure_connection

    def ensure() -> None:
        asked.append(1)
        if len(asked) < 3:
            raise OperationalError("Connection refused")
        connect()

    monkeypatch.setattr(preparing, "_ASK_EVERY", 0.001)
    monkeypatch.setattr(connection, "ensure_connection", ensure)

    assert preparing._answers() is False
    preparing.prepare_database(wait=5)

    assert len(asked) >= 3


@pytest.mark.postgres
def test_machines_that_are_upgraded_together_migrate_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once: list[int] = []
    most = []

    def migrating(_connection: object) -> Any:
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.pop()
        raise OperationalError("enough")

    monkeypatch.setattr(preparing, "MigrationExecutor", migrating)

    def machine() -> None:
        with pytest.raises(CannotStart):
            preparing.prepare_database()

    machines = [threading.Thread(target=machine) for _ in range(3)]
    for one in machines:
        one.start()
    for one in machines:
        one.join(10)

    assert most == [1, 1, 1]


def built_before() -> Apps:
    """Make the tables of the release before, and of what it stands on; give its models."""
    executor = MigrationExecutor(connection)
    ours = {config.label for config in today.get_app_configs() if is_ours(config)}
    leaves = executor.loader.graph.leaf_nodes()
    ends = previous({app: name for app, name in leaves if app in ours})
    others = [leaf for leaf in leaves if leaf[0] not in ours]
    return executor.migrate([*ends.items(), *others]).apps


def schema() -> set[str]:
    """Give what PostgreSQL knows of our tables: columns, indexes, constraints, triggers; else nothing.

    Without casts and brackets, of which it writes others once tests have restored a backup.
    """
    if not ON_POSTGRESQL:
        return set()
    ours = {model._meta.db_table for model in tables(today) if is_ours(model._meta.app_config)}
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        return {
            f"{table}: {CASTS.sub('', what)}" for table, what in cursor.fetchall() if table in ours
        }


CASTS = re.compile(r"::(character varying|text)(\[\])?|[()]")
SCHEMA = """
SELECT table_name, concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable,
                             column_default, is_identity, generation_expression)
FROM information_schema.columns WHERE table_schema = 'public'
UNION SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""


def is_ours(app: AppConfig) -> bool:
    return Path(app.path).parent == ROOT


def tables(apps: Apps) -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def rows_of(model: type[models.Model]) -> dict[Any, Row]:
    return {row["pk"]: row for row in model._base_manager.values("pk", *columns(model))}


def columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def lost(before: dict[str, dict[Any, Row]]) -> list[str]:
    """Say what is not there any more, or says something else now."""
    now = {model._meta.db_table: model for model in tables(today)}
    found = []
    for table, rows in before.items():
        if table not in now:
            found.append(f"{table} is gone")
            continue
        kept = rows_of(now[table])
        for pk, row in rows.items():
            left = kept.get(pk)
            if left is None:
                found.append(f"{table} {pk} is gone")
                continue
            found += [
                f"{table} {pk}: {name} was {value!r} and is {left[name]!r}"
                for name, value in row.items()
                if name in left and left[name] != value
            ]
            found += [f"{table}: {name} is gone" for name in row.keys() - left.keys()]
    return sorted(set(found))


# ---- Something in every table -------------------------------------------------------------------


def fill(apps: Apps) -> None:
    """Write some rows into each table, with a value in each column; messages in every state."""
    waiting = tables(apps)
    while waiting:
        named = {model._meta.label for model in waiting}
        ready = [model for model in waiting if not awaited(model) & named - {model._meta.label}]
        for model in ready:
            many = ROWS
            if model._meta.label == "messaging.Message":
                many = 4 * len(model._meta.get_field("status").choices)
            for number in range(many):
                model._base_manager.create(**values_of(model, number))
        assert ready, waiting
        waiting = [model for model in waiting if model not in ready]


def awaited(model: type[models.Model]) -> set[str]:
    """Name the tables whose rows it cannot do without: a state may hold a model's class twice."""
    return {
        field.related_model._meta.label
        for field in model._meta.concrete_fields
        if field.is_relation and not field.null
    }


def values_of(model: type[models.Model], number: int) -> Row:
    return {
        field.attname: value_of(field, number)
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField | models.BigAutoField)
    } | SPECIAL.get(model._meta.label, lambda _: {})(number)


def value_of(field: models.Field[Any, Any], number: int) -> Any:
    """Give a value that fits, another one for each row."""
    if field.is_relation:
        return related(field, number)
    if field.name in NAMED and not isinstance(field, models.IntegerField):
        return NAMED[field.name](number)
    if isinstance(field, models.JSONField) and field.has_default():
        return field.get_default()
    if field.choices:
        return list(field.choices)[number % len(field.choices)][0]
    for kind, value in VALUES.items():
        if isinstance(field, kind):
            found = value(number)
            return found[: field.max_length] if isinstance(found, str) else found
    raise AssertionError(f"What is in {field}?")


def related(field: models.Field[Any, Any], number: int) -> Any:
    ids = list(field.related_model._base_manager.order_by("pk").values_list("pk", flat=True))
    return ids[number % len(ids)] if ids else None


VALUES: dict[type[models.Field[Any, Any]], Any] = {
    EncryptedJSONField: lambda number: {"secret": f"{number} – Zoë"},
    models.BooleanField: lambda number: number % 2 == 1,
    models.UUIDField: lambda number: uuid.UUID(int=number + 1),
    models.DateTimeField: lambda number: LATELY - timedelta(hours=number),
    models.DateField: lambda number: date(2026, 11, 1 + number % 28),
    models.JSONField: lambda number: {"n": number},
    models.EmailField: lambda number: f"person{number}@example.org",
    models.GenericIPAddressField: lambda number: f"192.0.2.{number + 1}",
    models.BinaryField: lambda number: bytes([number]),
    models.FloatField: lambda number: number + 0.5,
    models.DecimalField: lambda number: number,
    models.IntegerField: lambda number: number + 1,
    models.FileField: lambda number: f"files/{number}",
    models.CharField: lambda number: f"{number}é",
    models.TextField: lambda number: f"{number} – Zoë 🦊",
}

# Where only some values make sense.
NAMED: dict[str, Any] = {
    "country": lambda number: ("FR", "ES", "GB")[number % 3],
    "time_zone": lambda number: ("Europe/Paris", "Europe/Madrid", "America/Lima")[number % 3],
    "language": lambda number: ("fr", "es", "en")[number % 3],
    "number": lambda number: f"+3363998{number:04d}",
    "peer": lambda number: f"+3363998{number:04d}",
    "type": lambda number: "simulator",
    "is_active": lambda number: True,
    "deleted_at": lambda number: None,
    "archived_at": lambda number: None,
}


def message(number: int) -> Row:
    """One in every state, of each phone: outgoing ones that wait, were sent, failed; incoming ones."""
    states = [value for value, _ in MESSAGE._meta.get_field("status").choices]
    status = states[number % len(states)]
    came_in = status == "received"
    return {"status": status, "direction": "in" if came_in else "out"}


MESSAGE = today.get_model("messaging.Message")
SPECIAL: dict[str, Any] = {"messaging.Message": message}
