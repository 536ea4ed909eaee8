"""One's own settings, the workspace's, and going from one workspace to another."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.activity import record
from accounts.forms import ProfileForm, WorkspaceForm
from accounts.http import MemberRequest, PersonRequest, manager
from accounts.middleware import speak
from accounts.models import User


@manager
def settings_workspace(request: MemberRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST or None, instance=request.workspace)
    if form.is_valid():
        request.workspace.save(update_fields=form.Meta.fields)
        record("workspace.edited", subject=request.workspace, workspace=request.workspace)
        messages.success(request, _("Saved."))
        return redirect("settings_workspace")
    if form.is_bound:
        # Validation has written what was typed into the instance; the page must not show it.
        request.workspace.refresh_from_db()
    status = 422 if form.is_bound else 200
    return render(request, "accounts/workspace.html", {"form": form}, status=status)


@login_required
def profile(request: PersonRequest) -> HttpResponse:
    """Show and change what belongs to the person alone. A new language shows at once."""
    user = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST or None, instance=user, workspace=request.workspace)
    if form.is_valid():
        user.save(update_fields=form.Meta.fields)
        speak(request, user.language)
        messages.success(request, _("Saved."))
        return redirect("profile")
    status = 422 if form.is_bound else 200
    return render(request, "accounts/profile.html", {"form": form}, status=status)


@login_required
@require_POST
def workspace_switch(request: PersonRequest) -> HttpResponse:
    """Go to another workspace of the person's."""
    chosen = request.POST.get("workspace", "")
    mine = request.user.memberships.filter(workspace__archived_at=None)
    if chosen not in map(str, mine.values_list("workspace_id", flat=True)):
        raise Http404
    request.session["workspace"] = int(chosen)
    return redirect("home")


@login_required
def workspace_missing(request: PersonRequest) -> HttpResponse:
    """Explain to somebody who belongs to no workspace what to do."""
    if request.membership:
        return redirect("home")
    return render(request, "accounts/workspace_missing.html")
