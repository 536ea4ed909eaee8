"""Move a site to another database, table by table, and compare every row afterwards.

1. The tables are made there by the migrations, and must be empty.
2. All rows are read from one snapshot here and written there in one transaction.
3. Before it ends every row there is compared with its row here: all of them are moved, or none.
Nothing changes here, so that the old database can be gone back to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.models.sql import InsertQuery

from accounts.models import User
from campaigns.tallying import TALLIES
from messaging.activity import ACTIVITY
from messaging.quota.counting import QUOTA_USES
from smsapp.backup import Problem

HERE, THERE = "default", "there"
# Rows of one statement; PostgreSQL takes 65,535 values in it.
_BATCH = 500

# What the databases count by themselves.
COUNTED = (ACTIVITY, TALLIES, QUOTA_USES)

Tell = Callable[[str, int], None]


def move(tell: Tell) -> int:
    """Copy everything from HERE to THERE and compare it; give how many rows. Raises Problem."""
    call_command("migrate", database=THERE, interactive=False, verbosity=0, run_syncdb=True)
    if User.objects.using(THERE).exists():
        raise Problem("That database has people already: name an empty one.")
    with transaction.atomic(using=HERE), transaction.atomic(using=THERE):
        if connections[HERE].vendor == "postgresql":
            _of_one_moment()
        for alias in (HERE, THERE):
            _let_rest(alias)
        for tallies in COUNTED:  # what they would count there is among the rows that are moved
            tallies.remove(THERE)
        for model in reversed(tables()):  # what migrations wrote there has ids of its own
            model._base_manager.using(THERE).all()._raw_delete(THERE)
        rows = 0
        for model in tables():
            many = _copy(model)
            tell(model._meta.label, many)
            rows += many
        _count_on()
        compare()
        for tallies in COUNTED:
            tallies.install(THERE)
    return rows


def tables() -> list[type[models.Model]]:
    """Give every table that Django keeps, those of many-to-many relations among them."""
    everything = apps.get_models(include_auto_created=True)
    return [model for model in everything if model._meta.managed and not model._meta.proxy]


def compare() -> None:
    """Raise Problem at the first row that differs."""
    for model in tables():
        there = model._base_manager.using(THERE)
        many = 0
        for batch in _batches(model):
            found = there.in_bulk([row.pk for row in batch])
            for row in batch:
                if row.pk not in found or _values(row) != _values(found[row.pk]):
                    raise Problem(f"{model._meta.label} {row.pk} differs there.")
            many += len(batch)
        if there.count() != many:
            raise Problem(f"{model._meta.label} has other rows there.")


def _of_one_moment() -> None:
    with connections[HERE].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _let_rest(alias: str) -> None:
    """Let the transaction of one database rest for as long as the other takes."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def _copy(model: type[models.Model]) -> int:
    """Copy one table. Rows point at rows that come later: PostgreSQL looks at the end only."""
    many = 0
    fields = model._meta.concrete_fields
    for batch in _batches(model):
        query = InsertQuery(model)
        query.insert_values(
            fields, batch, raw=True
        )  # raw: no field changes its value as it is saved
        query.get_compiler(using=THERE).execute_sql()
        many += len(batch)
    return many


def _batches(model: type[models.Model]) -> Iterator[list[models.Model]]:
    rows = model._base_manager.using(HERE).order_by("pk").iterator(chunk_size=_BATCH)
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _values(row: models.Model) -> list[Any]:
    values = (getattr(row, field.attname) for field in row._meta.concrete_fields)
    return [bytes(value) if isinstance(value, memoryview) else value for value in values]


def _count_on() -> None:
    """Let new rows there begin behind the highest id."""
    target = connections[THERE]
    with target.cursor() as cursor:
        for sql in target.ops.sequence_reset_sql(no_style(), tables()):
            cursor.execute(sql)
