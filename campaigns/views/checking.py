"""Before anything is sent: how many people, who not and why, what it costs, when it ends. Then: go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages as notices
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts import activity
from accounts.http import MemberRequest, sender
from accounts.places import countries
from campaigns import (
    approving,
    birthdays,
    previewing,
    recurring,
    rehearsing,
    rhythms,
    showing,
    steering,
    texts,
)
from campaigns.birthdays import Expected
from campaigns.forms import version
from campaigns.judging import Judge
from campaigns.models import Approval, Campaign, State
from campaigns.steering import Refused
from campaigns.views.finding import find, recurrence_of
from contacts.importing.reading import Unreadable
from lib import money
from messaging import carrying, permitting, quiet, routing
from messaging.moments import moment
from messaging.permitting import Permit
from messaging.planning import duration
from messaging.quota import ledger
from messaging.quota.ledger import Balance
from messaging.quota.showing import short_words
from messaging.routing import Candidate
from messaging.threads import Picture
from phones.base import Reason
from phones.models import Phone, Unit

# Countries whose quiet hours are named, and runs to come whose people are counted.
_MOST_COUNTRIES, _RUNS = 5, 5


@dataclass(frozen=True, slots=True)
class Out:
    """Some that get nothing, and why."""

    key: str
    label: str
    amount: int


@require_GET
@sender
def check(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Show what would happen; while that is found out, the page asks for news by itself."""
    here = find(request, pk)
    if here.state not in (State.DRAFT, State.ASKED):
        return redirect("campaign", pk=pk)
    asked = approving.open_request(here) if here.state == State.ASKED else None
    mine = permitting.of_member(request.membership, request.workspace)
    _hold(here, asked, mine)
    blockers = steering.obstacles(here)
    if not blockers:
        steering.check(here)
    runs = _next_runs(here)
    if runs:
        # Of those whose day it is, only the next ones get it.
        here.plan |= runs[0].figures
    shown = _shown(here, blockers) | {
        "recurrence": recurrence_of(here),
        "runs": runs,
        "asked": asked,
        "must_ask": mine.must_ask and not steering.is_approved(here),
        "may_approve": asked and request.membership.may_manage and asked.asked_by != request.user,
        "has_passed": approving.has_passed(here),
        "chosen": showing.chosen(here) if asked else None,
        "pictures": [Picture(item) for item in here.media.order_by("pk")] if asked else [],
        "zone": timezone.get_current_timezone_name().replace("_", " "),
    }
    template = "_check" if request.htmx else "check"
    return render(request, f"campaigns/{template}.html", shown)


def _next_runs(here: Campaign) -> list[Expected]:
    """Give how many each of the next runs reaches, where each person has a day of their own."""
    recurrence = recurrence_of(here)
    if recurrence is None or not recurrence.birthday or here.planned_at is None:
        return []
    try:
        rhythm = recurring.rhythm_of(recurrence)
    except rhythms.BadRule:
        return []
    return birthdays.expected(rhythm, here.plan.get("days", {}), _RUNS, timezone.now())


def _hold(here: Campaign, asked: Approval | None, mine: Permit) -> None:
    """Check it by the limits of who asked for it, else of who is to send it: whoever looks."""
    recurrence = recurrence_of(here)
    if asked:
        asker = permitting.of(here.workspace, asked.asked_by, kept=here.limits)
        steering.hold_to(here, asker.limits)
    elif recurrence is None or recurrence.started_at is None:
        steering.hold_to(here, mine.limits)


def _shown(here: Campaign, blockers: list[str]) -> dict[str, Any]:
    plan = here.plan
    now = timezone.now()
    is_ready = here.planned_at is not None and not blockers
    found = routing.candidates(here.workspace, Judge.route_of(here))
    phones = [item.phone for item in found]
    begins = here.send_at if here.send_at and here.send_at > now else None
    limits = [] if begins else _limits(here, found)
    balances = ledger.standings(ledger.of_person(here.workspace, here.created_by))
    seconds = rehearsing.seconds(here, phones) if is_ready and not limits else None
    if plan.get("problem"):
        blockers = [*blockers, str(plan["problem"])]
    if here.send_at and not begins and not recurrence_of(here) and here.state == State.DRAFT:
        blockers = [*blockers, _("Its time has passed. Choose a later one, or send it now.")]
    if is_ready and not plan.get("people"):
        blockers = [*blockers, _("Nobody would get it: everybody is left out.")]
    return {
        "campaign": here,
        "balances": balances,
        "plan": plan,
        "is_ready": is_ready,
        "is_moving": plan.get("state") == "running" and not blockers,
        "share": _share(plan),
        "blockers": blockers,
        "warnings": [
            *_warnings(here, phones),
            *_over_quota(here, balances),
            *limits,
            *_quiet(here, begins or now),
        ]
        if is_ready
        else [],
        "spread": duration(here.spread) if here.spread else "",
        "out": _out(plan),
        "out_amount": sum(plan.get("out", {}).values()),
        "costs": _costs(plan),
        "takes": duration(seconds) if seconds else "",
        "begins": begins,
        # Nobody knows yet where the last of them lives.
        "ends": "" if here.own_zone else _end(begins or now, seconds),
        "lacks": previewing.lacks(here),
        "countries": _countries(plan),
        "version": version(here),
        "preview": previewing.preview(here) if is_ready else None,
    }


def _share(plan: dict[str, Any]) -> str:
    return f"{100 * plan.get('seen', 0) / max(1, plan.get('expected', 0)):.1f}"


def _out(plan: dict[str, Any]) -> list[Out]:
    labels = _labels()
    found = sorted(plan.get("out", {}).items(), key=lambda item: -item[1])
    return [Out(key, labels.get(key, key), amount) for key, amount in found if amount]


def _labels() -> dict[str, str]:
    return {
        "repeated": _("They are there more than once, and get it once"),
        "excluded": _("You left them out"),
        rehearsing.NO_DAY: _("We do not know their day"),
        **{reason: str(label) for reason, label in Reason.choices},
    }


def _costs(plan: dict[str, Any]) -> str:
    return " + ".join(money.about(amount, code) for code, amount in plan.get("costs", {}).items())


def _countries(plan: dict[str, Any]) -> list[tuple[str, int]]:
    names = dict(countries())
    found = sorted(plan.get("countries", {}).items(), key=lambda item: -item[1])
    return [(names.get(code, code) or _("Unknown"), amount) for code, amount in found]


def _end(begins: datetime, seconds: float | None) -> datetime | None:
    if not seconds or seconds > timedelta(days=366).total_seconds():
        return None
    return begins + timedelta(seconds=seconds)


def _warnings(here: Campaign, phones: Iterable[Phone]) -> list[str]:
    """Say what nobody is kept from, but should know."""
    plan, found = here.plan, []
    ready = [phone for phone in phones if not phone.is_paused]
    if not ready:
        found.append(_("Its phones are paused: messages wait until somebody starts one."))
    load = carrying.Load(here.text, picture=here.has_picture, flash=here.flash)
    if here.phone and (obstacle := carrying.obstacle(here.phone, load)):
        found.append(obstacle)
    if (unpriced := plan.get("unpriced")) and plan.get("costs"):
        words = ngettext(
            "The price of %(count)s message is not known.",
            "The price of %(count)s messages is not known.",
            unpriced,
        )
        found.append(words % {"count": number_format(unpriced, force_grouping=True)})
    each = plan.get("segments", 0) / max(1, plan.get("people", 0))
    if each >= 2:
        words = _("A message takes %(count)s segments on average, and each is paid for.")
        found.append(words % {"count": number_format(each, decimal_pos=1)})
    found += [str(words) for words in plan.get("problems", {})]
    return found


def _limits(here: Campaign, found: Iterable[Candidate]) -> list[str]:
    """Say how many can leave before the phones' limits are reached, where these do not let all through."""
    needed = {
        Unit.SEGMENTS: here.plan.get("segments", 0),
        Unit.MESSAGES: here.plan.get("people", 0),
        Unit.PEOPLE: here.plan.get("people", 0),
    }
    room = 0.0
    for item in found:
        shares = [s.left / max(1, needed[Unit(s.limit.unit)]) for s in item.standings]
        room += min(shares, default=1.0)
    people = here.plan.get("people", 0)
    if room >= 1 or not people:
        return []
    if room * people < 1:
        return [_("The limits of its phones are reached: everybody waits until there is room.")]
    words = ngettext(
        "The limits of its phones leave room for about %(count)s person now. The others wait.",
        "The limits of its phones leave room for about %(count)s people now. The others wait.",
        int(room * people),
    )
    return [words % {"count": number_format(int(room * people), force_grouping=True)}]


def _over_quota(here: Campaign, balances: Iterable[Balance]) -> list[str]:
    """Say what its quotas would not let through, and until when."""
    people, segments = here.plan.get("people", 0), here.plan.get("segments", 0)
    return [words for one in balances if (words := short_words(one, people, segments))]


def _quiet(here: Campaign, begins: datetime) -> list[str]:
    """Say where people sleep when it begins, and until when they are left alone."""
    if here.urgent:
        return []
    hours, names, found = quiet.of(here.workspace), dict(countries()), []
    for code in here.plan.get("countries", {}) if hours else ():
        until = hours.allowed_at(code, begins)
        if until > begins:
            words = _("Quiet hours in %(country)s: messages there wait until %(time)s.")
            named = {"country": names.get(code) or _("Unknown"), "time": moment(until)}
            found.append(words % named)
    return found[:_MOST_COUNTRIES]


@require_GET
@sender
def left_out(request: MemberRequest, pk: int) -> HttpResponse:
    """List who would get nothing for one reason, some at a time."""
    here = find(request, pk)
    why = request.GET.get("why", "")
    labels = _labels()
    found, problem = previewing.LeftOut([], ""), ""
    repeats = previewing.repeats(here) if why == "repeated" else []
    if why in labels and why and why != "repeated":
        try:
            found = previewing.left_out(here, why, request.GET.get("behind", ""))
        except (texts.Bad, Unreadable) as error:
            problem = str(error)
    shown = {
        "campaign": here,
        "why": why,
        "label": labels.get(why, ""),
        "found": found,
        "problem": problem,
        "is_first": not request.GET.get("behind"),
        "repeats": repeats,
        "repeated": here.plan.get("out", {}).get("repeated", 0),
    }
    return render(request, "campaigns/left_out.html", shown)


def is_checked(request: MemberRequest, here: Campaign, mine: Permit) -> bool:
    """Say whether this very version was checked, and by the limits of whoever is to send it."""
    is_same = here.planned_at is not None and request.POST.get("version") == version(here)
    recurrence = recurrence_of(here)
    # What has run before keeps the limits of who let it run.
    keeps = recurrence is not None and recurrence.started_at is not None
    return is_same and (keeps or here.limits == mine.limits.dump())


@require_POST
@sender
def start(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Send it, or let it wait for its time: exactly what was checked."""
    here = find(request, pk)
    if here.is_live:
        return redirect("campaign", pk=pk)
    mine = permitting.of_member(request.membership, request.workspace)
    try:
        if recurrence_of(here):
            raise Refused(_("It recurs. Let it run instead."))
        if not is_checked(request, here, mine):
            raise Refused(_("It was changed since it was checked. Look at it again, then send it."))
        if here.send_at and here.send_at < timezone.now() - timedelta(minutes=1):
            raise Refused(_("Its time has passed. Choose a later one, or send it now."))
        steering.start(here, request.user)
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign" if here.state == State.SCHEDULED else "campaign_check", pk=pk)
    activity.record("campaign.started", subject=here, workspace=request.workspace)
    if here.state == State.SCHEDULED and here.send_at:
        words = _("It begins by itself on %(time)s.")
        notices.success(request, words % {"time": moment(here.send_at)})
    else:
        notices.success(request, _("It has begun."))
    return redirect("campaign", pk=pk)
