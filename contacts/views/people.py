"""People: the list, one of them, adding, changing, forgetting."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.activity import record
from accounts.http import MemberRequest, keeper, manager, member
from accounts.places import countries
from contacts import changing, finding, holdings, services, values
from contacts.forms import ContactForm, FilterForm, languages
from contacts.models import Change, Contact, Group, Segment
from lib import masks

# What stands in an address besides the filters.
_NO_FILTERS = (
    "after",
    "chosen",
    "all",
    "what",
    "upto",
    "done",
    "target",
    "new",
    "csrfmiddlewaretoken",
)


@member
@require_GET
def contacts(request: MemberRequest) -> HttpResponse:
    """List people, as far as the filters in the address want them."""
    return render(request, "contacts/contacts.html", listed(request))


def listed(
    request: MemberRequest, group: Group | None = None, segment: Segment | None = None
) -> dict[str, Any]:
    """Give one page of people, with all that its template shows of them. A fixed number of queries."""
    asked = request.GET.copy()
    if group:
        asked["group"] = str(group.pk)
    if segment:
        asked["segment"] = str(segment.pk)
    form = FilterForm(request.workspace, asked)
    found = finding.find(request.workspace, form.wanted)
    after = asked.get("after", "")
    page = finding.page(found.prefetch_related("tags", "groups"), form.wanted.order, after)
    query = query_of(asked)
    return {
        "form": form,
        "group": group,
        "segment": segment,
        "page": page,
        "after": after,
        "amount": found.count(),
        "opted_out": services.opted_out(request.workspace, [c.number for c in page.contacts]),
        "query": query,
        "is_filtered": bool(query),
        "done": done(request),
    }


def query_of(asked: QueryDict) -> str:
    """Give the filters as they stand in an address, without the place in the list."""
    kept = asked.copy()
    for name in _NO_FILTERS:
        kept.pop(name, None)
    for name in [name for name in kept if not kept[name]]:
        del kept[name]
    return kept.urlencode()


def done(request: MemberRequest) -> Change | None:
    """Give what somebody has just done to many, and may undo."""
    pk = request.GET.get("done", "")
    if (
        not (pk.isascii() and pk.isdigit() and len(pk) < 19)
        or not request.membership.may_keep_contacts
    ):
        return None
    changes = request.workspace.contact_changes.defer("people")
    return changes.filter(pk=int(pk), undone_at=None).first()


@member
@require_GET
def contact(request: MemberRequest, pk: int) -> HttpResponse:
    """Show one person."""
    person = find(request, pk)
    country = dict(countries()).get(person.country, person.country)
    facts = [(_("Kind of number"), person.get_kind_display()), (_("Country"), country)]
    facts += [
        (field.label, values.shown(field.type, person.values.get(field.key)))
        for field in request.workspace.fields.filter(deleted_at=None)
    ]
    facts += [
        (_("Language"), dict(languages()).get(person.language, person.language)),
        (_("Time zone"), person.time_zone.replace("_", " ")),
        (_("Carrier"), person.carrier),
    ]
    shown = {
        "contact": person,
        "facts": [(label, said) for label, said in facts if said],
        "opt_out": request.workspace.opt_outs.filter(number=person.number).first(),
    }
    return render(request, "contacts/contact.html", shown)


def find(request: MemberRequest, pk: int) -> Contact:
    """Give a living contact of the workspace. Raises Http404."""
    mine = request.workspace.contacts.filter(deleted_at=None)
    person = get_object_or_404(mine.prefetch_related("groups", "tags"), pk=pk)
    person.workspace = request.workspace
    return person


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def contact_add(request: MemberRequest) -> HttpResponse:
    """Add somebody; `number`, `name` and `group` in the address fill the form."""
    asked = request.GET
    initial: dict[str, Any] = {name: asked[name] for name in ("name", "number") if name in asked}
    if "number" in initial:
        initial["number"] = masks.echoed(initial["number"])
    if asked.get("group"):
        initial["groups"] = asked.getlist("group")
    data = request.POST if request.method == "POST" else None
    return _form(request, ContactForm(request.workspace, None, data, initial=initial))


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def contact_edit(request: MemberRequest, pk: int) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    return _form(request, ContactForm(request.workspace, find(request, pk), data))


def _form(request: MemberRequest, form: ContactForm) -> HttpResponse:
    status = 200
    is_new = form.contact.pk is None
    if form.is_bound:
        saved = form.save() if form.is_valid() else None
        if saved:
            words = _("%(name)s was added.") if is_new else _("%(name)s was changed.")
            messages.success(request, words % {"name": saved})
            return redirect("contact", pk=saved.pk)
        status = 422
    shown = {"form": form, "contact": None if is_new else form.contact}
    return render(request, "contacts/contact_form.html", shown, status=status)


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def contact_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then delete somebody; they can be brought back for 30 days."""
    person = find(request, pk)
    if request.method != "POST":
        return render(request, "contacts/contact_delete.html", {"contact": person})
    chosen = Contact.objects.living().filter(workspace=request.workspace, pk=person.pk)
    change = changing.delete(request.workspace, chosen, by=request.user)
    return redirect(f"{reverse('contacts')}?done={change.pk}")


@manager
@require_GET
def contact_data(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a file with all that is held about somebody."""
    person = find(request, pk)
    written = json.dumps(holdings.everything(person), ensure_ascii=False, indent=2)
    name = re.sub(r"\D", "", person.number)
    record("contacts.exported", workspace=request.workspace, count=1)
    return HttpResponse(
        written,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="person-{name}.json"'},
    )


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def contact_erase(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, naming what goes, then erase everything about somebody for good."""
    person = find(request, pk)
    held = holdings.holdings(request.workspace, person.number)
    shown: dict[str, Any] = {
        "contact": person,
        "held": [holding for holding in held if holding.amount],
        "opt_out": request.workspace.opt_outs.filter(number=person.number).first(),
    }
    if request.method != "POST":
        return render(request, "contacts/contact_erase.html", shown)
    if not request.POST.get("sure"):
        shown["unsure"] = True
        return render(request, "contacts/contact_erase.html", shown, status=422)
    try:
        holdings.erase(person)
    except holdings.CannotErase as error:
        messages.error(request, str(error))
        return redirect("contact_erase", pk=pk)
    record("contacts.erased", workspace=request.workspace)
    words = _("Everything about %(name)s was erased.")
    messages.success(request, words % {"name": person.name or masks.shown(person.number)})
    return redirect("contacts")
