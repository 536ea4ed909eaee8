"""What was sent under each tag."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.http import MemberRequest, member
from campaigns import tagging

# Tags that the page sums up; past them one is chosen.
_MOST = 50


@require_GET
@member
def tags(request: MemberRequest) -> HttpResponse:
    """Show people, messages, segments and cost per month of one tag, or of all."""
    known = list(request.workspace.campaign_tags.all())
    chosen = next((tag for tag in known if str(tag.pk) == request.GET.get("tag")), None)
    zone = timezone.get_current_timezone()
    assert isinstance(zone, ZoneInfo)
    summed = [chosen] if chosen else known[:_MOST]
    shown = {
        "tags": known,
        "chosen": chosen,
        "lines": tagging.usage(request.workspace, summed, zone),
        "is_cut": not chosen and len(known) > _MOST,
        "most": _MOST,
        "months": tagging.MONTHS,
    }
    return render(request, "campaigns/tags.html", shown)
