"""Letting somebody look at what a sender wrote before it leaves: asking, approving, sending back.

A campaign that waits for an answer is ASKED and cannot be changed: whoever changes it takes the request
back first, so that what is approved is the very version that was asked for. Each answer is one conditional
UPDATE of the request, in the transaction that also starts the campaign: of two people who answer at once, one
does.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Role, User
from campaigns import recurring, steering
from campaigns.models import Approval, Campaign, Recurrence, State
from campaigns.steering import Refused
from campaigns.when import is_too_late
from lib.jobs import enqueue
from messaging import permitting

logger = logging.getLogger(__name__)

_Answer = Approval.Answer
# Who was told of a request so short ago need not be told that it is there anew.
_LATELY = timedelta(minutes=10)


def ask(campaign: Campaign, by: User | None) -> None:
    """Ask the owners and administrators to let a campaign leave, as it is now. Raises Refused."""
    if campaign.state == State.ASKED:
        return
    recurrence = recurrence_of(campaign)
    if recurrence and recurrence.phase in (Recurrence.Phase.ACTIVE, Recurrence.Phase.ENDED):
        raise Refused(_("It runs already, or has ended: there is nothing to approve."))
    permit = permitting.of(campaign.workspace, by, kept=campaign.limits)
    campaign.limits = permit.limits.dump()
    if problems := steering.obstacles(campaign):
        raise Refused(problems[0])
    with transaction.atomic():
        same = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
        changes = {"state": State.ASKED, "limits": campaign.limits, "problem": ""}
        if not same.filter(updated_at=campaign.updated_at).update(**changes):
            campaign.refresh_from_db()
            if campaign.state == State.ASKED:
                return  # the other half of a double click
            raise Refused(_("Somebody has changed or started this campaign meanwhile. Look again."))
        request = Approval.objects.create(
            campaign=campaign, asked_by=by, version=campaign.updated_at
        )
        enqueue(tell_approvers, request.pk)
    campaign.refresh_from_db()


def open_request(campaign: Campaign) -> Approval | None:
    """Give the request that nobody has answered yet."""
    waiting = campaign.approvals.filter(answer=_Answer.OPEN)
    return waiting.select_related("asked_by", "answered_by").first()


def recurrence_of(campaign: Campaign) -> Recurrence | None:
    return getattr(campaign, "repeats", None) if campaign.pk else None


def has_passed(campaign: Campaign) -> bool:
    """Say whether the time that was asked for is over, so that another one must be chosen."""
    if recurrence_of(campaign) or campaign.send_at is None:
        return False
    return is_too_late(campaign.send_at, 0, timezone.now())


def approve(
    campaign: Campaign, by: User, *, now: bool = False, send_at: datetime | None = None
) -> None:
    """Let a campaign leave: as was asked, or `now`, or at another time. Raises Refused."""
    request = _mine_to_answer(campaign, by)
    if has_passed(campaign) and not (now or send_at):
        raise Refused(_("Its time has passed: choose whether it leaves now or at a later time."))
    with transaction.atomic():
        _hold(campaign)
        if now or send_at:
            campaign.send_at = send_at
            campaign.own_zone = campaign.own_zone and not now
            campaign.updated_at = steering.version_after(campaign)
            Campaign.objects.filter(pk=campaign.pk, state=State.ASKED).update(
                send_at=campaign.send_at,
                own_zone=campaign.own_zone,
                updated_at=campaign.updated_at,
            )
        _answer(request, by, _Answer.APPROVED, version=campaign.updated_at)
        recurrence = recurrence_of(campaign)
        if recurrence is None:
            steering.start(campaign, request.asked_by)
            return
        Campaign.objects.filter(pk=campaign.pk, state=State.ASKED).update(state=State.DRAFT)
        campaign.state = State.DRAFT
        recurrence.pattern = campaign
        if recurrence.started_at:
            recurring.resume(recurrence, recurrence.created_by)
        else:
            recurring.begin(recurrence, request.asked_by)


def give_back(campaign: Campaign, by: User, remark: str) -> None:
    """Make a draft of it again, and say why it does not leave like this. Raises Refused."""
    request = _mine_to_answer(campaign, by)
    with transaction.atomic():
        _hold(campaign)
        _answer(request, by, _Answer.RETURNED, remark=remark[:1000])
        Campaign.objects.filter(pk=campaign.pk, state=State.ASKED).update(state=State.DRAFT)
    campaign.state = State.DRAFT


def _mine_to_answer(campaign: Campaign, by: User) -> Approval:
    request = open_request(campaign)
    if request is None or campaign.state != State.ASKED:
        raise Refused(_("Somebody has answered this request meanwhile, or it was taken back."))
    if request.asked_by_id == by.pk:
        raise Refused(_("You asked for this yourself: somebody else has to approve it."))
    return request


def _hold(campaign: Campaign) -> None:
    """Lock a campaign before its request, as who takes one back does: else the two stop each other."""
    Campaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk).first()


def _answer(
    request: Approval,
    by: User,
    answer: str,
    *,
    remark: str = "",
    version: datetime | None = None,
) -> None:
    """Write an answer down, unless somebody was faster. Raises Refused."""
    waiting = Approval.objects.filter(pk=request.pk, answer=_Answer.OPEN)
    if not waiting.update(
        answer=answer,
        answered_by=by,
        answered_at=timezone.now(),
        remark=remark,
        version=version or request.version,
    ):
        raise Refused(_("Somebody has answered this request meanwhile, or it was taken back."))
    enqueue(tell_asker, request.pk)


# ---- Mails --------------------------------------------------------------------------------------


def tell_approvers(request_id: int) -> None:
    """Say to owners and administrators, each in their language, that somebody asks. A job."""
    request = _request(request_id)
    if request is None or request.answer or _told_lately(request):
        return
    campaign = request.campaign
    people = User.objects.filter(
        is_active=True,
        memberships__workspace=campaign.workspace,
        memberships__role__in=[Role.OWNER, Role.ADMIN],
    ).exclude(pk=request.asked_by_id or 0)
    for person in people:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            named = _named(request)
            subject = _("%(person)s asks you to approve “%(campaign)s”") % named
            body = (
                _(
                    "%(person)s asks you to approve the campaign “%(campaign)s” of %(workspace)s. "
                    "Nothing of it leaves before that.\n\n"
                    "See what it says, whom it reaches and what it costs, and answer here:\n"
                    "%(address)s\n"
                )
                % named
            )
        _mail(person, subject, body)


def _told_lately(request: Approval) -> bool:
    """Say whether they were told of it a moment ago, and it was only taken back to be changed."""
    since = request.asked_at - _LATELY
    before = Approval.objects.filter(campaign=request.campaign_id, pk__lt=request.pk)
    last = before.order_by("-pk").first()
    return last is not None and last.answer == _Answer.TAKEN_BACK and last.asked_at > since


def tell_asker(request_id: int) -> None:
    """Say to whoever asked what was answered. A job."""
    request = _request(request_id)
    person = request.asked_by if request else None
    if request is None or person is None or not person.is_active:
        return
    if not request.campaign.workspace.memberships.filter(user=person).exists():
        return
    with translation.override(person.language or settings.LANGUAGE_CODE):
        named = _named(request)
        if request.answer == _Answer.APPROVED:
            subject = _("“%(campaign)s” was approved") % named
            body = (
                _(
                    "%(answerer)s has approved your campaign “%(campaign)s”. It leaves as you asked, or at "
                    "the time that was chosen instead:\n"
                    "%(address)s\n"
                )
                % named
            )
        else:
            subject = _("“%(campaign)s” came back to you") % named
            body = (
                _(
                    "%(answerer)s has not approved your campaign “%(campaign)s”. It is a draft again, and "
                    "nothing of it was sent.\n\n"
                    "%(remark)s\n\n"
                    "Change it and ask again here:\n"
                    "%(address)s\n"
                )
                % named
            )
    _mail(person, subject, body)


def _request(pk: int) -> Approval | None:
    related = ("campaign__workspace", "asked_by", "answered_by")
    return Approval.objects.select_related(*related).filter(pk=pk).first()


def _named(request: Approval) -> dict[str, str]:
    return {
        "person": str(request.asked_by or _("Somebody")),
        "answerer": str(request.answered_by or _("Somebody")),
        "campaign": request.campaign.name or _("Without a name"),
        "workspace": request.campaign.workspace.name,
        "remark": request.remark,
        "address": f"{settings.PUBLIC_URL}/campaigns/{request.campaign_id}/",
    }


def _mail(person: User, subject: str, body: str) -> None:
    try:
        # A line break in a name must not become a header.
        EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
    except (OSError, SMTPException) as error:
        logger.warning("A mail about an approval could not be sent: %s", error)
