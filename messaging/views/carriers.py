"""The page "Carriers of numbers": which carrier's gateway a message to a number goes to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.http import MemberRequest, manager, member
from accounts.models import Workspace
from contacts.carriers import remember
from contacts.models import NumberCarrier
from lib import e164, masks
from lib.vault import Unreadable
from phones import registry

_PAGE = 50
# Bytes of a file of numbers and its lines: some seconds of work.
_FILE_LIMIT, _MOST_LINES = 2 * 1024 * 1024, 50_000
# Lines that cannot be read and are named.
_NAMED = 5


def choices_of(workspace: Workspace) -> dict[str, str]:
    """Give {slug: name} of the carriers that the workspace's phones reach."""
    slugs = [slug for slug, kind in registry.all_types().items() if kind.wants_carrier]
    found: dict[str, str] = {}
    for phone in workspace.phones.living().filter(type__in=slugs).defer("settings"):
        try:
            found |= phone.kind.carriers(phone.full_settings)
        except Unreadable:
            continue  # the phone's own page says so
    return found


class NumberForm(forms.Form):
    number = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "dir": "ltr"}),
    )
    carrier = forms.ChoiceField(label=gettext_lazy("Carrier"))

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._country = workspace.country
        self.fields["carrier"].choices = [("", "—"), *choices_of(workspace).items()]  # type: ignore[attr-defined]

    def clean_number(self) -> str:
        """Give the number as E.164."""
        try:
            return e164.parse(self.cleaned_data["number"], self._country)
        except e164.Invalid:
            raise forms.ValidationError(_("This is no phone number.")) from None


class ListForm(forms.Form):
    """Many numbers at once: `known` is {number: carrier's slug} once the form is valid."""

    file = forms.FileField(
        label=gettext_lazy("A file of numbers (CSV)"),
        help_text=gettext_lazy(
            "One line for each: number, carrier. The carrier by its short name, such as us-verizon."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._workspace = workspace
        self.known: dict[str, str] = {}

    def clean_file(self) -> None:
        """Read all lines; one that cannot be read keeps all of them out, and is named."""
        file = self.cleaned_data["file"]
        if file.size > _FILE_LIMIT:
            raise forms.ValidationError(_("The file is too large: cut it in two."))
        lines = file.read().decode("utf-8-sig", "replace").splitlines()
        if len(lines) > _MOST_LINES:
            raise forms.ValidationError(_("The file is too large: cut it in two."))
        delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
        choices, wrong = choices_of(self._workspace), []
        for index, line in enumerate(lines, 1):
            cells = [cell.strip(' \t"') for cell in line.split(delimiter)]
            if not any(cells) or (index == 1 and not any(map(str.isdecimal, cells[0]))):
                continue  # an empty line, or the heading
            try:
                number = e164.parse(cells[0], self._workspace.country)
            except e164.Invalid:
                wrong.append(index)
                continue
            if len(cells) < 2 or cells[1].lower() not in choices:
                wrong.append(index)
                continue
            self.known[number] = cells[1].lower()
        if wrong:
            raise forms.ValidationError(_wrong_words(wrong))


def _wrong_words(wrong: list[int]) -> str:
    words = ngettext(
        "Line %(lines)s has no number, or a carrier that no phone of yours reaches.",
        "Lines %(lines)s have no number, or a carrier that no phone of yours reaches.",
        len(wrong),
    )
    named = ", ".join(map(str, wrong[:_NAMED])) + (", …" if len(wrong) > _NAMED else "")
    return words % {"lines": named}


@member
@require_GET
def carriers(request: MemberRequest) -> HttpResponse:
    return _page(request)


def _page(
    request: MemberRequest,
    number_form: NumberForm | None = None,
    list_form: ListForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show one page of the list, newest first; `before` is the id it starts under."""
    searched = request.GET.get("q", "").strip()
    before = request.GET.get("before", "")
    names = choices_of(request.workspace)
    rows = _found(request, searched, names)
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: _PAGE + 1])
    shown = {
        "rows": [(row, names.get(row.carrier, "")) for row in page[:_PAGE]],
        "older": page[_PAGE - 1].pk if len(page) > _PAGE else None,
        "searched": searched,
        "is_first": not before,
        "reachable": bool(names),
        "number_form": number_form or NumberForm(workspace=request.workspace),
        "list_form": list_form or ListForm(workspace=request.workspace),
    }
    return render(request, "messaging/carriers.html", shown, status=status)


def _found(request: MemberRequest, searched: str, names: dict[str, str]) -> QuerySet[NumberCarrier]:
    """Find a number by its digits, or the numbers of a carrier by its name."""
    rows = request.workspace.number_carriers.order_by("-pk")
    if not searched:
        return rows
    digits = "".join(letter for letter in searched if letter.isdecimal())
    like = searched.lower()
    slugs = [slug for slug, name in names.items() if like in name.lower()]
    found = Q(carrier__in=slugs) | Q(carrier__contains=like)
    if digits:
        if not masks.hiding():
            found |= Q(number__contains=digits)
        with suppress(e164.Invalid):
            found |= Q(number=e164.parse(searched, request.workspace.country))
    return rows.filter(found)


@manager
@require_POST
def carrier_add(request: MemberRequest) -> HttpResponse:
    form = NumberForm(request.POST, workspace=request.workspace)
    if not form.is_valid():
        return _page(request, number_form=form, status=422)
    number, carrier = form.cleaned_data["number"], form.cleaned_data["carrier"]
    remember(request.workspace, {number: carrier}, NumberCarrier.Source.PERSON)
    messages.success(
        request, _("The carrier of %(number)s is known.") % {"number": masks.shown(number)}
    )
    return redirect("carriers")


@manager
@require_POST
def carrier_import(request: MemberRequest) -> HttpResponse:
    form = ListForm(request.POST, request.FILES, workspace=request.workspace)
    if not form.is_valid():
        return _page(request, list_form=form, status=422)
    remember(request.workspace, form.known, NumberCarrier.Source.IMPORT)
    words = ngettext(
        "The carrier of %(count)s number is known.",
        "The carriers of %(count)s numbers are known.",
        len(form.known),
    )
    messages.success(request, words % {"count": len(form.known)})
    return redirect("carriers")


@manager
@require_POST
def carrier_remove(request: MemberRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request.workspace.number_carriers, pk=pk)
    row.delete()
    words = _("The carrier of %(number)s is forgotten.")
    messages.success(request, words % {"number": masks.shown(row.number)})
    return redirect("carriers")
