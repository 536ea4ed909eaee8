"""Who asks, in which workspace, in which language and at what time of day."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.db.models import Case, Value, When
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation

from accounts import setup
from accounts.models import Membership, User, Workspace

# Answered without session or database: providers and supervisors call here, many times a second.
_FOR_MACHINES = (
    "/callbacks/", "/c/ex/", "/media/", "/healthz", "/readyz", "/metrics", "/static/", "/favicon.ico",
)  # fmt: skip
# Reached before anybody exists.
_BEFORE_SETUP = ("/setup/", "/language/", "/i18n/")


class PersonMiddleware:
    """Give each request of a person `workspace` and `membership` (None without one).

    Language and time zone are the person's, else the browser's and the workspace's. While nobody
    exists every page leads to the set-up.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.membership = request.workspace = None  # type: ignore[attr-defined]
        if request.path.startswith(_FOR_MACHINES):
            return self.get_response(request)
        if not request.user.is_authenticated:
            if not request.path.startswith(_BEFORE_SETUP) and not setup.is_done():
                return redirect(reverse("setup"))
            return self.get_response(request)
        membership = current_membership(request.user, request.session.get("workspace"))
        workspace = membership.workspace if membership else None
        request.membership, request.workspace = membership, workspace  # type: ignore[attr-defined]
        speak(request, request.user.language)
        with timezone.override(zone_of(request.user, workspace)):
            return self.get_response(request)


def current_membership(user: User, chosen: int | None) -> Membership | None:
    """Give the membership in the `chosen` workspace while it lasts, else the person's first."""
    wanted_first = Case(When(workspace_id=chosen, then=Value(0)), default=Value(1))
    rows = user.memberships.select_related("workspace").order_by(wanted_first, "pk")
    return rows.first()


def speak(request: HttpRequest, language: str) -> None:
    """Answer in `language` when it is one of ours; the browser's stays otherwise."""
    if language in dict(settings.LANGUAGES):
        translation.activate(language)
        request.LANGUAGE_CODE = language


def zone_of(user: User, workspace: Workspace | None) -> zoneinfo.ZoneInfo:
    """Give the time zone in which this person reads times."""
    name = user.time_zone or (workspace.time_zone if workspace else settings.TIME_ZONE)
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        # A zone can leave the tz database; a person's pages must not go with it.
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)
