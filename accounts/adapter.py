"""How django-allauth behaves here: closed sign-up, links under PUBLIC_URL, mails that say so,
secrets of second factors that are encrypted."""

from __future__ import annotations

import logging
import secrets
from typing import Any
from urllib.parse import quote, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import mail, site
from lib import vault

logger = logging.getLogger(__name__)

# Cookie of a browser that somebody has logged in with, and the seconds it is remembered.
_KNOWN, _KNOWN_FOR = "known", 60 * 60 * 24 * 365
# What people are told by mail when it happens to their account.
_NOTICES = {
    "account/email/password_changed": _("Your password was changed"),
    "account/email/password_reset": _("Your password was changed"),
    "mfa/email/totp_activated": _("An authenticator app was added to your account"),
    "mfa/email/totp_deactivated": _("The authenticator app was taken from your account"),
    "mfa/email/webauthn_added": _("A passkey was added to your account"),
    "mfa/email/webauthn_removed": _("A passkey was taken from your account"),
    "mfa/email/recovery_codes_generated": _("New recovery codes were made for your account"),
}


def public_url(path: str) -> str:
    """Give the address under which others reach `path`, whatever host this request came by."""
    return f"{settings.PUBLIC_URL}{path}"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("This e-mail address and password do not belong together."),
        "too_many_login_attempts": _("Too many attempts. Try again in five minutes."),
        "rate_limited": _("Too many attempts. Wait a minute, then try again."),
        "incorrect_password": _("This is not your current password."),
    }

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        words = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [method | {"description": words[method["id"]]} for method in methods]

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return site.sign_up_is_open()

    def clean_email(self, email: str) -> str:
        return email.lower()

    def get_reset_password_from_key_url(self, key: str) -> str:
        names = {"uidb36": "UID", "key": "KEY"}
        path = reverse("account_reset_password_from_key", kwargs=names)
        return public_url(path.replace("UID-KEY", quote(key)))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count the wrong passwords of a browser that once entered this account by itself: a stranger
        who tries passwords locks out strangers, not the person."""
        email = str(credentials.get("email", "")).lower()
        known = request.get_signed_cookie(_KNOWN, "", salt=email, max_age=_KNOWN_FOR)
        return f"{email}:{known}"

    def post_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **options)
        response.set_signed_cookie(
            _KNOWN,
            secrets.token_urlsafe(9),
            salt=user.email,
            max_age=_KNOWN_FOR,
            path=reverse("account_login"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
        return response

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("profile")

    def format_email_subject(self, subject: str) -> str:
        return str(subject)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send in the language of the addressee; a mail server that fails is said, not hidden."""
        language = getattr(context.get("user"), "language", "") or translation.get_language()
        shown = context | {"email": email, "host": urlsplit(settings.PUBLIC_URL).netloc}
        with translation.override(language):
            mail = self.render_mail(template_prefix, email, shown)
        try:
            mail.send()
        except OSError as error:  # smtplib's errors are OSErrors
            logger.warning("The mail server refused a mail: %s", error)
            page = render(self.request, "account/mail_failed.html", status=503)
            raise ImmediateHttpResponse(page) from None

    def send_notification_mail(
        self,
        template_prefix: str,
        user: Any,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell somebody what happened to their account. A mail server that fails undoes nothing."""
        if not (what := _NOTICES.get(template_prefix)):
            return
        language = user.language or translation.get_language()
        with translation.override(language):
            names = {
                "what": what,
                "host": urlsplit(settings.PUBLIC_URL).netloc,
                "link": public_url(reverse("account_reset_password")),
                "address": self.get_client_ip(self.request),
            }
            try:
                mail.send(user.email, str(what), "accounts/mail/notice.txt", **names)
            except OSError as error:
                logger.warning("The mail server refused a mail: %s", error)


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This is not right, or it was used already. Try the next one."),
        "cannot_generate_recovery_codes": _(
            "Recovery codes stand in for a second factor. Add one first."
        ),
    }

    def get_totp_issuer(self) -> str:
        return str(urlsplit(settings.PUBLIC_URL).netloc)

    def _get_site_name(self) -> str:
        return f"smsapp ({current.request.get_host()})"

    def encrypt(self, text: str) -> str:
        return vault.encrypt({"text": text})

    def decrypt(self, encrypted_text: str) -> str:
        return str(vault.decrypt(encrypted_text)["text"])

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return gettext("Passkey %(number)s") % {"number": count + 1}
