"""Groups: people that are written to together."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import MemberRequest, keeper, manager, member
from contacts import changing, segments
from contacts.forms import GroupForm
from contacts.models import Group
from contacts.views.people import done, listed
from lib.words import fold


@member
@require_GET
def groups(request: MemberRequest) -> HttpResponse:
    """List the groups, each with how many people are in it."""
    living = Count("contacts", filter=Q(contacts__deleted_at=None))
    shown = {
        "groups": request.workspace.groups.annotate(amount=living).order_by("folded"),
        "done": done(request),
    }
    return render(request, "contacts/groups.html", shown)


@member
@require_GET
def group(request: MemberRequest, pk: int) -> HttpResponse:
    """Show who is in a group."""
    return render(request, "contacts/contacts.html", listed(request, _find(request, pk)))


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def group_add(request: MemberRequest) -> HttpResponse:
    form = GroupForm(request.workspace, None, request.POST or None)
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        made = Group.objects.create(
            workspace=request.workspace, folded=fold(data["name"])[:100], **data
        )
        messages.success(
            request, _("The group %(name)s is there. Now put people in.") % {"name": made}
        )
        return redirect("group", pk=made.pk)
    status = 422 if form.is_bound else 200
    return render(request, "contacts/group_form.html", {"form": form}, status=status)


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def group_edit(request: MemberRequest, pk: int) -> HttpResponse:
    here = _find(request, pk)
    form = GroupForm(request.workspace, here, request.POST or None)
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        request.workspace.groups.filter(pk=pk).update(folded=fold(data["name"])[:100], **data)
        segments.rename(request.workspace, "group", here.name, data["name"])
        return redirect("group", pk=pk)
    status = 422 if form.is_bound else 200
    return render(request, "contacts/group_form.html", {"form": form, "group": here}, status=status)


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def group_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then delete a group; its people stay, and it can be brought back."""
    here = _find(request, pk)
    if request.method != "POST":
        amount = here.contacts.filter(deleted_at=None).count()
        asking = segments.asking(request.workspace, "group", here.name)
        shown = {"group": here, "amount": amount, "asking": asking}
        return render(request, "contacts/group_delete.html", shown)
    change = changing.drop(here, request.user)
    return redirect(f"{reverse('groups')}?done={change.pk}")


def _find(request: MemberRequest, pk: int) -> Group:
    return get_object_or_404(request.workspace.groups, pk=pk)
