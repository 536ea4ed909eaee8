"""What the columns of a file may mean, from their headings and from what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from contacts import values
from contacts.importing import numbers
from contacts.importing.reading import Cell, Row
from contacts.models import Field, FieldType
from lib.words import fold

NAME, FIRST, LAST, NUMBER = "name", "first_name", "last_name", "number"
NOTES, LANGUAGE, TIME_ZONE, CARRIER = "notes", "language", "time_zone", "carrier"
TAGS, GROUPS, NOTHING = "tags", "groups", ""
PLAIN = (NAME, FIRST, LAST, NUMBER, TAGS, GROUPS, NOTES, LANGUAGE, TIME_ZONE, CARRIER)
# A field that exists is `field:<key>`, a new one `new:<type>`.
FIELD, NEW = "field:", "new:"

# Folded headings, in English, French and Spanish, of what every contact has.
_MEAN: dict[str, tuple[str, ...]] = {
    NAME: ("name", "full name", "nom complet", "nombre completo", "display name", "contact", "nom et prenom",
           "nombre y apellidos"),
    FIRST: ("first name", "firstname", "given name", "prenom", "nombre", "nombre de pila", "vorname"),
    LAST: ("last name", "lastname", "surname", "family name", "nom", "nom de famille", "apellido",
           "apellidos", "nachname"),
    NUMBER: ("number", "phone", "mobile", "tel", "telephone", "portable", "gsm", "cell", "numero",
             "telefono", "movil", "celular", "phone number", "mobile phone", "mobile number",
             "cell phone", "numero de telephone", "numero de telefono", "telephone portable",
             "telephone mobile", "tel portable", "telefono movil", "phone 1 - value", "msisdn", "sms"),
    NOTES: ("notes", "note", "remarque", "remarques", "comment", "comments", "commentaire",
            "commentaires", "notas", "nota", "observaciones"),
    LANGUAGE: ("language", "lang", "langue", "idioma"),
    TIME_ZONE: ("time zone", "timezone", "tz", "fuseau horaire", "fuseau", "zona horaria"),
    CARRIER: ("carrier", "operator", "operateur", "operador"),
    TAGS: ("tags", "tag", "labels", "label", "etiquettes", "etiquette", "etiquetas", "mots cles"),
    GROUPS: ("groups", "group", "groupes", "groupe", "grupos", "grupo", "categories", "categorie",
             "categorias"),
    # What we write ourselves and know anyway.
    NOTHING: ("kind of number", "country", "created at", "updated at", "other numbers", "id"),
}  # fmt: skip
_BY_HEADING = {heading: target for target, headings in _MEAN.items() for heading in headings}
# Where 3/4/2026 is 4 March.
_MONTH_FIRST = {"US", "PH", "FM", "MH", "PW", "GU", "PR"}


def mapping(
    columns: Sequence[str], sample: Sequence[Row], fields: Sequence[Field], country: str
) -> list[str]:
    """Guess what each column is: one of PLAIN, `field:<key>`, `new:<type>`, or "" to leave it out."""
    found = [_by_heading(column, fields) for column in columns]
    for place, target in enumerate(found):
        # Only tags and groups may stand in several columns.
        if target in found[:place] and target not in (TAGS, GROUPS, NOTHING, None):
            found[place] = NOTHING
    if NUMBER not in found:
        _find_number(found, sample, country)
    return [
        _new(columns[place], _column(sample, place)) if target is None else target
        for place, target in enumerate(found)
    ]


def month_first(sample: Sequence[Row], country: str) -> bool:
    """Guess whether 3/4/2026 is 4 March: by a day past the 12th, else by the country."""
    for row in sample:
        for cell in row:
            parts = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}", str(cell or "").strip())
            if parts and int(parts[1]) > 12:
                return False
            if parts and int(parts[2]) > 12:
                return True
    return country in _MONTH_FIRST


def _by_heading(column: str, fields: Sequence[Field]) -> str | None:
    """Give what a heading means, None where it is not known."""
    heading = re.sub(r"[\W_]+", " ", fold(column)).strip()
    bare = re.sub(r"^(fields|contact) ", "", heading)
    for field in fields:
        known = re.sub(r"[\W_]+", " ", fold(field.label)).strip()
        if bare in (known, field.key.replace("_", " ")):
            return f"{FIELD}{field.key}"
    return _BY_HEADING.get(bare, _BY_HEADING.get(fold(column)))


def _find_number(found: list[str | None], sample: Sequence[Row], country: str) -> None:
    """Take for the number the column, not spoken for, that holds the most of them."""
    best, most = -1, 0
    for place, target in enumerate(found):
        amount = sum(_is_number(cell, country) for cell in _column(sample, place))
        if target is None and amount > most:
            best, most = place, amount
    if best >= 0:
        found[best] = NUMBER


def _is_number(cell: Cell, country: str) -> bool:
    if isinstance(cell, date):
        return False
    try:
        return numbers.read(cell, country)[1] != "unknown"
    except numbers.Unusable:
        return False


def _column(sample: Sequence[Row], place: int) -> list[Cell]:
    cells = [row[place] if place < len(row) else None for row in sample]
    return [cell for cell in cells if cell is not None and str(cell).strip()]


def _new(column: str, cells: list[Cell]) -> str:
    """Make a field of a column that has a name and something in it; leave others out."""
    if re.fullmatch(r"[A-Z]{1,2}", column) or not cells:
        return NOTHING
    if all(isinstance(cell, bool) or not str(cell).strip().isdigit() for cell in cells) and _all(
        FieldType.YES_NO, cells
    ):
        return f"{NEW}{FieldType.YES_NO}"
    # What begins with a zero is a code and no amount.
    if not any(re.match(r"[+0]\d", str(cell)) for cell in cells) and _all(FieldType.NUMBER, cells):
        return f"{NEW}{FieldType.NUMBER}"
    if _all(FieldType.DATE, cells):
        return f"{NEW}{FieldType.DATE}"
    return f"{NEW}{FieldType.TEXT}"


def _all(type_: str, cells: list[Cell]) -> bool:
    try:
        return all(values.read(type_, cell) is not None for cell in cells)
    except values.Wrong:
        return False
