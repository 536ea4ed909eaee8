"""Pages of people who are not in yet: the first run and sign-up."""

from __future__ import annotations

import logging

from allauth.account.signals import user_logged_in
from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import mail, services, setup, site
from accounts.adapter import public_url
from accounts.forms import NewPersonForm, SetupForm, SignUpForm, SiteForm
from accounts.http import PersonRequest
from accounts.models import User
from accounts.places import guess

logger = logging.getLogger(__name__)

_SIGN_UP = "accounts.sign_up"
# Seconds for which the link of a sign-up mail is good.
_SIGN_UP_LIFE = 60 * 60 * 24


def enter(request: HttpRequest, user: User) -> None:
    """Log `user` in until the browser is closed, as log-in does without "remember me"."""
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    request.session.set_expiry(0)
    user_logged_in.send(User, request=request, user=user, response=None)


# ---- First run ----------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
def first_run(request: HttpRequest) -> HttpResponse:
    """Make the administrator of a site that has nobody yet."""
    if setup.is_done():
        return redirect("home")
    form = SetupForm(request.POST or None)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            user = setup.create_administrator(
                name=typed["name"], email=typed["email"], password=typed["password"]
            )
        except setup.AlreadySetUp:
            return redirect("home")
        enter(request, user)
        return redirect("setup_site")
    return render(request, "accounts/setup.html", {"form": form}, status=_status(form))


@login_required
def first_workspace(request: PersonRequest) -> HttpResponse:
    """Ask a site administrator who belongs to no workspace where and for whom the site is."""
    if not request.user.is_superuser or request.membership:
        return redirect("home")
    country, time_zone = guess(request.headers.get("accept-language", ""))
    first = {"language": get_language(), "country": country, "time_zone": time_zone}
    form = SiteForm(request.POST or None, initial=first)
    if form.is_valid():
        return _found_workspace(request, form)
    return render(request, "accounts/setup_site.html", {"form": form}, status=_status(form))


def _found_workspace(request: PersonRequest, form: SiteForm) -> HttpResponse:
    typed = form.cleaned_data
    user = User.objects.get(pk=request.user.pk)
    user.language = typed["language"]
    user.save(update_fields=["language"])
    workspace = services.create_workspace(
        name=typed["name"], owner=user, country=typed["country"], time_zone=typed["time_zone"]
    )
    request.session["workspace"] = workspace.pk
    return redirect("home")


def _status(form: SetupForm | SiteForm | SignUpForm | NewPersonForm) -> int:
    return 422 if form.is_bound else 200


# ---- Sign-up ------------------------------------------------------------------------------------


@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    """Ask for an address and write to it. Known or not, the page says the same."""
    if not site.sign_up_is_open():
        return render(request, "accounts/sign_up_closed.html", status=403)
    form = SignUpForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/sign_up.html", {"form": form}, status=_status(form))
    email = form.cleaned_data["email"]
    if not ratelimit.consume(request, action="reset_password", key=email):
        return render(request, "429.html", status=429)
    try:
        _send_sign_up(email)
    except OSError as error:
        logger.warning("The mail server refused a mail: %s", error)
        return render(request, "account/mail_failed.html", status=503)
    return render(request, "accounts/sign_up_sent.html", {"email": email})


def _send_sign_up(email: str) -> None:
    if User.objects.filter(email=email).exists():
        link = public_url(reverse("account_login"))
        mail.send(email, _("You have an account"), "accounts/mail/known.txt", link=link)
        return
    link = public_url(reverse("sign_up_finish", args=[signing.dumps(email, salt=_SIGN_UP)]))
    mail.send(email, _("Make your account"), "accounts/mail/sign_up.txt", link=link)


@never_cache
@sensitive_post_parameters()
def sign_up_finish(request: HttpRequest, token: str) -> HttpResponse:
    """Take name and password from whoever reads the mails of the address in `token`."""
    try:
        email = signing.loads(token, salt=_SIGN_UP, max_age=_SIGN_UP_LIFE)
    except signing.BadSignature:
        return render(request, "accounts/sign_up_closed.html", {"expired": True}, status=410)
    if User.objects.filter(email=email).exists():
        messages.info(request, _("Your account is there already: log in."))
        return redirect("account_login")
    form = NewPersonForm(request.POST or None, email=email)
    if form.is_valid():
        try:
            enter(request, _create_person(request, email, form))
        except IntegrityError:
            # The same form sent twice at once: the first one made the account.
            return redirect("account_login")
        return redirect("home")
    shown = {"form": form, "email": email}
    return render(request, "accounts/sign_up_finish.html", shown, status=_status(form))


def _create_person(request: HttpRequest, email: str, form: NewPersonForm) -> User:
    country, time_zone = guess(request.headers.get("accept-language", ""))
    return services.sign_up(
        name=form.cleaned_data["name"],
        email=email,
        password=form.cleaned_data["password"],
        country=country,
        time_zone=time_zone,
    )
