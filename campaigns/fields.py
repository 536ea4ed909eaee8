"""What a text may say of people: {{ contact.… }} and {{ workspace.… }}, and what it may say at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Role, User, Workspace
from campaigns.models import Sheet
from contacts import keeping
from contacts import values as stored
from contacts.models import Contact, Field, FieldType
from lib import masks

# How a text names somebody's number.
NUMBER = "contact.number"
_WORD = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Offer:
    """A field that a text may name, and what people call it."""

    name: str
    label: str

    @property
    def written(self) -> str:
        """Give it as it stands in a text: {{ contact.town }}, {{ row["1st child"] }}."""
        root, _dot, key = self.name.partition(".")
        name = self.name if _WORD.fullmatch(key) else f'{root}["{key}"]'
        return f"{{{{ {name} }}}}"


def offered(workspace: Workspace, sheet: Sheet | None = None) -> list[Offer]:
    """Give the fields that texts of a workspace may name, with the columns of a file. One query.

    Who may not see numbers puts none into a text: what it says of one would tell its digits.
    """
    headings = sheet.shape.get("columns", []) if sheet else []
    columns = zip(sheet.keys if sheet else [], headings, strict=False)
    of_people = [
        Offer("contact.firstname", _("First name")),
        Offer("contact.lastname", _("Last name")),
        Offer("contact.name", _("Name")),
        Offer(NUMBER, _("Number")),
        Offer("contact.country", _("Country")),
        Offer("contact.language", _("Language")),
        Offer("contact.tags", _("Tags")),
    ]
    kept = [Offer(f"contact.{field.key}", field.label) for field in keeping.fields_of(workspace)]
    named = {offer.name for offer in kept}
    return [
        *(Offer(f"row.{key}", heading or key) for key, heading in columns),
        *(
            offer
            for offer in of_people
            if offer.name not in named and not (offer.name == NUMBER and masks.hiding())
        ),
        *kept,
        Offer("workspace.name", _("Name of the workspace")),
    ]


def contact_values(
    contact: Contact | None, number: str, country: str, fields: Sequence[Field] | None = None
) -> dict[str, Any]:
    """Give what {{ contact.… }} says of a recipient: texts, numbers, dates and truths.

    `fields` are those of the workspace (keeping.fields_of); who renders many gives them, else they are asked
    for. Tags are there when they were prefetched. What is not known is not there.
    """
    found: dict[str, Any] = {"number": number, "country": country}
    if contact is None:
        return found
    if fields is None:
        fields = keeping.fields_of(contact.workspace)
    first, last = split_name(contact.name)
    found |= {"firstname": first, "lastname": last, "name": contact.name}
    found["language"] = contact.language
    if "tags" in getattr(contact, "_prefetched_objects_cache", {}):
        found["tags"] = tuple(tag.name for tag in contact.tags.all())
    for field in fields:
        found[field.key] = _typed(field, contact.values.get(field.key))
    return {key: value for key, value in found.items() if value not in (None, "", ())}


def _typed(field: Field, value: Any) -> Any:
    return stored.day(value) if field.type == FieldType.DATE else value


def split_name(name: str) -> tuple[str, str]:
    """Give first and last name, as far as a name tells: Nadia Benali, Benali, Nadia, BENALI Nadia."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if comma:
        return first, last
    words = name.split()
    if len(words) < 2:
        return name.strip(), ""
    shouted = [word for word in words if word.isupper() and len(word) > 1]
    if shouted and len(shouted) < len(words) and words[: len(shouted)] == shouted:
        return " ".join(words[len(shouted) :]), " ".join(shouted)
    return words[0], " ".join(words[1:])


def workspace_values(workspace: Workspace, author: User | None = None) -> dict[str, Any]:
    """Give what {{ workspace.… }} says. Dates are in the author's language, else in the owner's."""
    language = author.language if author else ""
    if not language:
        owners = workspace.memberships.filter(role=Role.OWNER).exclude(user__language="")
        language = owners.order_by("pk").values_list("user__language", flat=True).first() or ""
    return {"name": workspace.name, "language": language}
