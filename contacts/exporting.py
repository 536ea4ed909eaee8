"""People as files: CSV, XLSX, JSON and vCard, all as a stream.

What programs for tables would calculate is written so that they do not
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from contacts import values
from contacts.models import Contact, Field, FieldType, Group, Tag
from lib import workbook

CSV, XLSX, JSON, VCARD = "csv", "xlsx", "json", "vcard"
FORMATS = {
    CSV: ("csv", "text/csv; charset=utf-8"),
    XLSX: ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    JSON: ("json", "application/json; charset=utf-8"),
    VCARD: ("vcf", "text/vcard; charset=utf-8"),
}
_CHUNK = 1000
# Programs in East Asia take the wide ones for the others.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# A number, with its sign and however much of it is hidden, is no formula.
_HARMLESS = re.compile(r"[+-]?[\d ().,•-]*\d")


def safe(cell: Any) -> Any:
    """Give a cell that no program for tables takes for a formula."""
    if isinstance(cell, str) and cell.startswith(_BEGINNINGS):
        return cell if _HARMLESS.fullmatch(cell) else f"'{cell}"
    return cell


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Give rows as CSV that Excel reads in any language: UTF-8 with its mark, commas, CRLF."""
    yield b"\xef\xbb\xbf"
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for number, row in enumerate(rows, start=1):
        writer.writerow([safe(cell) for cell in row])
        if not number % 200:
            yield _emptied(buffer)
    yield _emptied(buffer)


def xlsx_parts(rows: Iterable[Sequence[Any]], title: str) -> Iterator[bytes]:
    """Give rows, the headings first, as a workbook; numbers, dates and truths keep their type."""
    return workbook.stream(([safe(cell) for cell in row] for row in rows), title)


def _emptied(buffer: io.StringIO) -> bytes:
    written = buffer.getvalue().encode("utf-8", "replace")
    buffer.seek(0)
    buffer.truncate()
    return written


def stream(people: QuerySet[Contact], fields: Sequence[Field], format_: str) -> Iterator[bytes]:
    """Give people as CSV, XLSX, JSON or vCard, a part at a time."""
    if format_ == JSON:
        return _json(people, fields)
    if format_ == VCARD:
        return (_card(person, fields).encode() for person in _all(people))
    if format_ == XLSX:
        return xlsx_parts(
            _headed((_row(person, fields) for person in _all(people)), fields), "Contacts"
        )
    rows = ([values.plain(cell) for cell in _row(person, fields)] for person in _all(people))
    return csv_lines(_headed(rows, fields))


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody, with the names of their groups and tags."""

    contact: Contact
    groups: list[str]
    tags: list[str]


def _all(people: QuerySet[Contact]) -> Iterator[_Person]:
    """Give everybody by id; a chunk at a time, so that no transaction stays open."""
    after = 0
    ordered = people.order_by("pk").defer("searched")
    while chunk := list(ordered.filter(pk__gt=after)[:_CHUNK]):
        ids = [contact.pk for contact in chunk]
        groups, tags = _names(Group, ids), _names(Tag, ids)
        for contact in chunk:
            yield _Person(contact, groups.get(contact.pk, []), tags.get(contact.pk, []))
        after = ids[-1]


def _names(owner: type[Group | Tag], ids: list[int]) -> dict[int, list[str]]:
    """Give the names of the groups or tags of people: making objects of them would take longest."""
    through: Any = owner.contacts.through
    name = f"{owner._meta.model_name}__name"
    joined = through.objects.filter(contact_id__in=ids).order_by(name)
    found: dict[int, list[str]] = defaultdict(list)
    for pk, called in joined.values_list("contact_id", name):
        found[pk].append(called)
    return found


def _headed(rows: Iterable[Sequence[Any]], fields: Sequence[Field]) -> Iterator[Sequence[Any]]:
    yield [
        _("Name"), _("Number"), *(field.label for field in fields), _("Groups"), _("Tags"),
        _("Language"), _("Time zone"), _("Carrier"), _("Notes"),
    ]  # fmt: skip
    yield from rows


def _row(person: _Person, fields: Sequence[Field]) -> list[Any]:
    contact = person.contact
    return [
        contact.name, contact.number, *(_value(contact, field) for field in fields),
        ", ".join(person.groups), ", ".join(person.tags), contact.language, contact.time_zone,
        contact.carrier, contact.notes,
    ]  # fmt: skip


def _value(person: Contact, field: Field) -> Any:
    value = person.values.get(field.key)
    return values.day(value) or value if field.type == FieldType.DATE else value


def _json(people: QuerySet[Contact], fields: Sequence[Field]) -> Iterator[bytes]:
    before = b"[\n"
    for person in _all(people):
        contact = person.contact
        said = {field.label: contact.values.get(field.key) for field in fields}
        thing = {
            "name": contact.name,
            "number": contact.number,
            "fields": {label: value for label, value in said.items() if value is not None},
            "groups": person.groups,
            "tags": person.tags,
            "language": contact.language,
            "time_zone": contact.time_zone,
            "carrier": contact.carrier,
            "notes": contact.notes,
        }
        yield before + json.dumps(thing, ensure_ascii=False).encode("utf-8", "replace")
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _card(person: _Person, fields: Sequence[Field]) -> str:
    """Write somebody as a vCard 4.0; fields that it has no word for stand in its note."""
    contact = person.contact
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"FN:{_text(contact.name or contact.number)}"]
    lines.append(f"TEL;VALUE=uri;TYPE=cell:tel:{contact.number}")
    if categories := [*person.groups, *person.tags]:
        lines.append(f"CATEGORIES:{','.join(map(_text, categories))}")
    if contact.language:
        lines.append(f"LANG:{_text(contact.language)}")
    if contact.time_zone:
        lines.append(f"TZ:{_text(contact.time_zone)}")
    said = [
        f"{field.label}: {values.plain(contact.values[field.key])}"
        for field in fields
        if field.key in contact.values
    ]
    if note := "\n".join(filter(None, [contact.notes, *said])):
        lines.append(f"NOTE:{_text(note)}")
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCARD"])


def _text(value: str) -> str:
    escaped = re.sub(r"([\\,;])", r"\\\1", value)
    return re.sub(r"\r\n|\r|\n", r"\\n", escaped)


def _folded(line: str) -> str:
    """Break a line after 75 octets at most, between characters (RFC 6350, 3.2)."""
    parts, part = [], ""
    for char in line:
        if len((part + char).encode("utf-8", "replace")) > 74:
            parts.append(part)
            part = ""
        part += char
    return "\r\n ".join([*parts, part])
