"""What phones do when something happens to people: a new workspace gets a simulator to try with."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.models import Workspace
from accounts.signals import workspace_created
from phones import registry, services

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


def _initial(fields: dict[str, Any]) -> dict[str, Any]:
    """Give the settings that an untouched form stands for."""
    return {name: item.initial or "" for name, item in fields.items()}
