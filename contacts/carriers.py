"""Carriers of numbers, for phones whose messages go elsewhere for each carrier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from django.utils import timezone

from accounts.models import Workspace
from contacts.models import NumberCarrier

# Rows per statement; SQLite takes 32,766 variables at most.
_CHUNK = 500


def carriers(workspace_id: int, numbers: Collection[str]) -> dict[str, str]:
    """Give {number: carrier's slug} of those of `numbers` (E.164) whose carrier somebody knows."""
    found: dict[str, str] = {}
    left = iter(numbers)
    while chunk := list(islice(left, _CHUNK)):
        rows = NumberCarrier.objects.filter(workspace=workspace_id, number__in=chunk)
        found.update(rows.values_list("number", "carrier"))
    return found


def remember(workspace: Workspace, known: Mapping[str, str], source: str) -> None:
    """Remember {number (E.164): carrier's slug}; what was known before is replaced."""
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
        update_fields=["carrier", "source", "at"],
    )
