"""The pages of the activity log: a workspace's for its managers, the site's for its administrators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts import activity
from accounts.factors import FACTORS
from accounts.http import MemberRequest, PersonRequest, administrator, manager
from accounts.models import Event, Role, User

PER_PAGE = 50


class ActivityForm(forms.Form):
    q = forms.CharField(label=_("Search"), required=False, max_length=100)
    kind = forms.ChoiceField(label=_("What"), required=False)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(kind, activity.KINDS[kind]) for kind in kinds]
        self.fields["kind"].choices = [("", _("Everything")), *named]  # type: ignore[attr-defined]


@manager
@require_GET
def workspace_activity(request: MemberRequest) -> HttpResponse:
    rows = Event.objects.filter(workspace_id=request.workspace.pk)
    kinds = ["member", "phone", "contacts", "workspace"]
    return _page(request, rows, kinds, "accounts/activity.html")


@administrator
@require_GET
def site_activity(request: PersonRequest) -> HttpResponse:
    rows = Event.objects.all()
    return _page(request, rows, list(activity.KINDS), "accounts/administration/activity.html")


def _page(
    request: MemberRequest | PersonRequest, rows: QuerySet[Event], kinds: list[str], template: str
) -> HttpResponse:
    form = ActivityForm(request.GET, kinds=kinds)
    form.is_valid()
    wanted = {key: value for key, value in form.cleaned_data.items() if value}
    before = request.GET.get("before", "")
    if before and not (before.isdecimal() and len(before) < 19):
        raise Http404
    rows = _filtered(rows, wanted)
    rows = rows.filter(pk__lt=int(before)) if before else rows
    found = list(rows.order_by("-pk")[: PER_PAGE + 1])
    shown = {
        "form": form,
        "lines": [line(event) for event in found[:PER_PAGE]],
        "older": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        "before": before,
        "is_filtered": bool(wanted),
        "query": urlencode(wanted),
    }
    return render(request, template, shown)


def _filtered(rows: QuerySet[Event], wanted: dict[str, Any]) -> QuerySet[Event]:
    if q := wanted.get("q"):
        places = ("actor", "behalf", "subject", "workspace", "address")
        holds = Q()
        for place in places:
            holds |= Q(**{f"{place}__icontains": q})
        rows = rows.filter(holds)
    if kind := wanted.get("kind"):
        rows = rows.filter(action__startswith=f"{kind}.")
    if since := wanted.get("since"):
        rows = rows.filter(at__gte=_start(since))
    if until := wanted.get("until"):
        rows = rows.filter(at__lt=_start(until) + timedelta(days=1))
    return rows


def _start(day: date) -> datetime:
    """Give when a day begins for the reader; the ends of the calendar have no day beside them."""
    bounded = min(max(day, date(2, 1, 1)), date(9998, 12, 30))
    return timezone.make_aware(datetime.combine(bounded, time.min))


def latest_of(person: User) -> list[dict[str, Any]]:
    """Give the last lines that somebody wrote or that are about them."""
    theirs = Q(actor_id=person.pk) | Q(behalf_id=person.pk)
    return [line(event) for event in Event.objects.filter(theirs).order_by("-pk")[:10]]


def line(event: Event) -> dict[str, Any]:
    """Give what a page shows of an event: `words`, `more` and the event."""
    return {
        "event": event,
        "words": activity.ACTIONS.get(event.action, event.action),
        "more": ", ".join(str(words) for words in _told(event.details) if words),
    }


# Why a phone was paused by itself (phones.models.PauseReason).
_CAUSES = {
    "misconfigured": _("the provider refuses the account"),
    "no_credit": _("the account is empty"),
}


def _told(details: dict[str, Any]) -> Iterator[Any]:
    """Say the details as people read them; what says nothing more is left out."""
    if role := details.get("role"):
        yield " → ".join(str(_role(name)) for name in (details.get("before"), role) if name)
    if details.get("administrator"):
        yield _("administers the site")
    yield _CAUSES.get(details.get("cause", ""), "")
    yield FACTORS.get(details.get("factor", ""), "")
    for key in ("type", "format", "count", "reason", "heir"):
        yield details.get(key, "")


def _role(name: str) -> Any:
    return Role(name).label if name in Role.values else name
