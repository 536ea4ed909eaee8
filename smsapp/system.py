"""The page /administration/system/: how the site is, live, for its administrators."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import django
import psycopg
from django.conf import settings
from django.contrib import messages
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.http import PersonRequest, administrator
from lib.jobs import (
    DEFAULT,
    SEND,
    QueueDown,
    enqueue,
    failed,
    oldest,
    queue_is_up,
    waiting,
    workers,
)
from smsapp.diagnosis import Result, State, diagnose, kept, worst
from smsapp.diagnosis.checks import CHECKS, OUTSIDE, look_outside


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue at a glance; `oldest` in seconds."""

    name: str
    workers: int
    waiting: int
    oldest: int
    failed: int


@never_cache
@require_GET
@administrator
def system(request: PersonRequest) -> HttpResponse:
    """Show what is wrong and what mends it. The page asks for itself again and again."""
    results = diagnose(CHECKS)
    troubles = [result for result in results if result.state != State.FINE]
    return render(
        request,
        "administration/system.html",
        {
            "worst": worst(results).value,
            "troubles": troubles,
            "sound": [result for result in results if result.state == State.FINE],
            "outside": _outside(),
            "queues": _queues(),
            "versions": _versions(),
        },
    )


@require_POST
@administrator
def system_ask(request: PersonRequest) -> HttpResponse:
    """Have the public address and the mail server asked, by a worker: it takes seconds."""
    if queue_is_up():
        enqueue(look_outside, get_language() or settings.LANGUAGE_CODE)
        messages.success(request, _("They are being asked. The answers appear here in a moment."))
    else:
        messages.error(request, _("The queue server does not answer. Try again in a moment."))
    return redirect("system")


def _outside() -> list[Result]:
    try:
        return kept(OUTSIDE)
    except QueueDown:
        return []


def _queues() -> list[QueueRow]:
    try:
        return [
            QueueRow(name, workers(name), waiting(name), round(oldest(name)), failed(name))
            for name in (SEND, DEFAULT)
        ]
    except QueueDown:
        return []


def _versions() -> list[tuple[str, str]]:
    return [
        ("smsapp", settings.VERSION),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        *_database_version(),
        (_("System"), f"{platform.system()} {platform.release()}"),
    ]


def _database_version() -> list[tuple[str, str]]:
    try:
        connection.ensure_connection()
    except DatabaseError:
        return []
    number = ".".join(str(part) for part in connection.get_database_version())
    found = [(connection.display_name, number)]
    if connection.vendor == "postgresql":
        found.append(("psycopg", psycopg.__version__))
    return found
