"""vCards as rows. https://www.rfc-editor.org/rfc/rfc6350 (4.0), https://www.rfc-editor.org/rfc/rfc2426
(3.0); the quoted-printable of 2.1 is read too, since old telephones still write it.

Read line by line, one card at a time: a file of 100,000 cards costs no memory.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Iterator
from typing import Any

HEADINGS = [
    "Name", "First name", "Last name", "Number", "Other numbers", "E-mail", "Birthday", "Organization",
    "Title", "Town", "Notes", "Groups", "Language", "Time zone",
]  # fmt: skip
# Characters of one card that are looked at; pictures are left out before.
_MOST = 100_000
_ESCAPED = re.compile(r"\\([nN,;:\\])")
_LINE = re.compile(r"(?:[\w-]+\.)?([\w-]+)((?:;(?:\"[^\"]*\"|[^:\"])*)?):(.*)", re.DOTALL)
_BIRTHDAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


def rows(lines: Iterable[str]) -> Iterator[list[Any]]:
    """Give one row of HEADINGS per card; what stands outside of cards is left out."""
    card: list[str] | None = None
    size = 0
    for line in lines:
        bare = line.rstrip("\r\n")
        if bare.strip().upper() == "BEGIN:VCARD":
            card, size = [], 0
        elif bare.strip().upper() == "END:VCARD":
            if card is not None:
                yield _row(card)
            card = None
        elif card is not None and size < _MOST:
            size += len(bare)
            _append(card, bare)


def _append(card: list[str], line: str) -> None:
    """Join folded lines: those that begin with a space, and after a soft break of quoted-printable."""
    if card and line[:1] in (" ", "\t"):
        card[-1] += line[1:]
    elif card and card[-1].endswith("=") and "QUOTED-PRINTABLE" in card[-1].upper():
        card[-1] = card[-1][:-1] + line
    else:
        card.append(line)


def _row(card: list[str]) -> list[str]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in card:
        if match := _LINE.match(line):
            name, parameters, value = match[1].upper(), match[2].upper(), match[3]
            if name not in ("PHOTO", "LOGO", "SOUND", "KEY"):
                found.setdefault(name, []).append((parameters, _decoded(parameters, value)))
    last, first, middle = [*_parts(_first(found, "N")), "", "", ""][:3]
    given = " ".join(filter(None, [first, middle]))
    full = _plain(_first(found, "FN")) or " ".join(filter(None, [given, last]))
    number, others = _numbers(found.get("TEL", []))
    town = [*_parts(_first(found, "ADR")), "", "", "", ""][3]
    born = _BIRTHDAY.search(_first(found, "BDAY"))
    return [
        full or _plain(_first(found, "ORG")), given, last, number, others,
        _plain(_first(found, "EMAIL")), "-".join(born.groups()) if born else "",
        ", ".join(filter(None, _parts(_first(found, "ORG")))), _plain(_first(found, "TITLE")), town,
        _plain(_first(found, "NOTE")), ", ".join(_listed(_first(found, "CATEGORIES"))),
        _plain(_first(found, "LANG")), _plain(_first(found, "TZ")),
    ]  # fmt: skip


def _first(found: dict[str, list[tuple[str, str]]], name: str) -> str:
    preferred = sorted(found.get(name, []), key=lambda item: "PREF" not in item[0])
    return preferred[0][1] if preferred else ""


def _numbers(found: list[tuple[str, str]]) -> tuple[str, str]:
    """Give the number to write to, a mobile one where there is one, and the others."""
    ranked = sorted(
        (item for item in found if "FAX" not in item[0]),
        key=lambda item: ("CELL" not in item[0], "PREF" not in item[0]),
    )
    numbers = [_plain(value).removeprefix("tel:").partition(";ext=")[0] for _, value in ranked]
    return (numbers[0], ", ".join(numbers[1:])) if numbers else ("", "")


def _decoded(parameters: str, value: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:
        return value
    charset = "cp1252" if "1252" in parameters or "8859" in parameters else "utf-8"
    return quopri.decodestring(value.encode("utf-8", "replace")).decode(charset, "replace")


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value).strip()


def _parts(value: str) -> list[str]:
    return [_plain(part) for part in re.split(r"(?<!\\);", value)]


def _listed(value: str) -> list[str]:
    return [_plain(part) for part in re.split(r"(?<!\\),", value)]
