"""Counts that the database keeps by itself: triggers note each change of a row, in its transaction.

So counts always equal the rows, and no code that changes rows has to think of them. On PostgreSQL each
statement adds rows, which no two transactions fight for, and `melt` makes few of many; SQLite, which has one
writer at a time, counts in place. Either way the sum of the rows is the truth at any moment.

A row that is deleted goes on counting, in an account of its own (`removed`): what was sent stays sent,
however short messages are kept. So counts = rows + removed, and `agree` proves the first part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.models import Count, QuerySet, Sum

# Fresh rows that are worth melting, rows of one melting, and of one statement.
_MELT_FROM, _MELT_MOST, _BATCH = 200, 100_000, 5000

Counts = dict[tuple[Any, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts of the rows of `counted`, kept in `kept`: a table with the columns of `key`, `sums`, `removed`
    and `fresh`.

    `owner` and `key` are {column of `kept`: SQL that gives it, the row being {m}}, `sums` likewise; rows for
    which `where` does not hold are not counted. `at` (sqlite, postgresql) is the time of a count. `watched`
    are the columns a change of which counts. `also` is the SQL of a second owner that a row may count for.
    All SQL is ours.
    """

    name: str
    counted: type[models.Model]
    kept: type[models.Model]
    owner: tuple[str, str]
    at: tuple[str, str]
    key: Mapping[str, str]
    sums: Mapping[str, str]
    where: str
    watched: Sequence[str]
    also: str = ""

    # ---- The triggers ---------------------------------------------------------------------------

    def install(self, using: str = DEFAULT_DB_ALIAS, *, fill: bool = True) -> None:
        """Hang the triggers on the table; count what was there before them, where there may be any (`fill`).

        Wanted after each migration, which may have built the table anew. Half-way to the columns that are
        counted nothing is: it is counted at the end.
        """
        there = connections[using]
        tables = there.introspection.table_names()
        if {self.counted._meta.db_table, self.kept._meta.db_table} - set(tables):
            return
        is_postgresql = there.vendor == "postgresql"
        with transaction.atomic(using), there.cursor() as cursor:
            kept = there.introspection.get_table_description(cursor, self.kept._meta.db_table)
            if {*self._columns, *self.sums} - {column.name for column in kept}:
                return
            if not is_postgresql:
                self._put_together(cursor)
            for sql in self._postgresql() if is_postgresql else self._sqlite():
                cursor.execute(sql)
            if fill and not self.kept._default_manager.using(using).exists():
                cursor.execute(self._fill(is_postgresql))

    def remove(self, using: str) -> None:
        """Take off what `install` hung on, to write rows that are counted already, by any database."""
        on = f" ON {self.counted._meta.db_table}" if connections[using].vendor != "sqlite" else ""
        with connections[using].cursor() as cursor:
            for event in _EVENTS:
                cursor.execute(f"DROP TRIGGER IF EXISTS {self.name}_{event}{on}")
            cursor.execute(f"DROP INDEX IF EXISTS {self.name}_in_place")

    def _fill(self, is_postgresql: bool) -> str:
        """Give SQL that counts all rows at once."""
        columns = ", ".join(self._columns)
        sums = ", ".join(f"sum({name})" for name in self.sums)
        names = [*self._columns, *self.sums]
        counted = " UNION ALL ".join(
            f"SELECT {_named(names, self._each(_Side('m', 'm'), 'm', is_postgresql, owner))} "  # noqa: S608
            f"FROM {self.counted._meta.db_table} m WHERE {self._counts_if('m', '', owner)}"
            for owner in self._owners
        )
        return (
            f"INSERT INTO {self.kept._meta.db_table} ({columns}, {', '.join(self.sums)}, fresh) "  # noqa: S608
            f"SELECT {columns}, {sums}, {'false' if is_postgresql else 0} "
            f"FROM ({counted}) AS counted GROUP BY {columns}"
        )

    def _put_together(self, cursor: Any) -> None:
        """Make one row of each that PostgreSQL kept in several, where they came from there."""
        kept, columns = self.kept._meta.db_table, ", ".join(self._columns)
        several = f"SELECT 1 FROM {kept} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
        if not cursor.execute(several).fetchone():
            return
        names = f"{columns}, {', '.join(self.sums)}"
        sums = ", ".join(f"sum({name}) AS {name}" for name in self.sums)
        cursor.execute(
            f"CREATE TEMP TABLE put_together AS SELECT {columns}, {sums} FROM {kept} GROUP BY {columns}"  # noqa: S608
        )
        cursor.execute(f"DELETE FROM {kept}")  # noqa: S608
        cursor.execute(f"INSERT INTO {kept} ({names}, fresh) SELECT {names}, 0 FROM put_together")  # noqa: S608
        cursor.execute("DROP TABLE put_together")

    @property
    def _columns(self) -> list[str]:
        return [self.owner[0], "at", "removed", *self.key]

    @property
    def _owners(self) -> list[str]:
        return [self.owner[1], self.also] if self.also else [self.owner[1]]

    def _values(self, side: _Side, row: str, is_postgresql: bool, owner: str) -> str:
        return ", ".join(self._each(side, row, is_postgresql, owner))

    def _each(self, side: _Side, row: str, is_postgresql: bool, owner: str) -> list[str]:
        """Give what a row counts with: owner, time, account, key and sums."""
        sums = [f"{side.sign} * ({sql})" for sql in self.sums.values()]
        account = "true" if side.removed else "false"
        asked = (owner, self.at[is_postgresql], account, *self.key.values(), *sums)
        return [sql.format(m=row) for sql in asked]

    def _counts_if(self, row: str, event: str, owner: str) -> str:
        """Say when a row counts for an owner.

        One that is deleted does while its owner has counts: both may be going.
        """
        where, owner = self.where.format(m=row), owner.format(m=row)
        if self.also:
            where = f"{owner} IS NOT NULL AND {where}"
        if event != "delete":
            return where
        kept = self.kept._meta.db_table
        return f"{where} AND EXISTS (SELECT 1 FROM {kept} WHERE {self.owner[0]} = {owner})"  # noqa: S608

    def _sqlite(self) -> Iterator[str]:
        kept, columns = self.kept._meta.db_table, ", ".join(self._columns)
        yield f"DROP INDEX IF EXISTS {self.name}_in_place"
        yield f"CREATE UNIQUE INDEX {self.name}_in_place ON {kept} ({columns})"
        for event, sides in _EVENTS.items():
            adds = " ".join(
                f"INSERT INTO {kept} ({columns}, {', '.join(self.sums)}, fresh) "
                f"SELECT {self._values(side, side.row, False, owner)}, 1 "
                f"WHERE {self._counts_if(side.row, event, owner)} "
                f"ON CONFLICT ({columns}) DO UPDATE SET "
                + ", ".join(f"{name} = {name} + excluded.{name}" for name in self.sums)
                + ";"
                for side in sides
                for owner in self._owners
            )
            rows = sorted({side.row for side in sides})
            some = " OR ".join(f"({self.where.format(m=row)})" for row in rows)
            changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in self.watched)
            of, when = (
                (f" OF {', '.join(self.watched)}", changed) if event == "update" else ("", "1")
            )
            yield f"DROP TRIGGER IF EXISTS {self.name}_{event}"
            yield (
                f"CREATE TRIGGER {self.name}_{event} AFTER {event}{of} "
                f"ON {self.counted._meta.db_table} WHEN ({some}) AND ({when}) BEGIN {adds} END"
            )

    def _postgresql(self) -> Iterator[str]:
        columns = ", ".join(self._columns)
        sums = ", ".join(f"sum({name})" for name in self.sums)
        some = " OR ".join(f"sum({name}) <> 0" for name in self.sums)
        for event, sides in _EVENTS.items():
            changes = " UNION ALL ".join(
                f"SELECT {self._values(side, side.table, True, owner)} FROM {side.table} "  # noqa: S608
                f"WHERE {self._counts_if(side.table, event, owner)}"
                for side in sides
                for owner in self._owners
            )
            yield f"""
                CREATE OR REPLACE FUNCTION {self.name}_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO {self.kept._meta.db_table} ({columns}, {", ".join(self.sums)}, fresh)
                    SELECT {columns}, {sums}, true
                    FROM ({changes}) AS changes ({columns}, {", ".join(self.sums)})
                    GROUP BY {columns} HAVING {some};
                    RETURN NULL;
                END $$"""  # noqa: S608
            tables = dict.fromkeys((side.row, side.table) for side in sides)
            referencing = " ".join(f"{age} TABLE AS {table}" for age, table in tables)
            yield (
                f"CREATE OR REPLACE TRIGGER {self.name}_{event} AFTER {event} "
                f"ON {self.counted._meta.db_table} REFERENCING {referencing} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {self.name}_{event}()"
            )

    # ---- Melting --------------------------------------------------------------------------------

    def melt(self, coarse: Callable[[datetime], datetime] = lambda at: at) -> int:
        """Make few rows of many, where many have come; give for how many owners.

        `coarse` gives the time that a row is counted under from now on.
        """
        owner = self._owner_field
        fresh = self.kept._default_manager.filter(fresh=True).order_by().values(owner)
        many = fresh.annotate(rows=Count("pk")).filter(rows__gte=_MELT_FROM)
        owners = list(many.values_list(owner, flat=True))
        for pk in owners:
            self.melt_one(pk, coarse)
        return len(owners)

    def melt_one(self, owner: int, coarse: Callable[[datetime], datetime] = lambda at: at) -> None:
        kept = self.kept._default_manager
        with transaction.atomic():
            rows = kept.filter(**{self._owner_field: owner}).order_by("-fresh", "pk")
            if connection.features.has_select_for_update_skip_locked:
                rows = rows.select_for_update(skip_locked=True)
            names = ("pk", "at", *self._key, *self.sums)
            taken = list(rows.values_list(*names)[:_MELT_MOST])
            melted: defaultdict[tuple[Any, ...], list[int]] = defaultdict(
                lambda: [0] * len(self.sums)
            )
            for _pk, at, *rest in taken:
                key, sums = rest[: len(self._key)], rest[len(self._key) :]
                whole = melted[(coarse(at), *key)]
                for place, more in enumerate(sums):
                    whole[place] += more
            pks = [row[0] for row in taken]
            for start in range(0, len(pks), _BATCH):
                kept.filter(pk__in=pks[start : start + _BATCH]).delete()
            self.write(owner, melted)

    def write(self, owner: int, counts: Mapping[tuple[Any, ...], Sequence[int]]) -> None:
        """Store counts as they are: {(time, removed, *key): sums}."""
        self.kept._default_manager.bulk_create(
            (
                self.kept(
                    **{self.owner[0]: owner, "at": at, "fresh": False},
                    **dict(zip(self._key, key, strict=True)),
                    **dict(zip(self.sums, sums, strict=True)),
                )
                for (at, *key), sums in counts.items()
                if any(sums)
            ),
            batch_size=_BATCH // 5,
        )

    # ---- Proving --------------------------------------------------------------------------------

    def agree(self, owner: int) -> bool:
        """Say whether the counts are what the rows say, those removed apart. Reads all rows of the owner."""
        with standing_still():
            return self.counts(owner, removed=False) == self.recount(owner)

    def counts(self, owner: int, **account: bool) -> Counts:
        """Give {key: sums} as kept, without what came to nothing.

        Over all times; or by time, which then comes first, where each row has one of its own. With
        `removed` only of rows that are gone (True) or there (False).
        """
        mine = self.kept._default_manager.filter(**{self._owner_field: owner}, **account)
        return _nonzero(grouped(mine, self._by, self.sums), len(self._by))

    def recount(self, owner: int) -> Counts:
        """Give the same of the rows that are there, from themselves. Reads them all."""
        return self._recounted("{owner} = %s", [owner] * len(self._owners)).get(owner, {})

    def differing(self) -> list[int]:
        """Give the owners whose counts are not what the rows say, as `agree` asks. Reads all rows, once."""
        with standing_still():
            there = self.kept._default_manager.filter(removed=False)
            rows = grouped(there, [self._owner_field, *self._by], self.sums)
            kept, said = self._by_owner(rows), self._recounted("{owner} IS NOT NULL", [])
        return sorted(o for o in kept.keys() | said.keys() if kept.get(o, {}) != said.get(o, {}))

    def _recounted(self, chosen: str, arguments: list[Any]) -> dict[int, Counts]:
        """Give {owner: counts} from the rows of the owners for which `chosen` holds."""
        names = ["owner", *self._by, *self.sums]
        rows = " UNION ALL ".join(
            f"SELECT {_named(names, map(_literal, self._told_by(owner)))} "  # noqa: S608
            f"FROM {self.counted._meta.db_table} m "
            f"WHERE {chosen.format(owner=_literal(owner))} AND {_literal(self.where)}"
            for owner in self._owners
        )
        places = ", ".join(str(place) for place in range(1, len(self._by) + 2))
        asked = ", ".join(["owner", *self._by, *(f"sum({name})" for name in self.sums)])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {asked} FROM ({rows}) AS rows_of_some GROUP BY {places}",  # noqa: S608
                arguments,
            )
            return self._by_owner(cursor.fetchall())

    @property
    def _by(self) -> list[str]:
        """Name what counts are told apart by: their key, behind the time where each row has its own."""
        return ["at", *self.key] if self._is_timed else [*self.key]

    def _told_by(self, owner: str) -> list[str]:
        at = [self.at[connection.vendor == "postgresql"]] if self._is_timed else []
        return [owner, *at, *self.key.values(), *self.sums.values()]

    def _by_owner(self, rows: Sequence[tuple[Any, ...]]) -> dict[int, Counts]:
        found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for owner, *rest in rows:
            if self._is_timed:
                rest[0] = _moment(rest[0])
            found[owner].append(tuple(rest))
        counts = {owner: _nonzero(rest, len(self._by)) for owner, rest in found.items()}
        return {owner: counted for owner, counted in counts.items() if counted}

    def mend(self, owner: int, at: datetime) -> None:
        """Let the counts say what the rows say, should they ever differ.

        Each under the time of its rows, or all under `at` where counts only know when something changed.
        """
        with standing_still():
            found = self.recount(owner)
            if not self._is_timed:
                found = {(at, *key): sums for key, sums in found.items()}
            there = self.kept._default_manager.filter(**{self._owner_field: owner}, removed=False)
            there.delete()
            self.write(owner, {(when, False, *key): sums for (when, *key), sums in found.items()})

    @property
    def _is_timed(self) -> bool:
        """Say whether the time of a count is that of its row, and not that of the change."""
        return "{m}" in self.at[0]

    @property
    def _key(self) -> list[str]:
        return ["removed", *self.key]

    @property
    def _owner_field(self) -> str:
        return self.owner[0].removesuffix("_id")


@dataclass(frozen=True, slots=True)
class _Side:
    """What an event adds to an account: a row of SQLite, its transition table of PostgreSQL, the sign."""

    row: str
    table: str
    sign: int = 1
    removed: bool = False


_EVENTS = {
    "insert": (_Side("NEW", "new_rows"),),
    "update": (_Side("OLD", "old_rows", -1), _Side("NEW", "new_rows")),
    "delete": (_Side("OLD", "old_rows", -1), _Side("OLD", "old_rows", removed=True)),
}


@contextmanager
def standing_still() -> Iterator[None]:
    """See one moment of the database, while rows go on changing."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def grouped(
    rows: QuerySet[Any],
    by: Sequence[str] | Mapping[str, str],
    sums: Sequence[str] | Mapping[str, str],
) -> list[tuple[Any, ...]]:
    """Give (*by, *sums) of kept rows, added up."""
    totals = {f"sum_{name}": Sum(name) for name in sums}
    return list(rows.order_by().values_list(*by).annotate(**totals))


def _moment(at: datetime | str) -> datetime:
    """Read a time as the database says it: SQLite writes UTC, without saying so."""
    return at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)


def _literal(sql: str) -> str:
    """Give SQL about the row `m` in which a per cent sign (strftime) marks no argument."""
    return sql.format(m="m").replace("%", "%%")


def _named(names: Sequence[str], values: Iterable[str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in zip(names, values, strict=True))


def _nonzero(rows: Sequence[tuple[Any, ...]], width: int) -> Counts:
    return {
        row[:width]: tuple(int(number) for number in row[width:])
        for row in rows
        if any(row[width:])
    }
