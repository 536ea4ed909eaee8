"""Finding campaigns: those of the list, and how many run now."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from accounts.models import Workspace
from campaigns.models import Campaign, State, Tag
from campaigns.recurring import without_patterns
from lib.words import fold

# Campaigns of one page; names that are looked through, newest first.
PAGE, DEPTH = 25, 5000
# The condition of the index `campaign_live`, in its words: SQLite uses a partial index for no others.
_IS_LIVE = RawSQL("state IN ('running', 'paused')", [], BooleanField())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which campaigns: words of the name, a state, a tag."""

    q: str = ""
    state: str = ""
    tag: Tag | None = None


def find(workspace: Workspace, wanted: Wanted) -> QuerySet[Campaign]:
    """Give the campaigns that somebody wants to see, newest first, not yet cut; no patterns."""
    found = without_patterns(Campaign.objects.filter(workspace=workspace))
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.tag:
        found = found.filter(tags=wanted.tag)
    if words := fold(wanted.q).split()[:8]:
        found = found.filter(pk__in=_named(found, words))
    return found.order_by("-id")


def _named(campaigns: QuerySet[Campaign], words: list[str]) -> list[int]:
    """Give the ids of those whose name holds every word, whatever its case and accents."""
    names = campaigns.order_by("-id").values_list("pk", "name")[:DEPTH]
    return [pk for pk, name in names if all(word in fold(name) for word in words)][:500]


def running(workspace_id: int) -> int:
    """Count what runs now. One query over the few that live anywhere on this site."""
    live = Campaign.objects.filter(_IS_LIVE).values_list("workspace", "state")
    return sum(pk == workspace_id and state == State.RUNNING for pk, state in live)
