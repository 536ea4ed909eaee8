"""Whom a campaign reaches, a chunk at a time: pasted numbers, a file, people, groups and segments.

The sources come in one order, each by a place that only rises: so work that was interrupted anywhere goes on
behind the last place that counts, and any recipient can be found again by its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Workspace
from campaigns import sheets
from campaigns.models import Campaign
from contacts import segments, services
from contacts.importing import numbers as cells
from contacts.importing.reading import Cell
from contacts.models import Contact, Group, Segment
from contacts.rules import compiling, tree

# Ids in one statement.
_MOST = 10_000
# Sources before the groups and segments.
_NUMBERS, _SHEET, _PEOPLE, _FIRST = 0, 1, 2, 3


class Place(NamedTuple):
    """Where a recipient stands: in which source, and at which number, line or id in it."""

    step: int
    after: int

    def __str__(self) -> str:
        return f"{self.step}-{self.after}"

    @property
    def row(self) -> int:
        """Give the row of the file, without its headings; 0 where it is in none."""
        return self.after if self.step == _SHEET else 0

    @classmethod
    def read(cls, written: str) -> Place | None:
        """Read a place as an address has it: 3-1207; None where it is none."""
        step, _dash, after = written.partition("-")
        sound = all(part.isascii() and part.isdigit() and len(part) < 18 for part in (step, after))
        return cls(int(step), int(after)) if sound else None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to be reached: `number` (E.164), or "" where `written` is none.

    `contact` is who has this number among the workspace's people; `row` the columns of their file by key.
    """

    place: Place
    written: str
    number: str
    kind: str = ""
    country: str = ""
    contact: Contact | None = None
    row: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def peer(self) -> str:
        """Give the number, or what was written where it is none, so that it does not disappear."""
        return self.number or self.written[:40]

    @property
    def contact_zone(self) -> str:
        """Give the time zone that their contact names, "" where it names none."""
        return self.contact.time_zone if self.contact else ""


def chunks(
    campaign: Campaign, size: int, start: Place | None = None
) -> Iterator[tuple[Place, list[Recipient]]]:
    """Give recipients in order, up to `size` at once, each list with the place where it ends.

    From behind `start`. Doubles and people to be left out are still among them. Raises reading.Unreadable.
    """
    place = start or Place(0, 0)
    while place.step < _FIRST + len(_lists(campaign)):
        for found in _of_step(campaign, place, size):
            place = found[-1].place
            yield place, found
        place = Place(place.step + 1, 0)


def at(campaign: Campaign, place: Place) -> Recipient | None:
    """Give the recipient at a place, or the next one where nobody stands there any more."""
    return following(campaign, Place(place.step, place.after - 1))


def following(campaign: Campaign, place: Place) -> Recipient | None:
    """Give who comes behind a place."""
    chunk = next(chunks(campaign, 1, place), None)
    return chunk[1][0] if chunk else None


def preceding(campaign: Campaign, place: Place) -> Recipient | None:
    """Give who comes before a place."""
    for step in range(min(place.step, _FIRST + len(_lists(campaign)) - 1), -1, -1):
        before = place.after if step == place.step else None
        if found := _last_of(campaign, step, before):
            return found
    return None


def named(campaign: Campaign) -> list[str]:
    """Name the sources, each at its step. Two queries at most."""
    lists, found = _lists(campaign), dict[str, str]()
    for letter, rows in (("g", campaign.workspace.groups), ("s", campaign.workspace.segments)):
        if ids := [int(value[1:]) for value in lists if value[:1] == letter]:
            found |= {f"{letter}{row.pk}": str(row) for row in rows.filter(pk__in=ids)}
    sheet = campaign.sheet.name if campaign.sheet else ""
    pasted, chosen = _("Numbers you pasted"), _("People you chose")
    return [pasted, sheet, chosen, *(found.get(value, "?") for value in lists)]


def expected(campaign: Campaign) -> int:
    """Count the recipients of all sources, doubles and all. A query for each group and segment."""
    return (
        len(campaign.numbers)
        + (campaign.sheet.rows if campaign.sheet else 0)
        + sum(people.count() for people in _people(campaign, _chosen(campaign), _MOST))
        + sum(_listed(campaign, value).count() for value in _lists(campaign))
    )


def excluded(campaign: Campaign, numbers: Sequence[str]) -> set[str]:
    """Give those of `numbers` (E.164) that are to be left out, or do not fulfil the campaign's rule."""
    found = set(numbers).intersection(campaign.without_numbers)
    if campaign.only:
        living = Contact.objects.living().filter(workspace=campaign.workspace, number__in=numbers)
        found |= set(numbers).difference(
            _fulfilling(campaign, living).values_list("number", flat=True)
        )
    people = {int(value[1:]) for value in campaign.without if value[:1] == "c"}
    if people:
        living = Contact.objects.living().filter(workspace=campaign.workspace, number__in=numbers)
        found.update(number for pk, number in living.values_list("pk", "number") if pk in people)
    for value in (value for value in campaign.without if value[:1] in "gs"):
        those = _members(campaign.workspace, value)
        found.update(those.filter(number__in=numbers).values_list("number", flat=True))
    return found


# ---- Each source --------------------------------------------------------------------------------


def _of_step(campaign: Campaign, place: Place, size: int) -> Iterator[list[Recipient]]:
    if place.step == _NUMBERS:
        return _numbers(campaign, place.after, size)
    if place.step == _SHEET:
        return _sheet(campaign, place.after, size)
    if place.step == _PEOPLE:
        return _picked(campaign, place, size)
    value = _lists(campaign)[place.step - _FIRST]
    if value[:1] == "g":
        return _grouped(campaign, int(value[1:]), place, size)
    return _contacts(_listed(campaign, value), place, size)


def _numbers(campaign: Campaign, after: int, size: int) -> Iterator[list[Recipient]]:
    for start in range(after, len(campaign.numbers), size):
        written = campaign.numbers[start : start + size]
        # Who was erased left an empty place.
        read = [
            _read(campaign, Place(_NUMBERS, number), cell, {})
            for number, cell in enumerate(written, start + 1)
            if cell
        ]
        if read:
            yield _known(campaign.workspace, read)


def _sheet(campaign: Campaign, after: int, size: int) -> Iterator[list[Recipient]]:
    sheet = campaign.sheet
    if sheet is None:
        return
    lines = islice(enumerate(sheets.rows(sheet), 1), after, None)
    while chunk := list(islice(lines, size)):
        yield _known(
            campaign.workspace,
            [
                _read(
                    campaign,
                    Place(_SHEET, line),
                    row[sheet.number] if sheet.number < len(row) else None,
                    dict(zip(sheet.keys, row, strict=False)),
                )
                for line, row in chunk
            ],
        )


def _read(campaign: Campaign, place: Place, cell: Cell, row: Mapping[str, Cell]) -> Recipient:
    # A row without a number is one of its own: #12.
    written = str("" if cell is None else cell).strip() or f"#{place.after}"
    try:
        number, kind, country = cells.read(cell, campaign.workspace.country)
    except cells.Unusable:
        return Recipient(place, written, "", row=row)
    return Recipient(place, written, number, kind, country, row=row)


def _known(workspace: Workspace, recipients: list[Recipient]) -> list[Recipient]:
    """Put the people to the numbers, in one query."""
    numbers = {recipient.number for recipient in recipients if recipient.number}
    living = Contact.objects.living().filter(workspace=workspace, number__in=numbers)
    people = {contact.number: contact for contact in living}
    return [
        Recipient(r.place, r.written, r.number, r.kind, r.country, people[r.number], r.row)
        if r.number in people
        else r
        for r in recipients
    ]


def _picked(campaign: Campaign, place: Place, size: int) -> Iterator[list[Recipient]]:
    """Give people who were chosen one by one."""
    left = [pk for pk in _chosen(campaign) if pk > place.after]
    for people in _people(campaign, left, size):
        if found := list(people.order_by("pk")):
            yield [_of_contact(contact, place.step) for contact in found]


def _contacts(people: QuerySet[Contact], place: Place, size: int) -> Iterator[list[Recipient]]:
    after = place.after
    while found := list(people.filter(pk__gt=after).order_by("pk")[:size]):
        after = found[-1].pk
        yield [_of_contact(contact, place.step) for contact in found]


def _grouped(campaign: Campaign, group: int, place: Place, size: int) -> Iterator[list[Recipient]]:
    """Give the people of a group, by the index of its members: SQLite would gather all for each chunk."""
    if not Group.objects.filter(workspace=campaign.workspace, pk=group).exists():
        return
    joined = Group.contacts.through.objects.filter(group=group).order_by("contact")
    living = _fulfilling(campaign, Contact.objects.living().filter(workspace=campaign.workspace))
    after = place.after
    while ids := list(joined.filter(contact__gt=after).values_list("contact_id", flat=True)[:size]):
        after = ids[-1]
        if found := list(living.filter(pk__in=ids).order_by("pk")):
            yield [_of_contact(contact, place.step) for contact in found]


def _of_contact(contact: Contact, step: int) -> Recipient:
    return Recipient(
        Place(step, contact.pk),
        contact.number,
        contact.number,
        contact.kind,
        contact.country,
        contact,
    )


def _last_of(campaign: Campaign, step: int, before: int | None) -> Recipient | None:
    """Give the last recipient of a source, or the last before a place in it."""
    if step in (_NUMBERS, _SHEET):
        most = len(campaign.numbers) if step == _NUMBERS else _rows(campaign)
        last = most if before is None else min(before - 1, most)
        return following(campaign, Place(step, last - 1)) if last > 0 else None
    if step == _PEOPLE:
        left = [pk for pk in _chosen(campaign) if before is None or pk < before]
        asked: Iterable[QuerySet[Contact]] = _people(campaign, left[::-1], _MOST)
    else:
        people = _listed(campaign, _lists(campaign)[step - _FIRST])
        asked = [people if before is None else people.filter(pk__lt=before)]
    found = (those.order_by("-pk").first() for those in asked)
    return next((_of_contact(contact, step) for contact in found if contact), None)


def _rows(campaign: Campaign) -> int:
    return campaign.sheet.rows if campaign.sheet else 0


def _chosen(campaign: Campaign) -> list[int]:
    """Give the ids of the people who were chosen one by one, in order."""
    return sorted({int(value[1:]) for value in campaign.who if value[:1] == "c"})


def _people(campaign: Campaign, ids: Sequence[int], size: int) -> Iterator[QuerySet[Contact]]:
    """Give the living of these people whom a campaign reaches, `size` ids at a time."""
    living = _fulfilling(campaign, Contact.objects.living().filter(workspace=campaign.workspace))
    for start in range(0, len(ids), size):
        yield living.filter(pk__in=ids[start : start + size])


def _listed(campaign: Campaign, value: str) -> QuerySet[Contact]:
    """Give whom a campaign reaches of a group or a segment."""
    return _fulfilling(campaign, _members(campaign.workspace, value))


def _fulfilling(campaign: Campaign, people: QuerySet[Contact]) -> QuerySet[Contact]:
    """Give those of the people who fulfil the campaign's own rule."""
    if not campaign.only:
        return people
    return people.filter(compiling.condition(campaign.workspace, tree.load(campaign.only)))


def _lists(campaign: Campaign) -> list[str]:
    return [value for value in campaign.who if value[:1] in "gs"]


def _members(workspace: Workspace, value: str) -> QuerySet[Contact]:
    """Give the people of a group (g3) or a segment (s4); nobody where it is gone."""
    pk = int(value[1:])
    if value[:1] == "g":
        group = Group.objects.filter(workspace=workspace, pk=pk).first()
        return services.members(group) if group else Contact.objects.none()
    segment = Segment.objects.filter(workspace=workspace, pk=pk).first()
    if segment is None:
        return Contact.objects.none()
    segment.workspace = workspace
    return segments.people(segment)


def broken(campaign: Campaign) -> list[str]:
    """Give what is wrong with groups and segments that are named, in words for people."""
    found = []
    for value in [*_lists(campaign), *(v for v in campaign.without if v[:1] in "gs")]:
        pk = int(value[1:])
        if value[:1] == "g":
            if not Group.objects.filter(workspace=campaign.workspace, pk=pk).exists():
                found.append(_gone())
            continue
        segment = Segment.objects.filter(workspace=campaign.workspace, pk=pk).first()
        if segment is None:
            found.append(_gone())
        elif problem := segments.problem(segment):
            found.append(f"{segment.name}: {problem}")
    return found


def _gone() -> str:
    return _("A group or segment that was chosen does not exist any more. Choose again.")
