"""What campaigns hold about a person: their number, where somebody pasted it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils.translation import ngettext

from accounts.models import Workspace
from campaigns.models import Campaign
from contacts.holdings import Holding
from contacts.signals import asked_for_holdings


@receiver(asked_for_holdings)
def holdings(*, workspace: Workspace, number: str, **_named: Any) -> list[Holding]:
    """Give the campaigns whose pasted lists name a number (E.164)."""
    named = [campaign for campaign in _with_lists(workspace) if number in _numbers(campaign)]
    return [
        Holding(
            key="campaigns",
            label=ngettext("list of a campaign", "lists of campaigns", len(named)),
            amount=len(named),
            rows=lambda: ({"name": campaign.name} for campaign in named),
            erase=lambda: _erase(named, number),
        )
    ]


def _with_lists(workspace: Workspace) -> list[Campaign]:
    mine = Campaign.objects.filter(workspace=workspace).exclude(numbers=[], without_numbers=[])
    return list(mine.only("name", "numbers", "without_numbers"))


def _numbers(campaign: Campaign) -> set[str]:
    return {*campaign.numbers, *campaign.without_numbers}


def _erase(named: list[Campaign], number: str) -> None:
    """Take a number out of lists. Its place in those to be reached stays, empty: places are counted."""
    for found in named:
        with transaction.atomic():
            campaign = Campaign.objects.select_for_update(no_key=True).get(pk=found.pk)
            Campaign.objects.filter(pk=campaign.pk).update(
                numbers=["" if one == number else one for one in campaign.numbers],
                without_numbers=[one for one in campaign.without_numbers if one != number],
            )
