"""The people who asked not to be written to."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import MemberRequest, manager, member, sender
from contacts import services
from contacts.forms import OptOutForm
from contacts.models import OptOut
from lib import e164, masks

_PAGE = 50


@member
@require_GET
def opt_outs(request: MemberRequest) -> HttpResponse:
    return _page(request, OptOutForm(country=request.workspace.country))


def _page(request: MemberRequest, form: OptOutForm, status: int = 200) -> HttpResponse:
    """Show one page of the list, newest first; `before` is the id it starts under."""
    searched = request.GET.get("q", "").strip()
    before = request.GET.get("before", "")
    rows = _found(request, searched)
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: _PAGE + 1])
    shown = {
        "form": form,
        "opt_outs": page[:_PAGE],
        "older": page[_PAGE - 1].pk if len(page) > _PAGE else None,
        "searched": searched,
        "is_first": not before,
    }
    return render(request, "contacts/opt_outs.html", shown, status=status)


def _found(request: MemberRequest, searched: str) -> QuerySet[OptOut]:
    """Find a whole number in any usual form, else every number with these digits, unless they are hidden."""
    rows = request.workspace.opt_outs.select_related("added_by").order_by("-pk")
    if not searched:
        return rows
    searched = masks.opened(searched)
    try:
        return rows.filter(number=e164.parse(searched, request.workspace.country))
    except e164.Invalid:
        digits = "".join(letter for letter in searched if letter.isdecimal())
        may_be_part = digits and not masks.hiding()
        return rows.filter(number__contains=digits) if may_be_part else rows.none()


@sender
@require_POST
def opt_out_add(request: MemberRequest) -> HttpResponse:
    form = OptOutForm(request.POST, country=request.workspace.country)
    if not form.is_valid():
        return _page(request, form, status=422)
    number, detail = form.cleaned_data["number"], form.cleaned_data["detail"]
    new = services.opt_out(request.workspace, number, OptOut.Source.PERSON, detail, by=request.user)
    names = {"number": masks.shown(number)}
    if new:
        messages.success(request, _("%(number)s gets no more messages.") % names)
    else:
        messages.info(request, _("%(number)s was on the list already.") % names)
    return redirect("opt_outs")


@manager
def opt_out_remove(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then allow messages to this number again."""
    opted_out = get_object_or_404(request.workspace.opt_outs, pk=pk)
    if request.method != "POST":
        return render(request, "contacts/opt_out_remove.html", {"opt_out": opted_out})
    services.opt_in(request.workspace, opted_out.number)
    words = _("%(number)s can get messages again.")
    messages.success(request, words % {"number": masks.shown(opted_out.number)})
    return redirect("opt_outs")
