"""Campaigns that stop, or never leave, by themselves: the reason, and a mail about it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from campaigns.models import LIVE, Campaign, State
from lib import masks
from lib.jobs import enqueue
from lib.masks import Eyes
from messaging.alerts import managers

logger = logging.getLogger(__name__)

_Words = str | Promise


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
    _tell(
        campaign_id,
        (State.PAUSED,),
        gettext_lazy("%(campaign)s has stopped"),
        gettext_lazy(
            "The campaign “%(campaign)s” of %(workspace)s has stopped by itself:\n\n"
            "%(problem)s\n\n"
            "Nobody is lost: who was not written to yet waits. Mend it, and continue here:\n"
            "%(address)s\n"
        ),
    )


def gave_up(campaign_id: int) -> None:
    """Say that a campaign did not leave at its time, and will not any more. A job."""
    _tell(
        campaign_id,
        (State.CANCELLED, State.DRAFT),
        gettext_lazy("%(campaign)s was not sent"),
        gettext_lazy(
            "The campaign “%(campaign)s” of %(workspace)s was not sent:\n\n"
            "%(problem)s\n\n"
            "Nobody was written to. To send it after all, go here:\n"
            "%(address)s\n"
        ),
    )


def _tell(campaign_id: int, states: Collection[State], subject: _Words, body: _Words) -> None:
    """Mail what became of a campaign, while that is still so."""
    related = Campaign.objects.select_related("workspace", "started_by", "created_by")
    campaign = related.filter(pk=campaign_id, state__in=states).exclude(problem="").first()
    if campaign is None:
        return
    words = {
        "campaign": campaign.name,
        "workspace": campaign.workspace.name,
        "address": f"{settings.PUBLIC_URL}/campaigns/{campaign.pk}/",
    }
    for person in _concerned(campaign):
        language = translation.override(person.language or settings.LANGUAGE_CODE)
        with language, masks.looking(_eyes(campaign, person)):
            problem = {"problem": masks.said(campaign.problem)}
            said = " ".join(str(subject % words).split()), str(body % (words | problem))
        try:
            # A line break in a name must not become a header.
            EmailMessage(*said, to=[person.email]).send()
        except (OSError, SMTPException) as error:
            logger.warning(
                "The alert about campaign %s could not be mailed: %s", campaign.pk, error
            )


def _concerned(campaign: Campaign) -> Iterable[User]:
    """Give whoever started or wrote it; once they have left, owners and administrators."""
    person = campaign.started_by or campaign.created_by
    here = campaign.workspace.memberships.filter(user=person)
    if person and person.is_active and here.exists():
        return [person]
    return managers(campaign.workspace)


def _eyes(campaign: Campaign, person: User) -> Eyes:
    member = campaign.workspace.memberships.filter(user=person).first()
    return member.eyes if member else Eyes(campaign.workspace_id, is_hidden=True)
