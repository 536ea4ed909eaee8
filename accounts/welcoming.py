"""Links with which people choose a password, the mails that carry them, and word of what was done."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import mail
from accounts.activity import record
from accounts.adapter import public_url
from accounts.models import User

logger = logging.getLogger(__name__)


def password_link(user: User) -> str:
    """Give the link with which `user` chooses a password: it works once, for three days."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    uidb36, _dash, token = key.partition("-")
    names = {"uidb36": uidb36, "key": token}
    return public_url(reverse("account_reset_password_from_key", kwargs=names))


def send_welcome(user: User, by: User | None = None) -> None:
    """Write to somebody new. Raises OSError when the mail server does not take it."""
    with _language_of(user):
        _send(user, _("Your account"), "accounts/mail/welcome.txt", person=by)


def send_password_link(user: User) -> None:
    """Let somebody choose another password by mail. Raises OSError as `send_welcome`."""
    with _language_of(user):
        _send(user, _("Choose a new password"), "accounts/mail/password.txt")
    record("user.password_sent", subject=user)


def tell(user: User, what: Any) -> None:
    """Tell somebody what an administrator did to their account. A mail server that fails undoes nothing.

    `what` is lazy, so that it is said in their language.
    """
    with _language_of(user):
        names = {
            "what": what,
            "host": urlsplit(settings.PUBLIC_URL).netloc,
            "link": public_url(reverse("account_reset_password")),
        }
        try:
            mail.send(user.email, str(names["what"]), "accounts/mail/notice.txt", **names)
        except OSError as error:
            logger.warning("The mail server refused a mail: %s", error)


def _send(user: User, subject: str, template: str, **names: object) -> None:
    mail.send(user.email, subject, template, link=password_link(user), user=user, **names)


def _language_of(user: User) -> translation.override:
    return translation.override(user.language or translation.get_language())
