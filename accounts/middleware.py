"""Who asks, in which workspace, in which language and at what time of day; what must come first."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Value, When
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header

from accounts import factors, impersonating, sessions, setup, site
from accounts.activity import Acting, acting, address_of
from accounts.models import Membership, User, Workspace
from lib import masks
from lib.masks import Eyes

# Answered without session or database: providers and supervisors call here, many times a second.
_FOR_MACHINES = (
    "/callbacks/", "/c/ex/", "/media/", "/healthz", "/readyz", "/metrics", "/static/", "/favicon.ico",
)  # fmt: skip
# Reached before anybody exists.
_BEFORE_SETUP = ("/setup/", "/language/", "/i18n/")
# Names of addresses (how they begin) that are open to those who must do something first.
_ALWAYS_OPEN = ("account_logout", "set_language", "impersonation_stop")
_TO_CHANGE_PASSWORD = ("account_",)
_TO_ADD_FACTOR = ("account_", "mfa_")


class PersonMiddleware:
    """Give each request of a person `workspace`, `membership` (None without one) and `impersonator`
    (the administrator who acts as that person, else None).

    Language and time zone are the person's, else the browser's and the workspace's. Numbers are hidden
    from whom the workspace hides them (lib.masks). While nobody exists every page leads to the set-up.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.membership = request.workspace = None  # type: ignore[attr-defined]
        request.impersonator = None  # type: ignore[attr-defined]
        if request.path.startswith(_FOR_MACHINES):
            return self.get_response(request)
        if not request.user.is_authenticated:
            if not request.path.startswith(_BEFORE_SETUP) and not setup.is_done():
                return redirect(reverse("setup"))
            speak(request, fallback_language(request))
            return self._answer(request, Acting(address=address_of(request)))
        sessions.note(request, request.user)
        impersonating.enter(request)
        membership = current_membership(request.user, request.session.get("workspace"))
        workspace = membership.workspace if membership else None
        request.membership, request.workspace = membership, workspace  # type: ignore[attr-defined]
        speak(request, request.user.language or fallback_language(request))
        eyes = membership.eyes if membership else Eyes()
        with timezone.override(zone_of(request.user, workspace)), masks.looking(eyes):
            answer = self._answer(request, impersonating.acting_of(request))
        return _for_eyes(eyes, answer)

    def _answer(self, request: HttpRequest, who: Acting) -> HttpResponseBase:
        before = acting.set(who)
        try:
            return self.get_response(request)
        finally:
            acting.reset(before)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """Lead those who must change their password or add a second factor there."""
        name = (request.resolver_match and request.resolver_match.url_name) or ""
        user = request.user if hasattr(request, "user") else None
        if request.path.startswith(_FOR_MACHINES) or not (user and user.is_authenticated):
            return None
        if getattr(request, "impersonator", None):
            if impersonating.is_closed(name):
                raise PermissionDenied(impersonating.refusal())
            return None
        if name.startswith(_ALWAYS_OPEN):
            return None
        return _first(request, user, name)


def _for_eyes(eyes: Eyes, answer: HttpResponseBase) -> HttpResponseBase:
    """Let what is made while it is sent be for the same eyes; a file is made already."""
    if not eyes.is_hidden or isinstance(answer, FileResponse):
        return answer
    if isinstance(answer, StreamingHttpResponse):
        answer.streaming_content = masks.under(eyes, iter(answer))
    return answer


def _first(request: HttpRequest, user: User, name: str) -> HttpResponse | None:
    if user.must_change_password and not name.startswith(_TO_CHANGE_PASSWORD):
        messages.warning(request, _("Choose a new password first: an administrator asks for it."))
        return redirect("account_change_password")
    wants = factors.is_required(user) and not name.startswith(_TO_ADD_FACTOR)
    if wants and not factors.has_one(user):
        messages.warning(request, _("This site wants a second factor of you. Add one first."))
        return redirect("mfa_index")
    return None


def current_membership(user: User, chosen: int | None) -> Membership | None:
    """Give the membership in the `chosen` workspace while it lasts, else the person's first."""
    wanted_first = Case(When(workspace_id=chosen, then=Value(0)), default=Value(1))
    rows = user.memberships.filter(workspace__archived_at=None).select_related("workspace")
    return rows.order_by(wanted_first, "pk").first()


def fallback_language(request: HttpRequest) -> str:
    """Give the site's language to who asks for none of ours, else "": theirs is spoken already."""
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return ""
    ours = dict(settings.LANGUAGES)
    asked = parse_accept_lang_header(request.headers.get("accept-language", "").lower())
    if any(tag.partition("-")[0] in ours for tag, _weight in asked):
        return ""
    return site.current().language


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
