from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns import holding, receivers  # noqa: F401, PLC0415  models are loaded only now

        post_migrate.connect(_count, sender=self)


def _count(using: str, **_: Any) -> None:
    """Let the database count. A migration may have built the table anew, and lost what hung on it."""
    from campaigns.tallying import TALLIES  # noqa: PLC0415  models are loaded only now

    TALLIES.install(using)
