"""Links with which people choose a password, and the mails that carry them."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import mail
from accounts.activity import record
from accounts.adapter import public_url
from accounts.models import User


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


def _send(user: User, subject: str, template: str, **names: object) -> None:
    mail.send(user.email, subject, template, link=password_link(user), user=user, **names)


def _language_of(user: User) -> translation.override:
    return translation.override(user.language or translation.get_language())
