from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import holding, receivers, segments  # noqa: F401, PLC0415  models are loaded only now

        post_migrate.connect(_count, sender=self)


def _count(using: str, **_: Any) -> None:
    """Let the database count. A migration may have built the table anew, and lost what hung on it."""
    from messaging.activity import ACTIVITY  # noqa: PLC0415  models are loaded only now
    from messaging.quota.counting import QUOTA_USES, has_any  # noqa: PLC0415

    ACTIVITY.install(using)
    # Where nothing was ever granted there is nothing to look for among all messages.
    QUOTA_USES.install(using, fill=has_any(using))
