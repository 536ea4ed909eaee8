"""The people of a campaign, one message each: finding some of them as fast among a million as among ten.

- all, or one state: the indexes `message_campaign` and `message_campaign_state`;
- a reason: `message_campaign_reason`;
- a number or a name: all messages of a campaign have its `submission`, so `one_message_per_submission`
  finds each by its number. What is found is cut and not paged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from campaigns.models import Campaign
from contacts.services import names, numbers_called
from lib import masks
from messaging.models import Message, Status
from messaging.searching import by_number, is_number
from phones.base import Reason

PAGE = 50
_CHUNK = 1000
# Conditions of partial indexes, in their words: SQLite uses these for no others.
_OUTGOING = RawSQL("direction = 'out'", [], BooleanField())
_HAS_REASON = RawSQL("NOT (reason = '')", [], BooleanField())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people of a campaign: `q` is a number or a name; else a state, with a reason or without."""

    q: str = ""
    status: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Messages of one page, newest first; `older` is the id the next page lies under, None at the end.

    `more` says that a search found more than are shown. `names` are those of the numbers.
    """

    rows: list[Message]
    older: int | None
    more: bool
    names: dict[str, str]


def page(campaign: Campaign, wanted: Wanted, before: int = 0) -> Page:
    """Give one page of the people somebody wants to see. Three queries at most."""
    found = find(campaign, wanted)
    if before and not wanted.q:
        found = found.filter(pk__lt=before)
    shown = list(found.select_related("phone").defer("phone__settings", "text")[: PAGE + 1])
    rows, is_cut = shown[:PAGE], len(shown) > PAGE
    return Page(
        rows=rows,
        older=rows[-1].pk if is_cut and not wanted.q else None,
        more=is_cut and bool(wanted.q),
        names=names(campaign.workspace_id, [row.peer for row in rows]),
    )


def find(campaign: Campaign, wanted: Wanted) -> QuerySet[Message]:
    """Give the messages of those people, newest first; of a search in the order of their numbers."""
    if wanted.q.strip():
        return _searched(campaign, wanted.q)
    found = Message.objects.filter(campaign=campaign)
    if wanted.status:
        found = found.filter(status=wanted.status)
    if wanted.reason is not None:
        found = found.filter(reason=wanted.reason)
        if wanted.reason:
            found = found.filter(_HAS_REASON)
    return found.order_by("-id")


def _searched(campaign: Campaign, q: str) -> QuerySet[Message]:
    mine = Message.objects.filter(
        _OUTGOING, workspace=campaign.workspace_id, submission=campaign.submission
    )
    if is_number(q):
        return mine.filter(by_number(q, campaign.workspace.country)).order_by("peer")
    return mine.filter(peer__in=numbers_called(campaign.workspace_id, q)).order_by("peer")


def everybody(campaign: Campaign, wanted: Wanted) -> Iterator[tuple[Message, str]]:
    """Give every message wanted, oldest first, with the name of its person; a chunk at a time, so that
    no transaction stays open."""
    found = find(campaign, wanted).select_related("phone").defer("phone__settings")
    after = 0
    while chunk := list(found.filter(pk__gt=after).order_by("id")[:_CHUNK]):
        known = names(campaign.workspace_id, [message.peer for message in chunk])
        for message in chunk:
            yield message, known.get(message.peer, "")
        after = chunk[-1].pk


def why(message: Message) -> str:
    """Say in a few words why a message is where it is, "" where its state says all."""
    if message.reason:
        return str(Reason(message.reason).label) if message.reason in Reason.values else ""
    return masks.said(message.words) if message.status in (Status.FAILED, Status.UNKNOWN) else ""
