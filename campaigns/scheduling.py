"""Campaigns that wait for their time: started when it comes, given up when it has passed for too long."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import steering
from campaigns.alerting import spoken_to
from campaigns.models import Campaign, State
from campaigns.when import is_too_late, starts_at
from lib import zones
from messaging.moments import moment

logger = logging.getLogger(__name__)

# A place on earth reaches a wall clock so much earlier than another, at most.
_A_DAY_ON_EARTH = timedelta(hours=26)


def start_due(now: datetime | None = None) -> int:
    """Start the campaigns whose time has come; give how many. A duty of the tick.

    What cannot start says why and is tried again; later than its `late` hours it is cancelled. Runs of
    something that was paused wait, and so does all of an archived workspace.
    """
    now = now or timezone.now()
    soon = Q(send_at__lte=now) | Q(own_zone=True, send_at__lte=now + _A_DAY_ON_EARTH)
    waiting = Campaign.objects.filter(soon, state=State.SCHEDULED).order_by("send_at", "pk")
    waiting = waiting.exclude(recurrence__paused_at__isnull=False)
    waiting = waiting.filter(workspace__archived_at=None)
    started = 0
    for campaign in waiting.select_related("workspace", "created_by", "started_by", "sheet"):
        begins = starts_at(campaign)
        if campaign.send_at and begins and begins <= now:
            with spoken_to(campaign):
                started += _start(campaign, campaign.send_at, now)
    return started


def _start(campaign: Campaign, due: datetime, now: datetime) -> bool:
    if is_too_late(due, campaign.late, now):
        _give_up(campaign, due, now)
        return False
    try:
        steering.start(campaign, campaign.started_by)
    except steering.Refused as refusal:
        # Unless somebody has changed it in this very moment: then the next look decides.
        same = Campaign.objects.filter(pk=campaign.pk, updated_at=campaign.updated_at)
        words = _("It could not start, and is tried again: %(why)s") % {"why": refusal}
        same.filter(state=State.SCHEDULED).update(problem=words[:500])
        return False
    except Exception:  # what is wrong with one campaign keeps no other from leaving
        logger.exception("Campaign %s could not be started", campaign.pk)
        return False
    return True


def _give_up(campaign: Campaign, due: datetime, now: datetime) -> None:
    with timezone.override(zones.zone(campaign.time_zone, campaign.workspace.time_zone)):
        words = _("It was to leave on %(time)s, and could not.") % {"time": moment(due)}
    if campaign.late:
        late = ngettext(
            "It was not to leave more than %(count)s hour late.",
            "It was not to leave more than %(count)s hours late.",
            campaign.late,
        )
        words += " " + late % {"count": campaign.late}
    else:
        words += " " + _("It was not to leave late.")
    if campaign.problem:
        words += " " + campaign.problem
    same = Campaign.objects.filter(pk=campaign.pk, state=State.SCHEDULED)
    same.filter(updated_at=campaign.updated_at).update(
        state=State.CANCELLED, ended_at=now, problem=words[:500]
    )
