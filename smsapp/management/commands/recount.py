"""`manage.py recount`: prove that what campaigns, workspaces and quotas count is what their messages say."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Workspace
from campaigns import tallying
from campaigns.models import Campaign
from messaging import activity
from messaging.quota.counting import QUOTA_USES
from messaging.quota.models import QuotaPeriod


class Command(BaseCommand):
    help = "Compare the counters with the messages; ends with 1 where they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "campaign", nargs="*", type=int, help="Ids; all campaigns, home and quotas without."
        )
        parser.add_argument(
            "--mend", action="store_true", help="Let the counters follow the messages."
        )

    def handle(self, *, campaign: list[int], mend: bool, **options: Any) -> None:
        campaigns = Campaign.objects.filter(pk__in=campaign) if campaign else Campaign.objects.all()
        workspaces = Workspace.objects.none() if campaign else Workspace.objects.all()
        wrong = 0
        for one in campaigns.order_by("pk").iterator():
            if not tallying.agrees(one):
                wrong += 1
                self._tell(f"Campaign {one.pk}", partial(tallying.mend, one), mend)
        for place in workspaces.order_by("pk").iterator():
            if not activity.agrees(place):
                wrong += 1
                self._tell(f"Workspace {place.pk}", partial(activity.mend, place), mend)
        looked_at = f"{campaigns.count()} campaigns and {workspaces.count()} workspaces"
        if not campaign:
            wrong += self._recount_quotas(mend)
            looked_at += f" and {QuotaPeriod.objects.count()} periods of quotas"
        if wrong and not mend:
            raise CommandError(f"{wrong} of {looked_at} differ. --mend mends them.")
        self.stdout.write(f"{looked_at} looked at, {wrong} differed.")

    def _recount_quotas(self, wanted: bool) -> int:
        """Compare all periods with all messages, in one reading; give how many differ."""
        now = timezone.now().replace(second=0, microsecond=0)
        periods = QuotaPeriod.objects.select_related("quota").in_bulk(QUOTA_USES.differing())
        for pk, period in periods.items():
            name = f"Quota {period.quota_id}, period {pk}"
            self._tell(name, partial(QUOTA_USES.mend, pk, now), wanted)
        return len(periods)

    def _tell(self, name: str, mend: Callable[[], None], wanted: bool) -> None:
        self.stdout.write(f"{name}: its counters differ from its messages.")
        if wanted:
            mend()
            self.stdout.write("  Mended.")
