"""Everything that is held about a person: shown to them, and erased when they wish."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Workspace
from contacts.models import Contact, NumberCarrier
from contacts.signals import asked_for_holdings
from lib import stored


class CannotErase(Exception):
    """Something is under way with this person; the text says what to wait for."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One kind of thing that is held: its `key` in the file, what people call it, and how many.

    `rows` gives them as JSON takes them; `erase` deletes them, within a transaction.
    """

    key: str
    label: str
    amount: int
    rows: Callable[[], Iterable[dict[str, Any]]]
    erase: Callable[[], None]


def holdings(workspace: Workspace, number: str) -> list[Holding]:
    """Give what the apps above hold about a number (E.164)."""
    answers: Any = asked_for_holdings.send(sender=Contact, workspace=workspace, number=number)
    return [holding for _receiver, found in answers for holding in found or ()]


def everything(contact: Contact) -> dict[str, Any]:
    """Give all that is held about somebody, as a file in JSON has it."""
    known = {field.key: field.label for field in contact.workspace.fields.filter(deleted_at=None)}
    opt_out = contact.workspace.opt_outs.filter(number=contact.number).first()
    return {
        "contact": {
            "name": contact.name,
            "number": contact.number,
            "kind_of_number": contact.kind,
            "country": contact.country,
            "language": contact.language,
            "time_zone": contact.time_zone,
            "carrier": contact.carrier,
            "notes": contact.notes,
            "tags": [tag.name for tag in contact.tags.all()],
            "groups": [group.name for group in contact.groups.all()],
            "fields": {known[key]: value for key, value in contact.values.items() if key in known},
            "created_at": contact.created_at.isoformat(),
            "updated_at": contact.updated_at.isoformat(),
        },
        "opt_out": None
        if opt_out is None
        else {
            "how": opt_out.get_source_display(),
            "reason": opt_out.detail,
            "since": opt_out.created_at.isoformat(),
        },
        "carrier_of_the_number": [_carrier(row) for row in _carriers(contact)],
        **{
            holding.key: list(holding.rows())
            for holding in holdings(contact.workspace, contact.number)
        },
    }


def _carriers(contact: Contact) -> QuerySet[NumberCarrier]:
    return NumberCarrier.objects.filter(workspace=contact.workspace_id, number=contact.number)


def _carrier(row: NumberCarrier) -> dict[str, Any]:
    return {
        "carrier": row.carrier,
        "how": row.get_source_display(),
        "said": row.said,
        "line": row.line,
        "network": row.network,
        "at": row.at.isoformat(),
    }


def erase(contact: Contact) -> None:
    """Delete all that is held about somebody, for good. Raises CannotErase, and deletes nothing then.

    An opt-out stays: it is what keeps messages from them.
    """
    with transaction.atomic():
        for holding in holdings(contact.workspace, contact.number):
            holding.erase()
        _carriers(contact).delete()
        mine = Contact.objects.filter(workspace=contact.workspace_id, number=contact.number)
        mine.delete()
        transaction.on_commit(stored.write_through)
