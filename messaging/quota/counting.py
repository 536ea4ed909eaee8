"""What messages take of the periods that they are charged to, kept by the database itself (lib.tallies)."""

from __future__ import annotations

from django.db import connections
from django.db.models import Q

from lib.tallies import Counters
from messaging.models import Message
from messaging.quota.models import QuotaPeriod, QuotaUse

# A message counts while it may leave and once it has. One that failed has left if a provider took it since
# it was last claimed.
_COUNTS = (
    "({m}.quota_period IS NOT NULL OR {m}.person_quota_period IS NOT NULL) AND "
    "({m}.status IN ('queued', 'sending', 'sent', 'delivered', 'unknown') OR ({m}.status = 'failed' "
    "AND {m}.sent_at IS NOT NULL AND ({m}.claimed_at IS NULL OR {m}.sent_at >= {m}.claimed_at)))"
)

QUOTA_USES = Counters(
    name="quota_use",
    counted=Message,
    kept=QuotaUse,
    owner=("period_id", "{m}.quota_period"),
    also="{m}.person_quota_period",
    # Periods are told apart already; when in one something was sent is Activity's to say.
    at=("'2000-01-01 00:00:00'", "timestamptz '2000-01-01 00:00:00+00'"),
    key={"status": "{m}.status"},
    sums={"amount": "1", "segments": "{m}.segments"},
    where=_COUNTS,
    watched=(
        "status", "segments", "sent_at", "claimed_at", "quota_period", "person_quota_period",
    ),
)  # fmt: skip

# What has not left yet: reserved.
RESERVED = Q(status__in=("queued", "sending"))


def has_any(using: str) -> bool:
    """Say whether a database holds any quota, or did."""
    table = QuotaPeriod._meta.db_table
    is_there = table in connections[using].introspection.table_names()
    return is_there and QuotaPeriod.objects.using(using).exists()


def melt() -> int:
    """Make few rows of many, where many have come. A duty of the tick."""
    return QUOTA_USES.melt()
