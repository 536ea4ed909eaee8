"""Telling people that a quota reaches a level, is used up, or has ended: once in each period."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Role, User
from lib.http import Guard, Http, NoAnswer, NotSent
from lib.jobs import DEFAULT, enqueue
from messaging.quota import ledger
from messaging.quota.ledger import Balance
from messaging.quota.models import Quota, QuotaPeriod
from messaging.quota.showing import left_words, quota_words

logger = logging.getLogger(__name__)

# The levels of a quota that is used up, and of one whose time is over.
USED_UP, ENDED = 100, 101
# Times that a webhook is called while nothing could be sent.
_TRIES = 3


def notice() -> int:
    """Tell of the levels that were reached since the last look; give how many. A duty of the tick.

    Of several at once only the highest is told.
    """
    newest = QuotaPeriod.objects.filter(quota=OuterRef("quota")).order_by("-starts_at")
    running = QuotaPeriod.objects.filter(
        ~Q(quota__levels=[]), pk=Subquery(newest.values("pk")[:1]), quota__removed_at=None
    )
    periods = list(running.filter(told__lt=ENDED).select_related("quota"))
    found = ledger.balances(periods)
    return sum(_tell_once(found[period.pk]) for period in periods)


def _tell_once(balance: Balance) -> bool:
    level = reached(balance)
    if not level:
        return False
    with transaction.atomic():
        # Whoever writes it down tells it.
        first = QuotaPeriod.objects.filter(pk=balance.period.pk, told__lt=level).update(told=level)
        if first:
            enqueue(mail, balance.period.pk, level, queue=DEFAULT)
            if balance.quota.webhook:
                enqueue(call_webhook, balance.period.pk, level, queue=DEFAULT)
    return bool(first)


def reached(balance: Balance) -> int:
    """Give the highest level of a quota that it has reached, 0 for none.

    It is used up, too, once something was written for which too little was left.
    """
    if balance.has_ended and balance.granted <= 0:
        return ENDED
    percent = USED_UP if balance.ran_short else min(balance.percent, USED_UP)
    return max((level for level in balance.quota.levels if level <= percent), default=0)


def mail(period: int, level: int) -> None:
    """Write to those who can do something about it, each in their language. A job."""
    balance = _balance(period)
    if balance is None:
        return
    quota = balance.quota
    for person in _told(quota):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject, first = _words(balance, level)
            body = _(
                "%(first)s\n\n%(quota)s. %(left)s.\n\n%(over)s See it here:\n%(address)s\n"
            ) % {
                "first": first,
                "quota": quota_words(quota),
                "left": left_words(balance).rstrip("."),
                "over": _over(quota),
                "address": f"{settings.PUBLIC_URL}/settings/quota/",
            }
        try:
            # A line break in a name must not become a header.
            EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
        except (OSError, SMTPException) as error:
            logger.warning("The alert about quota %s could not be mailed: %s", quota.pk, error)


def _words(balance: Balance, level: int) -> tuple[str, str]:
    """Give a subject and the first sentence."""
    quota = balance.quota
    names = {"workspace": quota.workspace, "person": quota.person, "percent": level}
    if level == ENDED:
        subject = _("The quota of %(workspace)s has ended")
        own = _("The quota of %(person)s in %(workspace)s has ended and does not renew itself.")
        shared = _("The quota of %(workspace)s has ended and does not renew itself.")
    elif level == USED_UP:
        subject = _("The quota of %(workspace)s is used up")
        own = _("%(person)s has used up their quota in %(workspace)s.")
        shared = _("%(workspace)s has used up its quota.")
    else:
        subject = _("%(percent)s %% of the quota of %(workspace)s are used")
        own = _("%(person)s has used %(percent)s %% of their quota in %(workspace)s.")
        shared = _("%(workspace)s has used %(percent)s %% of its quota.")
    return subject % names, (own if quota.person_id else shared) % names


def _over(quota: Quota) -> str:
    if quota.over == Quota.Over.SKIP:
        return _("Messages for which nothing is left are left out, with the reason.")
    return _("Messages for which nothing is left wait. None is lost.")


def call_webhook(period: int, level: int) -> None:
    """Tell the address that was given for it. A job.

    Tried again only while nothing has left; what went wrong is shown beside the address.
    """
    balance = _balance(period)
    if balance is None or not balance.quota.webhook:
        return
    quota, person = balance.quota, balance.quota.person
    news = {
        "event": "quota.ended" if level == ENDED else "quota.level",
        "level": min(level, USED_UP),
        "workspace": {"id": quota.workspace_id, "name": quota.workspace.name},
        "person": {"id": person.pk, "name": str(person)} if person else None,
        "quota": {"id": quota.pk, "amount": quota.amount, "unit": quota.unit, "every": quota.every},
        "granted": balance.granted,
        "used": balance.used,
        "left": balance.left,
        "ends_at": balance.period.ends_at and balance.period.ends_at.isoformat(),
        "at": timezone.now().isoformat(),
        "address": f"{settings.PUBLIC_URL}/settings/quota/",
    }
    problem, guard = "", Guard(frozenset(settings.ALLOW_PRIVATE_ADDRESSES))
    for _try in range(_TRIES):
        try:
            answer = Http(guard=guard).request("POST", quota.webhook, json=news)
            problem = "" if answer.status < 300 else f"HTTP {answer.status}"
            break
        except NotSent as error:
            problem = str(error)
        except NoAnswer as error:
            problem = str(error)
            break
    Quota.objects.filter(pk=quota.pk).update(webhook_problem=problem[:300])
    if problem:
        logger.warning("The webhook of quota %s could not be called.", quota.pk)


def _balance(pk: int) -> Balance | None:
    related = QuotaPeriod.objects.select_related("quota__workspace", "quota__person")
    period = related.filter(pk=pk, quota__removed_at=None).first()
    return ledger.balances([period])[period.pk] if period else None


def _told(quota: Quota) -> Iterable[User]:
    """Give the owners and administrators of a workspace; and the person whose quota it is, if still there."""
    wanted = Q(memberships__role__in=[Role.OWNER, Role.ADMIN])
    if quota.person_id:
        wanted |= Q(pk=quota.person_id)
    return User.objects.filter(wanted, memberships__workspace=quota.workspace, is_active=True)
