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
    fields = _fields(model, columns)
    names = [str(field.column) for field in fields]
    values = prepared(model, columns, rows)
    width = len(fields)
    if connection.vendor == "postgresql":
        # One array per column: fewer arguments to write down, and they tell their types.
        arrays = [f"%s::{field.db_type(connection)}[]" for field in fields]
        arrays[0] = "%s::bigint[]"
        given = f"SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608 - ours
        values = [values[place::width] for place in range(width)]
    else:
        given = "VALUES " + ", ".join([f"({', '.join(['%s'] * width)})"] * len(rows))
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
