"""Groups of phones that stand in for each other: add, change, delete, and what uses them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User, Workspace
from lib.words import fold
from phones.models import Pool, PoolPhone
from phones.signals import asked_for_uses

logger = logging.getLogger(__name__)


class NameTaken(Exception):
    """Another group of phones has this name."""


class InUse(Exception):
    """Something that is under way needs the group."""


@dataclass(frozen=True, slots=True)
class Place:
    """A phone in a group: the highest `priority` goes first, equals share by `weight`."""

    phone: int
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class Use:
    """What uses a group, in a sentence; with `blocks` the group cannot be deleted meanwhile."""

    words: str
    blocks: bool = False


def save(
    workspace: Workspace, pool: Pool | None, *, name: str, places: Sequence[Place], by: User
) -> Pool:
    """Add a group or change it; `places` replace its phones whole. Raises NameTaken."""
    try:
        with transaction.atomic():
            changed = pool or Pool(workspace=workspace)
            changed.name, changed.folded = name, fold(name)[:60]
            if pool:
                pool.save(update_fields=["name", "folded"])
            else:
                changed.save(force_insert=True)
            changed.places.all().delete()
            PoolPhone.objects.bulk_create(
                PoolPhone(
                    pool=changed, phone_id=item.phone, priority=item.priority, weight=item.weight
                )
                for item in places
            )
    except IntegrityError:
        raise NameTaken from None
    logger.info("Group of phones %s was saved by person %s.", changed.pk, by.pk)
    return changed


def uses_of(pool: Pool) -> list[Use]:
    """Ask the apps above what uses a group."""
    answers: list[tuple[Any, Any]] = asked_for_uses.send(Pool, pool=pool)
    return [use for _app, uses in answers for use in uses]


def delete(pool: Pool, *, by: User) -> None:
    """Delete a group; its phones stay. Raises InUse."""
    with transaction.atomic():
        Pool.objects.select_for_update().filter(pk=pool.pk).first()
        if any(use.blocks for use in uses_of(pool)):
            raise InUse
        Pool.objects.filter(pk=pool.pk).delete()
    logger.info("Group of phones %s was deleted by person %s.", pool.pk, by.pk)
