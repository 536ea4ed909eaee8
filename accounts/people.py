"""Who belongs to the workspace, with which role, and who is invited."""

from __future__ import annotations

import logging
from typing import Any

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import limits, mail, services
from accounts.activity import record
from accounts.forms import InviteForm, RoleForm
from accounts.http import MemberRequest, manager, member
from accounts.limits import Limits, LimitsForm
from accounts.models import Invitation, Membership, Role
from accounts.roles import LIMITS, MATRIX, hides

logger = logging.getLogger(__name__)

# Cookie that carries a fresh link over the redirect, to be shown once: the token is stored nowhere.
_FRESH = "invitation"


@member
@never_cache
@require_GET
def people(request: MemberRequest) -> HttpResponse:
    form = InviteForm(by=request.membership)
    token = request.get_signed_cookie(_FRESH, "", max_age=300) or ""
    fresh = services.find_invitation(token) if token else None
    shown: dict[str, Any] = {"form": form}
    if fresh and fresh.workspace_id == request.workspace.pk and request.membership.may_manage:
        shown |= {"fresh": fresh, "link": services.invitation_link(token)}
    response = _page(request, shown)
    if token:
        response.delete_cookie(_FRESH, path=reverse("people"))
    return response


def _page(request: MemberRequest, shown: dict[str, Any], status: int = 200) -> HttpResponse:
    rows = list(by_rank(request.workspace.memberships.select_related("user")))
    waiting = request.workspace.invitations.filter(accepted_at=None)
    waiting = waiting.select_related("invited_by", "workspace")
    invited = list(waiting.order_by("-created_at", "-pk"))
    if request.membership.may_manage and "limits_form" not in shown:
        shown["limits_form"] = LimitsForm(workspace=request.workspace)
    _say_limits(request, shown.get("limits_form"), [*rows, *invited])
    shown |= {
        "lines": [_line(row, request.membership, rows) for row in rows],
        "invitations": invited,
    }
    return render(request, "accounts/people.html", shown, status=status)


def _say_limits(
    request: MemberRequest, form: LimitsForm | None, rows: list[Membership | Invitation]
) -> None:
    """Let each row say its limits in a line, `limited`."""
    given = [Limits.read(row.limits) if row.role == Role.SENDER else limits.NONE for row in rows]
    known = form.known if form else limits.offered(request.workspace) if any(given) else {}
    for row, its in zip(rows, given, strict=True):
        row.limited = limits.in_words(its, known) if its else ""  # type: ignore[union-attr]


def _line(row: Membership, mine: Membership, rows: list[Membership]) -> dict[str, Any]:
    """Say what may be offered beside a member. The last owner stays: nothing is."""
    owners = sum(other.role == Role.OWNER for other in rows)
    is_fixed = row.role == Role.OWNER and owners == 1
    is_me = row.pk == mine.pk
    return {
        "member": row,
        "is_me": is_me,
        "can_change": row.role in services.roles_given_by(mine) and not is_fixed,
        "can_leave": is_me and not is_fixed,
    }


def by_rank(rows: QuerySet[Membership]) -> QuerySet[Membership]:
    """Order members: the most powerful first, then by name."""
    places = [When(role=role, then=Value(place)) for place, role in enumerate(Role)]
    rank = Case(*places, output_field=IntegerField())
    return rows.order_by(rank, Lower("user__name"), "user__email")


@member
@require_GET
def roles_page(request: MemberRequest) -> HttpResponse:
    """Show the table of who may do what."""
    rows = [
        {"action": action, "cells": [(role, role in action.roles) for role in Role]}
        for action in MATRIX
    ]
    mine = limits.of(request.membership)
    shown = {
        "rows": rows,
        "roles": list(Role),
        "sees": [(role, not hides(request.workspace.numbers_hidden, role)) for role in Role],
        "limits": LIMITS,
        "mine": limits.in_words(mine, limits.offered(request.workspace)) if mine else "",
    }
    return render(request, "accounts/roles.html", shown)


@manager
@require_POST
def invite(request: MemberRequest) -> HttpResponse:
    form = InviteForm(request.POST, by=request.membership)
    limited = LimitsForm(request.POST, workspace=request.workspace)
    if not (form.is_valid() and limited.is_valid()):
        return _page(request, {"form": form, "limits_form": limited}, status=422)
    typed = form.cleaned_data
    invitation, token = services.invite(
        request.membership,
        email=typed["email"],
        role=typed["role"],
        limits=limited.limits.dump(),
    )
    return _hand_over(request, invitation, token)


@manager
@require_POST
def invitation_renew(request: MemberRequest, pk: int) -> HttpResponse:
    """Make a new link, and send it again when the invitation has an address."""
    invitation = get_object_or_404(request.workspace.invitations, pk=pk)
    try:
        token = services.renew(invitation, request.membership)
    except services.NotAllowed as refusal:
        messages.error(request, str(refusal))
        return redirect("people")
    invitation.refresh_from_db()
    return _hand_over(request, invitation, token)


def _hand_over(request: MemberRequest, invitation: Invitation, token: str) -> HttpResponse:
    """Mail the link if there is an address, and show it once in any case."""
    if invitation.email:
        _mail(request, invitation, token)
    response = redirect("people")
    response.set_signed_cookie(
        _FRESH,
        token,
        max_age=300,
        path=reverse("people"),
        httponly=True,
        samesite="Strict",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


def _mail(request: MemberRequest, invitation: Invitation, token: str) -> None:
    names = {"email": invitation.email}
    if not mail.goes_out():
        words = _(
            "This site has no mail server, so nothing was sent to %(email)s. Pass the link on."
        )
        messages.warning(request, words % names)
        return
    if not ratelimit.consume(request, action="invite"):
        words = _(
            "You have sent many invitations within an hour, so nothing was mailed to %(email)s. "
            "Pass the link on."
        )
        messages.warning(request, words % names)
        return
    try:
        services.send_invitation(invitation, token)
    except OSError as error:
        logger.warning("The mail server refused invitation %s: %s", invitation.pk, error)
        words = _(
            "The mail server did not take the mail to %(email)s. "
            "The invitation is open: pass the link on yourself."
        )
        messages.error(request, words % names)
    else:
        messages.success(request, _("The invitation is on its way to %(email)s.") % names)


@manager
@require_POST
def invitation_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    """Close an invitation that nobody took up: its link opens nothing any more."""
    waiting = request.workspace.invitations.filter(accepted_at=None)
    invitation = get_object_or_404(waiting, pk=pk)
    invitation.delete()
    record("member.revoked", subject=invitation.email, workspace=request.workspace)
    messages.success(request, _("The invitation is revoked. Its link no longer works."))
    return redirect("people")


@manager
def member_role(request: MemberRequest, pk: int) -> HttpResponse:
    """Show what each role means, and give somebody another one; to a sender, limits."""
    membership = _member(request, pk)
    first = {"role": membership.role}
    form = RoleForm(request.POST or None, by=request.membership, initial=first)
    kept = Limits.read(membership.limits)
    limited = LimitsForm(request.POST or None, workspace=request.workspace, limits=kept)
    if not (form.is_valid() and limited.is_valid()):
        shown = {"member": membership, "form": form, "limits_form": limited}
        status = 422 if form.is_bound else 200
        return render(request, "accounts/member_role.html", shown, status=status)
    try:
        wanted = form.cleaned_data["role"]
        limits.change(membership, wanted, limited.limits, request.membership)
    except services.NotAllowed as refusal:
        messages.error(request, str(refusal))
    else:
        role = Role(form.cleaned_data["role"]).label
        words = _("%(person)s now has the role “%(role)s”.")
        if limits.of(membership):
            words = _("%(person)s now has the role “%(role)s”, with limits.")
        messages.success(request, words % {"person": membership.user, "role": role})
    return redirect("people")


@member
def member_remove(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then take somebody away; anybody may leave by themselves."""
    membership = _member(request, pk)
    leaves = membership.pk == request.membership.pk
    if not leaves and not request.membership.may_manage:
        raise PermissionDenied(_("Only administrators of this workspace can remove people."))
    if request.method != "POST":
        shown = {"member": membership, "leaves": leaves}
        return render(request, "accounts/member_remove.html", shown)
    try:
        services.remove_member(membership, request.membership)
    except services.NotAllowed as refusal:
        messages.error(request, str(refusal))
        return redirect("people")
    names = {"person": membership.user, "workspace": request.workspace}
    if leaves:
        messages.success(request, _("You have left %(workspace)s.") % names)
        return redirect("home")
    messages.success(request, _("%(person)s no longer belongs to %(workspace)s.") % names)
    return redirect("people")


def _member(request: MemberRequest, pk: int) -> Membership:
    rows = request.workspace.memberships.select_related("user")
    return get_object_or_404(rows, pk=pk)
