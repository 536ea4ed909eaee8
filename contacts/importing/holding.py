"""What files that were imported hold about a person: the file while it waits, and the report of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Workspace
from contacts.holdings import CannotErase, Holding
from contacts.importing import erasing, files
from contacts.importing.guessing import NUMBER
from contacts.importing.reading import Shape
from contacts.models import Import
from contacts.signals import asked_for_holdings


@receiver(asked_for_holdings)
def holdings(*, workspace: Workspace, number: str, **_named: Any) -> list[Holding]:
    """Give the files of imports that name a number (E.164)."""
    named = [
        import_
        for import_ in Import.objects.filter(workspace=workspace).select_related("workspace")
        if any(
            erasing.mentions(path, number)
            for path in (files.upload(import_), files.report(import_))
        )
    ]
    return [
        Holding(
            key="imports",
            label=ngettext("file that was imported", "files that were imported", len(named)),
            amount=len(named),
            rows=lambda: (row for import_ in named for row in _rows(import_, number)),
            erase=lambda: _erase(named, number),
        )
    ]


def _rows(import_: Import, number: str) -> Iterator[dict[str, Any]]:
    headings = import_.shape.get("columns", [])
    for line, _end in files.lines(import_):
        if line.number == number:
            cells = dict(zip(headings, line.cells, strict=False))
            yield {"file": import_.name, "row": line.row, "cells": cells}


def _erase(named: list[Import], number: str) -> None:
    if any(import_.is_moving for import_ in named):
        raise CannotErase(
            _("A file with this person in it is being imported. Try again after that.")
        )
    for import_ in named:
        transaction.on_commit(partial(_take_out, import_, number))


def _take_out(import_: Import, number: str) -> None:
    if files.upload(import_).exists():
        country = import_.options.get("country") or import_.workspace.country
        column = import_.mapping.index(NUMBER) if NUMBER in import_.mapping else -1
        shape = Shape(**import_.shape)
        erasing.erase(files.upload(import_), shape, number, country, column=column)
    files.blank(import_, erasing.pattern(number))
