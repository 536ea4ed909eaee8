"""What people do with a campaign that exists: pause, go on, cancel, try again, duplicate, delete."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages as notices
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import activity
from accounts.http import MemberRequest, sender
from campaigns import showing, steering
from campaigns.breakdown import break_down
from campaigns.models import LIVE, Campaign, State
from campaigns.steering import Refused
from campaigns.views.finding import find


@require_POST
@sender
def pause(request: MemberRequest, pk: int) -> HttpResponseBase:
    return _do(
        request, pk, steering.pause, "paused", _("It is paused. What is just leaving still leaves.")
    )


@require_POST
@sender
def resume(request: MemberRequest, pk: int) -> HttpResponseBase:
    words = _("It goes on.")
    return _do(request, pk, lambda c: steering.resume(c, request.user), "resumed", words)


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def cancel(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask, naming the number, then cancel what has not left."""
    if request.method == "POST":
        words = _("It was cancelled. What has left stays sent.")
        return _do(request, pk, lambda c: steering.cancel(c, request.user), "cancelled", words)
    here = find(request, pk)
    shown = {
        "campaign": here,
        "progress": showing.progress(here, timezone.now()),
        "can_cancel": here.state in (State.SCHEDULED, *LIVE),
    }
    return render(request, "campaigns/cancel.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def retry(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask which failures, then send to these people again."""
    here = find(request, pk)
    told = break_down(here)
    chosen = [line for line in told.failures if line.key in request.POST.getlist("reason")]
    if request.method != "POST" or not chosen:
        status = 422 if request.method == "POST" else 200
        shown = {"campaign": here, "told": told, "nothing": status == 422}
        return render(request, "campaigns/retry.html", shown, status=status)
    reasons = [line.key for line in chosen]
    words = _("They are tried again.")
    return _do(request, pk, lambda c: steering.retry(c, reasons, request.user), "retried", words)


@require_POST
@sender
def duplicate(request: MemberRequest, pk: int) -> HttpResponseBase:
    made = steering.copy(find(request, pk), request.user)
    notices.success(request, _("This is a copy. Nothing of it has been sent."))
    return redirect("campaign_write", pk=made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then throw a draft away; what has been sent stays."""
    here = find(request, pk)
    if request.method != "POST":
        return render(request, "campaigns/delete.html", {"campaign": here})
    try:
        steering.discard(here)
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign", pk=pk)
    notices.success(request, _("The draft was deleted."))
    return redirect("campaigns")


def _do(
    request: MemberRequest, pk: int, act: Callable[[Campaign], None], done: str, words: str
) -> HttpResponseBase:
    """Do something to a campaign, note it as `done`, and say so; or say why not."""
    here = find(request, pk)
    try:
        act(here)
    except Refused as error:
        notices.warning(request, str(error))
    else:
        activity.record(f"campaign.{done}", subject=here, workspace=request.workspace)
        notices.success(request, words)
    return redirect("campaign", pk=pk)
