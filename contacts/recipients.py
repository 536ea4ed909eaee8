"""Whom a message may go to besides numbers: people, groups and segments, chosen by name.

Each is written as a letter and an id in forms and addresses: `c12` is a contact, `g3` a group,
`s4` a segment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from accounts.models import Workspace
from contacts import circles, finding, services
from contacts import segments as rules
from contacts.finding import Wanted
from contacts.models import Contact, Segment
from lib import masks
from lib.words import fold

# Recipients in one form, and suggestions to one search.
_MOST, _SUGGESTED = 200, 8


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody or a group that was chosen or may be. `amount` is None for one person."""

    value: str
    label: str
    detail: str
    amount: int | None = None

    @property
    def icon(self) -> str:
        return "user" if self.amount is None else "users-group"


def chosen(workspace: Workspace, written: Iterable[str]) -> list[Recipient]:
    """Give the recipients that a form names, in its order; what does not exist is left out."""
    values = list(dict.fromkeys(written))[:_MOST]
    found = {
        **{_of(person).value: _of(person) for person in _people(workspace, _ids(values, "c"))},
        **{r.value: r for r in _groups(workspace, _ids(values, "g"))},
        **{r.value: r for r in _segments(workspace, _ids(values, "s"))},
    }
    return [found[value] for value in values if value in found]


def numbers(workspace: Workspace, recipients: Sequence[Recipient], most: int) -> list[str]:
    """Give the numbers (E.164) of all of them, `most` for each at most, in order, doubles and all."""
    values = [recipient.value for recipient in recipients]
    people = {f"c{person.pk}": person.number for person in _people(workspace, _ids(values, "c"))}
    groups = {f"g{group.pk}": group for group in workspace.groups.filter(pk__in=_ids(values, "g"))}
    segments = {f"s{s.pk}": s for s in _found_segments(workspace, _ids(values, "s"))}
    found: list[str] = []
    for value in values:
        if value in people:
            found.append(people[value])
        elif value in groups:
            members = services.members(groups[value]).order_by("pk")
            found += members.values_list("number", flat=True)[:most]
        elif value in segments:
            those = rules.people(segments[value]).order_by("pk")
            found += those.values_list("number", flat=True)[:most]
    return found


def suggestions(
    workspace: Workspace, q: str, within: Collection[str] | None = None
) -> list[Recipient]:
    """Give groups and segments, then people, that a few letters may mean; only `within` these circles."""
    if not fold(q):
        return []
    named = workspace.groups.filter(folded__contains=fold(q.replace("\x00", "")))
    people = finding.find(workspace, Wanted(q=q)).order_by("sorted_name", "id")
    if within is not None:
        named = named.filter(pk__in=_ids(within, "g"))
        people = people.filter(pk__in=circles.people(workspace, within).values("pk"))
    groups = _counted(workspace, list(named.values_list("pk", flat=True)[:_SUGGESTED]))
    ruled = workspace.segments.filter(folded__contains=fold(q.replace("\x00", "")))
    if within is not None:
        ruled = ruled.filter(pk__in=_ids(within, "s"))
    segments = _segments(workspace, list(ruled.values_list("pk", flat=True)[:_SUGGESTED]))
    return [*groups, *segments, *map(_of, people[:_SUGGESTED])]


def _of(person: Contact) -> Recipient:
    spoken = masks.shown(person.number)
    return Recipient(f"c{person.pk}", person.name or spoken, spoken if person.name else "")


def _people(workspace: Workspace, ids: list[int]) -> list[Contact]:
    if not ids:
        return []
    return list(Contact.objects.living().filter(workspace=workspace, pk__in=ids))


def _groups(workspace: Workspace, ids: list[int]) -> list[Recipient]:
    return _counted(workspace, ids) if ids else []


def _counted(workspace: Workspace, ids: list[int]) -> list[Recipient]:
    living = Count("contacts", filter=Q(contacts__deleted_at=None))
    groups = workspace.groups.filter(pk__in=ids).annotate(amount=living)
    return [Recipient(f"g{group.pk}", group.name, "", group.amount) for group in groups]


def _segments(workspace: Workspace, ids: list[int]) -> list[Recipient]:
    return [
        Recipient(
            f"s{segment.pk}", segment.name, rules.problem(segment), rules.people(segment).count()
        )
        for segment in _found_segments(workspace, ids)
    ]


def _found_segments(workspace: Workspace, ids: list[int]) -> list[Segment]:
    if not ids:
        return []
    found = list(workspace.segments.filter(pk__in=ids))
    for segment in found:
        segment.workspace = workspace
    return found


def _ids(values: Iterable[str], letter: str) -> list[int]:
    found = (value[1:] for value in values if value[:1] == letter)
    return [int(pk) for pk in found if pk.isascii() and pk.isdigit() and len(pk) < 19]
