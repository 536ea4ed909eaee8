"""Reading addresses, and finding what they name."""

from __future__ import annotations

from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404

from accounts.http import MemberRequest
from campaigns.models import Campaign, Recurrence


def find(request: MemberRequest, pk: int, *states: str) -> Campaign:
    """Give a campaign of the workspace, in one of the states where some are named. Raises Http404."""
    mine = request.workspace.campaigns.select_related(
        "phone", "pool", "sheet", "created_by", "started_by", "repeats"
    ).defer("phone__settings")
    found = get_object_or_404(mine.filter(state__in=states) if states else mine, pk=pk)
    found.workspace = request.workspace
    return found


def recurrence_of(campaign: Campaign) -> Recurrence | None:
    """Give what recurs by this campaign, where it is the pattern of something."""
    return getattr(campaign, "repeats", None)


def whole_number(written: str) -> int:
    """Give the number of an address, 0 without one. Raises Http404 for anything else."""
    if not written:
        return 0
    if not (written.isascii() and written.isdigit() and len(written) < 19):
        raise Http404
    return int(written)


def query_of(asked: QueryDict, *names: str) -> str:
    """Give some of the filters as they stand in an address, without those that say nothing."""
    kept = asked.copy()
    for name in [name for name in kept if name not in names or not kept[name]]:
        del kept[name]
    return kept.urlencode()
