"""Carriers of numbers, for phones whose messages go elsewhere for each carrier."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from django.utils import timezone

from accounts.models import Workspace
from contacts.models import NumberCarrier

# Rows per statement; SQLite takes 32,766 variables at most.
_CHUNK = 500


def carriers(workspace_id: int, numbers: Collection[str]) -> dict[str, str]:
    """Give {number: carrier's slug} of those of `numbers` (E.164) whose carrier somebody knows.

    Of one that was looked up and has no gateway the slug is "".
    """
    return {row.number: row.carrier for row in rows(workspace_id, numbers)}


def rows(workspace_id: int, numbers: Collection[str]) -> Iterator[NumberCarrier]:
    """Give what is known of those of `numbers` (E.164) that anything is known of."""
    left = iter(numbers)
    while chunk := list(islice(left, _CHUNK)):
        yield from NumberCarrier.objects.filter(workspace=workspace_id, number__in=chunk)


def remember(workspace: Workspace, known: Mapping[str, str], source: str) -> None:
    """Remember {number (E.164): carrier's slug}; what was known before is replaced."""
    if not known:
        return
    now = timezone.now()
    NumberCarrier.objects.bulk_create(
        [
            NumberCarrier(
                workspace=workspace, number=number, carrier=carrier, source=source, at=now
            )
            for number, carrier in known.items()
        ],
        batch_size=_CHUNK,
        update_conflicts=True,
        unique_fields=["workspace", "number"],
        update_fields=[
            "carrier",
            "source",
            "at",
            "by",
            "said",
            "line",
            "country",
            "network",
            "problem",
        ],
    )
