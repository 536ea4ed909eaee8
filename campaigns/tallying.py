"""What campaigns count, kept by the database itself.

Whatever changes a message of a campaign, whoever it is, a trigger notes it in the same transaction: so
counters always equal the rows, and no path of sending, receiving or mending has to think of them. On
PostgreSQL each statement adds rows, which no two transactions fight for, and the tick melts them into few;
SQLite, which has one writer at a time, counts in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from campaigns.models import Campaign, Tally
from messaging.models import Message, Status

# What tells one count from another, besides the minute.
KEY = ("status", "reason", "phone", "country", "currency")
SUMS = ("amount", "segments", "cost", "estimate")
# Fresh rows that are worth melting, rows of one melting, and for how long minutes are kept apart.
_MELT_FROM, _MELT_MOST, _MINUTES_FOR = 200, 100_000, timedelta(hours=3)

_MESSAGES, _TALLIES = Message._meta.db_table, Tally._meta.db_table
# What a message counts with; what never left costs nothing, whatever was estimated (Message.will_cost).
_LEFT = "({m}.sent_at IS NOT NULL OR {m}.status NOT IN ('failed', 'cancelled', 'skipped'))"
_COUNTED = (
    "{m}.status, {m}.reason, {m}.phone_id, {m}.country, {m}.currency, {n}, {n} * {m}.segments, "
    "{n} * CASE WHEN {m}.cost_is_estimate THEN 0 ELSE COALESCE({m}.cost, 0) END, "
    f"{{n}} * CASE WHEN {{m}}.cost_is_estimate AND {_LEFT} THEN COALESCE({{m}}.cost, 0) ELSE 0 END"
)
_INTO = "status, reason, phone, country, currency, amount, segments, cost, estimate"
# What a change must touch to count.
_WATCHED = (
    "campaign_id", "status", "reason", "phone_id", "country", "currency", "segments", "cost",
    "cost_is_estimate", "sent_at",
)  # fmt: skip


def install(**_: Any) -> None:
    """Hang the triggers on the table of messages, unless they hang there. After each migration."""
    tables = connection.introspection.table_names()
    if _MESSAGES not in tables or _TALLIES not in tables:
        return
    with connection.cursor() as cursor:
        for sql in _postgresql() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(sql)


def _sqlite() -> Iterable[str]:
    yield (
        f"CREATE UNIQUE INDEX IF NOT EXISTS tally_in_place ON {_TALLIES} "
        "(campaign_id, at, status, reason, phone, country, currency)"
    )
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _WATCHED)
    yield _sqlite_trigger("insert", "INSERT", "1", {"NEW": 1})
    yield _sqlite_trigger(
        "update", f"UPDATE OF {', '.join(_WATCHED)}", changed, {"OLD": -1, "NEW": 1}
    )
    yield _sqlite_trigger("delete", "DELETE", "1", {"OLD": -1})


def _sqlite_trigger(name: str, event: str, when: str, rows: dict[str, int]) -> str:
    adds = " ".join(
        f"INSERT INTO {_TALLIES} (campaign_id, at, {_INTO}, fresh) "
        f"SELECT {row}.campaign_id, strftime('%Y-%m-%d %H:%M:00', 'now'), "
        f"{_COUNTED.format(m=row, n=n)}, 1 WHERE {row}.campaign_id IS NOT NULL "
        "ON CONFLICT (campaign_id, at, status, reason, phone, country, currency) DO UPDATE SET "
        + ", ".join(f"{column} = {column} + excluded.{column}" for column in SUMS)
        + ";"
        for row, n in rows.items()
    )
    some = " OR ".join(f"{row}.campaign_id IS NOT NULL" for row in rows)
    return (
        f"CREATE TRIGGER IF NOT EXISTS tally_{name} AFTER {event} ON {_MESSAGES} "
        f"WHEN ({some}) AND ({when}) BEGIN {adds} END"
    )


def _postgresql() -> Iterable[str]:
    yield from _postgresql_trigger("insert", {"new_rows": ("NEW", 1)})
    yield from _postgresql_trigger("update", {"old_rows": ("OLD", -1), "new_rows": ("NEW", 1)})
    yield from _postgresql_trigger("delete", {"old_rows": ("OLD", -1)})


def _postgresql_trigger(name: str, rows: dict[str, tuple[str, int]]) -> Iterable[str]:
    changes = " UNION ALL ".join(
        f"SELECT {table}.campaign_id, {_COUNTED.format(m=table, n=n)} FROM {table} "  # noqa: S608
        f"WHERE {table}.campaign_id IS NOT NULL"
        for table, (_, n) in rows.items()
    )
    sums = ", ".join(f"sum({column})" for column in SUMS)
    some = " OR ".join(f"sum({column}) <> 0" for column in SUMS)
    key = "campaign_id, status, reason, phone, country, currency"
    yield f"""
        CREATE OR REPLACE FUNCTION tally_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO {_TALLIES} (campaign_id, at, {_INTO}, fresh)
            SELECT campaign_id, date_trunc('minute', now()), status, reason, phone, country, currency,
                {sums}, true
            FROM ({changes}) AS changes (campaign_id, {_INTO})
            GROUP BY {key} HAVING {some};
            RETURN NULL;
        END $$"""  # noqa: S608
    referencing = " ".join(f"{age} TABLE AS {table}" for table, (age, _) in rows.items())
    yield (
        f"CREATE OR REPLACE TRIGGER tally_{name} AFTER {name.upper()} ON {_MESSAGES} "
        f"REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION tally_{name}()"
    )


# ---- Reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages of a campaign by state, and their segments."""

    by_status: dict[str, int]
    segments: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def waiting(self) -> int:
        return self.by_status.get(Status.QUEUED, 0)

    @property
    def open(self) -> int:
        """Count what has not left yet, or is just leaving."""
        return self.waiting + self.by_status.get(Status.SENDING, 0)

    @property
    def left(self) -> int:
        """Count what was handed over, whatever became of it."""
        never = self.open + sum(
            self.by_status.get(state, 0) for state in (Status.SKIPPED, Status.CANCELLED)
        )
        return self.total - never

    def of(self, status: str) -> int:
        return self.by_status.get(status, 0)


def figures(campaigns: Iterable[Campaign]) -> dict[int, Figures]:
    """Give {campaign's id: its figures} in one query."""
    found: dict[int, dict[str, int]] = {campaign.pk: {} for campaign in campaigns}
    segments: defaultdict[int, int] = defaultdict(int)
    rows = Tally.objects.filter(campaign__in=found).values_list("campaign", "status")
    for pk, status, amount, parts in rows.annotate(Sum("amount"), Sum("segments")).order_by():
        if amount:
            found[pk][status] = amount
        segments[pk] += parts
    return {pk: Figures(by_status, segments[pk]) for pk, by_status in found.items()}


def figures_of(campaign: Campaign) -> Figures:
    return figures([campaign])[campaign.pk]


# ---- Melting and proving ------------------------------------------------------------------------


def melt() -> int:
    """Make few rows of many, where many have come; give how many campaigns. A duty of the tick."""
    fresh = Tally.objects.filter(fresh=True).values("campaign").annotate(many=Count("pk"))
    many = list(fresh.filter(many__gte=_MELT_FROM).values_list("campaign", flat=True))
    for campaign in many:
        _melt(campaign)
    return len(many)


def _melt(campaign: int) -> None:
    apart_from = timezone.now() - _MINUTES_FOR
    with transaction.atomic():
        rows = Tally.objects.filter(campaign=campaign).order_by("-fresh", "pk")
        taken = (
            list(rows.select_for_update(skip_locked=True)[:_MELT_MOST])
            if (connection.features.has_select_for_update_skip_locked)
            else list(rows[:_MELT_MOST])
        )
        melted: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
        for row in taken:
            at = row.at if row.at >= apart_from else row.at.replace(minute=0)
            sums = melted[(at, *(getattr(row, name) for name in KEY))]
            for place, name in enumerate(SUMS):
                sums[place] += getattr(row, name)
        pks = [row.pk for row in taken]
        for start in range(0, len(pks), 5000):
            Tally.objects.filter(pk__in=pks[start : start + 5000]).delete()
        Tally.objects.bulk_create(
            (
                Tally(
                    campaign_id=campaign,
                    at=at,
                    fresh=False,
                    **dict(zip(KEY, key, strict=True)),
                    **dict(zip(SUMS, sums, strict=True)),
                )
                for (at, *key), sums in melted.items()
                if any(sums)
            ),
            batch_size=2000,
        )


Counts = dict[tuple[Any, ...], tuple[int, ...]]


@contextmanager
def standing_still() -> Iterator[None]:
    """See one moment of the database, while messages go on changing."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def agrees(campaign: Campaign) -> bool:
    """Say whether the counters of a campaign are what its messages say. Reads them all."""
    with standing_still():
        return counted(campaign) == recounted(campaign)


def counted(campaign: Campaign) -> Counts:
    """Give what the tallies say: {KEY: SUMS}, without what came to nothing."""
    rows = _grouped(Tally.objects.filter(campaign=campaign), *KEY)
    return {row[: len(KEY)]: row[len(KEY) :] for row in rows if any(row[len(KEY) :])}


def recounted(campaign: Campaign) -> Counts:
    """Give the same from the messages themselves. Reads them all."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_INTO.partition(', amount')[0]}, sum(amount), sum(segments), sum(cost), "  # noqa: S608
            f"sum(estimate) FROM (SELECT {_named('m')} FROM {_MESSAGES} m WHERE m.campaign_id = %s) "
            f"AS counted GROUP BY 1, 2, 3, 4, 5",
            [campaign.pk],
        )
        rows = [tuple(row) for row in cursor.fetchall()]
    return {row[: len(KEY)]: tuple(int(n) for n in row[len(KEY) :]) for row in rows}


def _named(row: str) -> str:
    """Give what a message counts with, each under the name of its column."""
    told = f"CASE WHEN {row}.cost_is_estimate THEN 0 ELSE COALESCE({row}.cost, 0) END"
    left = _LEFT.format(m=row)
    estimated = (
        f"CASE WHEN {row}.cost_is_estimate AND {left} THEN COALESCE({row}.cost, 0) ELSE 0 END"
    )
    return (
        f"{row}.status, {row}.reason, {row}.phone_id AS phone, {row}.country, {row}.currency, "
        f"1 AS amount, {row}.segments, {told} AS cost, {estimated} AS estimate"
    )


def _grouped(rows: QuerySet[Tally], *by: str) -> list[tuple[Any, ...]]:
    sums = {f"sum_{name}": Sum(name) for name in SUMS}
    return list(rows.order_by().values_list(*by).annotate(**sums))


def mend(campaign: Campaign, now: datetime | None = None) -> None:
    """Let the tallies say what the messages say, should they ever differ."""
    at = (now or timezone.now()).replace(second=0, microsecond=0)
    with standing_still():
        Tally.objects.filter(campaign=campaign).delete()
        Tally.objects.bulk_create(
            Tally(
                campaign=campaign,
                at=at,
                fresh=False,
                **dict(zip(KEY, key, strict=True)),
                **dict(zip(SUMS, sums, strict=True)),
            )
            for key, sums in recounted(campaign).items()
        )
