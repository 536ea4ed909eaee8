"""People to keep: `contact(workspace, "Nadia", "+33612345678", town="Lyon")`."""

from __future__ import annotations

from typing import Any

from accounts.models import Workspace
from contacts import keeping
from contacts.models import Contact, Field


def contact(workspace: Workspace, name: str, number: str, **values: Any) -> Contact:
    person = Contact(workspace=workspace, name=name, number=number, values=values)
    keeping.save(person)
    return person


def field(workspace: Workspace, label: str, type_: str = "text") -> Field:
    return Field.objects.create(
        workspace=workspace, key=keeping.key_for(workspace, label), label=label, type=type_
    )
