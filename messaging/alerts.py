"""Mails to the people who can mend something."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Role, User
from messaging.carrying import label_of
from messaging.models import Message, Status
from phones.models import Phone

logger = logging.getLogger(__name__)


def phone_paused(phone_id: int) -> None:
    """Say to owners and administrators, each in their language, that a phone stopped and why.

    A job: it says nothing once the phone runs again.
    """
    phone = Phone.objects.select_related("workspace").filter(pk=phone_id).first()
    if phone is None or not phone.is_paused:
        return
    waiting = Message.objects.filter(phone=phone, status=Status.QUEUED).count()
    for person in _managers(phone):
        with translation.override(person.language or settings.LANGUAGE_CODE):
            subject = _("%(phone)s is paused") % {"phone": phone.name}
            body = _(
                "The phone “%(phone)s” of %(workspace)s paused itself: every message would have failed.\n\n"
                "%(provider)s says: %(words)s\n\n"
                "Messages that wait: %(waiting)s. None is lost. They leave when the phone is started again:\n"
                "%(address)s\n"
            ) % {
                "phone": phone.name,
                "workspace": phone.workspace.name,
                "provider": label_of(phone),
                "words": phone.pause_words,
                "waiting": waiting,
                "address": f"{settings.PUBLIC_URL}/phones/{phone.pk}/",
            }
        _mail(phone, person, subject, body)


def phone_refused(phone_id: int, words: str) -> None:
    """Say that a provider refuses to let a phone connect, and that it is tried again. A job."""
    phone = Phone.objects.select_related("workspace").filter(pk=phone_id).first()
    if phone is None or phone.is_deleted or phone.is_paused:
        return
    for person in _managers(phone):
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


def _managers(phone: Phone) -> QuerySet[User]:
    return User.objects.filter(
        is_active=True,
        memberships__workspace=phone.workspace,
        memberships__role__in=[Role.OWNER, Role.ADMIN],
    )


def _mail(phone: Phone, person: User, subject: str, body: str) -> None:
    try:
        # A line break in a phone's name must not become a header.
        EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
    except (OSError, SMTPException) as error:
        logger.warning("The alert about phone %s could not be mailed: %s", phone.pk, error)
