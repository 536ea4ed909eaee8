"""What a workspace wants to know of people: its fields."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, manager
from contacts import keeping, segments, values
from contacts.forms import FieldForm
from contacts.models import Contact, Field

# Values that are shown of a field before it is deleted.
_SHOWN = 5


@manager
@require_GET
def fields(request: MemberRequest) -> HttpResponse:
    return _page(request, FieldForm(request.workspace, None))


def _page(request: MemberRequest, form: FieldForm, status: int = 200) -> HttpResponse:
    shown = {"form": form, "fields": keeping.fields_of(request.workspace)}
    return render(request, "contacts/fields.html", shown, status=status)


@manager
@require_POST
def field_add(request: MemberRequest) -> HttpResponse:
    form = FieldForm(request.workspace, None, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    label = form.cleaned_data["label"]
    key = keeping.key_for(request.workspace, label)
    Field.objects.create(
        workspace=request.workspace, key=key, label=label, type=form.cleaned_data["type"]
    )
    messages.success(request, _("The field %(name)s is there.") % {"name": label})
    return redirect("fields")


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def field_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a field another name; its key stays, since texts and rules name it."""
    field = _find(request, pk)
    form = FieldForm(request.workspace, field, request.POST or None)
    if form.is_bound and form.is_valid():
        Field.objects.filter(pk=field.pk).update(label=form.cleaned_data["label"])
        return redirect("fields")
    status = 422 if form.is_bound else 200
    return render(
        request, "contacts/field_form.html", {"form": form, "field": field}, status=status
    )


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def field_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, showing what is lost, then delete a field and what it says of everybody."""
    field = _find(request, pk)
    if request.method != "POST":
        having = Contact.objects.living().filter(
            workspace=request.workspace, values__has_key=field.key
        )
        some = having.order_by("-pk")[:_SHOWN]
        lost = [(person, values.shown(field.type, person.values[field.key])) for person in some]
        asking = segments.asking(request.workspace, field.key)
        shown = {"field": field, "amount": having.count(), "lost": lost, "asking": asking}
        return render(request, "contacts/field_delete.html", shown)
    keeping.delete_field(field)
    messages.success(request, _("The field %(name)s was deleted.") % {"name": field})
    return redirect("fields")


def _find(request: MemberRequest, pk: int) -> Field:
    return get_object_or_404(request.workspace.fields.filter(deleted_at=None), pk=pk)
