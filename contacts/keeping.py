"""Keeping people: adding, changing, merging and forgetting them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User, Workspace
from contacts import carriers, changing
from contacts.models import Change, Contact, Field, Group, NumberCarrier, Tag
from lib import bulk
from lib.jobs import wake
from lib.words import fold

# Fields of one workspace, tags or groups that one cell or form may name.
MOST_FIELDS, MOST_NAMES = 100, 50
# Names that texts and rules use for what every contact has.
RESERVED = frozenset(
    {
        "age", "and", "birthday", "carrier", "contact", "contains", "country", "created",
        "ends_with", "false", "group", "groups", "id", "in", "is", "kind", "known", "language",
        "last_message", "last_reply", "name", "no", "not", "notes", "null", "number", "opted_out",
        "or", "starts_with", "tag", "tags", "time_zone", "today", "true", "updated", "workspace",
        "yes",
    }
)  # fmt: skip
_CHUNK = 1000


class Taken(Exception):
    """The number belongs to another living contact, `contact`."""

    def __init__(self, contact: Contact | None) -> None:
        super().__init__("taken")
        self.contact = contact


def save(contact: Contact) -> None:
    """Store a new or changed contact. Raises Taken."""
    contact.derive()
    contact.updated_at = timezone.now()
    try:
        with transaction.atomic():
            if contact.pk is None:
                contact.save(force_insert=True)
            else:
                contact.save(
                    update_fields=[
                        "name", "number", "values", "notes", "language", "time_zone", "carrier",
                        "kind", "country", "sorted_name", "searched", "updated_at",
                    ]
                )  # fmt: skip
            if contact.carrier:
                said = {contact.number: contact.carrier}
                carriers.remember(contact.workspace, said, NumberCarrier.Source.PERSON)
    except IntegrityError as error:
        found = at(contact.workspace_id, contact.number)
        if found is None or found.pk == contact.pk:
            raise
        raise Taken(found) from error


def at(workspace_id: int, number: str) -> Contact | None:
    """Give the living contact with a number (E.164)."""
    return Contact.objects.living().filter(workspace=workspace_id, number=number).first()


# ---- Tags and groups -----------------------------------------------------------------------------


def tag_named(workspace: Workspace, name: str) -> Tag:
    """Give the tag of that name, a new one where there is none."""
    name = " ".join(name.split())[:60]
    return Tag.objects.get_or_create(
        workspace=workspace, folded=fold(name)[:60], defaults={"name": name}
    )[0]


def group_named(workspace: Workspace, name: str) -> Group:
    """Give the group of that name, a new one where there is none."""
    name = " ".join(name.split())[:100]
    return Group.objects.get_or_create(
        workspace=workspace, folded=fold(name)[:100], defaults={"name": name}
    )[0]


def names_in(written: str) -> list[str]:
    """Give the names in a list with commas, semicolons or lines between them, each once."""
    parts = (" ".join(part.split()) for part in re.split(r"[,;\n|]", written.replace("\x00", "")))
    return list({fold(part): part for part in parts if fold(part)}.values())[:MOST_NAMES]


def set_tags(contact: Contact, names: Iterable[str]) -> None:
    """Give a contact exactly these tags; those that nobody has any more are forgotten."""
    before = list(contact.tags.all())
    contact.tags.set([tag_named(contact.workspace, name) for name in names])
    forget_unused_tags(before)


def forget_unused_tags(tags: Iterable[Tag]) -> None:
    """Delete those of the tags that mark nobody."""
    Tag.objects.filter(pk__in=[tag.pk for tag in tags], contacts=None).delete()


# ---- Fields --------------------------------------------------------------------------------------


def fields_of(workspace: Workspace) -> list[Field]:
    """Give the living fields of a workspace, oldest first."""
    return list(workspace.fields.filter(deleted_at=None))


def key_for(workspace: Workspace, label: str, taken: Collection[str] = ()) -> str:
    """Give a free key for a new field: `Date of birth` → `date_of_birth`."""
    base = re.sub(r"[^a-z0-9]+", "_", fold(label)).strip("_")[:36]
    if not base or not base[0].isalpha():
        base = f"field_{base}".strip("_")[:36]
    used = {*taken, *workspace.fields.values_list("key", flat=True)}
    key, number = base, 2
    while key in used or key in RESERVED:
        key, number = f"{base}_{number}", number + 1
    return key


def delete_field(field: Field) -> None:
    """Hide a field at once, and let a job take its values off everybody."""
    Field.objects.filter(pk=field.pk, deleted_at=None).update(deleted_at=timezone.now())
    wake(forget_values, field.pk, queue="default")


def forget_values(field_id: int) -> None:
    """Take a deleted field's values off everybody, then the field itself. A job; may run twice."""
    field = Field.objects.filter(pk=field_id, deleted_at__isnull=False).first()
    if field is None:
        return
    having = Contact.objects.filter(workspace=field.workspace_id, values__has_key=field.key)
    while chunk := list(having.order_by("pk")[:_CHUNK]):
        for contact in chunk:
            contact.values.pop(field.key, None)
            contact.derive()
        rows = [(contact.pk, contact.values, contact.searched) for contact in chunk]
        bulk.update(
            Contact, ["id", "values", "searched"], rows,
            assign='"values" = v."values", searched = v.searched', where="TRUE",
        )  # fmt: skip
    field.delete()


def forget_deleted_fields() -> int:
    """Wake the jobs of deleted fields that lost theirs. A duty of the tick."""
    left = list(Field.objects.filter(deleted_at__isnull=False).values_list("pk", flat=True)[:50])
    for pk in left:
        wake(forget_values, pk, queue="default")
    return len(left)


# ---- Duplicates ----------------------------------------------------------------------------------


def merge(kept: Contact, others: Sequence[Contact], by: User) -> Change:
    """Put what the others say into `kept` where it says nothing, and delete them; undo brings them back."""
    with transaction.atomic():
        for other in others:
            _fill(kept, other)
        save(kept)
        ids = [other.pk for other in others]
        for owner in (Group, Tag):
            having = owner.objects.filter(contacts__in=ids).values_list("pk", flat=True)
            changing.join(owner, {(pk, kept.pk) for pk in having})
        chosen = Contact.objects.living().filter(workspace=kept.workspace_id, pk__in=ids)
        return changing.delete(kept.workspace, chosen, by=by)


def _fill(kept: Contact, other: Contact) -> None:
    for name in ("name", "language", "time_zone", "carrier"):
        if not getattr(kept, name):
            setattr(kept, name, getattr(other, name))
    kept.values = {**other.values, **kept.values}
    notes: dict[str, Any] = dict.fromkeys(filter(None, [kept.notes, other.notes]))
    kept.notes = "\n".join(notes)[:5000]
