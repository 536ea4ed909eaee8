"""What campaigns tell of the groups of phones that they leave by."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from campaigns.models import ENDED, Campaign
from phones.models import Pool
from phones.pools import Use
from phones.signals import asked_for_uses

# Campaigns that are named.
_MOST = 20


@receiver(asked_for_uses)
def campaigns_of(*, pool: Pool, **_named: Any) -> list[Use]:
    """Name the campaigns that leave by a group: without it they would leave by any phone."""
    found = Campaign.objects.filter(pool=pool).exclude(state__in=ENDED).order_by("-pk")[:_MOST]
    words = _("The campaign %(name)s leaves by it (%(state)s).")
    return [
        Use(words % {"name": item.name or "–", "state": item.get_state_display()}, blocks=True)
        for item in found
    ]
