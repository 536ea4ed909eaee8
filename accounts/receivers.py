"""What the activity log hears of log-ins, passwords and second factors."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth import signals as django
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import single_sign_on
from accounts.activity import acting, record
from accounts.models import User


@receiver(account.user_logged_in)
def logged_in(request: HttpRequest, user: User, **_: Any) -> None:
    record("person.login", actor=user)
    single_sign_on.connect_pending(request, user)


@receiver(django.user_logged_out)
def logged_out(user: User | None, **_: Any) -> None:
    if user:
        record("person.logout", actor=acting.get().user or user)


@receiver(django.user_login_failed)
def login_failed(credentials: dict[str, Any], **_: Any) -> None:
    """Keep the failures of accounts that exist; what else is typed there may be a password."""
    email = str(credentials.get("email", "")).lower()
    if user := User.objects.filter(email=email).first():
        record("person.login_failed", subject=user)


@receiver(account.password_changed)
@receiver(account.password_reset)
def password_changed(user: User, **_: Any) -> None:
    User.objects.filter(pk=user.pk).update(must_change_password=False)
    record("person.password", actor=user)


@receiver(mfa.authenticator_added)
def factor_added(user: User, authenticator: Any, **_: Any) -> None:
    if authenticator.type != authenticator.Type.RECOVERY_CODES:
        record("person.factor_added", actor=user, factor=authenticator.type)


@receiver(mfa.authenticator_removed)
def factor_removed(user: User, authenticator: Any, **_: Any) -> None:
    if authenticator.type != authenticator.Type.RECOVERY_CODES:
        record("person.factor_removed", actor=user, factor=authenticator.type)


@receiver(mfa.authenticator_reset)
def codes_made(user: User, **_: Any) -> None:
    record("person.codes", actor=user)
