"""The pages of quotas: what members see, and what administrators of the site and of a workspace give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.activity import record
from accounts.http import MemberRequest, PersonRequest, administrator, manager, member
from accounts.models import User, Workspace
from accounts.people import by_rank
from messaging.quota import ledger
from messaging.quota.forms import CreditForm, QuotaForm
from messaging.quota.models import Quota, QuotaEntry

_GET_POST = require_http_methods(["GET", "HEAD", "POST"])
# Lines of the ledger on a page, and periods.
_PER_PAGE, _PERIODS = 50, 12


@dataclass(frozen=True, slots=True)
class Place:
    """Whose quota a page keeps: a workspace's, or that of a `person` in it; and the pages' names."""

    workspace: Workspace
    person: User | None
    pk: int
    names: str

    def url(self, what: str = "") -> str:
        return reverse(self.names + (f"_{what}" if what else ""), args=[self.pk])

    @property
    def urls(self) -> dict[str, str]:
        return {what: self.url(what) for what in ("credit", "renew", "remove")} | {
            "page": self.url()
        }

    @property
    def quota(self) -> Quota | None:
        mine = Quota.objects.filter(
            workspace=self.workspace, person=self.person, removed_at=None
        ).select_related("workspace", "person")
        return mine.first()

    @property
    def existing(self) -> Quota:
        if not (quota := self.quota):
            raise Http404
        return quota


# ---- What everybody sees ------------------------------------------------------------------------


@member
@require_GET
def quota(request: MemberRequest) -> HttpResponse:
    """Show a member what is left of the workspace's quota and of their own."""
    mine = ledger.standings(ledger.of_person(request.workspace, request.user))
    wants_own = request.GET.get("of") == "me"
    chosen = next((b for b in mine if bool(b.quota.person_id) == wants_own), None)
    chosen = chosen or (mine[0] if mine else None)
    shown = {
        "balances": mine,
        "chosen": chosen,
        "query": "of=me&" if chosen and chosen.quota.person_id else "",
        **(_history(request, chosen.quota) if chosen else {}),
    }
    if request.membership.may_manage:
        shown["people"] = _people(request.workspace)
    return render(request, "messaging/quota.html", shown)


def _people(workspace: Workspace) -> list[dict[str, Any]]:
    """Give everybody who may have a quota, with it; and who has one though they left."""
    own = [quota for quota in ledger.of_workspace(workspace) if quota.person]
    found = {balance.quota.person_id: balance for balance in ledger.standings(own)}
    members = [row.user for row in by_rank(workspace.memberships.select_related("user"))]
    gone = [q.person for q in own if q.person and q.person not in members]
    return [{"person": one, "balance": found.get(one.pk)} for one in [*members, *gone]]


def _history(request: MemberRequest | PersonRequest, quota: Quota) -> dict[str, Any]:
    entries = QuotaEntry.objects.filter(period__quota=quota).select_related("by", "period")
    periods = list(quota.periods.order_by("-starts_at")[:_PERIODS])
    balances = ledger.balances(periods)
    return {
        "page": Paginator(entries.order_by("-pk"), _PER_PAGE).get_page(request.GET.get("page")),
        "periods": [balances[period.pk] for period in periods],
    }


# ---- What administrators of the site give a workspace -------------------------------------------


def _of_site(pk: int) -> Place:
    return Place(get_object_or_404(Workspace, pk=pk), None, pk, "admin_workspace_quota")


@administrator
@_GET_POST
def workspace_quota(request: PersonRequest, pk: int) -> HttpResponse:
    return _keep(request, _of_site(pk))


@administrator
@require_POST
def workspace_credit(request: PersonRequest, pk: int) -> HttpResponse:
    return _credit(request, _of_site(pk))


@administrator
@require_POST
def workspace_renew(request: PersonRequest, pk: int) -> HttpResponse:
    return _renew(request, _of_site(pk))


@administrator
@require_POST
def workspace_remove(request: PersonRequest, pk: int) -> HttpResponse:
    return _remove(request, _of_site(pk))


# ---- What those who manage a workspace give people ----------------------------------------------


def _of_person(request: MemberRequest, pk: int) -> Place:
    """Find somebody of the workspace, or who has a quota there still."""
    here = Q(memberships__workspace=request.workspace) | Q(
        pk__in=Quota.objects.filter(workspace=request.workspace, removed_at=None).values("person")
    )
    person = get_object_or_404(User.objects.filter(here).distinct(), pk=pk)
    return Place(request.workspace, person, pk, "quota_person")


@manager
@_GET_POST
def person_quota(request: MemberRequest, pk: int) -> HttpResponse:
    return _keep(request, _of_person(request, pk))


@manager
@require_POST
def person_credit(request: MemberRequest, pk: int) -> HttpResponse:
    return _credit(request, _of_person(request, pk))


@manager
@require_POST
def person_renew(request: MemberRequest, pk: int) -> HttpResponse:
    return _renew(request, _of_person(request, pk))


@manager
@require_POST
def person_remove(request: MemberRequest, pk: int) -> HttpResponse:
    return _remove(request, _of_person(request, pk))


# ---- Both ---------------------------------------------------------------------------------------

_Request = MemberRequest | PersonRequest


def _keep(request: _Request, place: Place) -> HttpResponse:
    """Show a quota, and change it, or give the first one."""
    quota = place.quota
    form = QuotaForm(quota, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, place, quota, form=form, status=422 if form.is_bound else 200)
    try:
        if quota:
            ledger.change(quota, request.user, **form.fields_of)
        else:
            quota = ledger.grant(place.workspace, place.person, request.user, **form.fields_of)
    except IntegrityError:
        messages.warning(request, _("Somebody has given a quota meanwhile. Look at it first."))
        return redirect(place.url())
    _record("quota.set", place, quota)
    messages.success(request, _("Saved."))
    return redirect(place.url())


def _page(
    request: _Request, place: Place, quota: Quota | None, *, status: int = 200, **forms: Any
) -> HttpResponse:
    shown = {
        "kept": place,
        "urls": place.urls,
        "quota": quota,
        "balance": ledger.standings([quota])[0] if quota else None,
        "form": QuotaForm(quota),
        "credit_form": CreditForm(prefix="credit"),
        **(_history(request, quota) if quota else {}),
    }
    return render(request, "messaging/quota_keep.html", shown | forms, status=status)


def _credit(request: _Request, place: Place) -> HttpResponse:
    quota = place.existing
    form = CreditForm(request.POST, prefix="credit")
    if not form.is_valid():
        return _page(request, place, quota, credit_form=form, status=422)
    typed = form.cleaned_data
    ledger.credit(quota, typed["amount"], typed["words"], request.user)
    _record("quota.credited", place, quota, amount=typed["amount"])
    messages.success(request, _("Booked. What waits leaves as far as there is room."))
    return redirect(place.url())


def _renew(request: _Request, place: Place) -> HttpResponse:
    quota = place.existing
    ledger.renew(quota, request.user)
    _record("quota.renewed", place, quota)
    messages.success(request, _("A new period has begun."))
    return redirect(place.url())


def _remove(request: _Request, place: Place) -> HttpResponse:
    quota = place.existing
    ledger.remove(quota)
    _record("quota.removed", place, quota)
    messages.success(request, _("The quota is gone. What waited for it leaves."))
    return redirect(place.url())


def _record(action: str, place: Place, quota: Quota, **details: Any) -> None:
    subject = place.person or place.workspace
    record(action, subject=subject, workspace=place.workspace, **details)
