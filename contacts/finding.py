"""Finding people, at a cost that does not grow with their number.

Each order of the list has an index, and pages are cut by it (keyset): the last one costs what the
first one does. Words are looked for in `Contact.searched`, which has neither case nor accents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from accounts.models import Workspace
from contacts import segments, services
from contacts.models import Contact, Field, FieldType, Group, Kind, Segment, Tag
from contacts.rules import compiling
from lib import e164, masks
from lib.words import fold

NAME, NEWEST, CHANGED = "", "newest", "changed"
_ORDERS: dict[str, tuple[str, ...]] = {
    NAME: ("sorted_name", "id"),
    NEWEST: ("-id",),
    CHANGED: ("-updated_at", "-id"),
}
# People of one page.
PAGE = 50
_NUMBER = re.compile(r"[\s+().\-/]*\d[\d\s().\-/]*")
_FEWEST_DIGITS = 3
_MOST_WORDS = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people. `value` is what `field` must say, "" that it says anything."""

    q: str = ""
    group: Group | None = None
    segment: Segment | None = None
    tag: Tag | None = None
    kind: str = ""
    country: str = ""
    field: Field | None = None
    value: str = ""
    order: str = NAME


@dataclass(frozen=True, slots=True)
class Page:
    """People in the order wanted; `following` is the mark that the next page begins after, or ""."""

    contacts: list[Contact]
    following: str


def find(workspace: Workspace, wanted: Wanted) -> QuerySet[Contact]:
    """Give the people of a workspace that somebody wants to see, in no order."""
    found = Contact.objects.living().filter(workspace=workspace)
    if wanted.group:
        members = Group.contacts.through.objects.filter(group=wanted.group)
        found = found.filter(pk__in=members.values("contact_id"))
    if wanted.tag:
        tagged = Tag.contacts.through.objects.filter(tag=wanted.tag)
        found = found.filter(pk__in=tagged.values("contact_id"))
    if wanted.segment:
        rule = segments.rule_of(wanted.segment)
        found = found.filter(compiling.condition(workspace, rule))
    if wanted.kind in Kind.values:
        found = found.filter(kind=wanted.kind)
    if wanted.country:
        found = found.filter(country=wanted.country)
    if wanted.field:
        found = found.filter(_says(wanted.field, wanted.value.strip()))
    return _matching(found, wanted.q, workspace.country) if wanted.q.strip() else found


def page(found: QuerySet[Contact], order: str, after: str) -> Page:
    """Give one page; `after` is a mark, and a wrong one is left out."""
    columns = _ORDERS.get(order, _ORDERS[NAME])
    rows = list(_after(found, order, after).order_by(*columns)[: PAGE + 1])
    return Page(rows[:PAGE], _mark(rows[PAGE - 1], order) if len(rows) > PAGE else "")


def _mark(contact: Contact, order: str) -> str:
    """Give somebody's place in the list: the id, and what stands before it in the index."""
    if order == NEWEST:
        return str(contact.pk)
    if order == CHANGED:
        return f"{contact.pk}.{(contact.updated_at - _EPOCH) // timedelta(microseconds=1)}"
    return f"{contact.pk}.{contact.sorted_name}"


def _after(found: QuerySet[Contact], order: str, mark: str) -> QuerySet[Contact]:
    written, _dot, before = mark.partition(".")
    if not (written.isascii() and written.isdigit() and len(written) < 19):
        return found
    pk = int(written)
    if order == NEWEST:
        return found.filter(pk__lt=pk)
    if order == CHANGED:
        if not (before.isascii() and before.isdigit() and len(before) < 18):
            return found
        at = _EPOCH + timedelta(microseconds=int(before))
        # The first condition is the one that the index serves.
        return found.filter(Q(updated_at__lt=at) | Q(pk__lt=pk), updated_at__lte=at)
    return found.filter(
        Q(sorted_name__gt=before) | Q(pk__gt=pk), sorted_name__gte=before.replace("\x00", "")
    )


def _says(field: Field, value: str) -> Q:
    """Match what a field says: a text by any part of it, the rest exactly; "" by being there."""
    key = f"values__{field.key}"
    if not value:
        return Q(values__has_key=field.key)
    if field.type == FieldType.YES_NO:
        return Q(**{key: fold(value) in {"yes", "true", "1", "oui", "si"}})
    if field.type == FieldType.NUMBER:
        try:
            return Q(**{key: float(value.replace(",", "."))})
        except ValueError:
            return Q(pk=None)
    return Q(**{f"{key}__icontains": value})


def _matching(people: QuerySet[Contact], q: str, country: str) -> QuerySet[Contact]:
    """Match numbers by how they begin, written as at home or abroad, and words by any part.

    Where numbers are hidden, only a whole one is matched.
    """
    q = masks.opened(q)
    digits = re.sub(r"\D", "", q)
    if len(digits) >= _FEWEST_DIGITS and _NUMBER.fullmatch(q.strip()):
        if masks.hiding():
            asked = Q(unnumbered__contains=digits) | Q(number=e164.normal(q, country))
            return people.alias(unnumbered=services.UNNUMBERED).filter(asked)
        asked = Q(searched__contains=digits)
        for prefix in e164.beginnings(q, country):
            asked |= Q(number__startswith=prefix)
        return people.filter(asked)
    return services.saying(people, fold(q.replace("\x00", "")).split()[:_MOST_WORDS])
