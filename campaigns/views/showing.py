"""One campaign: what became of it, whom it reached, and its people as a file."""

from __future__ import annotations

from typing import Any

from django.http import (
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import activity
from accounts.http import MemberRequest, member, sender
from campaigns import answers, exporting, recipients, showing
from campaigns.models import Campaign, State
from campaigns.recipients import Wanted
from campaigns.showing import Progress
from campaigns.views.finding import find, query_of, recurrence_of, whole_number
from contacts.exporting import CSV, FORMATS, XLSX
from messaging.models import Status
from messaging.threads import Picture
from phones.base import Reason

# The states that have a tab of their own, besides all.
_TABS = (
    Status.QUEUED, Status.DELIVERED, Status.FAILED, Status.UNKNOWN, Status.SKIPPED, Status.CANCELLED
)  # fmt: skip


@require_GET
@member
def campaign(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Show a campaign; while it lives, its page asks for news by itself."""
    here = find(request, pk)
    if recurrence := recurrence_of(here):
        return redirect("recurrence", pk=recurrence.pk)
    if here.state == State.DRAFT and request.membership.may_send:
        return redirect("campaign_write", pk=pk)
    if here.state == State.ASKED and request.membership.may_send:
        return redirect("campaign_check", pk=pk)
    if request.htmx and request.GET.get("seen", here.state) != here.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    progress = showing.progress(here, timezone.now())
    shown = _people(request, here, progress)
    if request.htmx:
        template = "_live" if "seen" in request.GET else "_recipients"
        return render(request, f"campaigns/{template}.html", shown)
    shown |= {
        "answers": answers.answers(here),
        "chosen": showing.chosen(here),
        "tags": here.tags.all(),
        "approvals": here.approvals.select_related("asked_by", "answered_by"),
        "pictures": [Picture(item) for item in here.media.order_by("pk")],
    }
    return render(request, "campaigns/campaign.html", shown)


def _people(request: MemberRequest, here: Campaign, progress: Progress) -> dict[str, Any]:
    wanted = _wanted(request.GET)
    before = whole_number(request.GET.get("before", ""))
    return {
        "campaign": here,
        "progress": progress,
        "told": progress.told,
        "wanted": wanted,
        "page": recipients.page(here, wanted, before),
        "before": before,
        "query": query_of(request.GET, "q", "status", "reason"),
        "reason": Reason(wanted.reason).label if wanted.reason is not None else "",
        "tabs": [
            (status, status.label, progress.told.figures.of(status))
            for status in _TABS
            if progress.told.figures.of(status)
        ],
    }


def _wanted(asked: QueryDict) -> Wanted:
    """Read the filters; what is wrong there is left out."""
    status, reason = asked.get("status", ""), asked.get("reason")
    return Wanted(
        q=asked.get("q", "")[:100].replace("\x00", "").strip(),
        status=status if status in Status.values else "",
        reason=reason if reason in Reason.values else None,
    )


@require_GET
@sender
def export(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Offer the formats, or give the file of one: all people, or those that the filters want."""
    here, wanted = find(request, pk), _wanted(request.GET)
    format_ = request.GET.get("format", "")
    if format_ not in (CSV, XLSX):
        query = query_of(request.GET, "q", "status", "reason")
        shown = {
            "campaign": here,
            "query": query,
            "asked": list(QueryDict(query).items()),
        }
        return render(request, "campaigns/export.html", shown)
    activity.record("campaign.exported", subject=here, workspace=request.workspace)
    ending, kind = FORMATS[format_]
    name = exporting.name_of(here, ending)
    return StreamingHttpResponse(
        exporting.parts(here, wanted, format_),
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
