"""Changing many people at once, in one statement each, and undoing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.activity import record
from accounts.models import User, Workspace
from contacts.models import LIVING, Change, Contact, Group, Tag
from lib.words import fold

Action = Change.Action
# Ids in one statement.
_CHUNK = 10_000
# For how long something can be undone.
KEPT = timedelta(days=30)


def tag(workspace: Workspace, chosen: QuerySet[Contact], tag: Tag, by: User) -> Change:
    """Put a tag on everybody chosen."""
    with transaction.atomic():
        return _note(workspace, Action.TAG, _join(Tag, tag.pk, chosen), by, tag.pk, tag.name)


def untag(workspace: Workspace, chosen: QuerySet[Contact], tag: Tag, by: User) -> Change:
    """Take a tag off everybody chosen."""
    with transaction.atomic():
        return _note(workspace, Action.UNTAG, _part(Tag, tag.pk, chosen), by, tag.pk, tag.name)


def group(workspace: Workspace, chosen: QuerySet[Contact], group: Group, by: User) -> Change:
    """Put everybody chosen into a group."""
    with transaction.atomic():
        ids = _join(Group, group.pk, chosen)
        return _note(workspace, Action.GROUP, ids, by, group.pk, group.name)


def ungroup(workspace: Workspace, chosen: QuerySet[Contact], group: Group, by: User) -> Change:
    """Take everybody chosen out of a group."""
    with transaction.atomic():
        ids = _part(Group, group.pk, chosen)
        return _note(workspace, Action.UNGROUP, ids, by, group.pk, group.name)


def delete(workspace: Workspace, chosen: QuerySet[Contact], by: User) -> Change:
    """Delete everybody chosen; they can be brought back for 30 days."""
    with transaction.atomic():
        asked, arguments = _select(chosen)
        ids = _run(
            f"UPDATE {_table(Contact)} SET deleted_at = %s"  # noqa: S608
            f" WHERE deleted_at IS NULL AND id IN ({asked}) RETURNING id",
            [_moment(timezone.now()), *arguments],
        )
        record("contacts.deleted", workspace=workspace, actor=by, count=len(ids))
        return _note(workspace, Action.DELETE, ids, by)


def drop(row: Tag | Group, by: User) -> Change:
    """Delete a tag or a group; its people stay, and it can be brought back for 30 days."""
    kind = Action.DROP_GROUP if isinstance(row, Group) else Action.DROP_TAG
    with transaction.atomic():
        ids = _members(row)
        change = _note(row.workspace, kind, ids, by, row.pk, row.name)
        if isinstance(row, Group) and row.description:
            change.detail = row.description
            change.save(update_fields=["detail"])
        row.delete()
    return change


def merge_tags(tag: Tag, into: Tag, by: User) -> list[Change]:
    """Put a tag on everybody who has another one, and delete that one. Both can be undone."""
    with transaction.atomic():
        having = Contact.objects.filter(
            pk__in=Tag.contacts.through.objects.filter(tag=tag).values("contact")
        )
        ids = _join(Tag, into.pk, having)
        added = _note(tag.workspace, Action.TAG, ids, by, into.pk, into.name)
        return [added, drop(tag, by)]


def _members(row: Tag | Group) -> list[int]:
    through: Any = type(row).contacts.through
    named = {f"{row._meta.model_name}_id": row.pk}
    return list(through.objects.filter(**named).values_list("contact_id", flat=True))


def join(owner: type[Tag | Group], pairs: Iterable[tuple[int, int]]) -> None:
    """Put a tag on, or into a group, each (its id, contact's id); who has or is it stays."""
    through: Any = owner.contacts.through
    column = f"{owner._meta.model_name}_id"
    rows = [through(**{column: one, "contact_id": other}) for one, other in sorted(pairs)]
    through.objects.bulk_create(rows, ignore_conflicts=True)


def undo(change: Change) -> int:
    """Take a change back; give how many people that concerned, 0 when it was undone before.

    Who was deleted and whose number has somebody else meanwhile stays deleted.
    """
    with transaction.atomic():
        mine = Change.objects.filter(pk=change.pk, undone_at=None)
        if not mine.update(undone_at=timezone.now()):
            return 0
        if change.is_drop:
            change.target = _bring_back(change)
        return sum(_undo(change, ids) for ids in _chunks(change.people))


def _undo(change: Change, ids: list[int]) -> int:
    people = Contact.objects.filter(workspace=change.workspace_id, pk__in=ids)
    target = change.target or 0
    owner = _owner(change)
    if change.action == Action.DELETE:
        same = Contact.objects.filter(
            LIVING, workspace=OuterRef("workspace"), number=OuterRef("number")
        )
        gone = people.filter(deleted_at__isnull=False)
        return gone.exclude(Exists(same)).update(deleted_at=None)
    if change.action in (Action.TAG, Action.GROUP):
        return len(_part(owner, target, people))
    if not owner.objects.filter(pk=target, workspace=change.workspace_id).exists():
        return 0
    return len(_join(owner, target, people))


def _owner(change: Change) -> type[Tag | Group]:
    of_tags = (Action.TAG, Action.UNTAG, Action.DROP_TAG)
    return Tag if change.action in of_tags else Group


def _bring_back(change: Change) -> int:
    """Make a deleted tag or group again, as it was called, and give its id: the same.

    Who has made a tag of the same name meanwhile gets its people in it; a group is another one.
    """
    owner, name, number = _owner(change), change.target_name, 2
    same = owner._default_manager.filter(workspace=change.workspace_id)
    while found := same.filter(folded=fold(name)).first():
        if owner is Tag:
            return found.pk
        name, number = f"{change.target_name[:90]} ({number})", number + 1
    fields = {"pk": change.target, "workspace_id": change.workspace_id, "name": name}
    described = {"description": change.detail} if owner is Group else {}
    return owner._default_manager.create(**fields, folded=fold(name), **described).pk


def purge() -> int:
    """Delete for good who was deleted 30 days ago, a few thousand at a time. A duty of the tick."""
    before = timezone.now() - KEPT
    Change.objects.filter(created_at__lt=before).delete()
    gone = Contact.objects.filter(~LIVING, deleted_at__lt=before).order_by("deleted_at")
    ids = list(gone.values_list("pk", flat=True)[:2000])
    return Contact.objects.filter(pk__in=ids).delete()[0] if ids else 0


def _note(
    workspace: Workspace,
    action: str,
    ids: list[int],
    by: User,
    target: int | None = None,
    target_name: str = "",
) -> Change:
    return Change.objects.create(
        workspace=workspace,
        action=action,
        target=target,
        target_name=target_name,
        people=ids,
        amount=len(ids),
        by=by,
    )


def _join(owner: type[Tag | Group], pk: int, chosen: QuerySet[Contact]) -> list[int]:
    asked, arguments = _select(chosen)
    through = owner.contacts.through
    column = f"{owner._meta.model_name}_id"
    return _run(
        f"INSERT INTO {_table(through)} ({column}, contact_id)"  # noqa: S608
        f" SELECT %s, id FROM ({asked}) AS chosen WHERE TRUE ORDER BY id"
        " ON CONFLICT DO NOTHING RETURNING contact_id",
        [pk, *arguments],
    )


def _part(owner: type[Tag | Group], pk: int, chosen: QuerySet[Contact]) -> list[int]:
    asked, arguments = _select(chosen)
    column = f"{owner._meta.model_name}_id"
    return _run(
        f"DELETE FROM {_table(owner.contacts.through)}"  # noqa: S608
        f" WHERE {column} = %s AND contact_id IN ({asked}) RETURNING contact_id",
        [pk, *arguments],
    )


def _select(chosen: QuerySet[Contact]) -> tuple[str, tuple[Any, ...]]:
    return chosen.order_by().values("id").query.sql_with_params()


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _moment(at: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(at)


def _run(sql: str, arguments: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return [int(row[0]) for row in cursor.fetchall()]


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
