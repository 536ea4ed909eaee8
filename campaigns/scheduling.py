"""Campaigns that wait for their time: started when it comes, given up when it has passed for too long."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.activity import record
from accounts.features import Feature, is_on
from campaigns import alerting, approving, steering
from campaigns.alerting import spoken_to
from campaigns.models import Campaign, State
from campaigns.when import is_too_late, starts_at
from lib import zones
from lib.jobs import enqueue
from messaging.moments import moment

logger = logging.getLogger(__name__)

# A place on earth reaches a wall clock so much earlier than another, at most.
_A_DAY_ON_EARTH = timedelta(hours=26)


def start_due(now: datetime | None = None) -> int:
    """Start the campaigns whose time has come; give how many. A duty of the tick.

    What cannot start says why and is tried again; later than its `late` hours it is cancelled. Runs of
    something that was paused wait, and so does all of an archived workspace.
    """
    if not is_on(Feature.CAMPAIGNS):
        return 0
    now = now or timezone.now()
    soon = Q(send_at__lte=now) | Q(own_zone=True, send_at__lte=now + _A_DAY_ON_EARTH)
    waiting = Campaign.objects.filter(soon, state=State.SCHEDULED).order_by("send_at", "pk")
    waiting = waiting.exclude(recurrence__paused_at__isnull=False)
    waiting = waiting.filter(workspace__archived_at=None)
    started = 0
    related = ("workspace", "created_by", "started_by", "sheet", "recurrence__created_by")
    for campaign in waiting.select_related(*related):
        begins = starts_at(campaign)
        if campaign.send_at and begins and begins <= now:
            with spoken_to(campaign):
                started += _start(campaign, campaign.send_at, now)
    return started


def tell_of_drafts(now: datetime | None = None) -> int:
    """Say of each run that was still a draft at its time that it was not sent. A duty of the tick."""
    now = now or timezone.now()
    drafts = Campaign.objects.filter(
        state=State.DRAFT, recurrence__isnull=False, occurrence__lte=now, problem=""
    )
    told = 0
    for campaign in drafts.select_related("created_by"):
        with spoken_to(campaign):
            words = _("It was still a draft at its time, so it was not sent.")
        same = Campaign.objects.filter(pk=campaign.pk, state=State.DRAFT, problem="")
        if same.update(problem=words):
            enqueue(alerting.gave_up, campaign.pk)
            told += 1
    return told


def _start(campaign: Campaign, due: datetime, now: datetime) -> bool:
    if is_too_late(due, campaign.late, now):
        _give_up(campaign, due, now, _lateness(campaign))
        return False
    if _is_overtaken(campaign, now):
        _give_up(campaign, due, now, _("A later run leaves in its place."))
        return False
    try:
        try:
            steering.start(campaign, campaign.started_by)
        except steering.NeedsApproval:
            # Since it was scheduled, they may send only what was approved: it is asked for now.
            sender = steering.sender_of(campaign)
            approving.ask(campaign, sender)
            workspace = campaign.workspace
            record("campaign.asked", subject=campaign, workspace=workspace, actor=sender)
            return False
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


def _is_overtaken(campaign: Campaign, now: datetime) -> bool:
    """Say whether a later run of the same leaves too: nobody wants to read it twice in a minute.

    It was held up, by a pause or an outage. Birthdays are everybody's own.
    """
    if not campaign.recurrence or campaign.recurrence.birthday:
        return False
    later = Campaign.objects.filter(recurrence=campaign.recurrence, send_at__gt=campaign.send_at)
    ready = later.filter(send_at__lte=now).exclude(state__in=[State.DRAFT, State.CANCELLED])
    return ready.exists()


def _lateness(campaign: Campaign) -> str:
    if not campaign.late:
        return _("It was not to leave late.")
    late = ngettext(
        "It was not to leave more than %(count)s hour late.",
        "It was not to leave more than %(count)s hours late.",
        campaign.late,
    )
    return late % {"count": campaign.late}


def _give_up(campaign: Campaign, due: datetime, now: datetime, why: str) -> None:
    with timezone.override(zones.zone(campaign.time_zone, campaign.workspace.time_zone)):
        words = _("It was to leave on %(time)s, and could not.") % {"time": moment(due)}
    words = f"{words} {why}"
    if campaign.problem:
        words += " " + campaign.problem
    same = Campaign.objects.filter(pk=campaign.pk, state=State.SCHEDULED)
    if same.filter(updated_at=campaign.updated_at).update(
        state=State.CANCELLED, ended_at=now, problem=words[:500]
    ):
        enqueue(alerting.gave_up, campaign.pk)
