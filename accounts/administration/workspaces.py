"""The workspaces of the site: the list, one of them, who belongs to it, and its end."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import administering
from accounts.activity import record
from accounts.administration import finding
from accounts.administration.forms import (
    HeirForm,
    MemberForm,
    NameAgainForm,
    NewWorkspaceForm,
    WorkspaceSearchForm,
)
from accounts.forms import WorkspaceForm
from accounts.http import PersonRequest, administrator
from accounts.models import Role, Workspace
from accounts.people import by_rank
from accounts.places import guess
from accounts.services import NotAllowed

_GET_POST = require_http_methods(["GET", "HEAD", "POST"])


@administrator
@require_GET
def workspaces(request: PersonRequest) -> HttpResponse:
    form = WorkspaceSearchForm(request.GET)
    form.is_valid()
    wanted = {key: value for key, value in form.cleaned_data.items() if value}
    rows = finding.workspaces(wanted.get("q", ""), wanted.get("state", ""))
    shown = {
        "form": form,
        "page": finding.page_of(rows, request.GET.get("page", "")),
        "is_filtered": bool(wanted),
        "query": urlencode(wanted),
    }
    return render(request, "accounts/administration/workspaces.html", shown)


@administrator
@_GET_POST
def workspace_add(request: PersonRequest) -> HttpResponse:
    country, time_zone = guess(request.headers.get("accept-language", ""))
    first = {"country": country, "time_zone": time_zone, "owner": request.user.email}
    form = NewWorkspaceForm(request.POST or None, initial=first)
    if form.is_valid():
        added = administering.add_workspace(**form.cleaned_data)
        messages.success(request, _("%(workspace)s is there.") % {"workspace": added})
        return redirect("admin_workspace", pk=added.pk)
    status = 422 if form.is_bound else 200
    shown = {"form": form}
    return render(request, "accounts/administration/workspace_add.html", shown, status=status)


@administrator
@_GET_POST
def workspace(request: PersonRequest, pk: int) -> HttpResponse:
    """Show a workspace and who belongs to it; change its name and place."""
    found = get_object_or_404(Workspace, pk=pk)
    form = WorkspaceForm(request.POST or None, instance=found)
    if form.is_valid():
        found.save(update_fields=form.Meta.fields)
        record("workspace.edited", subject=found, workspace=found)
        messages.success(request, _("Saved."))
        return redirect("admin_workspace", pk=pk)
    return _page(request, pk, form=form, status=422 if form.is_bound else 200)


def _page(request: PersonRequest, pk: int, *, status: int = 200, **forms: object) -> HttpResponse:
    found = get_object_or_404(Workspace, pk=pk)
    shown = {
        "found": found,
        "members": by_rank(found.memberships.select_related("user")),
        "roles": Role.choices,
        "form": WorkspaceForm(instance=found),
        "member_form": MemberForm(prefix="member"),
        "heir_form": HeirForm(prefix="transfer"),
    }
    return render(request, "accounts/administration/workspace.html", shown | forms, status=status)


@administrator
@require_POST
def member_add(request: PersonRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Workspace, pk=pk)
    form = MemberForm(request.POST, prefix="member")
    if not form.is_valid():
        return _page(request, pk, member_form=form, status=422)
    typed = form.cleaned_data
    try:
        administering.add_member(found, typed["person"], typed["role"])
    except NotAllowed as refusal:
        form.add_error("person", str(refusal))
        return _page(request, pk, member_form=form, status=422)
    words = _("%(person)s belongs to %(workspace)s now.")
    messages.success(request, words % {"person": typed["person"], "workspace": found})
    return redirect("admin_workspace", pk=pk)


@administrator
@require_POST
def member_change(request: PersonRequest, pk: int, member: int) -> HttpResponse:
    """Give a member another role, or (`role` empty) take them away."""
    found = get_object_or_404(Workspace, pk=pk)
    membership = get_object_or_404(found.memberships.select_related("user"), pk=member)
    role = request.POST.get("role", "")
    try:
        if role in Role.values:
            administering.change_role(membership, role)
            messages.success(request, _("Saved."))
        else:
            administering.remove_member(membership)
            words = _("%(person)s no longer belongs to %(workspace)s.")
            names = {"person": membership.user, "workspace": found}
            messages.success(request, words % names)
    except NotAllowed as refusal:
        messages.error(request, str(refusal))
    return redirect("admin_workspace", pk=pk)


@administrator
@require_POST
def transfer(request: PersonRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Workspace, pk=pk)
    form = HeirForm(request.POST, prefix="transfer")
    if not form.is_valid():
        return _page(request, pk, heir_form=form, status=422)
    heir = form.cleaned_data["heir"]
    administering.transfer(found, heir)
    words = _("%(person)s owns %(workspace)s now.")
    messages.success(request, words % {"person": heir, "workspace": found})
    return redirect("admin_workspace", pk=pk)


@administrator
@_GET_POST
def archive(request: PersonRequest, pk: int) -> HttpResponse:
    """Ask, then close a workspace."""
    found = get_object_or_404(Workspace, pk=pk)
    if request.method != "POST":
        return render(request, "accounts/administration/workspace_archive.html", {"found": found})
    administering.archive(found)
    messages.success(request, _("%(workspace)s is archived.") % {"workspace": found})
    return redirect("admin_workspace", pk=pk)


@administrator
@require_POST
def restore(request: PersonRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Workspace, pk=pk)
    administering.restore(found)
    words = _("%(workspace)s is open again. Its phones stay paused until somebody starts them.")
    messages.success(request, words % {"workspace": found})
    return redirect("admin_workspace", pk=pk)


@administrator
@_GET_POST
def delete(request: PersonRequest, pk: int) -> HttpResponse:
    """Ask for the name, then delete an archived workspace with everything in it."""
    found = get_object_or_404(Workspace, pk=pk)
    form = NameAgainForm(request.POST or None, wanted=found.name)
    if form.is_valid():
        try:
            administering.delete_workspace(found)
        except NotAllowed as refusal:
            messages.error(request, str(refusal))
            return redirect("admin_workspace", pk=pk)
        words = _("%(workspace)s is being deleted. It leaves this list when all of it is gone.")
        messages.success(request, words % {"workspace": found})
        return redirect("admin_workspaces")
    shown = {"form": form, "found": found}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/administration/workspace_delete.html", shown, status=status)
