"""Mails to the people who can mend something, and calls to what they chose."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Role, User, Workspace
from lib.http import Guard, Http, NoAnswer, NotSent
from messaging.carrying import label_of
from messaging.models import Message, Status
from phones.models import PauseReason, Phone, Watch

logger = logging.getLogger(__name__)

# Times that a webhook is called while nothing could be sent.
_TRIES = 3


def phone_paused(phone_id: int) -> None:
    """Say to owners and administrators, each in their language, that a phone stopped and why.

    A job: it says nothing once the phone runs again.
    """
    phone = Phone.objects.select_related("workspace").filter(pk=phone_id).first()
    if phone is None or not phone.is_paused:
        return
    waiting = Message.objects.filter(phone=phone, status=Status.QUEUED).count()
    for person in managers(phone.workspace):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject = _("%(phone)s is paused") % {"phone": phone.name}
            why = (
                _(
                    "The phone “%(phone)s” of %(workspace)s was paused, because too many messages failed.\n\n"
                    "%(words)s\n\n"
                )
                if phone.pause_reason == PauseReason.UNRELIABLE
                else _(
                    "The phone “%(phone)s” of %(workspace)s paused itself: every message would have "
                    "failed.\n\n"
                    "%(provider)s says: %(words)s\n\n"
                )
            )
            rest = _(
                "Messages that wait: %(waiting)s. None is lost. They leave when the phone is started again:\n"
                "%(address)s\n"
            )
            body = (why + rest) % {
                "phone": phone.name,
                "workspace": phone.workspace.name,
                "provider": label_of(phone),
                "words": phone.pause_words,
                "waiting": waiting,
                "address": f"{settings.PUBLIC_URL}/phones/{phone.pk}/",
            }
        _mail(phone, person, subject, body)


def phone_unreliable(phone_id: int) -> None:
    """Say that too many messages of a phone fail, and what follows from it. A job."""
    watch = Watch.objects.select_related("phone__workspace").filter(phone=phone_id).first()
    if watch is None or not watch.troubled_at or watch.phone.is_deleted:
        return
    phone = watch.phone
    for person in managers(phone.workspace):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject = _("%(phone)s is unreliable") % {"phone": phone.name}
            follows = (
                _(
                    "It rests. In some minutes a few messages try whether it is well again; what may "
                    "leave by another phone does so meanwhile, the rest waits."
                )
                if watch.rests_until
                else _("It goes on sending.")
            )
            body = _(
                "Too many messages of the phone “%(phone)s” of %(workspace)s fail.\n\n"
                "%(words)s\n\n"
                "%(follows)s Look at it here:\n"
                "%(address)s\n"
            ) % {
                "phone": phone.name,
                "workspace": phone.workspace.name,
                "words": watch.words,
                "follows": follows,
                "address": f"{settings.PUBLIC_URL}/phones/{phone.pk}/",
            }
        _mail(phone, person, subject, body)


def phone_refused(phone_id: int, words: str) -> None:
    """Say that a provider refuses to let a phone connect, and that it is tried again. A job."""
    phone = Phone.objects.select_related("workspace").filter(pk=phone_id).first()
    if phone is None or phone.is_deleted or phone.is_paused:
        return
    for person in managers(phone.workspace):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject = _("%(phone)s cannot connect") % {"phone": phone.name}
            body = _(
                "The phone “%(phone)s” of %(workspace)s cannot connect: %(provider)s refuses its account.\n\n"
                "%(provider)s says: %(words)s\n\n"
                "No message is lost: they wait. It tries again every five minutes; mend its settings here:\n"
                "%(address)s\n"
            ) % {
                "phone": phone.name,
                "workspace": phone.workspace.name,
                "provider": label_of(phone),
                "words": words,
                "address": f"{settings.PUBLIC_URL}/phones/{phone.pk}/",
            }
        _mail(phone, person, subject, body)


def call_webhook(phone_id: int, words: str) -> None:
    """Tell the address that was given for it that a phone is unreliable, and why. A job.

    Tried again only while nothing has left; what went wrong is shown beside the address.
    """
    watch = Watch.objects.select_related("phone__workspace").filter(phone=phone_id).first()
    if watch is None or not watch.webhook or watch.phone.is_deleted:
        return
    phone = watch.phone
    news = {
        "event": "phone.unreliable",
        "action": watch.action,
        "workspace": {"id": phone.workspace_id, "name": phone.workspace.name},
        "phone": {"id": phone.pk, "name": phone.name},
        "words": words,
        "at": timezone.now().isoformat(),
        "address": f"{settings.PUBLIC_URL}/phones/{phone.pk}/",
    }
    problem, guard = "", Guard(frozenset(settings.ALLOW_PRIVATE_ADDRESSES))
    for _try in range(_TRIES):
        try:
            answer = Http(guard=guard).request("POST", watch.webhook, json=news)
            problem = "" if answer.status < 300 else f"HTTP {answer.status}"
            break
        except NotSent as error:
            problem = str(error)
        except NoAnswer as error:
            problem = str(error)
            break
    Watch.objects.filter(pk=watch.pk).update(webhook_problem=problem[:300])
    if problem:
        logger.warning("The webhook of phone %s could not be called.", phone.pk)


def managers(workspace: Workspace) -> QuerySet[User]:
    """Give the owners and administrators of a workspace, who are told of what goes wrong."""
    return User.objects.filter(
        is_active=True,
        memberships__workspace=workspace,
        memberships__role__in=[Role.OWNER, Role.ADMIN],
    )


def _mail(phone: Phone, person: User, subject: str, body: str) -> None:
    try:
        # A line break in a phone's name must not become a header.
        EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
    except (OSError, SMTPException) as error:
        logger.warning("The alert about phone %s could not be mailed: %s", phone.pk, error)
