"""The people of the site: the list, one of them, and what can be done to them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import administering, impersonating, mail, sessions, welcoming
from accounts.activity_views import latest_of
from accounts.administration import finding
from accounts.administration.forms import (
    DeleteUserForm,
    NewUserForm,
    ReasonForm,
    UserForm,
    UserSearchForm,
)
from accounts.factors import FACTORS
from accounts.http import PersonRequest, administrator
from accounts.models import User
from accounts.services import NotAllowed

logger = logging.getLogger(__name__)
_GET_POST = require_http_methods(["GET", "HEAD", "POST"])
# People changed at once.
_MOST = 500


@administrator
@require_GET
def users(request: PersonRequest) -> HttpResponse:
    form = UserSearchForm(request.GET)
    form.is_valid()
    wanted = {key: value for key, value in form.cleaned_data.items() if value}
    rows = finding.people(wanted.get("q", ""), wanted.get("state", ""))
    shown = {
        "form": form,
        "page": finding.page_of(rows, request.GET.get("page", "")),
        "is_filtered": bool(wanted),
        "query": urlencode(wanted),
        "bulk": [(key, act.words) for key, act in _BULK.items()],
    }
    return render(request, "accounts/administration/users.html", shown)


@administrator
@_GET_POST
def user_add(request: PersonRequest) -> HttpResponse:
    """Add somebody and write to them; without a mail server, the link is shown to be passed on."""
    form = NewUserForm(request.POST or None)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            added = administering.add_user(**typed)
        except administering.EmailTaken:
            form.add_error("email", _("Somebody logs in with this address already."))
        else:
            welcome(request, added)
            return redirect("admin_user", pk=added.pk)
    shown = {"form": form, "mail_goes_out": mail.goes_out()}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/administration/user_add.html", shown, status=status)


def welcome(request: PersonRequest, added: User) -> None:
    names = {"email": added.email}
    try:
        welcoming.send_welcome(added, request.user)
    except OSError as error:
        logger.warning("The mail server refused a mail: %s", error)
        words = _("The mail server did not take the mail to %(email)s. Send the link again later.")
        messages.error(request, words % names)
        return
    if mail.goes_out():
        messages.success(request, _("A mail is on its way to %(email)s.") % names)
    else:
        words = _("This site has no mail server: the mail to %(email)s lies in the folder “mail”.")
        messages.warning(request, words % names)


@administrator
@require_GET
def user(request: PersonRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    factors = Authenticator.objects.filter(user=person, type__in=list(FACTORS))
    shown = {
        "person": person,
        "memberships": person.memberships.select_related("workspace").order_by("workspace__name"),
        "factors": [FACTORS[Authenticator.Type(factor.type)] for factor in factors],
        "browsers": sessions.of(person),
        "may_impersonate": impersonating.may(request.user, person),
        "is_me": person.pk == request.user.pk,
        "events": latest_of(person),
    }
    return render(request, "accounts/administration/user.html", shown)


@administrator
@_GET_POST
def user_edit(request: PersonRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    first = {
        "email": person.email,
        "name": person.name,
        "administrator": person.is_superuser,
    }
    form = UserForm(request.POST or None, initial=first)
    if form.is_valid():
        try:
            administering.edit_user(person, **form.cleaned_data, by=request.user)
        except administering.EmailTaken:
            form.add_error("email", _("Somebody logs in with this address already."))
        except NotAllowed as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("admin_user", pk=pk)
    shown = {"form": form, "person": person}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/administration/user_edit.html", shown, status=status)


# ---- One act on one person, or on many -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Act:
    """Something done to people: `do(person, by)`, its button, and what it means for them."""

    do: Callable[[User, User], object]
    words: Any
    means: Any


_BULK = {
    "suspend": _Act(
        administering.suspend,
        gettext_lazy("Suspend"),
        gettext_lazy("They are logged out at once and cannot log in. Everything of theirs stays."),
    ),
    "reactivate": _Act(
        lambda person, by: administering.reactivate(person),
        gettext_lazy("Reactivate"),
        gettext_lazy("They can log in again, with the password they had."),
    ),
    "password": _Act(
        lambda person, by: administering.demand_password(person),
        gettext_lazy("Demand a new password"),
        gettext_lazy("Whatever they open next asks for a new password first."),
    ),
    "link": _Act(
        lambda person, by: welcoming.send_password_link(person),
        gettext_lazy("Send a link for a new password"),
        gettext_lazy("They get a mail with a link that works once, for three days."),
    ),
    "factor": _Act(
        lambda person, by: administering.reset_factor(person),
        gettext_lazy("Reset the second factor"),
        gettext_lazy(
            "Their password alone lets them in, until they add another factor. Make sure that it is "
            "they who ask."
        ),
    ),
    "logout": _Act(
        lambda person, by: administering.log_out(person),
        gettext_lazy("Log out everywhere"),
        gettext_lazy("Their browsers have to log in again."),
    ),
}


@administrator
@_GET_POST
def users_change(request: PersonRequest) -> HttpResponse:
    """Say what an act means for those who are chosen, then do it."""
    asked = request.POST if request.method == "POST" else request.GET
    act = _BULK.get(asked.get("what", ""))
    ids = [int(pk) for pk in asked.getlist("chosen") if pk.isdecimal() and len(pk) < 19]
    people = list(User.objects.filter(pk__in=ids[:_MOST]).order_by("name", "email"))
    if act is None or not people:
        messages.warning(request, _("Choose people first."))
        return redirect("admin_users")
    if request.method != "POST":
        shown = {"act": act, "what": asked["what"], "people": people}
        return render(request, "accounts/administration/users_change.html", shown)
    return _do(request, act, people)


def _do(request: PersonRequest, act: _Act, people: list[User]) -> HttpResponse:
    done = 0
    for person in people:
        try:
            act.do(person, request.user)
        except (NotAllowed, OSError) as refusal:
            messages.error(request, f"{person}: {_refused(refusal)}")
        else:
            done += 1
    if done:
        words = ngettext("Done for %(count)s person.", "Done for %(count)s people.", done)
        messages.success(request, words % {"count": done})
    if len(people) == 1:
        return redirect("admin_user", pk=people[0].pk)
    return redirect("admin_users")


def _refused(refusal: Exception) -> str:
    if isinstance(refusal, OSError):
        logger.warning("The mail server refused a mail: %s", refusal)
        return _("The mail server did not take the mail.")
    return str(refusal)


@administrator
@_GET_POST
def user_delete(request: PersonRequest, pk: int) -> HttpResponse:
    """Say what becomes of what somebody owns and has done, then delete them."""
    person = get_object_or_404(User, pk=pk)
    owned = administering.owned_alone(person)
    form = DeleteUserForm(request.POST or None, initial={"heir": request.user.email})
    if request.method == "POST" and form.is_valid():
        heir = form.cleaned_data["heir"] if owned else None
        try:
            administering.delete_user(person, heir=heir, by=request.user)
        except NotAllowed as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(person)s is deleted.") % {"person": person})
            return redirect("admin_users")
    shown = {"form": form, "person": person, "owned": owned}
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/administration/user_delete.html", shown, status=status)


# ---- Acting as somebody else ---------------------------------------------------------------------


@administrator
@_GET_POST
def user_impersonate(request: PersonRequest, pk: int) -> HttpResponse:
    """Ask why, then act as somebody until the banner's button is pressed or an hour is over."""
    person = get_object_or_404(User, pk=pk)
    if not impersonating.may(request.user, person):
        raise PermissionDenied(
            _("Nobody acts as another administrator, as themselves, or as somebody suspended.")
        )
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        impersonating.start(request, person, form.cleaned_data["reason"])
        return redirect("home")
    shown = {"form": form, "person": person}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/administration/impersonate.html", shown, status=status)


@login_required
@require_POST
def impersonation_stop(request: PersonRequest) -> HttpResponse:
    """Act as oneself again."""
    if not getattr(request, "impersonator", None):
        return redirect("home")
    person = request.user
    impersonating.stop(request, person)
    return redirect("admin_user", pk=person.pk)
