"""Tags of campaigns: putting them on, and what was sent under each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts.models import Workspace
from campaigns.breakdown import LEFT
from campaigns.models import Campaign, Tag, Tally
from contacts.keeping import names_in
from lib.words import fold
from messaging.costs import Spent

# Tags of one campaign, and months that usage shows.
MOST, MONTHS = 20, 12


@dataclass(frozen=True, slots=True)
class Usage:
    """What was sent under a tag (None: under none) in a month, which begins on `month`.

    `people` counts everybody meant, skipped or not; `messages` those that left, in so many `segments`.
    """

    tag: Tag | None
    month: date
    people: int
    messages: int
    segments: int
    spent: list[Spent] = field(default_factory=list)


def set_tags(campaign: Campaign, written: str) -> None:
    """Give a campaign exactly the tags in a list with commas; those that nothing has are forgotten."""
    before = list(campaign.tags.all())
    wanted = [_named(campaign.workspace, name) for name in names_in(written)[:MOST]]
    if {tag.pk for tag in before} != {tag.pk for tag in wanted}:
        campaign.tags.set(wanted)
        Tag.objects.filter(pk__in=[tag.pk for tag in before], campaigns=None).delete()


def _named(workspace: Workspace, name: str) -> Tag:
    found, _new = Tag.objects.get_or_create(
        workspace=workspace, folded=fold(name)[:60], defaults={"name": name[:60]}
    )
    return found


def same_named(tag: Tag, name: str) -> Tag | None:
    """Give another tag that has this name already."""
    same = Tag.objects.filter(workspace=tag.workspace_id, folded=fold(name)[:60])
    return same.exclude(pk=tag.pk).first()


def rename(tag: Tag, name: str) -> None:
    """Give a tag another name, which no other tag has."""
    Tag.objects.filter(pk=tag.pk).update(name=name[:60], folded=fold(name)[:60])


def merge(tag: Tag, into: Tag) -> None:
    """Put a tag on every campaign that has another one, and delete that one."""
    through = Campaign.tags.through
    with transaction.atomic():
        having = through.objects.filter(tag=tag).values_list("campaign_id", flat=True)
        rows = [through(tag_id=into.pk, campaign_id=pk) for pk in having]
        through.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        tag.delete()


def usage(workspace: Workspace, tags: Iterable[Tag], zone: ZoneInfo) -> list[Usage]:
    """Give what was sent under each tag in each of the last months, newest month first. A query per tag."""
    since = _first_of_months(timezone.now().astimezone(zone))
    found = [line for tag in tags for line in _of(tag, workspace, zone, since)]
    return sorted(
        found, key=lambda line: (-line.month.toordinal(), line.tag.folded if line.tag else "")
    )


def _of(tag: Tag, workspace: Workspace, zone: ZoneInfo, since: datetime) -> Iterable[Usage]:
    through = Campaign.tags.through.objects.filter(tag=tag)
    rows = (
        Tally.objects.filter(campaign__in=through.values("campaign_id"), at__gte=since)
        .order_by()
        .annotate(month=TruncMonth("at", tzinfo=zone))
        .values("month", "currency")
        .annotate(
            people=Sum("amount"),
            left=Sum("amount", filter=Q(status__in=LEFT)),
            parts=Sum("segments", filter=Q(status__in=LEFT)),
            told=Sum("cost", filter=Q(status__in=LEFT)),
            guessed=Sum("estimate", filter=Q(status__in=LEFT)),
        )
    )
    months: defaultdict[date, list[Any]] = defaultdict(list)
    for row in rows:
        months[row["month"].date()].append(row)
    for month, lines in months.items():
        yield Usage(
            tag=tag,
            month=month,
            people=_whole(lines, "people"),
            messages=_whole(lines, "left"),
            segments=_whole(lines, "parts"),
            spent=[
                Spent(str(line["currency"]), int(line["told"] or 0), int(line["guessed"] or 0))
                for line in lines
                if line["currency"] and (line["told"] or line["guessed"])
            ],
        )


def _whole(lines: Iterable[Any], name: str) -> int:
    """Add up a column; PostgreSQL gives sums of big integers as decimals."""
    return sum(int(line[name] or 0) for line in lines)


def _first_of_months(now: datetime) -> datetime:
    """Give the beginning of the first month shown."""
    month = now.year * 12 + now.month - MONTHS
    return now.replace(
        year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
