"""Logging in by OpenID Connect, where the operator names a provider (OIDC_URL).

https://openid.net/specs/openid-connect-core-1_0.html, by django-allauth. Who comes back from there is:
somebody who came that way before; else whose proven address an account here has, which is connected at
once if it has no password, and after its password was given if it has one (who made it with somebody
else's address shall not share it); else somebody new, where sign-up is open to their domain.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from requests import RequestException

from accounts import services, site
from accounts.activity import record
from accounts.http import PersonRequest
from accounts.models import User
from accounts.places import guess

logger = logging.getLogger(__name__)

_PENDING = "single_sign_on"
# Seconds in which somebody gives the password of the account that is to be connected.
_PATIENCE = 600


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Everybody new was dealt with in `pre_social_login`."""
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Write nothing: whoever connects has just proven to own both accounts."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        request.session.set_expiry(0)
        if sociallogin.is_existing:
            return
        email = _proven(sociallogin)
        if not email:
            raise _refuse(request, "unproven")
        user = User.objects.filter(email=email).first()
        if user and user.has_usable_password():
            raise _ask_for_password(request, sociallogin, user)
        if user is None:
            if not (site.sign_up_is_open() and site.may_sign_up(email)):
                raise _refuse(request, "unknown", email)
            user = _new(request, sociallogin, email)
        sociallogin.connect(request, user)
        record("person.connected", actor=user)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        logger.warning("Log-in by OpenID Connect failed: %s %s", error, type(exception).__name__)


def _proven(sociallogin: Any) -> str:
    """Give the address that the provider vouches for, else ""."""
    for address in sociallogin.email_addresses:
        # A boolean by the specification; Amazon Cognito says it as a text.
        if str(address.verified).lower() == "true" or settings.OIDC_TRUST_EMAIL:
            return str(address.email).lower()
    return ""


def _refuse(request: HttpRequest, why: str, email: str = "") -> ImmediateHttpResponse:
    shown = {"why": why, "email": email}
    return ImmediateHttpResponse(render(request, "accounts/oidc_refused.html", shown, status=403))


def _ask_for_password(request: HttpRequest, sociallogin: Any, user: User) -> ImmediateHttpResponse:
    account = sociallogin.account
    request.session[_PENDING] = {
        "user": user.pk, "uid": account.uid, "provider": account.provider, "at": time.time(),
    }  # fmt: skip
    words = _("There is an account with your address. Give its password once to connect it.")
    messages.info(request, words)
    return ImmediateHttpResponse(redirect("account_login"))


def connect_pending(request: HttpRequest, user: User) -> None:
    """Connect the account that just logged in by itself, if it came to do that."""
    wanted = request.session.pop(_PENDING, None)
    if not wanted or wanted["user"] != user.pk or time.time() - wanted["at"] > _PATIENCE:
        return
    SocialAccount.objects.get_or_create(
        provider=wanted["provider"], uid=wanted["uid"], defaults={"user": user}
    )
    record("person.connected", actor=user)
    words = _("Connected: from now on you can log in with %(name)s, too.")
    messages.success(request, words % {"name": settings.OIDC_NAME})


def _new(request: HttpRequest, sociallogin: Any, email: str) -> User:
    country, time_zone = guess(request.headers.get("accept-language", ""))
    name = " ".join(
        filter(None, [sociallogin.account.get_provider_account().get_user_data().get("name")])
    )
    return services.sign_up(
        name=name[:100] or email.partition("@")[0],
        email=email,
        password=None,
        country=country,
        time_zone=time_zone,
    )


def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the browser to the provider. A GET leads to the log-in page: only its button starts this."""
    if request.method != "POST":
        return redirect("account_login")
    try:
        response: HttpResponse = views.login(request, provider_id)
    except RequestException as error:
        logger.warning("The OpenID Connect provider does not answer: %s", type(error).__name__)
        return render(request, "socialaccount/authentication_error.html", status=503)
    return response


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take somebody who comes back from the provider."""
    try:
        response: HttpResponse = views.callback(request, provider_id)
    except RequestException as error:
        logger.warning("The OpenID Connect provider does not answer: %s", type(error).__name__)
        return render(request, "socialaccount/authentication_error.html", status=503)
    return response


@login_required
@require_POST
def disconnect(request: PersonRequest, pk: int) -> HttpResponse:
    """Let the provider's word no longer open one's account. Who has no password chooses one first."""
    if not request.user.has_usable_password():
        messages.error(request, _("Choose a password first: nothing else would let you in."))
        return redirect("mfa_index")
    get_object_or_404(SocialAccount, pk=pk, user=request.user).delete()
    record("person.disconnected")
    messages.success(request, _("Disconnected: your password is the way in now."))
    return redirect("mfa_index")


def cancelled(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("You were not logged in: you broke off at the other site."))
    return redirect("account_login")
