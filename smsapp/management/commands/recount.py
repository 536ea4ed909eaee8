"""`manage.py recount`: prove that what campaigns count is what their messages say."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns import tallying
from campaigns.models import Campaign


class Command(BaseCommand):
    help = "Compare the counters of campaigns with their messages; ends with 1 where they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", nargs="*", type=int, help="Ids; all campaigns without.")
        parser.add_argument(
            "--mend", action="store_true", help="Let the counters follow the messages."
        )

    def handle(self, *, campaign: list[int], mend: bool, **options: Any) -> None:
        chosen = Campaign.objects.filter(pk__in=campaign) if campaign else Campaign.objects.all()
        wrong = 0
        for one in chosen.order_by("pk").iterator():
            if tallying.agrees(one):
                continue
            wrong += 1
            self.stdout.write(f"Campaign {one.pk}: its counters differ from its messages.")
            if mend:
                tallying.mend(one)
                self.stdout.write("  Mended.")
        if wrong and not mend:
            raise CommandError(f"{wrong} of {chosen.count()} campaigns differ. --mend mends them.")
        self.stdout.write(f"{chosen.count()} campaigns looked at, {wrong} differed.")
