"""Through what: which phone a message leaves by, where one of several may be taken.

1. Able are those that can carry it (carrying) and may write to its number (reaching).
2. Open are those that are not paused, do not rest for their failures, whose provider can be reached, and
   that are under the limits that spill.
3. Of these, the highest priority.
4. Of equals, the one by which the last message to or from this person went; for somebody new, the one that
   a hash of the number names: each gets its share by weight, and the same person always the same phone.
A phone whose limits do not spill is taken all the same, and the message waits for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Workspace
from messaging import carrying
from messaging.carrying import Load
from messaging.models import Attempt, Message, Status
from messaging.moments import soon
from phones import quotas, reaching
from phones.connections import unreachable
from phones.health import kind_of
from phones.models import Phone, Pool, Unit, Watch
from phones.quotas import Standing


@dataclass(frozen=True, slots=True)
class Route:
    """What a message may leave by: this phone, a phone of this pool, or, with neither, any phone.

    `only` are the ids of the phones that who sends it may use at all, None = all.
    """

    phone: Phone | None = None
    pool: Pool | None = None
    only: frozenset[int] | None = None

    @property
    def is_any(self) -> bool:
        return self.phone is None and self.pool is None

    def __str__(self) -> str:
        chosen = self.phone or self.pool
        return str(chosen) if chosen else _("Any phone")


@dataclass(frozen=True, slots=True)
class Assigned:
    """Where a message goes. Without a `phone` it waits, until the moment that is told if it is known.

    `why` is said to people. `at` is the phone that it waits for, where it must be written down for one;
    without it, no phone of the route can ever carry it there.
    """

    phone: Phone | None
    until: datetime | None
    why: str
    at: Phone | None = None

    @property
    def is_hopeless(self) -> bool:
        return self.phone is None and self.at is None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phone of a route as it is now: `closed` says why nothing can leave by it, `until` for how long."""

    phone: Phone
    priority: int
    weight: int
    lacks: frozenset[str]
    closed: str = ""
    until: datetime | None = None
    standings: tuple[Standing, ...] = ()

    def carries(self, needs: Collection[str], number: str) -> bool:
        return self.lacks.isdisjoint(needs) and reaching.permits(self.phone, number)


def candidates(workspace: Workspace, route: Route, now: datetime | None = None) -> list[Candidate]:
    """Give the phones of a route that send at all, as they are now. A fixed number of queries.

    The simulator is one of any only where there is no other: nothing that should arrive is to end there.
    """
    now = now or timezone.now()
    places = _places(workspace, route)
    if route.only is not None:
        places = [place for place in places if place[0].pk in route.only]
    if route.phone is None:
        places = [place for place in places if not place[0].is_deleted and _sends(place[0])]
    if route.is_any:
        real = [place for place in places if not _pretends(place[0])]
        places = real or places
    for phone, *_rest in places:
        phone.workspace = workspace
    phones = [place[0] for place in places]
    standings = quotas.standings(phones, now)
    metered = [phone.pk for phone in phones if phone.metered]
    resting = Watch.objects.filter(phone__in=metered, rests_until__gt=now) if metered else ()
    rests = {watch.phone_id: watch for watch in resting}
    lost = unreachable(phones) if len(phones) > 1 else set()
    return [
        _candidate(
            place,
            standings.get(place[0].pk, []),
            rests.get(place[0].pk),
            is_lost=place[0].pk in lost,
        )
        for place in places
    ]


_Place = tuple[Phone, int, int]


def _places(workspace: Workspace, route: Route) -> list[_Place]:
    """Give (phone, priority, weight)."""
    if route.phone:
        return [(route.phone, 0, 1)]
    if route.pool:
        rows = route.pool.places.select_related("phone").defer("phone__settings")
        return [(row.phone, row.priority, row.weight) for row in rows.order_by("phone_id")]
    phones: QuerySet[Phone] = workspace.phones.living().defer("settings").order_by("pk")
    return [(phone, phone.priority, phone.weight) for phone in phones]


def _sends(phone: Phone) -> bool:
    kind = kind_of(phone)
    return kind is not None and bool(kind.can.send)


def _pretends(phone: Phone) -> bool:
    kind = kind_of(phone)
    return kind is not None and kind.pretends


def _candidate(
    place: _Place, standings: Sequence[Standing], rest: Watch | None, *, is_lost: bool
) -> Candidate:
    phone, priority, weight = place
    closed = ""
    if phone.is_paused:
        closed = _("%(phone)s is paused") % {"phone": phone}
    elif rest:
        closed = _("%(phone)s rests, because too many messages failed") % {"phone": phone}
    elif is_lost:
        closed = _("The provider of %(phone)s cannot be reached") % {"phone": phone}
    return Candidate(
        phone=phone,
        priority=priority,
        weight=weight,
        lacks=frozenset(carrying.lacks(phone)),
        closed=closed,
        until=rest.rests_until if rest and not phone.is_paused else None,
        standings=tuple(standings),
    )


# ---- Questions ----------------------------------------------------------------------------------


def needs_of(load: Load, found: Iterable[Candidate]) -> frozenset[str]:
    """Give what it takes to carry this by these phones: where none sends pictures, links go in the text."""
    needs = frozenset(load.needs)
    return needs - {"mms_out"} if links(found) else needs


def links(found: Iterable[Candidate]) -> bool:
    """Say whether pictures go as links in the text, because none of these phones sends them."""
    return all("mms_out" in candidate.lacks for candidate in found)


def reachable(workspace: Workspace, route: Route, load: Load, numbers: Collection[str]) -> set[str]:
    """Give the numbers (E.164) that some phone of the route could ever carry this to."""
    found = candidates(workspace, route)
    needs = needs_of(load, found)
    able = [candidate for candidate in found if candidate.lacks.isdisjoint(needs)]
    if any(not (c.phone.allowed or c.phone.denied) for c in able):
        return set(numbers)
    return {n for n in numbers if any(reaching.permits(c.phone, n) for c in able)}


def assign(
    workspace: Workspace,
    route: Route,
    loads: Sequence[tuple[int, str, Load]],
    *,
    room: Mapping[int, int] | None = None,
    found: Sequence[Candidate] | None = None,
) -> dict[int, Assigned]:
    """Choose a phone for each (id, number, load): {id: where it goes}. A few queries for a thousand.

    `room` is how many more each phone, by its id, may take now; None = as many as come. Of equals, one that
    has no room lets the next have somebody new, but never somebody who knows it. `found` are the
    candidates, where the caller has them already.
    """
    found = candidates(workspace, route) if found is None else found
    numbers = {number for _id, number, _load in loads}
    clerk = _Clerk(workspace, route, found, numbers, room)
    return {pk: clerk.assign(number, load) for pk, number, load in loads}


class _Clerk:
    """Assigns one message after the other, and keeps count of what each phone has taken."""

    def __init__(
        self,
        workspace: Workspace,
        route: Route,
        found: Sequence[Candidate],
        numbers: Collection[str],
        room: Mapping[int, int] | None,
    ) -> None:
        self._found = found
        self._spills = route.phone is None
        self._room = None if room is None else dict(room)
        self._known = _last_phones(workspace, numbers, found)
        self._left = {s.limit.pk: s.left for c in found for s in c.standings}
        # Who was written to this month is no new person for a limit that counts people.
        self._reached = {
            c.phone.pk: quotas.known_now(c.phone, numbers)
            for c in found
            if any(s.limit.unit == Unit.PEOPLE for s in c.standings)
        }
        self._needs: dict[Load, frozenset[str]] = {}

    def assign(self, number: str, load: Load) -> Assigned:
        if load not in self._needs:
            self._needs[load] = needs_of(load, self._found)
        able = [item for item in self._found if item.carries(self._needs[load], number)]
        if not able:
            return Assigned(None, None, _("No phone can reach this number"))
        shut = {item.phone.pk: self._shut(item, number) for item in able}
        open_ = [item for item in able if shut[item.phone.pk] is None]
        if not open_:
            told, now = [words for words in shut.values() if words], timezone.now()
            # Of the first that opens again, where one of them will by itself.
            first = min(told, key=lambda words: (words.until is None, words.until or now))
            return replace(first, at=max(able, key=lambda c: (c.priority, _rank(c, number))).phone)
        highest = max(item.priority for item in open_)
        return self._one_of([item for item in open_ if item.priority == highest], number, load)

    def _shut(self, item: Candidate, number: str) -> Assigned | None:
        """Say why a message cannot go to this phone and may go to another one, None where it can."""
        if item.closed:
            return Assigned(None, item.until, item.closed)
        full = self._full(item, number)
        if full and self._spills and all(standing.limit.spill for standing in full):
            return _reached(item, full)
        return None

    def _full(self, item: Candidate, number: str) -> list[Standing]:
        """Give the limits that keep a message to a number from this phone."""
        return [
            standing
            for standing in item.standings
            if self._left[standing.limit.pk] <= 0 and not self._is_old(item, standing, number)
        ]

    def _is_old(self, item: Candidate, standing: Standing, number: str) -> bool:
        return standing.limit.unit == Unit.PEOPLE and number in self._reached[item.phone.pk]

    def _one_of(self, best: list[Candidate], number: str, load: Load) -> Assigned:
        last = self._known.get(number)
        friend = next((item for item in best if item.phone.pk == last), None)
        ranked = [friend] if friend else sorted(best, key=lambda c: _rank(c, number), reverse=True)
        for item in ranked:
            if full := self._full(item, number):
                return _reached(item, full)
            if self._has_room(item):
                self._count(item, number, load)
                return Assigned(item.phone, None, _why(best, friend))
        words = _("It waits until %(phone)s has room") % {"phone": ranked[0].phone}
        return Assigned(None, None, words, at=ranked[0].phone)

    def _has_room(self, item: Candidate) -> bool:
        return self._room is None or self._room.get(item.phone.pk, 0) > 0

    def _count(self, item: Candidate, number: str, load: Load) -> None:
        if self._room is not None:
            self._room[item.phone.pk] -= 1
        for standing in item.standings:
            if not self._is_old(item, standing, number):
                is_by_segment = standing.limit.unit == Unit.SEGMENTS
                self._left[standing.limit.pk] -= load.segments if is_by_segment else 1
        if item.phone.pk in self._reached:
            self._reached[item.phone.pk].add(number)


def _reached(item: Candidate, full: Sequence[Standing]) -> Assigned:
    """Say that limits are reached; the one that is free last decides when anything may leave again."""
    until = max((standing.until for standing in full if standing.until), default=None)
    words = _("%(phone)s has reached its limit") % {"phone": item.phone}
    return Assigned(None, until, words, at=item.phone)


def _why(best: Sequence[Candidate], friend: Candidate | None) -> str:
    if friend and len(best) > 1:
        return _("the last message with this number went by it")
    return _("chosen by weight") if len(best) > 1 else _("the first in order that can")


def _rank(candidate: Candidate, number: str) -> float:
    """Give a phone's rank for a number by weighted rendezvous hashing.

    Each is the highest for a share of all numbers that is as its weight, and where a phone comes or goes
    only the numbers that it has or had change. -w / ln(h), h uniform in (0, 1): Schindelhauer and
    Schomaker, “Weighted distributed hash tables”, 2005.
    """
    digest = blake2b(f"{candidate.phone.pk} {number}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest) + 1) / (2**64 + 2)
    return -candidate.weight / math.log(uniform)


def _last_phones(
    workspace: Workspace, numbers: Collection[str], found: Sequence[Candidate]
) -> dict[str, int]:
    """Give {number: the phone of the last message to or from it}, where there is a choice at all."""
    if len(found) < 2 or not numbers:
        return {}
    table = Message._meta.db_table
    # What never got as far as a phone says nothing of one.
    query = (
        f"SELECT names.value AS peer, (SELECT phone_id FROM {table} WHERE workspace_id = "  # noqa: S608
        f"{workspace.pk:d} AND peer = names.value AND NOT held AND status NOT IN "
        "('skipped', 'cancelled') ORDER BY id DESC LIMIT 1) AS phone"
    )
    if connection.vendor == "postgresql":
        given: Any = list(numbers)
        sql = f"{query} FROM unnest(%s::text[]) AS names (value)"
    else:
        given = json.dumps(list(numbers))
        sql = f"{query} FROM json_each(%s) AS names"
    with connection.cursor() as cursor:
        cursor.execute(sql, [given])
        return {peer: phone for peer, phone in cursor.fetchall() if phone}


def shared_by(message: Message) -> str:
    """Say of a message that might have left by another phone why it goes by this one; "" of any other."""
    if not (message.any_phone or message.pool_id):
        return ""
    earlier = Message.objects.filter(
        workspace=message.workspace_id, peer=message.peer, pk__lt=message.pk, held=False
    ).exclude(status__in=[Status.SKIPPED, Status.CANCELLED])
    is_friend = earlier.order_by("-pk").values_list("phone", flat=True).first() == message.phone_id
    words = {"phone": message.phone, "pool": message.pool}
    moves = (Attempt.Kind.FAILED_OVER, Attempt.Kind.MOVED)
    last = message.trail.filter(kind__in=moves).order_by("-pk").first()
    if last and last.kind == Attempt.Kind.MOVED:
        return ""  # somebody chose it
    if last:
        why = _("%(phone)s took it over") % words
    elif is_friend:
        why = _("%(phone)s, because the last message with this number went by it") % words
    else:
        why = _("%(phone)s, by priority and weight") % words
    if message.any_phone:
        return _("Any phone: %(why)s.") % {"why": why}
    return _("A phone of %(pool)s: %(why)s.") % {**words, "why": why}


# ---- Words --------------------------------------------------------------------------------------


def waiting_words(assigned: Assigned) -> str:
    """Say why a message waits, and until when: for people."""
    if assigned.until is None:
        return assigned.why
    return _("%(why)s; it goes on %(time)s") % {"why": assigned.why, "time": soon(assigned.until)}
