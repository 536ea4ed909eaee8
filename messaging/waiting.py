"""Why a message has not left yet: what only the present moment knows."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import NumberCarrier
from lib import masks
from lib.jobs import QueueDown
from messaging import quiet
from messaging.models import OVER_QUOTA, LookUp, Message, Status
from messaging.moments import moment, soon
from messaging.quota import ledger
from messaging.quota.showing import until_words
from messaging.timeline import AMBER, GREY, Step
from phones import limits, quotas
from phones.base import Reason
from phones.lookups import asker_of
from phones.models import Watch
from phones.standing import limit_words

# Messages counted before this one; past it people read "more than".
_MOST = 1000


def why_waiting(message: Message, now: datetime) -> Step:
    """Say what a queued message waits for, and when it goes on. A few queries, all by index."""
    if message.reason in OVER_QUOTA:
        return _over_quota(message, now)
    if message.held and message.campaign:
        return _in_campaign(message, now)
    phone = message.phone
    if phone.is_paused:
        return Step(
            "player-pause",
            AMBER,
            _("Waits: %(phone)s is paused") % {"phone": phone},
            _(
                "%(why)s. It leaves as soon as somebody starts the phone, or moves it to another one."
            )
            % {"why": phone.get_pause_reason_display()},
            quote_by=_("Said when it was paused") if phone.pause_words else "",
            quote=masks.said(phone.pause_words),
        )
    if message.send_at > now and quiet.waits(message, now):
        text = _("It leaves by itself on %(time)s. Until then it can be cancelled.")
        when = {"time": moment(message.send_at)}
        return Step("clock-pause", GREY, _("Waits for the end of quiet hours"), text % when)
    if message.send_at > now:
        text = _("It leaves by itself on %(time)s. Until then it can be cancelled.")
        when = {"time": moment(message.send_at)}
        return Step("calendar", GREY, _("Waits for its time"), text % when)
    if message.not_before > now:
        text = _("It is tried again by itself: %(time)s.") % {"time": soon(message.not_before)}
        return Step("clock", GREY, _("Waits for its next try"), text)
    if step := _limited(message, now):
        return step
    return _held(message) or _looked_up(message) or _behind(message, now) or _its_turn(message, now)


def _limited(message: Message, now: datetime) -> Step | None:
    """The phone rests for its failures, or has reached a limit."""
    if not message.phone.metered:
        return None
    watch = Watch.objects.filter(phone=message.phone_id).exclude(rests_until=None).first()
    if watch and watch.rests_until:
        return Step(
            "player-pause",
            AMBER,
            _("Waits: %(phone)s rests, because too many messages failed")
            % {"phone": message.phone},
            _("A few messages try it from %(time)s on. It goes on when these arrive.")
            % {"time": soon(watch.rests_until)},
            quote_by=_("Seen"),
            quote=masks.said(watch.words),
        )
    found = quotas.standings([message.phone], now).get(message.phone_id, [])
    full = next((one for one in found if one.is_full and one.until), None)
    if full is None or not full.until:
        return None
    return Step(
        "clock-pause",
        AMBER,
        _("Waits: %(phone)s has reached its limit") % {"phone": message.phone},
        _("%(limit)s. It leaves by itself from %(time)s on.")
        % {"limit": limit_words(full.limit), "time": soon(full.until)},
    )


def _over_quota(message: Message, now: datetime) -> Step:
    """A quota has no room for it."""
    quotas_of = ledger.of_workspace(message.workspace_id)
    wanted = message.created_by_id if message.reason == Reason.OWN_QUOTA else None
    mine = [quota for quota in quotas_of if quota.person_id == wanted]
    title = (
        _("Waits: the sender’s own quota is used up")
        if message.reason == Reason.OWN_QUOTA
        else _("Waits: the quota of the workspace is used up")
    )
    if not mine:
        return Step("clock-pause", AMBER, title, _("It leaves by itself in a moment."))
    text = until_words(ledger.standings(mine, now)[0])
    return Step("clock-pause", AMBER, title, text)


def _in_campaign(message: Message, now: datetime) -> Step:
    """Its campaign lets so many through as phones can send."""
    campaign = message.campaign
    named = {"campaign": campaign or ""}
    if campaign and campaign.state == "paused":
        text = _("It leaves once somebody lets the campaign go on.")
        return Step("player-pause", AMBER, _("Waits: %(campaign)s is paused") % named, text)
    if message.send_at > now:
        text = _("It leaves by itself on %(time)s.") % {"time": moment(message.send_at)}
        return Step("calendar", GREY, _("Waits for its time in %(campaign)s") % named, text)
    text = _("A campaign lets only so many through as its phones can send in half a minute.")
    return Step("clock", GREY, _("Waits for its turn in %(campaign)s") % named, text)


def _held(message: Message) -> Step | None:
    """The phone rests, or nothing can be sent at all."""
    try:
        pace = limits.pace(message.phone)
    except QueueDown:
        text = _("The queue server does not answer. Nothing is lost: it leaves when that is back.")
        return Step("clock-pause", AMBER, _("Waits for the queue"), text)
    if not pace.held:
        return None
    text = ngettext(
        "The phone goes on in %(count)s second.",
        "The phone goes on in %(count)s seconds.",
        max(1, round(pace.held)),
    )
    return Step(
        "clock-pause",
        AMBER,
        _("Waits: %(phone)s rests for a moment") % {"phone": message.phone},
        text % {"count": max(1, round(pace.held))},
        quote_by=_("The reason") if pace.why else "",
        quote=pace.why,
    )


def _looked_up(message: Message) -> Step | None:
    """The carrier of its number is not known yet (see looking_up)."""
    asker = asker_of(message.phone)
    of = {"workspace": message.workspace_id, "number": message.peer}
    if asker is None or NumberCarrier.objects.filter(**of).exists():
        return None
    asked = LookUp.objects.filter(**of).first()
    if asker.is_paused:
        text = _("Carriers are looked up through it. The message leaves once somebody starts it.")
        return Step("player-pause", AMBER, _("Waits: %(phone)s is paused") % {"phone": asker}, text)
    if asked and asked.problem and not asked.asked_at:
        text = _("It is looked up again by itself: %(time)s.") % {"time": soon(asked.again_at)}
        return Step(
            "clock-pause",
            AMBER,
            _("Waits: its carrier could not be looked up"),
            text,
            quote_by=_("%(phone)s says") % {"phone": asker},
            quote=asked.problem,
        )
    text = _("%(phone)s is asked whose number it is, once.") % {"phone": asker}
    return Step("search", GREY, _("Waits until its carrier is looked up"), text)


def _behind(message: Message, now: datetime) -> Step | None:
    """An earlier message to the same number is under way (see sending.due)."""
    earlier = Message.objects.filter(
        Q(status=Status.SENDING) | Q(status=Status.QUEUED, send_at__lte=now),
        held=False,
        phone=message.phone_id,
        peer=message.peer,
        id__lt=message.pk,
        priority__lte=message.priority,
    )
    if not earlier.exists():
        return None
    text = _(
        "People get our messages in the order they were written, so the earlier one goes first."
    )
    return Step("clock", GREY, _("Waits for an earlier message to this number"), text)


def _its_turn(message: Message, now: datetime) -> Step:
    first = Q(priority__lt=message.priority) | Q(
        priority=message.priority, not_before__lte=message.not_before, id__lt=message.pk
    )
    ahead = Message.objects.filter(
        first, phone=message.phone_id, status=Status.QUEUED, held=False, not_before__lte=now
    )[:_MOST].count()
    if not ahead:
        if now - message.not_before > timedelta(seconds=30):
            text = _("It is next. If this lasts, no worker is running: ask who runs this site.")
            return Step("clock", AMBER, _("Waits for a worker"), text)
        return Step("clock", GREY, _("Waits for its turn"), _("It is next."))
    words = ngettext(
        "%(count)s message leaves before it, at %(rate)s a second.",
        "%(count)s messages leave before it, at %(rate)s a second.",
        ahead,
    )
    if ahead == _MOST:
        words = _("More than %(count)s messages leave before it, at %(rate)s a second.")
    text = words % {"count": ahead, "rate": f"{message.phone.rate:g}"}
    return Step("clock", GREY, _("Waits for its turn"), text)
