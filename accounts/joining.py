"""The page behind an invitation's link."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import services
from accounts.entrance import enter
from accounts.forms import JoinForm, NewPersonForm
from accounts.models import Invitation, User


@never_cache
@sensitive_post_parameters()
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Let the invited person in, with an account they have or one they make here."""
    found = services.find_invitation(token)
    if found and _belongs(request, found):
        return _go_to(request, found)
    if found is None or not found.is_open:
        return _closed(request)
    try:
        if request.user.is_authenticated:
            return _with_account(request, found, request.user)
        return _without_account(request, found)
    except services.InvitationClosed:
        return _closed(request)


def _belongs(request: HttpRequest, found: Invitation) -> bool:
    members = found.workspace.memberships.filter(user_id=request.user.pk or 0)
    return members.exists()


def _go_to(request: HttpRequest, found: Invitation) -> HttpResponse:
    request.session["workspace"] = found.workspace_id
    return redirect("home")


def _closed(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/invitation_closed.html", status=410)


def _with_account(request: HttpRequest, found: Invitation, user: User) -> HttpResponse:
    if found.email and found.email != user.email:
        return render(request, "accounts/invitation_other.html", {"invitation": found}, status=403)
    if request.method != "POST":
        return render(request, "accounts/invitation.html", {"invitation": found})
    services.accept(found, user)
    _greet(request, found)
    return _go_to(request, found)


def _without_account(request: HttpRequest, found: Invitation) -> HttpResponse:
    known = bool(found.email) and User.objects.filter(email=found.email).exists()
    posted = None if known else request.POST or None
    form = NewPersonForm(posted, email=found.email) if found.email else JoinForm(posted)
    if form.is_valid():
        return _join(request, found, form)
    shown = {"invitation": found, "form": None if known else form}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/invitation.html", shown, status=status)


def _join(request: HttpRequest, found: Invitation, form: NewPersonForm) -> HttpResponse:
    typed = form.cleaned_data
    try:
        user = services.join(
            found, name=typed["name"], email=typed.get("email", ""), password=typed["password"]
        )
    except IntegrityError:
        # The same form sent twice at once: the first one made the account.
        return redirect("account_login")
    enter(request, user)
    _greet(request, found)
    return _go_to(request, found)


def _greet(request: HttpRequest, found: Invitation) -> None:
    words = _("You are in %(workspace)s now.") % {"workspace": found.workspace}
    messages.success(request, words)
