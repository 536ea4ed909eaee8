"""Finding campaigns: those of the list, those that run, come next, or stand still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from accounts.models import User, Workspace
from campaigns.models import Approval, Campaign, Recurrence, State, Tag
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
    found = Campaign.objects.filter(workspace=workspace)
    # What recurs is asked for again once it was changed.
    found = found if wanted.state == State.ASKED else without_patterns(found)
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


def next_ones(workspace: Workspace, most: int) -> list[Campaign | Recurrence]:
    """Give what leaves next: campaigns by `send_at`, recurring ones by `next_at`. Two queries."""
    waiting = workspace.campaigns.filter(state=State.SCHEDULED, send_at__isnull=False)
    recurring = Recurrence.objects.running().filter(workspace=workspace, next_at__isnull=False)
    # A run that was skipped does not leave, and one that has its own campaign is among those.
    recurring = recurring.exclude(skips__occurrence=F("next_at"))
    recurring = recurring.exclude(runs__occurrence=F("next_at"))
    found = [
        *waiting.defer("text", "numbers", "without_numbers").order_by("send_at", "pk")[:most],
        *recurring.select_related("pattern").order_by("next_at", "pk")[:most],
    ]
    return sorted(found, key=leaves_at)[:most]


def leaves_at(item: Campaign | Recurrence) -> datetime:
    """Give when what `next_ones` found leaves, by the wall clock it was written for."""
    at = item.next_at if isinstance(item, Recurrence) else item.send_at
    assert at
    return at


def asked(workspace: Workspace, most: int) -> list[Approval]:
    """Give the requests that wait for an answer, the oldest first. One query."""
    waiting = Approval.objects.filter(
        answer=Approval.Answer.OPEN, campaign__workspace=workspace, campaign__state=State.ASKED
    )
    related = waiting.select_related("campaign", "asked_by")
    found = related.defer(
        "campaign__text", "campaign__numbers", "campaign__without_numbers", "campaign__plan"
    )
    return list(found.order_by("pk")[:most])


def returned(workspace: Workspace, person: User, most: int) -> list[Approval]:
    """Give the requests of `person` that were sent back and not made again, newest first. One query."""
    later = Approval.objects.filter(campaign=OuterRef("campaign"), pk__gt=OuterRef("pk"))
    mine = Approval.objects.filter(
        ~Exists(later),
        asked_by=person,
        answer=Approval.Answer.RETURNED,
        campaign__workspace=workspace,
        campaign__state=State.DRAFT,
    )
    found = mine.select_related("campaign", "answered_by").defer(
        "campaign__text", "campaign__numbers", "campaign__without_numbers", "campaign__plan"
    )
    return list(found.order_by("-pk")[:most])


def stopped(workspace: Workspace, most: int) -> list[Campaign]:
    """Give the campaigns that stand still until somebody acts: paused, or they could not start."""
    still = Q(state=State.PAUSED) | (Q(state=State.SCHEDULED) & ~Q(problem=""))
    found = workspace.campaigns.filter(still).defer("text", "numbers", "without_numbers")
    return list(found.order_by("-pk")[:most])
