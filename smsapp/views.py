"""Pages of no app in particular: home, more, errors, and what supervisors ask."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from accounts.http import MemberRequest, member
from contacts.services import names
from lib.jobs import QueueDown, redis
from smsapp.diagnosis import work
from smsapp.home import overview

logger = logging.getLogger(__name__)


@member
@require_GET
def home(request: MemberRequest) -> HttpResponse:
    shown = overview(
        request.workspace,
        timezone.now(),
        may_approve=request.membership.may_manage,
        asker=request.user if request.membership.must_ask else None,
    )
    peers = [talk.peer for talk in shown.conversations]
    peers += [planned.first.peer for planned in shown.planned if planned.first]
    known = names(request.workspace.pk, peers)
    return render(request, "home.html", {"home": shown, "names": known})


@member
@require_GET
def more(request: MemberRequest) -> HttpResponse:
    """Show the places that the bottom bar of narrow screens has no room for."""
    return render(request, "more.html")


@require_safe
def favicon(request: HttpRequest) -> HttpResponseBase:
    return redirect(static("favicon.svg"), permanent=True)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say whether the database and the queue answer: 200 when both do, else 503."""
    state = {"database": _database_answers(), "queue": _queue_answers()}
    words = {name: "ok" if fine else "down" for name, fine in state.items()}
    return JsonResponse(words, status=200 if all(state.values()) else 503)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether requests may be sent here: 200 when the database answers and has this version's tables.

    Without the queue server, too: what people write is saved then, and receipts are taken.
    """
    words = {
        "database": "ok" if (database := _database_answers()) else "down",
        "queue": "ok" if _queue_answers() else "down",
        "migrations": "ok" if (migrated := database and _is_migrated()) else "missing",
    }
    return JsonResponse(words, status=200 if migrated else 503)


_migrated: list[bool] = []


def _is_migrated() -> bool:
    """Say whether no migration is missing. Once that was so it is not looked at again."""
    if not _migrated and not work.pending():
        _migrated.append(True)
    return bool(_migrated)


def _database_answers() -> bool:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("The database does not answer.")
        return False
    return True


def _queue_answers() -> bool:
    try:
        return bool(redis().ping())
    except QueueDown:
        logger.exception("The queue server does not answer.")
        return False


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Show the reason that the raiser of PermissionDenied gave."""
    return render(request, "403.html", {"reason": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer without database, session or context: any of them may be what failed."""
    return HttpResponse(render_to_string("500.html"), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Explain the one way people meet this: a page that was open while they logged in or out."""
    logger.info("CSRF check failed: %s", reason)
    words = _(
        "This page was open for too long, or you logged in or out in another tab. "
        "Nothing was changed. Go back, load the page again and repeat what you did."
    )
    return render(request, "403.html", {"reason": words}, status=403)
