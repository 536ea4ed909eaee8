"""Campaigns again and again: the list, one of them with its runs, and when a campaign leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages as notices
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, member, sender
from accounts.models import User
from campaigns import recurring, rhythms, steering, tallying, wording
from campaigns.models import Campaign, Recurrence, State
from campaigns.steering import Refused
from campaigns.when_form import WhenForm
from lib import zones
from messaging.moments import moment

# Recurrences of a page of the list; runs to come, and past ones, on the page of one.
_PAGE, _COMING, _PAST = 50, 10, 20
# No run is later: Recurrence.until ends with the century.
_LATEST = 4_102_444_800


@require_GET
@member
def recurrences(request: MemberRequest) -> HttpResponse:
    """List what recurs, newest first; `before` is the id that a page starts under."""
    rows = request.workspace.recurrences.select_related("pattern").order_by("-pk")
    before = _whole(request.GET.get("before", ""))
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.defer("pattern__numbers", "pattern__without_numbers")[: _PAGE + 1])
    labels = _labels(request)
    shown = {
        "rows": [
            {
                "recurrence": row,
                "words": _words(row, labels),
                "next": _in_its_zone(row, row.next_at),
            }
            for row in found[:_PAGE]
        ],
        "older": found[_PAGE - 1].pk if len(found) > _PAGE else None,
        "is_first": not before,
    }
    return render(request, "campaigns/recurrences.html", shown)


@require_GET
@member
def recurrence(request: MemberRequest, pk: int) -> HttpResponse:
    """Show when something recurs, what is to come and what was; times as clocks in its zone show them."""
    here = _find(request, pk)
    now = timezone.now()
    before = min(_whole(request.GET.get("before", "")), _LATEST)
    until = datetime.fromtimestamp(before, UTC) if before else now
    try:
        coming, past = recurring.coming(here, _COMING, now), recurring.past(here, _PAST + 1, until)
        problem = here.problem
    except rhythms.BadRule:
        coming, past = [], recurring.past(here, _PAST + 1, until)
        problem = _("When it runs cannot be read any more. Choose it again.")
    shown = {
        "recurrence": here,
        "pattern": here.pattern,
        "words": _words(here, _labels(request)),
        "problem": problem,
        "coming": coming,
        "past": _told(past[:_PAST]),
        "older": past[_PAST - 1].mark if len(past) > _PAST else None,
        "is_newest": not before,
        "waiting": here.runs.filter(state=State.SCHEDULED).count(),
        "obstacles": steering.obstacles(here.pattern) if here.phase == "draft" else [],
        "must_ask": request.membership.must_ask and not steering.is_approved(here.pattern),
        "approvals": here.pattern.approvals.select_related("answered_by"),
    }
    with timezone.override(zones.zone(here.zone)):
        return render(request, "campaigns/recurrence.html", shown)


def _told(runs: list[recurring.Run]) -> list[dict[str, Any]]:
    """Give past runs, each with its figures."""
    figures = tallying.figures(run.campaign for run in runs if run.campaign)
    return [
        {"run": run, "figures": figures[run.campaign.pk] if run.campaign else None} for run in runs
    ]


# ---- When ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def when(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Choose when a draft leaves, or when what recurs does."""
    drafts = request.workspace.campaigns.filter(state=State.DRAFT)
    here = get_object_or_404(drafts, pk=pk)
    here.workspace = request.workspace
    form = WhenForm(request.workspace, request.POST or None, campaign=here)
    if form.is_bound and form.is_valid():
        try:
            made = keep(here, form, request.user)
        except Refused as error:
            notices.warning(request, str(error))
        else:
            notices.success(request, _("Saved."))
            return redirect("recurrence", pk=made.pk) if made else redirect("campaign_when", pk=pk)
    shown = {"campaign": here, "form": form, "recurrence": form.recurrence}
    status = 422 if form.is_bound else 200
    return render(request, "campaigns/when.html", shown, status=status)


def keep(here: Campaign, form: WhenForm, by: User) -> Recurrence | None:
    """Store when a draft leaves; give what recurs then. Raises Refused."""
    if form.recurrence and form.recurrence.started_at and form.rhythm is None:
        raise Refused(_("It recurs already. End it, and copy it, to send it once."))
    if form.recurrence and form.recurrence.ended_at:
        raise Refused(_("It has ended. Copy it to begin anew."))
    values = form.values
    if form.recurrence is None or form.recurrence.started_at is None:
        steering.save(here, **values)
        values = {}
    return recurring.arrange(here, form.rhythm, form.birthday_key, by, **values)


@require_POST
@sender
def preview(request: MemberRequest) -> HttpResponse:
    """Show what a half-filled form would make: the next runs."""
    form = WhenForm(request.workspace, request.POST, campaign=None)
    form.is_valid()
    return render(request, "campaigns/_runs.html", {"form": form})


# ---- Steering -----------------------------------------------------------------------------------


@require_POST
@sender
def begin(request: MemberRequest, pk: int) -> HttpResponseBase:
    return _act(
        request, pk, lambda here: recurring.begin(here, request.user), _("It runs from now on.")
    )


@require_POST
@sender
def pause(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Pause it; where that was asked for, lead to what its runs are copied from."""
    if "edit" in request.POST:
        words = _("It is paused while you change it: resume it when you are done.")
        _act(request, pk, recurring.pause, words)
        return redirect("campaign_write", pk=_find(request, pk).pattern_id)
    return _act(
        request, pk, recurring.pause, _("It is paused: nothing begins until you resume it.")
    )


@require_POST
@sender
def resume(request: MemberRequest, pk: int) -> HttpResponseBase:
    words = _("It goes on with the next run.")
    return _act(request, pk, lambda here: recurring.resume(here, request.user), words)


@require_POST
@sender
def end(request: MemberRequest, pk: int) -> HttpResponseBase:
    return _act(request, pk, lambda here: recurring.end(here, request.user), _("It has ended."))


@require_POST
@sender
def skip(request: MemberRequest, pk: int) -> HttpResponseBase:
    at = _occurrence(request)
    return _act(
        request, pk, lambda here: recurring.skip(here, at, request.user), _("This run is skipped.")
    )


@require_POST
@sender
def unskip(request: MemberRequest, pk: int) -> HttpResponseBase:
    at = _occurrence(request)
    return _act(
        request, pk, lambda here: recurring.unskip(here, at), _("This run takes place after all.")
    )


@require_POST
@sender
def prepare(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Make the campaign of one run now, and lead to it as a draft."""
    at, runs = _occurrence(request), list[Campaign]()

    def draft(here: Recurrence) -> None:
        run = recurring.prepare(here, at, request.user)
        if run.state == State.SCHEDULED:
            steering.unschedule(run)
        runs.append(run)

    words = _(
        "This run is a draft of its own: it leaves only if you schedule it when you are done."
    )
    answer = _act(request, pk, draft, words)
    return redirect("campaign_write", pk=runs[0].pk) if runs else answer


def _act(
    request: MemberRequest, pk: int, act: Callable[[Recurrence], object], words: str
) -> HttpResponseBase:
    try:
        act(_find(request, pk))
    except Refused as error:
        notices.warning(request, str(error))
    except rhythms.BadRule:
        notices.warning(request, _("When it runs cannot be read any more. Choose it again."))
    else:
        notices.success(request, words)
    return redirect("recurrence", pk=pk)


def _occurrence(request: MemberRequest) -> datetime:
    """Read which run is meant: seconds since 1970. Raises Http404."""
    mark = _whole(request.POST.get("at", ""))
    if not 0 < mark < _LATEST:
        raise Http404
    return datetime.fromtimestamp(mark, UTC)


def _find(request: MemberRequest, pk: int) -> Recurrence:
    found = get_object_or_404(
        request.workspace.recurrences.select_related("pattern__phone", "created_by"), pk=pk
    )
    found.workspace = found.pattern.workspace = request.workspace
    return found


# ---- Words --------------------------------------------------------------------------------------


def _words(row: Recurrence, labels: dict[str, str]) -> str:
    try:
        rhythm = recurring.rhythm_of(row)
    except rhythms.BadRule:
        return "?"
    label = labels.get(row.birthday, row.birthday)
    return wording.in_words(rhythm, birthday=label, own_zone=row.pattern.own_zone)


def _labels(request: MemberRequest) -> dict[str, str]:
    return dict(request.workspace.fields.values_list("key", "label"))


def _in_its_zone(row: Recurrence, at: datetime | None) -> str:
    if at is None:
        return ""
    with timezone.override(zones.zone(row.zone)):
        return moment(at)


def _whole(written: str) -> int:
    """Give the number of an address, 0 without one. Raises Http404 for anything else."""
    if not written:
        return 0
    if not (written.isascii() and written.isdigit() and len(written) < 19):
        raise Http404
    return int(written)
