"""Placeholder until the routing helper's lands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Workspace
from messaging import carrying
from messaging.carrying import Load
from phones.models import Phone, Pool


@dataclass(frozen=True, slots=True)
class Route:
    phone: Phone | None
    pool: Pool | None


@dataclass(frozen=True, slots=True)
class Assigned:
    phone: Phone | None
    until: datetime | None = None
    why: str = ""


def _candidates(workspace: Workspace, route: Route) -> list[Phone]:
    if route.phone:
        return [route.phone]
    phones = route.pool.phones.all() if route.pool else workspace.phones.all()
    return list(phones.filter(deleted_at=None).order_by("pk"))


def candidates(workspace: Workspace, route: Route) -> list[Phone]:
    return _candidates(workspace, route)


def reachable(workspace: Workspace, route: Route, load: Load, numbers: Collection[str]) -> set[str]:
    able = any(not carrying.obstacle(p, load) for p in _candidates(workspace, route))
    return set(numbers) if able else set()


def assign(
    workspace: Workspace,
    route: Route,
    loads: Sequence[tuple[int, str, Load]],
    *,
    room: Mapping[int, int],
) -> dict[int, Assigned]:
    left = dict(room)
    found = {}
    for pk, _number, _load in loads:
        for phone in _candidates(workspace, route):
            if left.get(phone.pk, 0) > 0 and not phone.is_paused:
                left[phone.pk] -= 1
                found[pk] = Assigned(phone)
                break
        else:
            found[pk] = Assigned(None)
    return found
