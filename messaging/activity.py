"""What a workspace sent and received, kept by the database itself (lib.tallies), by quarters of an hour.

The hour is that at which a message was wanted; a quarter is what divides the day in every time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import Workspace
from lib.tallies import Counters, grouped
from messaging.models import Activity, Message, Status

# States of a message that left, or tried to for the last time.
LEFT = (Status.SENT, Status.DELIVERED, Status.FAILED, Status.UNKNOWN)
# What never left costs nothing, whatever was estimated (Message.will_cost).
_SPENT = "({m}.sent_at IS NOT NULL OR {m}.status NOT IN ('failed', 'cancelled', 'skipped'))"
MONEY = {
    "cost": "CASE WHEN {m}.cost_is_estimate THEN 0 ELSE COALESCE({m}.cost, 0) END",
    "estimate": f"CASE WHEN {{m}}.cost_is_estimate AND {_SPENT} THEN COALESCE({{m}}.cost, 0) ELSE 0 END",
}
WATCHED = (
    "status", "phone_id", "segments", "cost", "currency", "cost_is_estimate", "sent_at",
)  # fmt: skip

ACTIVITY = Counters(
    name="activity",
    counted=Message,
    kept=Activity,
    owner=("workspace_id", "{m}.workspace_id"),
    at=(
        "strftime('%Y-%m-%d %H:', {m}.send_at) || "
        "printf('%02d:00', strftime('%M', {m}.send_at) / 15 * 15)",
        "date_bin('15 minutes', {m}.send_at, timestamptz '2000-01-01 00:00:00+00')",
    ),
    key={
        "status": "{m}.status",
        "phone": "{m}.phone_id",
        "person": "COALESCE({m}.created_by_id, 0)",
        "currency": "{m}.currency",
    },
    sums={"amount": "1", "segments": "{m}.segments", **MONEY},
    where="{m}.status IN ('sent', 'delivered', 'failed', 'unknown', 'received')",
    watched=(*WATCHED, "send_at", "created_by_id"),
)


def by_quarter(
    workspace: Workspace, start: datetime, end: datetime
) -> list[tuple[datetime, str, int]]:
    """Give (quarter of an hour, state, messages) of what was wanted from `start` until `end`."""
    rows = Activity.objects.filter(workspace=workspace, at__gte=start, at__lt=end)
    return [
        (at, status, amount) for at, status, amount in grouped(rows, ["at", "status"], ["amount"])
    ]


def within(
    counts: Sequence[tuple[datetime, str, int]], start: datetime, end: datetime
) -> dict[str, int]:
    """Add up, by state, what was wanted in a part of the time."""
    found: dict[str, int] = {}
    for at, status, amount in counts:
        if start <= at < end:
            found[status] = found.get(status, 0) + amount
    return found


def has_sent(*, before: datetime) -> Exists:
    """Ask of each phone whether a provider took something that was wanted before a moment."""
    left = Activity.objects.filter(
        workspace=OuterRef("workspace"),
        phone=OuterRef("pk"),
        status__in=(Status.SENT, Status.DELIVERED),
        at__lt=before,
    )
    return Exists(left)


def melt() -> int:
    """Make few rows of many, where many have come. A duty of the tick."""
    return ACTIVITY.melt()


def agrees(workspace: Workspace) -> bool:
    """Say whether the counters of a workspace are what its messages say. Reads them all."""
    return ACTIVITY.agree(workspace.pk)


def mend(workspace: Workspace) -> None:
    """Let the counters say what the messages say, should they ever differ."""
    ACTIVITY.mend(workspace.pk, timezone.now())
