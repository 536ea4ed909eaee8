"""What a request knows behind log-in, and who may pass: one decorator for every page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from accounts import roles
from accounts.models import Membership, User, Workspace


class PersonRequest(HttpRequest):
    """A request of somebody who is logged in, in a workspace or not."""

    user: User
    impersonator: User | None
    workspace: Workspace | None
    membership: Membership | None
    htmx: HtmxDetails


class MemberRequest(HttpRequest):
    """A request of somebody who is logged in and belongs to `workspace`."""

    user: User
    workspace: Workspace
    membership: Membership
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def member(view: View) -> View:
    """Let members of the current workspace in, whatever their role."""
    return _gate(view, roles.LOOK, str)


def sender(view: View) -> View:
    """Let those in who may send; others get 403 with the reason."""
    return _gate(view, roles.SEND, _needs_sender)


def keeper(view: View) -> View:
    """Let those in who may change contacts and groups: who may send, and not to some people only."""

    @wraps(view)
    def kept(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_keep_contacts:
            raise PermissionDenied(_needs_keeper())
        return view(request, *args, **kwargs)

    return sender(kept)


def manager(view: View) -> View:
    """Let those in who may manage phones and people; others get 403 with the reason."""
    return _gate(view, roles.MANAGE, _needs_manager)


def administrator(view: View) -> View:
    """Let site administrators in, whatever workspace they are in; others get 404, as for what is
    not there."""

    @wraps(view)
    @login_required
    def gated(request: PersonRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise Http404
        return view(request, *args, **kwargs)

    gated.needs = "administrator"  # type: ignore[attr-defined]
    return gated


def _needs_sender() -> str:
    return _(
        "You can look at this workspace, but not send from it. An administrator can change that."
    )


def _needs_keeper() -> str:
    return _(
        "You may write to some groups only, so you cannot change who belongs to them. Ask an administrator."
    )


def _needs_manager() -> str:
    return _("Only administrators of this workspace can do this. Ask one of them.")


def _gate(view: View, action: str, reason: Callable[[], str]) -> View:
    @wraps(view)
    @login_required
    def gated(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "membership", None) is None:
            return redirect("workspace_missing")
        if not request.membership.may(action):
            raise PermissionDenied(reason())
        return view(request, *args, **kwargs)

    gated.needs = action  # type: ignore[attr-defined]
    return gated
