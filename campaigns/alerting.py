"""Campaigns that stop by themselves: the reason, and a mail about it."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.models import LIVE, Campaign, State
from lib.jobs import enqueue

logger = logging.getLogger(__name__)


def stop(campaign: Campaign, problem: str) -> None:
    """Pause a campaign that cannot go on, with the reason; what exists of it waits."""
    live = Campaign.objects.filter(pk=campaign.pk, state__in=LIVE)
    if live.update(state=State.PAUSED, problem=problem[:500], lease_until=None):
        enqueue(stopped, campaign.pk)


def no_phone() -> str:
    return _("There is no phone to send through. Choose one, then continue.")


def spoken_to(campaign: Campaign) -> translation.override:
    """Speak the language of whoever wrote it: they read what jobs and the tick write down."""
    language = campaign.created_by.language if campaign.created_by else ""
    return translation.override(language or settings.LANGUAGE_CODE)


def stopped(campaign_id: int) -> None:
    """Say to whoever started a campaign that it stopped, and why. A job; nothing once it goes on."""
    related = Campaign.objects.select_related("workspace", "started_by", "created_by")
    campaign = related.filter(pk=campaign_id, state=State.PAUSED).exclude(problem="").first()
    if campaign is None:
        return
    person = campaign.started_by or campaign.created_by
    if person is None or not person.is_active:
        return
    with translation.override(person.language or settings.LANGUAGE_CODE):
        subject = _("%(campaign)s has stopped") % {"campaign": campaign.name}
        body = _(
            "The campaign “%(campaign)s” of %(workspace)s has stopped by itself:\n\n"
            "%(problem)s\n\n"
            "Nobody is lost: who was not written to yet waits. Mend it, and continue here:\n"
            "%(address)s\n"
        ) % {
            "campaign": campaign.name,
            "workspace": campaign.workspace.name,
            "problem": campaign.problem,
            "address": f"{settings.PUBLIC_URL}/campaigns/{campaign.pk}/",
        }
    try:
        # A line break in a name must not become a header.
        EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
    except (OSError, SMTPException) as error:
        logger.warning("The alert about campaign %s could not be mailed: %s", campaign.pk, error)
