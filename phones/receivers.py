"""What phones do when something happens to a workspace: a new one gets a simulator to try with, in one
that is archived they pause, and with one that is deleted they go first, so that nobody calls back."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.activity import acting
from accounts.models import Workspace
from accounts.roles import PHONES
from accounts.signals import (
    limits_asked,
    workspace_archived,
    workspace_created,
    workspace_deleting,
)
from phones import registry, services
from phones.models import PauseReason

SIMULATOR = "simulator"


@receiver(workspace_created)
def add_simulator(workspace: Workspace, **_: Any) -> None:
    """Add the phone that costs nothing, so that the first message can leave at once."""
    kind = registry.get(SIMULATOR)
    services.add(
        workspace,
        SIMULATOR,
        name=str(kind.label),
        settings=_initial(kind.Settings.base_fields),
        rate=kind.rate,
    )


@receiver(workspace_archived)
def pause_phones(workspace: Workspace, **_: Any) -> None:
    for phone in workspace.phones.filter(deleted_at=None):
        services.pause(
            phone, reason=PauseReason.PERSON, words="Workspace archived", by=acting.get().user
        )


@receiver(workspace_deleting)
def delete_phones(workspace: Workspace, **_: Any) -> bool:
    """Let nothing leave or come in any more; the rows go with the workspace."""
    for phone in workspace.phones.filter(deleted_at=None):
        services.delete(phone, by=acting.get().user)
    return False


@receiver(limits_asked)
def offer_phones(workspace: Workspace, **_: Any) -> dict[str, dict[str, str]]:
    """Let senders be limited to phones (12) and to groups of phones (g3)."""
    phones = workspace.phones.living().order_by("pk").values_list("pk", "name")
    pools = workspace.pools.values_list("pk", "name")
    named = {str(pk): name for pk, name in phones}
    return {PHONES: named | {f"g{pk}": name for pk, name in pools}}


def _initial(fields: dict[str, Any]) -> dict[str, Any]:
    """Give the settings that an untouched form stands for."""
    return {name: item.initial or "" for name, item in fields.items()}
