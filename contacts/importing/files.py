"""Where the files of imports lie: DATA_DIR/imports/<token>/, for us alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from contacts.models import Import

# For how long the report of an import is kept, and a file that nobody went on with.
_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report: the number of the row, what became of it, why, its cells, and the number
    (E.164) that was read in it."""

    row: int
    what: str
    why: str
    cells: list[Any]
    number: str


def folder(import_: Import) -> Path:
    return Path(settings.DATA_DIR) / "imports" / str(import_.token)


def upload(import_: Import) -> Path:
    return folder(import_) / "upload"


def report(import_: Import) -> Path:
    return folder(import_) / "report"


def keep(import_: Import, file: UploadedFile[Any]) -> None:
    """Store what somebody has chosen."""
    folder(import_).mkdir(parents=True, exist_ok=True)
    with upload(import_).open("wb") as kept:
        for block in file.chunks():
            kept.write(block)


def tell(import_: Import, lines: Iterable[bytes]) -> int:
    """Add lines to the report behind what counts (`told`); give its length."""
    with report(import_).open("ab") as told:
        told.truncate(import_.told)
        told.seek(import_.told)
        told.writelines(lines)
        return told.tell()


def lines(import_: Import, *, start: int = 0, only: str = "") -> Iterator[tuple[Line, int]]:
    """Give the lines of the report from a byte on, each with the byte it ends at.

    `only` leaves out all but one verdict.
    """
    wanted = f'{{"v":"{only}"'.encode() if only else b"{"
    try:
        told = report(import_).open("rb")
    except FileNotFoundError:
        return
    with told:
        told.seek(min(start, import_.told))
        at = told.tell()
        for line in told:
            at += len(line)
            if at > import_.told:
                return
            if line.startswith(wanted):
                try:
                    said = json.loads(line)
                    row = Line(said["n"], said["v"], said["w"], said["c"], said["k"])
                # `start` came from an address, and lies inside of a line.
                except (ValueError, KeyError, TypeError):
                    continue
                yield row, at


def blank(import_: Import, pattern: re.Pattern[bytes]) -> None:
    """Empty the lines of the report in which a pattern stands; each keeps its length, so that places stay."""
    if not report(import_).exists():
        return
    with report(import_).open("r+b") as told:
        at = 0
        for line in iter(told.readline, b""):
            if pattern.search(line):
                told.seek(at)
                told.write(_blanked(line))
            at += len(line)


def _blanked(line: bytes) -> bytes:
    try:
        said = json.loads(line)
        empty = {"v": said["v"], "n": said["n"], "w": "", "c": [], "k": ""}
    except (ValueError, KeyError, TypeError):
        return b" " * (len(line) - 1) + b"\n"
    return json.dumps(empty, separators=(",", ":")).encode().ljust(len(line) - 1) + b"\n"


def forget_upload(import_: Import) -> None:
    """Delete the file itself; the report stays for a while."""
    upload(import_).unlink(missing_ok=True)


def forget(import_: Import) -> None:
    """Delete all files of an import."""
    shutil.rmtree(folder(import_), ignore_errors=True)


def prune() -> int:
    """Delete imports that are a week old, with their files. A duty of the tick."""
    old = list(Import.objects.filter(created_at__lt=timezone.now() - _KEPT)[:100])
    for import_ in old:
        forget(import_)
        import_.delete()
    return len(old)
