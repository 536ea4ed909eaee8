"""How the session of a connected phone is, in what people can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lib.jobs import QueueDown
from phones import leases, limits, live
from phones.base import Words
from phones.health import kind_of
from phones.models import Phone

# State → what people read, its colour, its icon.
_STATES: dict[str, tuple[Words, str, str]] = {
    "bound": (_("Connected"), "is-green", "circle-check"),
    "binding": (_("Connecting"), "is-amber", "clock"),
    "draining": (_("Finishing"), "is-amber", "clock"),
    "unbinding": (_("Disconnecting"), "is-amber", "clock"),
    "closed": (_("Not connected"), "is-red", "alert-circle"),
}
_NAMES = {"trx": _("both ways"), "tx": _("sends"), "rx": _("receives")}


@dataclass(frozen=True, slots=True)
class Shown:
    """One bind for its line on the page; `percent` is the used part of the window."""

    name: str
    way: Words
    label: Words
    colour: str
    icon: str
    since: datetime
    window: int
    in_flight: int
    percent: int
    per_second: float
    answer_ms: float | None
    throttled: int
    in_doubt: int
    enquired: datetime | None
    received: datetime | None
    words: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The session of a phone. `host` holds it, "" = nobody does; `binds` is None until it says so.

    `is_kept` = somewhere there is who starts sessions, so that it is a matter of seconds.
    """

    host: str
    is_kept: bool
    binds: list[Shown] | None
    trace: list[str]
    tracing: int


def connection_of(phone: Phone) -> Connection:
    """Give how a phone's session is now; with the queue server away only whether there is one."""
    lease = leases.held(phone)
    host = (lease.host or "?") if lease else ""
    try:
        told = live.binds_of(phone.pk)
        trace, tracing = live.trace_of(phone.pk), live.wants_trace(phone.pk)
        is_kept = live.is_kept()
    except QueueDown:
        return Connection(host, True, None, [], 0)
    now = timezone.now()
    binds = None if told is None else [_shown(bind, now) for bind in told]
    return Connection(host, is_kept, binds if host else None, trace, tracing)


def is_connected(phone: Phone) -> bool:
    """Say whether all binds of a phone stand; with the queue server away it is believed."""
    try:
        told = live.binds_of(phone.pk)
    except QueueDown:
        return True
    return bool(told) and all(bind["state"] == "bound" for bind in told or ())


def unreachable(phones: Iterable[Phone]) -> set[int]:
    """Give the ids of phones through which nothing leaves now: their provider cannot be reached.

    Of those that stay connected, no bind stands. With the queue server away all are believed to be well.
    """
    connected, others = set(), []
    for phone in phones:
        kind = kind_of(phone)
        if kind and kind.connected:
            connected.add(phone.pk)
        else:
            others.append(phone.pk)
    try:
        told = {pk: live.binds_of(pk) or [] for pk in connected}
        lost = limits.lost(others)
    except QueueDown:
        return set()
    return lost | {pk for pk, binds in told.items() if all(b["state"] != "bound" for b in binds)}


def _shown(bind: dict[str, Any], now: datetime) -> Shown:
    label, colour, icon = _STATES.get(bind["state"], _STATES["closed"])

    def moment(seconds: float | None) -> datetime | None:
        return None if seconds is None else now - timedelta(seconds=seconds)

    window = bind["window"]
    return Shown(
        name=bind["name"],
        way=_NAMES.get(bind["name"].split()[0], ""),
        label=label,
        colour=colour,
        icon=icon,
        since=moment(bind["since"]) or now,
        window=window,
        in_flight=bind["in_flight"],
        percent=round(100 * bind["in_flight"] / window) if window else 0,
        per_second=bind["per_second"],
        answer_ms=bind["answer_ms"],
        throttled=bind["throttled"],
        in_doubt=bind["in_doubt"],
        enquired=moment(bind["enquired"]),
        received=moment(bind["received"]),
        words=bind["words"],
    )
