"""Files of recipients with columns of their own: DATA_DIR/sheets/<token>, for us alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Workspace
from campaigns.models import Campaign, Sheet
from contacts.importing import erasing, guessing, reading
from contacts.importing.reading import Row, Shape, Unreadable
from lib.words import fold

# Bytes of a file, rows that are shown and guessed from.
MOST_BYTES, _SAMPLE = 50_000_000, 20
# For how long a file is kept that no campaign has taken.
_KEPT = timedelta(days=2)


def keep(workspace: Workspace, file: UploadedFile[Any]) -> Sheet:
    """Store a file that somebody has chosen, and guess which column holds the numbers.

    Raises reading.Unreadable, and keeps nothing then.
    """
    if (file.size or 0) > MOST_BYTES:
        raise Unreadable(_("This file is too large. Import its people as contacts instead."))
    sheet = Sheet(workspace=workspace, name=str(file.name or "")[:200], size=file.size or 0)
    path = _path(sheet)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as kept:
            for block in file.chunks():
                kept.write(block)
        shape = reading.shape_of(path)
        sheet.shape = shape.as_dict()
        sheet.keys = keys(shape.columns)
        head = list(islice(reading.rows(path, shape), _SAMPLE))
        sheet.number = _number(shape, head, workspace.country)
        sheet.rows = sum(1 for _row in reading.rows(path, shape))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sheet.save()
    return sheet


def rows(sheet: Sheet) -> Iterator[Row]:
    """Give the data rows. Raises Unreadable, also where the file is gone."""
    try:
        yield from reading.rows(_path(sheet), Shape(**sheet.shape))
    except FileNotFoundError as error:
        raise Unreadable(_("The file “%(name)s” is gone.") % {"name": sheet.name}) from error


def sample(sheet: Sheet) -> list[Row]:
    """Give the first rows, to be shown."""
    return list(islice(rows(sheet), _SAMPLE))


def keys(columns: list[str]) -> list[str]:
    """Give each column a name that a text can say: Prénom de l’élève → prenom_de_l_eleve."""
    found: list[str] = []
    for place, column in enumerate(columns, 1):
        key = re.sub(r"[^a-z0-9]+", "_", fold(column)).strip("_")[:40]
        if not key or key[0].isdigit():
            key = f"column_{key or place}"
        found.append(key if key not in found else f"{key}_{place}")
    return found


def _number(shape: Shape, head: list[Row], country: str) -> int:
    """Guess the column of the numbers; the first where nothing looks like one."""
    guessed = guessing.mapping(shape.columns, head, (), country)
    return guessed.index("number") if "number" in guessed else 0


def forget(sheet: Sheet) -> None:
    """Delete a file."""
    _path(sheet).unlink(missing_ok=True)
    sheet.delete()


def mentions(sheet: Sheet, number: str) -> bool:
    """Say whether a number (E.164) may stand in a file, however it is written."""
    return erasing.mentions(_path(sheet), number)


def about(sheet: Sheet, number: str) -> Iterator[dict[str, Any]]:
    """Give the rows of a file that are about a number (E.164)."""
    country, shape = sheet.workspace.country, Shape(**sheet.shape)
    return erasing.about(_path(sheet), shape, number, country, column=sheet.number)


def erase(sheet: Sheet, number: str) -> None:
    """Take a number (E.164) out of a file; the places of all other rows stay."""
    country = sheet.workspace.country
    erasing.erase(_path(sheet), Shape(**sheet.shape), number, country, column=sheet.number)


def prune() -> int:
    """Delete files that no campaign names any more. A duty of the tick."""
    taken = Campaign.objects.exclude(sheet=None).values("sheet")
    old = Sheet.objects.filter(created_at__lt=timezone.now() - _KEPT).exclude(pk__in=taken)
    left = list(old[:100])
    for sheet in left:
        forget(sheet)
    return len(left)


def _path(sheet: Sheet) -> Path:
    return Path(settings.DATA_DIR) / "sheets" / str(sheet.token)
