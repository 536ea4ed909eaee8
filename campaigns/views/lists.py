"""The list of campaigns."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import MemberRequest, member
from campaigns import finding
from campaigns.breakdown import Part, bar
from campaigns.finding import PAGE, Wanted
from campaigns.models import Campaign, State
from campaigns.tallying import Figures, figures
from campaigns.views.finding import query_of, whole_number


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign of the list; `people` is None where nobody has counted them yet."""

    campaign: Campaign
    figures: Figures
    people: int | None
    bar: list[Part]


@require_GET
@member
def campaigns(request: MemberRequest) -> HttpResponse:
    """List campaigns, newest first, as far as the filters in the address want them."""
    asked = request.GET
    tags = list(request.workspace.campaign_tags.all())
    wanted = Wanted(
        q=asked.get("q", "")[:100].replace("\x00", ""),
        state=asked["state"] if asked.get("state") in State.values else "",
        tag=next((tag for tag in tags if str(tag.pk) == asked.get("tag")), None),
    )
    found = finding.find(request.workspace, wanted)
    before = whole_number(asked.get("before", ""))
    rows = found.filter(pk__lt=before) if before else found
    shown = list(
        rows.prefetch_related("tags").defer("text", "numbers", "without_numbers")[: PAGE + 1]
    )
    query = query_of(asked, "q", "state", "tag")
    context = {
        "rows": _rows(shown[:PAGE]),
        "older": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "before": before,
        "wanted": wanted,
        "states": State.choices,
        "tags": tags,
        "query": query,
        "is_filtered": bool(query),
    }
    return render(request, "campaigns/campaigns.html", context)


def _rows(shown: list[Campaign]) -> list[Row]:
    told = figures(shown)
    return [_row(campaign, told[campaign.pk]) for campaign in shown]


def _row(campaign: Campaign, told: Figures) -> Row:
    if campaign.is_editable:
        people = campaign.plan.get("people") if campaign.planned_at else None
        return Row(campaign, told, people, [])
    expanding = max(0, campaign.expected - campaign.seen) if campaign.is_expanding else 0
    return Row(campaign, told, told.total + expanding, bar(told, told.total + expanding))
