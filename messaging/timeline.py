"""Why? What happened to one message, step by step, in words.

Built from the message's times, its trail (what was not the happy path) and the reports that came too
early. Pure: it asks the database nothing; `waiting` adds what only the present moment knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.site import FEWEST_DAYS
from lib import masks, money
from messaging.carrying import label_of
from messaging.counting import segments
from messaging.explaining import explain
from messaging.models import Attempt, IncomingPart, Message, Report, Status
from messaging.moments import moment, soon
from phones.base import Delivery, Reason
from phones.health import kind_of
from phones.models import Phone

# Attempts that tell how a message ended, by its state.
_ENDINGS = {
    Status.DELIVERED: {Attempt.Kind.ARRIVED},
    Status.FAILED: {Attempt.Kind.FAILED, Attempt.Kind.LOST},
    Status.CANCELLED: {Attempt.Kind.CANCELLED},
    Status.UNKNOWN: {Attempt.Kind.UNKNOWN},
}
# Attempts whose words are ours.
_NOT_QUOTED = {Attempt.Kind.LOOKED_UP, Attempt.Kind.FAILED_OVER}
# What came later than that, messages being kept for the fewest days, may have been there before.
_LONG_AGO = timedelta(days=FEWEST_DAYS["messages"])
GREY, BLUE, GREEN, RED, AMBER = "", "is-blue", "is-green", "is-red", "is-amber"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `icon` in a `tone` (a colour's class), what happened, what it means, when.

    `quote` are somebody's own words (the provider's), `quote_by` says whose.
    """

    icon: str
    tone: str
    title: str
    text: str = ""
    at: datetime | None = None
    quote_by: str = ""
    quote: str = ""


def steps(
    message: Message,
    trail: Sequence[Attempt] = (),
    reports: Sequence[Report] = (),
    parts: Sequence[IncomingPart] = (),
) -> list[Step]:
    """Give the steps of a message, oldest first. `parts` are those an incoming one came in."""
    if message.is_incoming:
        return _incoming(message, parts)
    on_the_way = [
        *(_attempt(message, attempt) for attempt in trail),
        *(_early(message, report) for report in reports),
        *_sent(message),
    ]
    # Providers' clocks are not ours: what comes first and last is known, the rest goes by its time.
    on_the_way.sort(key=lambda step: step.at or message.created_at)
    return [_begun(message, trail), *on_the_way, *_ending(message, trail)]


# ---- The happy path -----------------------------------------------------------------------------


def _begun(message: Message, trail: Sequence[Attempt]) -> Step:
    """Say who asked for it, and for when."""
    restarted = {attempt.created_at for attempt in trail}
    restarted |= {a.next_at for a in trail if a.kind == Attempt.Kind.QUIET and a.next_at}
    planned = message.send_at > message.created_at and message.send_at not in restarted
    by = _("By %(person)s.") % {"person": message.created_by} if message.created_by else ""
    when = _("It is to leave on %(time)s.") % {"time": moment(message.send_at)} if planned else ""
    return Step(
        icon="clock",
        tone=GREY,
        title=_("Planned") if planned else _("Queued"),
        text=" ".join(filter(None, [by, when])),
        at=message.created_at,
    )


def _ending(message: Message, trail: Sequence[Attempt]) -> list[Step]:
    """Give how it ended, unless the trail has told it."""
    tell = {
        Status.SENDING: _leaving,
        Status.DELIVERED: _delivered,
        Status.FAILED: _failed,
        Status.CANCELLED: _cancelled,
        Status.SKIPPED: _skipped,
        Status.UNKNOWN: _unknown,
    }.get(Status(message.status))
    return [tell(message)] if tell and not _is_told(message, trail) else []


def _is_told(message: Message, trail: Sequence[Attempt]) -> bool:
    """Say whether the trail ends with how the message ended, so that it is not told twice."""
    return bool(trail) and trail[-1].kind in _ENDINGS.get(Status(message.status), ())


def _sent(message: Message) -> list[Step]:
    if not message.sent_at:
        return []
    kind = kind_of(message.phone)
    words = {"phone": message.phone, "segments": segments(message.segments)}
    text = _("The provider of %(phone)s took it: %(segments)s.") % words
    if message.cost is not None and not message.cost_is_estimate:
        words["cost"] = money.spoken(message.cost, message.currency)
        text = _("The provider of %(phone)s took it: %(segments)s, %(cost)s.") % words
    if message.status == Status.SENT and kind and not kind.can.delivery:
        text += " " + _("This kind of phone cannot tell whether it arrives.")
    elif message.status == Status.SENT:
        text += " " + _("It will tell us whether it arrives.")
    return [Step("check", BLUE, _("Sent"), text, message.sent_at, *_called(message))]


def _delivered(message: Message) -> Step:
    text = _("%(provider)s says that it reached the handset.") % {
        "provider": label_of(message.phone)
    }
    said = _quote(message, message.phone)
    return Step("checks", GREEN, _("Delivered"), text, message.delivered_at, *said)


def _leaving(message: Message) -> Step:
    text = _("It is being handed over to %(phone)s.") % {"phone": message.phone}
    return Step("loader-2", BLUE, _("Sending"), text, message.claimed_at)


# ---- Endings that no attempt tells --------------------------------------------------------------


def _failed(message: Message) -> Step:
    return Step(
        "circle-x",
        RED,
        _("Not delivered"),
        explain(message.reason),
        message.ended_at,
        *_quote(message, message.phone),
    )


def _unknown(message: Message) -> Step:
    return Step(
        "help-circle",
        AMBER,
        _("Outcome unknown"),
        explain(message.reason or Reason.NO_ANSWER),
        message.ended_at,
        *_quote(message, message.phone),
    )


def _cancelled(message: Message) -> Step:
    text = explain(message.reason) if message.reason else _("It never left.")
    return Step("ban", GREY, _("Cancelled"), text, message.ended_at)


def _skipped(message: Message) -> Step:
    return Step("ban", GREY, _("Left out"), explain(message.reason), message.ended_at)


# ---- The trail ----------------------------------------------------------------------------------


def _attempt(message: Message, attempt: Attempt) -> Step:
    tell = {
        Attempt.Kind.TEMPORARY: _put_off,
        Attempt.Kind.THROTTLED: _throttled,
        Attempt.Kind.PAUSED: _paused,
        Attempt.Kind.UNKNOWN: _no_answer,
        Attempt.Kind.FAILED: _refused,
        Attempt.Kind.RESENT: _resent,
        Attempt.Kind.CANCELLED: _called_off,
        Attempt.Kind.MOVED: _moved,
        Attempt.Kind.FAILED_OVER: _failed_over,
        Attempt.Kind.ARRIVED: _arrived,
        Attempt.Kind.LOST: _lost,
        Attempt.Kind.LOOKED_UP: _looked_up,
        Attempt.Kind.NO_CARRIER: _no_carrier,
        Attempt.Kind.QUIET: _quiet,
        Attempt.Kind.HURRIED: _hurried,
        Attempt.Kind.QUOTA: _over_quota,
    }[Attempt.Kind(attempt.kind)]
    icon, tone, title, text = tell(message, attempt)
    if attempt.next_at and attempt.kind != Attempt.Kind.QUIET:
        text += " " + _("Next try: %(time)s.") % {"time": soon(attempt.next_at)}
    return Step(
        icon,
        tone,
        title,
        text,
        attempt.created_at,
        *(_quote(attempt, attempt.phone) if attempt.kind not in _NOT_QUOTED else ()),
    )


Telling = tuple[str, str, str, str]


def _put_off(message: Message, attempt: Attempt) -> Telling:
    title = _("%(phone)s could not hand it over") % {"phone": _name(attempt.phone)}
    return (
        "clock-pause",
        AMBER,
        title,
        _("Nothing left, so it is safe to try again, and we do."),
    )


def _throttled(message: Message, attempt: Attempt) -> Telling:
    text = _("The phone sent faster than its provider takes, so it slows down. Nothing left yet.")
    return "clock-pause", AMBER, _("Asked to slow down"), text


def _paused(message: Message, attempt: Attempt) -> Telling:
    title = _("%(phone)s could not send it") % {"phone": _name(attempt.phone)}
    text = _(
        "Every message would fail, so the phone was paused. Nothing left: it is safe to try elsewhere."
    )
    return "circle-x", RED, title, text


def _no_answer(message: Message, attempt: Attempt) -> Telling:
    lost = not attempt.words and not attempt.code
    title = _("The worker stopped") if lost else _("No usable answer came")
    if attempt.next_at:
        text = _(
            "It may have left or not. This phone sends such messages again by itself, so it may arrive "
            "twice."
        )
    else:
        text = explain(Reason.WORKER_LOST if lost else Reason.NO_ANSWER)
    return "help-circle", AMBER, title, text


def _refused(message: Message, attempt: Attempt) -> Telling:
    return "circle-x", RED, _("Refused"), explain(message.reason or Reason.REJECTED)


def _resent(message: Message, attempt: Attempt) -> Telling:
    title = _("Sent again by %(person)s") % {"person": _somebody(attempt)}
    return "send", GREY, title, _("If it had left the first time, it arrives twice.")


def _called_off(message: Message, attempt: Attempt) -> Telling:
    title = _("Cancelled by %(person)s") % {"person": _somebody(attempt)}
    text = _("It was not tried again.") if message.claimed_at else _("It never left.")
    return "ban", GREY, title, text


def _moved(message: Message, attempt: Attempt) -> Telling:
    title = _("Moved to %(phone)s") % {"phone": _name(attempt.phone)}
    text = _("By %(person)s.") % {"person": _somebody(attempt)}
    return "arrows-exchange", GREY, title, text


def _failed_over(message: Message, attempt: Attempt) -> Telling:
    title = _("Moved to %(phone)s by itself") % {"phone": _name(attempt.phone)}
    text = _("%(phone)s could not send it now. Nothing had left, so it cannot arrive twice.")
    return "arrows-exchange", GREY, title, text % {"phone": attempt.words}


def _hurried(message: Message, attempt: Attempt) -> Telling:
    title = _("Sent before its time by %(person)s") % {"person": _somebody(attempt)}
    text = _("It overtakes what waits, and quiet hours do not hold it.")
    return "send", GREY, title, text


def _arrived(message: Message, attempt: Attempt) -> Telling:
    title = _("It arrived, says %(person)s") % {"person": _somebody(attempt)}
    return "checks", GREEN, title, _("Settled by hand: the provider never answered.")


def _lost(message: Message, attempt: Attempt) -> Telling:
    title = _("It did not arrive, says %(person)s") % {"person": _somebody(attempt)}
    text = _("Settled by hand. If the provider still says that it arrived, we believe that.")
    return "circle-x", RED, title, text


def _looked_up(message: Message, attempt: Attempt) -> Telling:
    title = _("Carrier looked up: %(carrier)s") % {"carrier": attempt.words or attempt.code}
    text = _("By %(phone)s. It is kept, so that this number is never looked up again.")
    return "search", BLUE, title, text % {"phone": _name(attempt.phone)}


def _no_carrier(message: Message, attempt: Attempt) -> Telling:
    title = _("%(phone)s could not tell its carrier") % {"phone": _name(attempt.phone)}
    text = _("It is not asked again by itself, because each look-up may cost money.")
    return "search", AMBER, title, text


def _quiet(message: Message, attempt: Attempt) -> Telling:
    text = _("Nobody is to be written to at that hour, so it waits until %(time)s.")
    until = moment(attempt.next_at) if attempt.next_at else "…"
    return "clock-pause", GREY, _("Held in quiet hours"), text % {"time": until}


def _over_quota(message: Message, attempt: Attempt) -> Telling:
    text = _("There was no room for it in the quota, so it waited for that.")
    return "clock-pause", GREY, _("Held until the quota has room"), text


def _early(message: Message, report: Report) -> Step:
    """A report that came before its message was known by that name."""
    news = {
        Delivery.SENT: _("it is on its way"),
        Delivery.DELIVERED: _("it was delivered"),
        Delivery.FAILED: _("it was not delivered"),
    }.get(Delivery(report.state), "")
    text = _(
        "The provider said “%(news)s” before it had told us the message's name. We kept it."
    ) % {"news": news}
    return Step(
        "history",
        GREY,
        _("News came early"),
        text,
        report.created_at,
        *_quote(report, report.phone),
    )


def _incoming(message: Message, parts: Sequence[IncomingPart]) -> list[Step]:
    told = []
    if message.sent_at:
        told.append(
            Step("send", GREY, _("They sent it"), _("As the network tells."), message.sent_at)
        )
    text = _("It reached us by %(phone)s.") % {"phone": message.phone}
    told.append(Step("inbox", GREEN, _("Received"), text, message.created_at, *_called(message)))
    late = [part for part in parts if part.received_at > message.created_at]
    told += [_late(message, part) for part in sorted(late, key=lambda part: part.received_at)]
    if message.perhaps_repeated:
        told.append(_perhaps_repeated(message))
    if message.partial:
        told.append(_incomplete(message, parts))
    return told


def _late(message: Message, part: IncomingPart) -> Step:
    numbers = {"number": part.number, "total": message.segments}
    title = _("Part %(number)s of %(total)s came late") % numbers
    return Step("inbox", GREEN, title, _("It was put into its place."), part.received_at)


def _perhaps_repeated(message: Message) -> Step:
    if message.sent_at and message.created_at - message.sent_at > _LONG_AGO:
        text = _(
            "It was sent longer ago than messages are kept here, so it may be one that was there before, and "
            "that %(provider)s has told once more."
        ) % {"provider": label_of(message.phone)}
        title = _("Possibly the same message twice")
        return Step("help-circle", AMBER, title, text, message.created_at)
    text = _(
        "One with the same words came before it. The connection ended before it was certain that "
        "%(provider)s knew that we have that one, so it may have sent it again. Or the person wrote the "
        "same twice."
    ) % {"provider": label_of(message.phone)}
    return Step(
        "help-circle", AMBER, _("Possibly the same message twice"), text, message.created_at
    )


def _incomplete(message: Message, parts: Sequence[IncomingPart]) -> Step:
    """Say which parts are not here; as many as there are segments were to come."""
    here = {part.number for part in parts}
    missing = [number for number in range(1, message.segments + 1) if number not in here]
    title = ngettext(
        "Part %(numbers)s of %(total)s never came",
        "Parts %(numbers)s of %(total)s never came",
        len(missing),
    ) % {"numbers": ", ".join(map(str, missing)), "total": message.segments}
    text = _(
        "It was sent in parts, so this is what is there, with […] for the rest. What still comes within "
        "a day is put into its place. Ask the person to send it again if you cannot do without."
    )
    return Step("help-circle", AMBER, title, text, message.created_at)


# ---- Words --------------------------------------------------------------------------------------


def _quote(said: Attempt | Report | Message, phone: Phone | None) -> tuple[str, str]:
    """Give (who says it, their own words), both empty where nothing was said."""
    if not said.words and not said.code:
        return "", ""
    who = {"provider": label_of(phone) if phone else _("The provider"), "code": said.code}
    # Without a code the words may be ours: no answer came, or nothing could leave.
    by = _("%(provider)s says, code %(code)s") if said.code else _("In detail")
    return by % who, masks.said(said.words) or said.code


def _called(message: Message) -> tuple[str, str]:
    """Give (who names it, the name the provider gave it)."""
    if not message.provider_name:
        return "", ""
    by = _("%(provider)s calls it") % {"provider": label_of(message.phone)}
    return by, message.provider_name


def _name(phone: Phone | None) -> str:
    return phone.name if phone else _("A phone that is gone")


def _somebody(attempt: Attempt) -> str:
    return str(attempt.by) if attempt.by else _("somebody who has left")
