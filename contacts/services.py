"""What others ask about people: who opted out, what numbers are called, who is in a group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from django.db.models import Func, QuerySet, TextField, Value

from accounts.models import User, Workspace
from contacts.models import Contact, Group, OptOut
from contacts.signals import wants_no_more
from lib import masks
from lib.words import fold

# Numbers asked for in one query; SQLite takes 32,766 variables at most, and short queries are kind.
_CHUNK = 500


def opt_out(
    workspace: Workspace, number: str, source: str, detail: str = "", by: User | None = None
) -> bool:
    """Write no more to `number` (E.164), nor what waits; say whether that is new. The first reason stays."""
    _row, new = OptOut.objects.get_or_create(
        workspace=workspace,
        number=number,
        defaults={"source": source, "detail": detail[:200], "added_by": by},
    )
    wants_no_more.send(Workspace, workspace=workspace, number=number)
    return new


def opt_in(workspace: Workspace, number: str) -> bool:
    """Allow messages to `number` again; say whether it was opted out."""
    gone, _by_model = OptOut.objects.filter(workspace=workspace, number=number).delete()
    return bool(gone)


def opted_out(workspace: Workspace, numbers: Collection[str]) -> set[str]:
    """Give those of `numbers` (E.164) that must get nothing."""
    return set(stopped(workspace, numbers))


def stopped(workspace: Workspace, numbers: Collection[str]) -> dict[str, str]:
    """Give those of `numbers` (E.164) that must get nothing, each with how we know (OptOut.Source)."""
    found: dict[str, str] = {}
    for chunk in _chunks(numbers):
        rows = OptOut.objects.filter(workspace=workspace, number__in=chunk)
        found.update(rows.values_list("number", "source"))
    return found


def names(workspace_id: int, numbers: Collection[str]) -> dict[str, str]:
    """Give the names of those of `numbers` (E.164) that have one, in one query per 500."""
    found: dict[str, str] = {}
    for chunk in _chunks(numbers):
        rows = Contact.objects.living().filter(workspace=workspace_id, number__in=chunk)
        found.update(rows.exclude(name="").values_list("number", "name"))
    return found


def numbers_called(workspace_id: int, written: str, most: int = 200) -> list[str]:
    """Give the numbers of people whose name or fields hold every word of `written`."""
    words = fold(written.replace("\x00", "")).split()[:8]
    if not words:
        return []
    rows = saying(Contact.objects.living().filter(workspace=workspace_id), words)
    return list(rows.values_list("number", flat=True)[:most])


# What a search looks through, without the number.
UNNUMBERED = Func("searched", "number", Value(" "), function="REPLACE", output_field=TextField())


def saying(people: QuerySet[Contact], words: Sequence[str]) -> QuerySet[Contact]:
    """Give those of people whose name, number or fields hold each of the folded words.

    From whom numbers are hidden finds nobody by a part of one.
    """
    for word in words:
        if masks.hiding() and any(letter.isdigit() for letter in word):
            people = people.alias(unnumbered=UNNUMBERED).filter(unnumbered__contains=word)
        else:
            people = people.filter(searched__contains=word)
    return people


def members(group: Group) -> QuerySet[Contact]:
    """Give the living people of a group, in no order."""
    joined = Group.contacts.through.objects.filter(group=group)
    return Contact.objects.living().filter(
        workspace=group.workspace_id, pk__in=joined.values("contact_id")
    )


def _chunks(numbers: Collection[str]) -> Iterator[list[str]]:
    left = iter(dict.fromkeys(numbers))
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
