"""Which phones a message may leave by, and why not by the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from accounts.models import Workspace
from lib import destinations, e164, money
from messaging import carrying
from messaging.carrying import Load
from messaging.moments import lately
from phones.base import Money
from phones.health import kind_of
from phones.models import PauseReason, Phone
from phones.prices import prices_to


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list of phones.

    `off` is why it cannot be chosen, `warning` what to know when it is. `lacks` are the needs
    (carrying.NEEDS) it cannot serve, each with its few words: the browser greys it by them.
    `price` is that of a segment to a mobile of the workspace's country, "" where it is not known.
    """

    phone: Phone
    about: str
    off: str = ""
    warning: str = ""
    lacks: tuple[tuple[str, str], ...] = ()
    price: str = ""

    def blocked_by(self, load: Load) -> list[str]:
        """Give the needs of this load that the phone cannot serve."""
        return [need for need, _words in self.lacks if need in load.needs]


def choices(workspace: Workspace) -> list[Choice]:
    """Give every living phone, oldest first. One query.

    A paused phone keeps messages waiting, so it is offered only where no other could send them.
    """
    phones = list(workspace.phones.living().defer("settings").order_by("pk"))
    others = any(_can_send(phone) and not phone.is_paused for phone in phones)
    return [_choice(phone, others) for phone in phones]


def priced(offered: list[Choice], workspace: Workspace) -> list[Choice]:
    """Give the same lines with their prices. One query."""
    mobile = destinations.a_mobile_of(workspace.country)
    prices = prices_to(mobile, [line.phone for line in offered])
    return [replace(line, price=_spoken(prices.get(line.phone.pk))) for line in offered]


def _spoken(price: Money | None) -> str:
    if price is None:
        return ""
    return money.spoken(price.amount, price.currency) if price.amount else _("free")


def best(offered: list[Choice], wanted: str = "") -> Phone | None:
    """Give the phone to begin with: the wanted one (its id) where possible, else the first."""
    usable = [choice.phone for choice in offered if not choice.off]
    chosen = (phone for phone in usable if str(phone.pk) == wanted)
    return next(chosen, usable[0] if usable else None)


def _choice(phone: Phone, others: bool) -> Choice:
    off = warning = ""
    if kind_of(phone) is None:
        return Choice(phone=phone, about=phone.type, off=_("out of order"))
    if not _can_send(phone):
        off = _("cannot send")
    elif phone.is_paused and others:
        off = _paused(phone)
    elif phone.is_paused:
        warning = _("%(paused)s; messages wait until somebody starts it") % {
            "paused": _paused(phone)
        }
    lacks = tuple((need, carrying.short(need)) for need in carrying.lacks(phone))
    return Choice(phone=phone, about=_about(phone), off=off, warning=warning, lacks=lacks)


def _can_send(phone: Phone) -> bool:
    kind = kind_of(phone)
    return kind is not None and bool(kind.can.send)


def _about(phone: Phone) -> str:
    kind = kind_of(phone)
    parts = [
        str(carrying.label_of(phone)),
        e164.spoken(phone.address),
        _("receives replies") if kind and kind.can.receive else _("cannot receive replies"),
    ]
    return " · ".join(filter(None, parts))


def _paused(phone: Phone) -> str:
    assert phone.paused_at is not None
    time = lately(phone.paused_at)
    if phone.pause_reason == PauseReason.PERSON:
        return _("paused since %(time)s") % {"time": time}
    why = phone.get_pause_reason_display()
    words = {"time": time, "why": why[:1].lower() + why[1:]}
    return _("paused since %(time)s: %(why)s") % words
