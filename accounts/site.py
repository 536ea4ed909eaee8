"""What holds for the whole site: what administrators have set, else what the environment says."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import DatabaseError

from accounts.models import Site, Workspace

# The fewest days that messages may be kept: providers repeat what they told, and receipts come late.
FEWEST_DAYS = {"texts": 1, "messages": 30}
# Seconds until a process looks whether another one has changed it.
_FRESH_FOR = 5.0
_known: tuple[float, Site] | None = None


def current() -> Site:
    """Give the row, without its logo and secrets; a new one where nobody has set anything yet.

    While the database is away, what was known last: pages that say so show the site's name, too.
    """
    if _known and time.monotonic() < _known[0]:
        return _known[1]
    try:
        row = Site.objects.defer("logo", "mail_secrets").filter(pk=1).first() or Site(pk=1)
    except DatabaseError:
        return _known[1] if _known else Site(pk=1)
    remember(row)
    return row


def remember(row: Site, seconds: float = _FRESH_FOR) -> None:
    """Answer `row` for so long without asking the database."""
    global _known  # noqa: PLW0603
    _known = (time.monotonic() + seconds, row)


def sign_up_is_open() -> bool:
    chosen = current().signup_open
    return bool(settings.SIGNUP_OPEN) if chosen is None else chosen


def sign_up_domains() -> list[str]:
    """Give the domains whose addresses may sign up; none means any."""
    chosen = current().signup_domains
    return list(settings.SIGNUP_DOMAINS) if chosen is None else chosen.split()


def may_sign_up(email: str) -> bool:
    """Say whether this address may, where sign-up is open."""
    domains = sign_up_domains()
    return not domains or email.rpartition("@")[2] in domains


def second_factor() -> str:
    """Say of whom one is wanted: nobody, administrators or everybody."""
    return current().second_factor or str(settings.REQUIRE_SECOND_FACTOR)


def keep_days(kind: str, workspace: Workspace) -> int | None:
    """Give for how many days a workspace keeps its `texts` or `messages`, None for good.

    The shorter of what the site and the workspace say.
    """
    said = (getattr(owner, f"keep_{kind}_days") for owner in (current(), workspace))
    return min((days for days in said if days is not None), default=None)


def keep_exchanges_days() -> int:
    chosen = current().keep_exchanges_days
    return int(settings.KEEP_EXCHANGES_DAYS) if chosen is None else chosen
