"""Tags of people: how many each marks, other names for them, and taking them away."""

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
from contacts.forms import TagForm
from contacts.models import Tag
from contacts.views.people import done
from lib.words import fold


@member
@require_GET
def tags(request: MemberRequest) -> HttpResponse:
    """List the tags, each with how many people have it."""
    living = Count("contacts", filter=Q(contacts__deleted_at=None))
    shown = {
        "tags": request.workspace.tags.annotate(amount=living).order_by("folded"),
        "done": done(request),
    }
    return render(request, "contacts/tags.html", shown)


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def tag_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a tag another name; where another tag has that one, ask, then make one of both."""
    here = _find(request, pk)
    form = TagForm(request.POST or None, initial={"name": here.name})
    same = None
    if form.is_bound and form.is_valid():
        name = form.cleaned_data["name"]
        same = request.workspace.tags.filter(folded=fold(name)[:60]).exclude(pk=pk).first()
        if same is None:
            request.workspace.tags.filter(pk=pk).update(name=name, folded=fold(name)[:60])
            segments.rename(request.workspace, "tag", here.name, name)
            return redirect("tags")
        if "merge" in request.POST:
            changing.merge_tags(here, same, request.user)
            segments.rename(request.workspace, "tag", here.name, same.name)
            words = _("%(old)s and %(new)s are one tag now: %(new)s.")
            messages.success(request, words % {"old": here.name, "new": same.name})
            return redirect("tags")
    shown = {"form": form, "tag": here, "same": same, "amount": _amount(here)}
    return render(request, "contacts/tag_form.html", shown, status=422 if form.is_bound else 200)


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def tag_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then take a tag off everybody; it can be brought back."""
    here = _find(request, pk)
    if request.method != "POST":
        asking = segments.asking(request.workspace, "tag", here.name)
        shown = {"tag": here, "amount": _amount(here), "asking": asking}
        return render(request, "contacts/tag_delete.html", shown)
    change = changing.drop(here, request.user)
    return redirect(f"{reverse('tags')}?done={change.pk}")


def _amount(tag: Tag) -> int:
    return tag.contacts.filter(deleted_at=None).count()


def _find(request: MemberRequest, pk: int) -> Tag:
    return get_object_or_404(request.workspace.tags.select_related("workspace"), pk=pk)
