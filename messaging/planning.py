"""What will happen when a form is sent: who gets the message, who does not and why, how long it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Workspace
from accounts.places import countries
from contacts.services import opted_out
from lib import e164, masks
from messaging import costs, media, routing
from messaging.carrying import Load
from messaging.models import Media
from messaging.routing import Assigned, Route
from phones.models import Phone
from phones.prices import Estimate

# Numbers that one form takes: what a person can still look over.
MOST_NUMBERS = 1000
# People that one form reaches, groups and all: rows that one transaction takes in a second or two.
MOST_PEOPLE = 10_000
# Numbers that are shown, and mistakes that are named, one by one; the others are counted.
_SHOWN, _NAMED = 12, 20
# A picture's id, as long as they are: the length of its link is known before it is stored.
_LIKELY_ID = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`numbers` get the message; `stopped` asked for no more, and no phone can reach those `beyond`.

    `segments`, `seconds` and `cost` are for all. `cost` is None where the phones have no prices, and for
    pictures that are sent; `linked` = they go as links in the text. `late` wait at first, and `why`.
    """

    numbers: tuple[str, ...]
    stopped: tuple[str, ...]
    reading: e164.Reading
    segments: int
    seconds: float | None
    cost: Estimate | None = None
    beyond: tuple[str, ...] = ()
    linked: bool = False
    late: int = 0
    why: str = ""

    @property
    def costs(self) -> str:
        """Say what it costs: about 8.53 EUR; nothing where no price is known at all."""
        return costs.in_words(self.cost) if self.cost and self.numbers else ""

    @property
    def unpriced(self) -> str:
        """Say for how many numbers the price is not known."""
        count = self.cost.unknown if self.cost and self.cost.amounts else 0
        if not count:
            return ""
        words = ngettext(
            "price unknown for %(count)s number", "price unknown for %(count)s numbers", count
        )
        return words % {"count": number_format(count, force_grouping=True)}

    @property
    def people(self) -> int:
        return len(self.numbers)

    @property
    def left_out(self) -> int:
        left_out = len(self.stopped) + len(self.beyond)
        return left_out + len(self.reading.repeated) + len(self.reading.invalid)

    @property
    def left_out_words(self) -> str:
        """Say why: 2 opted out, 1 twice, 1 wrong."""
        stopped, twice, wrong = map(
            len, (self.stopped, self.reading.repeated, self.reading.invalid)
        )
        parts = [
            _("%(count)s opted out") % {"count": stopped} if stopped else "",
            _("%(count)s twice") % {"count": twice} if twice else "",
            _("%(count)s wrong") % {"count": wrong} if wrong else "",
            _("%(count)s out of reach") % {"count": len(self.beyond)} if self.beyond else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def shown(self) -> tuple[str, ...]:
        """Give the numbers that are named one by one."""
        return self.numbers[:_SHOWN]

    @property
    def stopped_shown(self) -> tuple[str, ...]:
        return self.stopped[:_SHOWN]

    @property
    def named(self) -> tuple[str, ...]:
        """Give the numbers that are shown, opted out or not."""
        return self.shown + self.stopped_shown

    @property
    def unshown(self) -> int:
        return len(self.numbers) - len(self.shown)

    @property
    def takes(self) -> str:
        """Say how long the phone needs: 20 s, 3 min, 2 h."""
        return duration(self.seconds) if self.seconds is not None and self.numbers else ""

    @property
    def button(self) -> str:
        """Give the words of the main button."""
        if not self.numbers:
            return _("Send")
        words = ngettext("Send to %(count)s person", "Send to %(count)s people", self.people)
        return words % {"count": number_format(self.people, force_grouping=True)}


def plan(
    workspace: Workspace,
    reading: e164.Reading,
    text: str,
    route: Route | None,
    *,
    picture: bool = False,
    flash: bool = False,
) -> Plan:
    """Work out what would happen: at most one query per 500 numbers, and a few for each phone."""
    stopped = opted_out(workspace, reading.numbers[: MOST_PEOPLE + 1])
    wanted = tuple(number for number in reading.numbers if number not in stopped)
    found = routing.candidates(workspace, route) if route else []
    linked = picture and bool(found) and routing.links(found)
    if linked:
        text = media.with_links(text, [Media(pk=_LIKELY_ID)])
    load = Load(text, picture=picture, flash=flash)
    loads = [(place, number, load) for place, number in enumerate(wanted)]
    given = routing.assign(workspace, route, loads, found=found) if route and found else {}
    numbers = tuple(
        n for place, n in enumerate(wanted) if place not in given or not given[place].is_hopeless
    )
    late = [item for item in given.values() if item.phone is None and not item.is_hopeless]
    by_phone = _by_phone(wanted, given)
    return Plan(
        numbers=numbers,
        stopped=tuple(number for number in reading.numbers if number in stopped),
        reading=reading,
        segments=load.segments * len(numbers),
        # They send side by side.
        seconds=max((load.segments * len(n) / phone.rate for phone, n in by_phone), default=None),
        cost=_cost(by_phone, text) if not picture or linked else None,
        beyond=tuple(
            n for place, n in enumerate(wanted) if place in given and given[place].is_hopeless
        ),
        linked=linked,
        late=len(late),
        why=routing.waiting_words(late[0]) if late else "",
    )


def _by_phone(
    wanted: Sequence[str], given: Mapping[int, Assigned]
) -> list[tuple[Phone, list[str]]]:
    """Give the phones that messages go to or wait for, each with its numbers."""
    shares: dict[int, tuple[Phone, list[str]]] = {}
    for place, assigned in given.items():
        if phone := assigned.phone or assigned.at:
            shares.setdefault(phone.pk, (phone, []))[1].append(wanted[place])
    return list(shares.values())


def _cost(by_phone: Sequence[tuple[Phone, list[str]]], text: str) -> Estimate | None:
    """Add up what the phones' shares cost; None where none of them has a price."""
    amounts: Counter[str] = Counter()
    unknown, is_known = 0, False
    for phone, numbers in by_phone:
        told = costs.estimate(phone, numbers, text)
        is_known = is_known or told is not None
        amounts.update(told.amounts if told else {})
        unknown += told.unknown if told else len(numbers)
    return Estimate(dict(amounts), unknown) if is_known else None


def duration(seconds: float) -> str:
    """Give a length of time with one unit, rounded up."""
    if seconds <= 1:
        return _("a second")
    for size, words in ((60, _("%(count)s s")), (3600, _("%(count)s min"))):
        if seconds < size * 2:
            return words % {"count": -int(-seconds // (size // 60))}
    return _("%(count)s h") % {"count": -int(-seconds // 3600)}


def mistakes(reading: e164.Reading, country: str) -> list[str]:
    """Say of each entry that is no number what is wrong with it; past some, how many more there are."""
    named = dict.fromkeys(_mistake(item, country) for item in reading.invalid)
    sentences = list(named)[:_NAMED]
    if more := len(named) - len(sentences):
        words = ngettext(
            "And %(count)s more is no phone number.",
            "And %(count)s more are no phone numbers.",
            more,
        )
        sentences.append(words % {"count": more})
    return sentences


def _mistake(item: e164.Invalid, country: str) -> str:
    international = item.written.lstrip("( ").startswith(("+", "00"))
    words = _mistakes_abroad() if international else _mistakes_at_home()
    return words[item.why] % {
        "written": masks.said(item.written),
        "country": dict(countries()).get(country, country),
    }


def _mistakes_at_home() -> dict[str, str]:
    return {
        "too_short": _("“%(written)s” is too short to be a number in %(country)s."),
        "too_long": _("“%(written)s” is too long to be a number in %(country)s."),
        "country": _("“%(written)s” has no country code that exists."),
        "not_a_number": _("“%(written)s” is not a phone number."),
    }


def _mistakes_abroad() -> dict[str, str]:
    return {
        **_mistakes_at_home(),
        "too_short": _("“%(written)s” is too short to be a phone number."),
        "too_long": _("“%(written)s” is too long to be a phone number."),
        "country": _("“%(written)s” begins with a country code that does not exist."),
    }


def doubts(reading: e164.Reading) -> list[str]:
    """Warn in one sentence of numbers that look right but are in no range we know."""
    if not reading.doubtful:
        return []
    numbers = [masks.shown(number) for number in reading.doubtful]
    if len(numbers) == 1:
        words = _(
            "%(number)s has the right length, but we know no such range. It is tried all the same."
        )
        return [words % {"number": numbers[0]}]
    words = _(
        "%(count)s numbers, such as %(number)s, have the right length, but we know no such range. "
        "They are tried all the same."
    )
    return [words % {"count": number_format(len(numbers)), "number": numbers[0]}]
