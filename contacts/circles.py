"""Circles: the groups and segments whose people somebody may write to (see accounts.limits).

Each is written as in contacts.recipients: `g3` is a group, `s4` a segment. One that is gone has nobody in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet
from django.dispatch import receiver

from accounts.models import Workspace
from accounts.roles import PEOPLE
from accounts.signals import limits_asked
from contacts import segments
from contacts.models import Contact, Group
from contacts.rules import compiling

# Numbers asked for in one query (see contacts.services).
_CHUNK = 500


def people(workspace: Workspace, marks: Collection[str]) -> QuerySet[Contact]:
    """Give the living people of any of these circles, each once, in no order."""
    groups = workspace.groups.filter(pk__in=_ids(marks, "g"))
    joined = Group.contacts.through.objects.filter(group__in=groups)
    within = Q(pk__in=joined.values("contact_id"))
    for segment in workspace.segments.filter(pk__in=_ids(marks, "s")):
        within |= compiling.condition(workspace, segments.rule_of(segment))
    return Contact.objects.living().filter(within, workspace=workspace)


def numbers_within(
    workspace: Workspace, marks: Collection[str], numbers: Collection[str]
) -> set[str]:
    """Give those of `numbers` (E.164) that belong to somebody in these circles."""
    circle = people(workspace, marks)
    found: set[str] = set()
    for chunk in _chunks(numbers):
        found.update(circle.filter(number__in=chunk).values_list("number", flat=True))
    return found


@receiver(limits_asked)
def offer(workspace: Workspace, **_: Any) -> dict[str, dict[str, str]]:
    """Let senders be limited to groups and segments."""
    groups = {f"g{pk}": name for pk, name in workspace.groups.values_list("pk", "name")}
    ruled = {f"s{pk}": name for pk, name in workspace.segments.values_list("pk", "name")}
    return {PEOPLE: groups | ruled}


def _ids(marks: Collection[str], letter: str) -> Sequence[int]:
    return [int(mark[1:]) for mark in marks if mark[:1] == letter and mark[1:].isdecimal()]


def _chunks(numbers: Collection[str]) -> Iterator[list[str]]:
    left = iter(dict.fromkeys(numbers))
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
