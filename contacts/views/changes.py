"""Changing many people at once: asking first, doing, undoing; and putting doubles together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet
from django.db.models.functions import Right
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, keeper, manager, member
from contacts import changing, finding, keeping
from contacts.forms import FilterForm
from contacts.models import Change, Contact, Group, Tag
from contacts.views.people import query_of

Action = Change.Action
# Changes and sets of doubles that one page lists, and people that one merge takes.
_LISTED, _SETS, _MOST_MERGED = 30, 50, 20
# Digits at the end of two numbers that make them look like one written in two ways.
_ALIKE = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """Those that somebody ticked, or all that the filters find: `upto` keeps later ones out."""

    people: QuerySet[Contact]
    amount: int
    upto: int
    ids: list[int]
    is_all: bool


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def contacts_change(request: MemberRequest) -> HttpResponse:
    """Ask what exactly, then do it to everybody chosen."""
    asked = request.POST if request.method == "POST" else request.GET
    what = asked.get("what", "")
    if what not in Action.values:
        return redirect(f"{reverse('contacts')}?{query_of(asked)}")
    if what == Action.DELETE and not request.membership.may_manage:
        raise PermissionDenied(
            _("Only administrators of this workspace can do this. Ask one of them.")
        )
    chosen = _chosen(request, asked)
    if not chosen.amount:
        messages.warning(request, _("Nobody was chosen. Tick people first."))
        return redirect(f"{reverse('contacts')}?{query_of(asked)}")
    shown: dict[str, Any] = {
        "chosen": chosen,
        "what": what,
        "query": query_of(asked),
        "asked": [(name, value) for name, value in QueryDict(query_of(asked)).items()],
        "groups": request.workspace.groups.all() if what in ("group", "ungroup") else None,
        "tags": request.workspace.tags.all() if what in ("tag", "untag") else None,
    }
    if request.method != "POST":
        return render(request, "contacts/change.html", shown)
    change = _do(request, what, chosen)
    if change is None:
        shown["error"] = _("Choose one, or write the name of a new one.")
        return render(request, "contacts/change.html", shown, status=422)
    query = query_of(asked)
    return redirect(f"{reverse('contacts')}?{query}{'&' if query else ''}done={change.pk}")


def _chosen(request: MemberRequest, asked: QueryDict) -> Chosen:
    found = finding.find(request.workspace, FilterForm(request.workspace, asked).wanted)
    if not asked.get("all"):
        ids = [int(pk) for pk in asked.getlist("chosen") if _is_id(pk)][:1000]
        ticked = Contact.objects.living().filter(workspace=request.workspace, pk__in=ids)
        return Chosen(ticked, ticked.count(), 0, ids, is_all=False)
    upto = asked.get("upto", "")
    newest = int(upto) if _is_id(upto) else found.aggregate(newest=Max("pk"))["newest"] or 0
    people = found.filter(pk__lte=newest)
    return Chosen(people, people.count(), newest, [], is_all=True)


def _is_id(written: str) -> bool:
    return written.isascii() and written.isdigit() and len(written) < 19


def _do(request: MemberRequest, what: str, chosen: Chosen) -> Change | None:
    workspace, people, by = request.workspace, chosen.people, request.user
    if what == Action.DELETE:
        return changing.delete(workspace, people, by)
    if what in (Action.TAG, Action.UNTAG):
        tag = _tag(request, may_be_new=what == Action.TAG)
        act = changing.tag if what == Action.TAG else changing.untag
        return act(workspace, people, tag, by) if tag else None
    group = _group(request, may_be_new=what == Action.GROUP)
    put = changing.group if what == Action.GROUP else changing.ungroup
    return put(workspace, people, group, by) if group else None


def _tag(request: MemberRequest, *, may_be_new: bool) -> Tag | None:
    new = [name[:60] for name in keeping.names_in(request.POST.get("new", ""))][:1]
    if new and may_be_new:
        return keeping.tag_named(request.workspace, new[0])
    target = request.POST.get("target", "")
    return request.workspace.tags.filter(pk=int(target)).first() if _is_id(target) else None


def _group(request: MemberRequest, *, may_be_new: bool) -> Group | None:
    new = [name[:100] for name in keeping.names_in(request.POST.get("new", ""))][:1]
    if new and may_be_new:
        return keeping.group_named(request.workspace, new[0])
    target = request.POST.get("target", "")
    return request.workspace.groups.filter(pk=int(target)).first() if _is_id(target) else None


@member
@require_GET
def contacts_changes(request: MemberRequest) -> HttpResponse:
    """List what was lately done to many, and let it be undone."""
    changes = request.workspace.contact_changes.defer("people").select_related("by")
    return render(request, "contacts/changes.html", {"changes": changes.order_by("-pk")[:_LISTED]})


@keeper
@require_POST
def change_undo(request: MemberRequest, pk: int) -> HttpResponse:
    change = get_object_or_404(request.workspace.contact_changes, pk=pk)
    if change.is_of_managers and not request.membership.may_manage:
        raise PermissionDenied(
            _("Only administrators of this workspace can do this. Ask one of them.")
        )
    amount = changing.undo(change)
    if change.is_drop:
        messages.success(request, _("%(name)s is back.") % {"name": change.target_name})
        return redirect("groups" if change.action == Action.DROP_GROUP else "tags")
    words = ngettext("Undone for %(count)s person.", "Undone for %(count)s people.", amount)
    messages.success(request, words % {"count": number_format(amount, force_grouping=True)})
    if missing := change.amount - amount if change.action == Action.DELETE else 0:
        words = ngettext(
            "%(count)s person stays deleted: the number has somebody else now.",
            "%(count)s people stay deleted: their numbers have somebody else now.",
            missing,
        )
        messages.warning(request, words % {"count": number_format(missing)})
    return redirect("contacts")


@manager
@require_GET
def contacts_duplicates(request: MemberRequest) -> HttpResponse:
    """List people of the same name, and numbers that end alike."""
    living = Contact.objects.living().filter(workspace=request.workspace)
    shown = {
        "names": _sets(living.exclude(sorted_name=""), "sorted_name"),
        "numbers": _sets(living.annotate(ending=Right("number", _ALIKE)), "ending"),
    }
    return render(request, "contacts/duplicates.html", shown)


def _sets(people: QuerySet[Contact], column: str) -> list[list[Contact]]:
    """Give those that share what is in a column, set by set. Two queries."""
    doubles = people.values(column).annotate(amount=Count("pk")).filter(amount__gt=1)
    shared = [row[column] for row in doubles.order_by(column)[:_SETS]]
    sets: dict[str, list[Contact]] = {name: [] for name in shared}
    for person in people.filter(**{f"{column}__in": shared}).order_by("pk")[: _SETS * _MOST_MERGED]:
        sets[getattr(person, column)].append(person)
    return [found[:_MOST_MERGED] for found in sets.values()]


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def contacts_merge(request: MemberRequest) -> HttpResponse:
    """Ask which number stays, then put the others' data there and delete the others."""
    asked = request.POST if request.method == "POST" else request.GET
    ids = [int(pk) for pk in asked.getlist("chosen") if _is_id(pk)][:_MOST_MERGED]
    living = Contact.objects.living().filter(workspace=request.workspace, pk__in=ids)
    people = list(living.prefetch_related("tags", "groups").order_by("pk"))
    if len(people) < 2:
        messages.warning(request, _("Choose two people or more to put together."))
        return redirect("contacts_duplicates")
    kept = next((person for person in people if str(person.pk) == request.POST.get("kept")), None)
    if kept is None:
        status = 422 if request.method == "POST" else 200
        return render(request, "contacts/merge.html", {"people": people}, status=status)
    kept.workspace = request.workspace
    keeping.merge(kept, [person for person in people if person != kept], by=request.user)
    messages.success(request, _("They are one person now: %(name)s.") % {"name": kept})
    return redirect("contact", pk=kept.pk)
