"""What came back: who answered a campaign, and who asked for no more messages since.

Bounded: only the first MOST messages that came in after its start are looked at, and what comes DAYS after
its end is no answer any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import BooleanField, Count, Exists, OuterRef
from django.db.models.expressions import RawSQL

from campaigns.models import Campaign
from contacts.models import OptOut
from contacts.services import names
from messaging.models import Message, Status

MOST, DAYS = 5000, 7
_OUTGOING = RawSQL("direction = 'out'", [], BooleanField())


@dataclass(frozen=True, slots=True)
class Answers:
    """People who answered, and who opted out. `is_partial`: more came in than were looked at.

    `names` are those of the numbers of `latest`.
    """

    people: int
    latest: list[Message]
    names: dict[str, str]
    opted_out: int
    is_partial: bool


def answers(campaign: Campaign, shown: int = 3) -> Answers:
    """Look at what came in since the campaign began. Six queries."""
    if campaign.started_at is None:
        return Answers(0, [], {}, 0, is_partial=False)
    came = Message.objects.filter(
        workspace=campaign.workspace_id,
        status=Status.RECEIVED,
        pk__gt=_first(campaign),
        created_at__gte=campaign.started_at,
    )
    gone = OptOut.objects.filter(
        workspace=campaign.workspace_id, created_at__gte=campaign.started_at
    )
    if campaign.ended_at:
        end = campaign.ended_at + timedelta(days=DAYS)
        came, gone = came.filter(created_at__lte=end), gone.filter(created_at__lte=end)
    looked_at = Message.objects.filter(pk__in=came.order_by("id").values("pk")[:MOST])
    theirs = looked_at.filter(_written_to(campaign, "peer"))
    counted = theirs.aggregate(people=Count("peer", distinct=True))
    latest = list(theirs.order_by("-id")[:shown]) if counted["people"] else []
    newest = gone.order_by("-id").values("pk")[:MOST]
    return Answers(
        people=counted["people"],
        latest=latest,
        names=names(campaign.workspace_id, [message.peer for message in latest]),
        opted_out=OptOut.objects.filter(_written_to(campaign, "number"), pk__in=newest).count(),
        is_partial=came[MOST - 1 : MOST].exists(),
    )


def _first(campaign: Campaign) -> int:
    """Give the id of its first message; what has a lower one came before."""
    mine = Message.objects.filter(campaign=campaign).order_by("id")
    return mine.values_list("pk", flat=True).first() or 0


def _written_to(campaign: Campaign, number: str) -> Exists:
    """Match rows whose `number` is one of the campaign's, by `one_message_per_submission`."""
    return Exists(
        Message.objects.filter(
            _OUTGOING,
            workspace=campaign.workspace_id,
            submission=campaign.submission,
            peer=OuterRef(number),
        )
    )
