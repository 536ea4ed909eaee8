"""Mails to the people who can mend something."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
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
    people = User.objects.filter(
        is_active=True,
        memberships__workspace=phone.workspace,
        memberships__role__in=[Role.OWNER, Role.ADMIN],
    )
    for person in people:
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
        try:
            # A line break in a phone's name must not become a header.
            EmailMessage(" ".join(subject.split()), body, to=[person.email]).send()
        except (OSError, SMTPException) as error:
            logger.warning("The alert about phone %s could not be mailed: %s", phone.pk, error)
