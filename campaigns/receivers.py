"""What campaigns tell of the groups of phones that they leave by; they heed archiving, and phones that go."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils.translation import gettext as _

from accounts.features import Feature
from accounts.models import Workspace
from accounts.signals import feature_left_out, workspace_archived
from campaigns import steering
from campaigns.models import ENDED, LIVE, Campaign, State
from lib.jobs import DEFAULT, wake
from phones.models import Phone, Pool
from phones.pools import Use
from phones.signals import asked_for_uses, phone_deleted

# Campaigns that are named.
_MOST = 20


@receiver(workspace_archived)
def pause_campaigns(*, workspace: Workspace, **_named: Any) -> None:
    """Let nothing go on by itself, should the workspace be opened again in a year."""
    _pause(Campaign.objects.filter(workspace=workspace), _("The workspace was archived."))


@receiver(feature_left_out)
def pause_all_campaigns(*, feature: str, **_named: Any) -> None:
    """Let nothing go on whose page nobody sees. What waits for its time is not started meanwhile."""
    if feature == Feature.CAMPAIGNS:
        _pause(Campaign.objects.all(), _("Campaigns were left out of this site."))


def _pause(campaigns: QuerySet[Campaign], why: str) -> None:
    for campaign in campaigns.filter(state=State.RUNNING):
        with suppress(steering.Refused):
            steering.pause(campaign, why)


@receiver(phone_deleted)
def leave_phone(*, phone: Phone, **_named: Any) -> None:
    """Cancel what campaigns hold for a phone that is being deleted, in the background."""
    for pk in Campaign.objects.filter(phone=phone, state__in=LIVE).values_list("pk", flat=True):
        wake(steering.go_on, pk, queue=DEFAULT)


@receiver(asked_for_uses)
def campaigns_of(*, pool: Pool, **_named: Any) -> list[Use]:
    """Name the campaigns that leave by a group: without it they would leave by any phone."""
    found = Campaign.objects.filter(pool=pool).exclude(state__in=ENDED).order_by("-pk")[:_MOST]
    words = _("The campaign %(name)s leaves by it (%(state)s).")
    return [
        Use(words % {"name": item.name or "–", "state": item.get_state_display()}, blocks=True)
        for item in found
    ]
