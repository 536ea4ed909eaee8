"""What rules may ask about: what every contact has, the workspace's fields, and what apps above add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Workspace
from contacts import keeping
from contacts.models import FieldType, Kind
from contacts.rules import tree

TEXT, NUMBER, DATE, YES_NO = "text", "number", "date", "yes_no"
# One of few words; a group or tag; a moment, asked for by its day.
CHOICE, MEMBER, MOMENT = "choice", "member", "moment"

_ORDER = (tree.EQUAL, tree.OTHER, tree.LESS, tree.MOST, tree.MORE, tree.LEAST)
_IS_THERE = (tree.KNOWN, tree.EMPTY)
OPERATORS: dict[str, tuple[str, ...]] = {
    TEXT: (tree.EQUAL, tree.OTHER, tree.CONTAINS, tree.STARTS, tree.ENDS, *_IS_THERE),
    NUMBER: (*_ORDER, *_IS_THERE),
    DATE: (*_ORDER, *_IS_THERE),
    YES_NO: (tree.EQUAL, tree.OTHER, *_IS_THERE),
    CHOICE: (tree.EQUAL, tree.OTHER, *_IS_THERE),
    MEMBER: (tree.EQUAL, tree.OTHER, *_IS_THERE),
    MOMENT: (*_ORDER, *_IS_THERE),
    tree.AGE: _ORDER,
    tree.BIRTHDAY: (tree.EQUAL, tree.WITHIN),
}

# Moments that apps above know of: whether there was one since a time, or ever (None), as a condition
# on contacts. Filled when they start (messaging/segments.py).
happened: dict[str, Callable[[datetime | None], Q]] = {}


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to ask about: the word in the language, what people call it, its type.

    `is_field` when it is one of the workspace's; `choices` where only some words make sense.
    """

    name: str
    label: str
    type: str
    is_field: bool = False
    choices: tuple[tuple[str, str], ...] = ()

    def operators(self, function: str = "") -> tuple[str, ...]:
        return OPERATORS[function or self.type]


def subjects(workspace: Workspace) -> dict[str, Subject]:
    """Give all subjects of a workspace by name. Three queries."""
    plain = [
        Subject("name", _("Name"), TEXT),
        Subject("number", _("Number"), TEXT),
        Subject("notes", _("Notes"), TEXT),
        Subject("language", _("Language"), TEXT),
        Subject("time_zone", _("Time zone"), TEXT),
        Subject("carrier", _("Carrier"), TEXT),
        Subject("country", _("Country"), TEXT),
        Subject("kind", _("Kind of number"), CHOICE, choices=tuple(_kinds())),
        Subject("group", _("Group"), MEMBER, choices=_names(workspace, "groups")),
        Subject("tag", _("Tag"), MEMBER, choices=_names(workspace, "tags")),
        Subject("created", _("Added"), MOMENT),
        Subject("updated", _("Changed"), MOMENT),
        Subject("opted_out", _("Opted out"), YES_NO),
    ]
    words = {"last_message": _("Last message to them"), "last_reply": _("Last reply of theirs")}
    plain += [Subject(name, words.get(name, name), MOMENT) for name in happened]
    fields = [
        Subject(field.key, field.label, _TYPES[field.type], is_field=True)
        for field in keeping.fields_of(workspace)
    ]
    return {subject.name: subject for subject in [*plain, *fields]}


_TYPES: dict[str, str] = {
    FieldType.TEXT: TEXT,
    FieldType.NUMBER: NUMBER,
    FieldType.DATE: DATE,
    FieldType.YES_NO: YES_NO,
}


def _kinds() -> list[tuple[str, str]]:
    return [(value, str(label)) for value, label in Kind.choices]


def _names(workspace: Workspace, what: str) -> tuple[tuple[str, str], ...]:
    rows = (workspace.groups if what == "groups" else workspace.tags).values_list("name", flat=True)
    return tuple((name, name) for name in rows)
