"""What was sent under each tag; other names for tags, and taking them away."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.contrib import messages as notices
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import MemberRequest, manager, member, sender
from campaigns import tagging
from campaigns.models import Tag
from contacts.forms import TagForm

# Tags that the page sums up; past them one is chosen.
_MOST = 50


@require_GET
@member
def tags(request: MemberRequest) -> HttpResponse:
    """Show people, messages, segments and cost per month of one tag, or of all."""
    known = list(
        request.workspace.campaign_tags.annotate(amount=Count("campaigns")).order_by("folded")
    )
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


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def rename(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a tag another name; where another tag has that one, ask, then make one of both."""
    here = _find(request, pk)
    form = TagForm(request.POST or None, initial={"name": here.name})
    same = None
    if form.is_bound and form.is_valid():
        name = form.cleaned_data["name"]
        same = tagging.same_named(here, name)
        if same is None:
            tagging.rename(here, name)
            return redirect("campaigns_tags")
        if "merge" in request.POST:
            tagging.merge(here, same)
            words = _("%(old)s and %(new)s are one tag now: %(new)s.")
            notices.success(request, words % {"old": here.name, "new": same.name})
            return redirect("campaigns_tags")
    shown = {"form": form, "tag": here, "same": same, "amount": here.campaigns.count()}
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/tag_form.html", shown, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@manager
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then take a tag off all campaigns; these stay as they are."""
    here = _find(request, pk)
    if request.method != "POST":
        shown = {"tag": here, "amount": here.campaigns.count()}
        return render(request, "campaigns/tag_delete.html", shown)
    here.delete()
    notices.success(request, _("The tag %(name)s was deleted.") % {"name": here.name})
    return redirect("campaigns_tags")


def _find(request: MemberRequest, pk: int) -> Tag:
    return get_object_or_404(request.workspace.campaign_tags, pk=pk)
