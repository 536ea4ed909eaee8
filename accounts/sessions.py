"""Where somebody is logged in: each browser, when it was last here, and its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.activity import address_of
from accounts.models import User

# Seconds between two notes of one browser: a write at each page would slow all of them.
_EVERY = 300
# Key of a session: when it was noted last, in seconds since 1970.
NOTED = "noted"
# What a User-Agent header holds → what people call it. The first that fits: Chrome says Safari, too.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser somebody is logged in with."""

    pk: int
    words: str
    address: str
    since: datetime
    last_seen_at: datetime
    is_this: bool


def note(request: HttpRequest, user: User) -> None:
    """Remember that `user` was here with this browser, every five minutes at most."""
    now = time.time()
    if now - request.session.get(NOTED, 0) < _EVERY or not address_of(request):
        return
    request.session[NOTED] = now
    UserSession.objects.create_from_request(request)
    User.objects.filter(pk=user.pk).update(last_seen_at=timezone.now())


def of(user: User, request: HttpRequest | None = None) -> list[Browser]:
    """Give the browsers `user` is logged in with, this one first, then the one last seen."""
    this = request.session.session_key if request else None
    browsers = [
        Browser(
            pk=row.pk,
            words=words(row.user_agent),
            address=row.ip,
            since=row.created_at,
            last_seen_at=row.last_seen_at,
            is_this=row.session_key == this,
        )
        for row in UserSession.objects.purge_and_list(user)
    ]
    newest_first = sorted(browsers, key=lambda browser: browser.last_seen_at, reverse=True)
    return sorted(newest_first, key=lambda browser: not browser.is_this)


def end(user: User, *, pk: int | None = None, but: str | None = None) -> int:
    """Log `user` out of one browser (`pk`) or of all, `but` for a session key; say of how many."""
    rows = UserSession.objects.filter(user=user)
    rows = rows.exclude(session_key=but) if but else rows
    ended = list(rows if pk is None else rows.filter(pk=pk))
    for row in ended:
        row.end()
    return len(ended)


def words(user_agent: str) -> str:
    """Say which browser a User-Agent header is of: Firefox on Windows."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")
