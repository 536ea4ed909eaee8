"""What every page shows around its content: places, unread, the host's name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import site as whole
from accounts.features import Feature, is_on
from accounts.models import Membership
from campaigns import finding
from messaging.models import Conversation

# How a URL's name begins → the place of the sidebar that it belongs to. First match wins.
_PLACES = {
    "home": "home",
    "inbox": "inbox",
    "conversation": "inbox",
    "compose": "compose",
    "campaign": "campaigns",
    "message": "messages",
    "call": "calls",
    "phone": "phones",
    "recurrence": "campaigns",
    "pool": "phones",
    "profile": "profile",
    "account_": "profile",
    "mfa_": "profile",
    "email_": "profile",
    "admin_": "administration",
    "settings": "settings",
    "quiet_hours": "settings",
    "quota": "settings",
    "activity": "settings",
    "usage": "settings",
    "system": "administration",
    "people": "settings",
    "invit": "settings",
    "contact": "contacts",
    "group": "contacts",
    "field": "contacts",
    "import": "contacts",
    "segment": "contacts",
    "opt_out": "contacts",
    "text": "campaigns",
    "more": "more",
}
# Conversations counted in the sidebar; past it people read "99+".
_MOST = 100


def page(request: HttpRequest) -> dict[str, Any]:
    """Give `site_name`, `site_logo` (when it was changed, "" without one),
    `host` (of PUBLIC_URL), `shell` (template to extend), `place`,
    `has` (each feature, by name), `unread` (conversations), `running` (campaigns) and
    `others` (memberships in other workspaces).

    The last three cost a query each, and only on pages that show them.
    """
    membership = getattr(request, "membership", None)
    return {
        "site_name": whole.current().name,
        "site_logo": whole.current().logo_type and whole.current().changed_at.timestamp(),
        "host": urlsplit(settings.PUBLIC_URL).netloc,
        "languages": settings.LANGUAGES,
        "shell": "base.html" if membership else "alone.html",
        "place": _place(request),
        "has": {feature.value: is_on(feature) for feature in Feature},
        "unread": SimpleLazyObject(lambda: _unread(membership)),
        "running": SimpleLazyObject(
            lambda: finding.running(membership.workspace_id) if membership else 0
        ),
        "others": SimpleLazyObject(lambda: _others(membership)),
    }


def _place(request: HttpRequest) -> str:
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return next((place for start, place in _PLACES.items() if name.startswith(start)), "")


def _unread(membership: Membership | None) -> int:
    if membership is None:
        return 0
    waiting = Conversation.objects.filter(workspace=membership.workspace_id, unread__gt=0)
    return waiting[:_MOST].count()


def _others(membership: Membership | None) -> list[Membership]:
    if membership is None:
        return []
    mine = Membership.objects.filter(user=membership.user_id, workspace__archived_at=None)
    mine = mine.exclude(pk=membership.pk)
    return list(mine.select_related("workspace").order_by("workspace__name", "pk"))
