"""Bringing people in: choose a file, say what its columns are, look, go."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import MemberRequest, manager
from accounts.places import countries
from contacts import exporting, keeping
from contacts.importing import files, guessing, reading, running
from contacts.importing.reading import Shape, Unreadable
from contacts.models import FieldType, Import
from lib.stored import text

State = Import.State
# Rows that a page shows of a file, and of a report.
_SAMPLE, _LINES = 5, 50
# Rows that are looked at to guess what the columns mean.
_GUESSED_FROM = 50


@manager
@require_GET
def imports(request: MemberRequest) -> HttpResponse:
    """Choose a file; list those of the last week."""
    return _list(request)


def _list(request: MemberRequest, error: str = "") -> HttpResponse:
    shown = {
        "imports": request.workspace.imports.select_related("by").order_by("-pk")[:20],
        "limit": settings.IMPORT_LIMIT,
        "error": error,
    }
    return render(request, "contacts/imports.html", shown, status=422 if error else 200)


@manager
@require_POST
def import_add(request: MemberRequest) -> HttpResponse:
    """Take a file and guess what is in it."""
    file = request.FILES.get("file")
    if file is None:
        return _list(request, _("Choose a file first."))
    if (file.size or 0) > settings.IMPORT_LIMIT:
        words = _("This file is larger than %(most)s. Cut it into several.")
        return _list(request, words % {"most": filesizeformat(settings.IMPORT_LIMIT)})
    made = Import(
        workspace=request.workspace,
        by=request.user,
        name=text(file.name or "", 200),
        size=file.size or 0,
    )
    files.keep(made, file)
    try:
        _shape(made)
    except Unreadable as error:
        files.forget(made)
        return _list(request, str(error))
    made.save()
    return redirect("import", pk=made.pk)


def _shape(import_: Import, **wished: Any) -> None:
    """Find out how the file is read and guess what its columns mean. Raises Unreadable."""
    shape = reading.shape_of(files.upload(import_), **wished)
    sample = list(islice(reading.rows(files.upload(import_), shape), _GUESSED_FROM))
    fields = keeping.fields_of(import_.workspace)
    country = import_.workspace.country
    import_.shape = shape.as_dict()
    import_.mapping = guessing.mapping(shape.columns, sample, fields, country)
    import_.options = {
        "known": Import.Known.UPDATE,
        "country": country,
        "month_first": guessing.month_first(sample, country),
    }


@manager
@require_GET
def import_(request: MemberRequest, pk: int) -> HttpResponse:
    """Show an import where it is: what the columns are, what would happen, what happens, what has."""
    here = _find(request, pk)
    if here.state == State.UPLOADED:
        return _mapping(request, here)
    if request.htmx and not here.is_moving:
        return HttpResponse(headers={"HX-Refresh": "true"})
    only = request.GET.get("only", "")
    start = request.GET.get("from", "")
    start_at = int(start) if start.isascii() and start.isdigit() and len(start) < 13 else 0
    only = only if only in ("added", "updated", "same", "skipped", "rejected") else ""
    lines = (
        []
        if here.is_moving
        else list(islice(files.lines(here, start=start_at, only=only), _LINES + 1))
    )
    shown = {
        "import": here,
        "columns": [
            column
            for column, target in zip(here.shape["columns"], here.mapping, strict=False)
            if target
        ],
        "lines": [(line, _mapped(here, line.cells)) for line, _end in lines[:_LINES]],
        "further": lines[_LINES - 1][1] if len(lines) > _LINES else None,
        "verdict": only,
        "is_first": not start_at,
    }
    template = "contacts/_import_progress.html" if request.htmx else "contacts/import.html"
    return render(request, template, shown)


def _mapped(here: Import, cells: list[Any]) -> list[Any]:
    """Give the cells of the columns that are taken."""
    padded = [*cells, *[None] * len(here.mapping)]
    return [cell for cell, target in zip(padded, here.mapping, strict=False) if target]


def _mapping(request: MemberRequest, here: Import, error: str = "") -> HttpResponse:
    shape = Shape(**here.shape)
    try:
        sample = list(islice(reading.rows(files.upload(here), shape), _SAMPLE))
    except (Unreadable, OSError):
        sample = []
        error = error or _("This file cannot be read any more. Choose it again.")
    columns = [
        {
            "place": place,
            "name": name,
            "target": target,
            "cells": [row[place] if place < len(row) else "" for row in sample],
        }
        for place, (name, target) in enumerate(zip(shape.columns, here.mapping, strict=False))
    ]
    shown = {
        "import": here,
        "shape": shape,
        "columns": columns,
        "targets": _targets(request),
        "encodings": reading.ENCODINGS,
        "delimiters": [(",", ","), (";", ";"), ("\t", _("tab")), ("|", "|")],
        "countries": countries(),
        "known": Import.Known.choices,
        "error": error,
    }
    return render(request, "contacts/import_map.html", shown, status=422 if error else 200)


def _targets(request: MemberRequest) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give what a column may be, in groups, as the lists of the page have it."""
    words = {
        guessing.NAME: _("Name"), guessing.FIRST: _("First name (a part of the name)"),
        guessing.LAST: _("Last name (a part of the name)"), guessing.NUMBER: _("Number"),
        guessing.TAGS: _("Tags"), guessing.GROUPS: _("Groups"), guessing.NOTES: _("Notes"),
        guessing.LANGUAGE: _("Language"), guessing.TIME_ZONE: _("Time zone"),
        guessing.CARRIER: _("Carrier"),
    }  # fmt: skip
    fields = [
        (f"{guessing.FIELD}{field.key}", field.label)
        for field in keeping.fields_of(request.workspace)
    ]
    new = [
        (f"{guessing.NEW}{kind}", _("New field: %(type)s") % {"type": label})
        for kind, label in FieldType.choices
    ]
    groups = [(_("What everybody has"), list(words.items()))]
    if fields:
        groups.append((_("Your fields"), fields))
    return [*groups, (_("A new field"), new)]


@manager
@require_POST
def import_shape(request: MemberRequest, pk: int) -> HttpResponse:
    """Read the file in another way: another encoding, delimiter, sheet, with or without headings."""
    here = _find(request, pk, State.UPLOADED)
    asked = request.POST
    sheet = asked.get("sheet", "")
    try:
        _shape(
            here,
            encoding=asked.get("encoding", ""),
            delimiter=asked.get("delimiter", ""),
            sheet=int(sheet) if sheet.isascii() and sheet.isdigit() and len(sheet) < 4 else 0,
            headings=bool(asked.get("headings")),
        )
    except (Unreadable, OSError, UnicodeError) as error:
        words = str(error) if isinstance(error, Unreadable) else _("It cannot be read like that.")
        return _mapping(request, here, words)
    here.save(update_fields=["shape", "mapping", "options"])
    return redirect("import", pk=pk)


@manager
@require_POST
def import_check(request: MemberRequest, pk: int) -> HttpResponse:
    """Take the mapping, and check every row without storing anybody."""
    here = _find(request, pk, State.UPLOADED)
    known = {target for _words, targets in _targets(request) for target, _label in targets}
    asked = [request.POST.get(f"column-{place}", "") for place in range(len(here.mapping))]
    here.mapping = [target if target in known else "" for target in asked]
    country = request.POST.get("country", "")
    here.options = {
        "known": "skip" if request.POST.get("known") == "skip" else "update",
        "country": country if country in dict(countries()) else request.workspace.country,
        "month_first": bool(request.POST.get("month_first")),
        "group": next(iter(keeping.names_in(request.POST.get("group", ""))), "")[:100],
        "tag": next(iter(keeping.names_in(request.POST.get("tag", ""))), "")[:60],
    }
    if guessing.NUMBER not in here.mapping:
        return _mapping(
            request, here, _("Say which column holds the number: nobody is kept without.")
        )
    if problem := _doubled(here.mapping):
        return _mapping(request, here, problem)
    here.save(update_fields=["mapping", "options"])
    running.begin(here, State.CHECKING)
    return redirect("import", pk=pk)


def _doubled(mapping: list[str]) -> str:
    many = (guessing.TAGS, guessing.GROUPS)
    taken = [target for target in mapping if target and target not in many and ":" not in target]
    fields = [target for target in mapping if target.startswith(guessing.FIELD)]
    if len(set(taken)) < len(taken) or len(set(fields)) < len(fields):
        return _("Two columns say the same thing. Leave one of them out.")
    return ""


@manager
@require_POST
def import_start(request: MemberRequest, pk: int) -> HttpResponse:
    """Store the people of a file that was checked."""
    here = _find(request, pk, State.CHECKED)
    running.make_fields(here)
    running.begin(here, State.RUNNING)
    return redirect("import", pk=pk)


@manager
@require_POST
def import_back(request: MemberRequest, pk: int) -> HttpResponse:
    """Go back from what would happen to what the columns are."""
    request.workspace.imports.filter(pk=_find(request, pk).pk, state=State.CHECKED).update(
        state=State.UPLOADED
    )
    return redirect("import", pk=pk)


@manager
@require_POST
def import_stop(request: MemberRequest, pk: int) -> HttpResponse:
    if running.stop(_find(request, pk)):
        messages.success(request, _("The import was stopped. Who was stored before stays."))
    return redirect("import", pk=pk)


@manager
@require_GET
def import_rejected(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Give the rows that were not taken, each with the reason, as a file that can be mended and imported."""
    here = _find(request, pk)
    rows = ([*line.cells, line.why] for line, _end in files.lines(here, only="rejected"))
    headed = _headed([*here.shape.get("columns", []), _("Reason")], rows)
    return StreamingHttpResponse(
        exporting.csv_lines(headed),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="rejected-{here.pk}.csv"'},
    )


def _headed(headings: list[str], rows: Any) -> Any:
    yield headings
    yield from rows


@manager
@require_POST
def import_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Forget a file and its report; the people stay."""
    here = _find(request, pk)
    if here.is_moving:
        running.stop(here)
    files.forget(here)
    here.delete()
    messages.success(request, _("The file was deleted."))
    return redirect("imports")


def _find(request: MemberRequest, pk: int, *states: str) -> Import:
    """Give an import of the workspace, in one of the states. Raises Http404."""
    mine = request.workspace.imports.select_related("by")
    here = get_object_or_404(mine.filter(state__in=states) if states else mine, pk=pk)
    here.workspace = request.workspace
    return here
