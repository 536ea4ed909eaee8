"""Calls: who rang one of our numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.http import MemberRequest, member
from contacts.services import names
from messaging.models import Call
from phones.health import kind_of
from phones.models import Phone

# Calls of one page.
_PAGE = 50
# A call that nobody reported the end of is not believed to ring longer than this.
_RINGS = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Line:
    """One call: `said` is its outcome in words, `look` and `icon` are those of the chip."""

    call: Call
    said: str
    look: str
    icon: str

    @property
    def length(self) -> str:
        """Give how long it took, as 0:12 or 1:04:30; "" while that is unknown."""
        if self.call.seconds is None:
            return ""
        minutes, seconds = divmod(self.call.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    @property
    def can_be_reached(self) -> bool:
        return self.call.peer.startswith("+")


@require_GET
@member
def calls(request: MemberRequest) -> HttpResponse:
    """List the calls, newest first; to an open page that asks again, the list alone."""
    before = request.GET.get("before", "")
    rows = request.workspace.calls.select_related("phone").defer("phone__settings").order_by("-pk")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: _PAGE + 1])
    now = timezone.now()
    context = {
        "lines": [_line(call, now) for call in found[:_PAGE]],
        "older": found[_PAGE - 1].pk if len(found) > _PAGE else None,
        "is_newest": not before,
        "names": names(request.workspace.pk, {call.peer for call in found}),
        "able": [] if found else _able(request),
    }
    template = "messaging/_calls.html" if request.htmx else "messaging/calls.html"
    return render(request, template, context)


def _able(request: MemberRequest) -> list[Phone]:
    """Give the phones that can tell of calls."""
    phones = request.workspace.phones.living().defer("settings").order_by("pk")
    return [phone for phone in phones if (kind := kind_of(phone)) and kind.can.call]


def _line(call: Call, now: datetime) -> Line:
    if call.ended_at is None and call.started_at > now - _RINGS:
        return Line(call, _("Ringing"), "is-blue", "phone-incoming")
    if call.ended_at is None:
        return Line(call, _("Its end was not reported"), "", "help-circle")
    said, look, icon = _outcomes().get(call.outcome, (call.outcome or _("Ended"), "", "phone"))
    return Line(call, said, look, icon)


def _outcomes() -> dict[str, tuple[str, str, str]]:
    """Give the words that providers use for how a call ended → ours, the chip's look and its icon."""
    missed = (_("Missed"), "is-amber", "phone-incoming")
    return {
        "completed": (_("Answered"), "is-green", "check"),
        "no-answer": missed,
        "busy": (_("Busy"), "is-amber", "phone-incoming"),
        "canceled": (_("They hung up"), "is-amber", "phone-incoming"),
        "failed": (_("Could not be connected"), "is-red", "circle-x"),
    }
