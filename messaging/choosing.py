"""Which phones a message may leave by, and why not by the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from accounts.models import Workspace
from lib import destinations, e164, money
from messaging import carrying
from messaging.carrying import Load
from messaging.moments import lately
from messaging.permitting import Permit
from messaging.routing import Route
from phones.base import Money
from phones.health import kind_of
from phones.models import PauseReason, Phone
from phones.prices import prices_to
from phones.quotas import Standing, standings
from phones.standing import left_words

# The value of “any phone” in a form; a phone's is its id, a pool's g and its id.
ANY = "any"


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list of phones: a phone.

    `off` is why it cannot be chosen, `warning` what to know when it is. `lacks` are the needs
    (carrying.NEEDS) it cannot serve, each with its few words: the browser greys it by them.
    `price` is that of a segment to a mobile of the workspace's country, "" where it is not known.
    `is_full`: nothing leaves by it now, because of a limit.
    """

    phone: Phone
    about: str
    off: str = ""
    warning: str = ""
    lacks: tuple[tuple[str, str], ...] = ()
    price: str = ""
    is_full: bool = False
    icon = ""

    @property
    def value(self) -> str:
        return str(self.phone.pk)

    @property
    def name(self) -> str:
        return self.phone.name

    @property
    def route(self) -> Route:
        return Route(self.phone)

    def blocked_by(self, load: Load) -> list[str]:
        """Give the needs of this load that the phone cannot serve."""
        return [need for need, _words in self.lacks if need in load.needs]


@dataclass(frozen=True, slots=True)
class Several:
    """One line of the list of phones: a group of them, or any."""

    route: Route
    value: str
    about: str
    off: str = ""
    warning: str = ""
    lacks: tuple[tuple[str, str], ...] = ()
    price: str = ""
    icon = "route"

    @property
    def name(self) -> str:
        return str(self.route)

    def blocked_by(self, load: Load) -> list[str]:
        """Give the needs of this load that none of the phones can serve."""
        return [need for need, _words in self.lacks if need in load.needs]


def routes(workspace: Workspace, permit: Permit | None = None) -> list[Choice | Several]:
    """Give every phone, then what may leave by several: groups, and any phone. At most six queries.

    With a permit, those only that it allows.
    """
    phones = choices(workspace, permit)
    sending = [line for line in phones if _can_send(line.phone)]
    if len(sending) < 2:
        return [*phones]
    by_id = {line.phone.pk: line.phone for line in sending}
    full = {line.phone.pk for line in sending if line.is_full}
    pools = workspace.pools.prefetch_related("places")
    only = permit.phones if permit else None
    groups = [
        _several(
            Route(pool=pool, only=only),
            f"g{pool.pk}",
            [by_id[place.phone_id] for place in pool.places.all() if place.phone_id in by_id],
            full,
        )
        for pool in pools
        if only is None or not only.isdisjoint(place.phone_id for place in pool.places.all())
    ]
    real = [phone for phone in by_id.values() if not phone.kind.pretends]
    anything = [_several(Route(only=only), ANY, real, full)] if len(real) > 1 else []
    return [*phones, *groups, *anything]


def _several(route: Route, value: str, phones: list[Phone], full: set[int]) -> Several:
    if not phones:
        return Several(route, value, _("no phone that sends is in it"), off=_("cannot send"))
    if route.is_any:
        about = _("whichever can, by priority and weight")
    else:
        about = ", ".join(phone.name for phone in phones)
    warning = ""
    if all(phone.is_paused for phone in phones):
        warning = _("all are paused; messages wait until somebody starts one")
    elif all(phone.is_paused or phone.pk in full for phone in phones):
        warning = _("all have reached their limits, or are paused; messages wait")
    # Pictures go as links where no phone sends them.
    missing = set.intersection(*(set(carrying.lacks(phone)) for phone in phones)) - {"mms_out"}
    lacks = tuple((need, carrying.short(need)) for need in carrying.NEEDS if need in missing)
    return Several(route, value, about, warning=warning, lacks=lacks)


def choices(workspace: Workspace, permit: Permit | None = None) -> list[Choice]:
    """Give every living phone that is permitted, oldest first. One query, and those for what limits leave.

    A paused phone keeps messages waiting, so it is offered only where no other could send them.
    """
    living = workspace.phones.living().defer("settings").order_by("pk")
    phones = [phone for phone in living if permit is None or permit.may_use(phone)]
    for phone in phones:
        phone.workspace = workspace
    others = any(_can_send(phone) and not phone.is_paused for phone in phones)
    left = standings(phones)
    return [_choice(phone, others, left.get(phone.pk, [])) for phone in phones]


def priced(offered: list[Choice | Several], workspace: Workspace) -> list[Choice | Several]:
    """Give the same lines, those of phones with their prices. One query."""
    mobile = destinations.a_mobile_of(workspace.country)
    prices = prices_to(mobile, [line.phone for line in offered if isinstance(line, Choice)])
    return [
        replace(line, price=_spoken(prices.get(line.phone.pk)))
        if isinstance(line, Choice)
        else line
        for line in offered
    ]


def _spoken(price: Money | None) -> str:
    if price is None:
        return ""
    return money.spoken(price.amount, price.currency) if price.amount else _("free")


def best(offered: list[Choice | Several], wanted: str = "") -> str:
    """Give the value to begin with: the wanted one where possible, else that of the first; "" of none."""
    usable = [line.value for line in offered if not line.off]
    return wanted if wanted in usable else next(iter(usable), "")


def _choice(phone: Phone, others: bool, left: list[Standing]) -> Choice:
    off = warning = ""
    about = _about(phone)
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
    elif left and left[0].is_full:
        warning = left_words(left[0])
    elif left:
        about = f"{about} · {left_words(left[0])}"
    lacks = tuple((need, carrying.short(need)) for need in carrying.lacks(phone))
    is_full = bool(left) and left[0].is_full
    return Choice(phone, about, off=off, warning=warning, lacks=lacks, is_full=is_full)


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
