"""Opt-outs: who must get no message from a workspace."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from accounts.models import User, Workspace
from contacts.models import OptOut

# Numbers asked for in one query; SQLite takes 32,766 variables at most, and short queries are kind.
_CHUNK = 500


def opt_out(
    workspace: Workspace, number: str, source: str, detail: str = "", by: User | None = None
) -> bool:
    """Write no more to `number` (E.164); say whether that is new. The first reason stays."""
    _row, new = OptOut.objects.get_or_create(
        workspace=workspace,
        number=number,
        defaults={"source": source, "detail": detail[:200], "added_by": by},
    )
    return new


def opt_in(workspace: Workspace, number: str) -> bool:
    """Allow messages to `number` again; say whether it was opted out."""
    gone, _by_model = OptOut.objects.filter(workspace=workspace, number=number).delete()
    return bool(gone)


def opted_out(workspace: Workspace, numbers: Collection[str]) -> set[str]:
    """Give those of `numbers` (E.164) that must get nothing."""
    found: set[str] = set()
    left = iter(numbers)
    while chunk := list(islice(left, _CHUNK)):
        rows = OptOut.objects.filter(workspace=workspace, number__in=chunk)
        found.update(rows.values_list("number", flat=True))
    return found
