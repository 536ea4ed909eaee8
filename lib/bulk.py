"""Change many rows, each with values of its own, in one statement.

Django's `bulk_update` builds a CASE per column and row: 2,300 rows/s where this does 85,000
(docs/performance.md).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Sequence
from typing import Any, cast

from django.db import connection, models

# What every database takes as it is, whatever the column.
_PLAIN = (str, int, bool)
# SQLite takes 32,766 variables per statement, PostgreSQL 65,535.
_VARIABLES = 30_000


def update(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    assign: str,
    where: str,
    arguments: Sequence[Any] = (),
) -> list[int]:
    """Update rows of `model` from `rows` and give the ids that changed, in ascending order.

    `columns` names the fields that the values of each row are for, the primary key first. In `assign`
    and `where` a value is `v.<column>` and the row itself `m.<column>`; both are SQL written by us, and
    `arguments` are the values for their %s, those of `assign` first.
    Rows are taken in the order of their ids, so that two such statements cannot deadlock.
    """
    changed: list[int] = []
    step = max(1, _VARIABLES // len(columns))
    ordered = sorted(rows, key=lambda row: row[0])
    for start in range(0, len(ordered), step):
        changed += _update(model, columns, ordered[start : start + step], assign, where, arguments)
    return sorted(changed)


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    **same: Any,
) -> None:
    """Insert rows of `model`: `columns` names what the values of each row are for, `same` what all share.

    Fields that are named in neither get their default. Django's `bulk_create` looks at every value of every
    column; this looks at what differs. Signals and `save` are passed over, and no ids come back.
    """
    others = {
        field.name: same.get(field.name, field.get_default())
        for field in model._meta.local_concrete_fields
        if field.name not in columns and not field.primary_key
    }
    fixed = _fields(model, list(others))
    names = [*(field.column for field in fixed), *(f.column for f in _fields(model, columns))]
    table = connection.ops.quote_name(model._meta.db_table)
    into = ", ".join(connection.ops.quote_name(str(name)) for name in names)
    constants = prepared(model, list(others), [list(others.values())])
    step = max(1, (_VARIABLES - len(fixed)) // len(columns))
    for start in range(0, len(rows), step):
        given, values = _given(model, columns, rows[start : start + step])
        casts = [_typed("%s", field) for field in fixed]
        # Every part of this statement is ours; values travel as parameters.
        sql = (
            f"INSERT INTO {table} ({into}) "  # noqa: S608
            f"SELECT {', '.join(casts)}, v.* FROM ({given}) AS v"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [*constants, *values])


def _typed(value: str, field: models.Field[Any, Any]) -> str:
    """Tell PostgreSQL the type of what stands alone in a SELECT."""
    return f"{value}::{_type(field)}" if connection.vendor == "postgresql" else value


def _type(field: models.Field[Any, Any]) -> str:
    # A serial is how a key is made; what refers to it, and what is looked up by it, is a bigint.
    return "bigint" if field.primary_key else str(field.db_type(connection))


def each(values: Collection[str], query: str) -> tuple[str, Any]:
    """Give SQL that makes `query` for each of `values`, by index in any case, and its argument.

    `query` selects from one table by the value, which it calls names.value. One argument, however many
    values: Django's own `IN` costs more than what it finds, and the database might read the whole table.
    """
    if connection.vendor == "postgresql":
        # OFFSET 0 keeps the planner from joining: without statistics it chooses the worst index.
        sql = f"unnest(%s::text[]) AS names (value) CROSS JOIN LATERAL ({query} OFFSET 0) AS found"
        return f"SELECT found.* FROM {sql}", list(values)  # noqa: S608 - ours
    inside = query.replace(" FROM ", " FROM json_each(%s) AS names CROSS JOIN ", 1)
    return inside, json.dumps(list(values))


def _fields(model: type[models.Model], columns: Sequence[str]) -> list[models.Field[Any, Any]]:
    return [cast("models.Field[Any, Any]", model._meta.get_field(column)) for column in columns]


def prepared(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[Any]:
    """Give the values of all rows, one after the other, as the database takes them.

    Plain texts and numbers are so already; of the rest, such as moments, few differ.
    """
    fields = _fields(model, columns)
    known: dict[tuple[int, Any], Any] = {}
    values: list[Any] = []
    for row in rows:
        for place, value in enumerate(row):
            if value is None or type(value) in _PLAIN:
                values.append(value)
                continue
            if not isinstance(value, Hashable):
                values.append(fields[place].get_db_prep_save(value, connection))
                continue
            key = (place, value)
            if key not in known:
                known[key] = fields[place].get_db_prep_save(value, connection)
            values.append(known[key])
    return values


def _update(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    assign: str,
    where: str,
    arguments: Sequence[Any],
) -> list[int]:
    names = [str(field.column) for field in _fields(model, columns)]
    given, values = _given(model, columns, rows)
    table = connection.ops.quote_name(model._meta.db_table)
    key, names[0] = names[0], "row"  # or RETURNING would be ambiguous
    # Every part of this statement is ours; values travel as parameters.
    sql = (
        f"WITH v ({', '.join(map(connection.ops.quote_name, names))}) AS ({given}) "  # noqa: S608
        f"UPDATE {table} AS m SET {assign} FROM v WHERE m.{key} = v.row AND ({where}) "
        f"RETURNING {key}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *arguments])
        return [int(row[0]) for row in cursor.fetchall()]


def _given(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[str, list[Any]]:
    """Give SQL that makes a table of `rows`, and its arguments."""
    fields = _fields(model, columns)
    values = prepared(model, columns, rows)
    width = len(fields)
    if connection.vendor == "postgresql":
        # One array per column: fewer arguments to write down, and they tell their types.
        arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
        return f"SELECT * FROM unnest({arrays})", [values[place::width] for place in range(width)]  # noqa: S608
    return "VALUES " + ", ".join([f"({', '.join(['%s'] * width)})"] * len(rows)), values
