from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns import tallying  # noqa: PLC0415  models are loaded only now

        # A migration may have built the table of messages anew, and lost what hung on it.
        post_migrate.connect(tallying.install, sender=self)
