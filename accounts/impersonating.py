"""Site administrators who act as somebody else, to see what they see: said on every page, written down.

The session stays the administrator's; only who asks changes. It ends by the button, by logging out,
after an hour, and when the administrator or the person no longer is what they were.
"""

from __future__ import annotations

import time

from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.activity import Acting, address_of, record
from accounts.models import User

_KEY = "impersonates"
# Seconds.
LONGEST = 60 * 60
# Names of addresses (how they begin) that are for the person alone.
_CLOSED = (
    "mfa_", "account_change", "account_reauth", "email_", "session", "connection", "admin_", "setup",
)  # fmt: skip


def may(administrator: User, person: User) -> bool:
    """Say whether `administrator` may act as `person`: never as another administrator."""
    return (
        administrator.is_superuser
        and administrator.is_active
        and person.is_active
        and not (person.is_superuser or person.is_staff)
        and administrator.pk != person.pk
    )


def start(request: HttpRequest, person: User, reason: str) -> None:
    """Act as `person` from the next request on. The caller has asked `may`."""
    kept = {"person": person.pk, "reason": reason, "at": time.time()}
    request.session[_KEY] = kept | {"workspace": request.session.pop("workspace", None)}
    record("impersonation.started", subject=person, reason=reason)


def stop(request: HttpRequest, person: User | None = None) -> None:
    """Act as oneself again, in the workspace one came from."""
    kept = request.session.pop(_KEY, {})
    request.session["workspace"] = kept.get("workspace")
    record("impersonation.ended", subject=person or "", actor=_real(request))


def _real(request: HttpRequest) -> User:
    return getattr(request, "impersonator", None) or request.user  # type: ignore[return-value]


def enter(request: HttpRequest) -> None:
    """Put the person in the place of the administrator, as long as that holds."""
    kept = request.session.get(_KEY)
    if not kept:
        return
    person = User.objects.filter(pk=kept["person"]).first()
    is_over = time.time() - kept["at"] > LONGEST
    if person is None or is_over or not may(request.user, person):  # type: ignore[arg-type]
        stop(request, person)
        return
    request.impersonator = request.user  # type: ignore[attr-defined]
    request.impersonation = kept  # type: ignore[attr-defined]
    request.user = person


def acting_of(request: HttpRequest) -> Acting:
    """Give who is behind a request of somebody who is logged in."""
    real = _real(request)
    behalf = request.user if real != request.user else None
    return Acting(user=real, behalf=behalf, address=address_of(request))  # type: ignore[arg-type]


def is_closed(name: str) -> bool:
    """Say whether nobody may go there in somebody else's place."""
    return name.startswith(_CLOSED)


def refusal() -> str:
    return _(
        "This is for the person alone. You act as somebody else: go back to yourself to do this for you."
    )
