"""Failing over: messages that may leave by another phone do so where theirs cannot send.

Theirs is paused, deleted, resting, out of reach or at a limit that spills; or it could not hand this one
over, twice. Never what may have left already: what had an unknown outcome stays where it is.
"""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from lib import bulk
from lib.jobs import DEFAULT, awake, wake
from messaging import media, permitting, routing
from messaging.carrying import Load
from messaging.connected import rouse
from messaging.models import IS_ROUTED, Attempt, Media, Message, Status
from messaging.routing import Route
from phones import quotas
from phones.base import Reason
from phones.connections import unreachable
from phones.models import Phone, Watch
from phones.prices import Tariff, tariff_of

logger = logging.getLogger(__name__)

# Tries of one phone before a message goes to the next.
TRIES = 2
# Messages that are moved in one transaction, and such transactions of one look.
_BATCH, _BATCHES = 500, 20
# How long messages wait for a provider that cannot be reached, or a connection that is not there.
_PATIENCE = timedelta(seconds=30)
# Times that a message moves by itself; then it stays, lest two phones in trouble pass it to and fro for ever.
_MOST = 20


def move_stuck() -> int:
    """Move what waits in vain to phones that can send it; give how many. A duty of the tick."""
    now = timezone.now()
    moved = _move_all(_tried(now))
    phones = _with_something_to_move()
    stuck = [phone.pk for phone in phones if _is_stuck(phone, now)]
    if stuck:
        # What is planned for later stays: until then much may change.
        moved += _move_all(Q(phone__in=stuck, send_at__lte=now))
    if lost := unreachable(phone for phone in phones if phone.pk not in stuck):
        moved += _move_all(Q(phone__in=lost, not_before__lte=now - _PATIENCE))
    return moved


def _move_all(those: Q) -> int:
    moved = 0
    pairs = _movable().filter(those).order_by().values_list("phone", "pool").distinct()
    for phone, pool in list(pairs):
        ids = _ids(_movable().filter(those, phone=phone, pool=pool))[: _BATCH * _BATCHES]
        for some in _chunks(ids):
            done = move(some)
            moved += done
            # Where there is no other phone for the first, there is none for the rest, unless a sender's
            # limits kept the first.
            if some and not done and all(only is None for only, _alike in _by_phones(some)):
                break
    return moved


def _ids(found: QuerySet[Message]) -> QuerySet[Message, int]:
    """Give ids in the order of the index `message_routed`: SQLite takes another one for any other."""
    return found.order_by("attempts").values_list("pk", flat=True)


def _chunks(ids: Iterable[int]) -> Iterator[list[Message]]:
    """Give the messages of ids, oldest first, a batch at a time."""
    known = sorted(ids)
    whole = _movable().select_related("phone", "pool", "workspace").defer("phone__settings")
    for start in range(0, len(known), _BATCH):
        yield list(whole.filter(pk__in=known[start : start + _BATCH]).order_by("pk"))


def _with_something_to_move() -> list[Phone]:
    waiting = Message.objects.filter(IS_ROUTED, phone=OuterRef("pk"))
    phones = Phone.objects.filter(Exists(waiting))
    return list(phones.select_related("workspace").defer("settings"))


def _is_stuck(phone: Phone, now: datetime) -> bool:
    """Say whether nothing can leave by a phone for now, and its messages may go elsewhere."""
    if phone.is_paused or phone.is_deleted:
        return True
    if not phone.metered:
        return False
    if Watch.objects.filter(phone=phone, rests_until__gt=now).exists():
        return True
    full = [one for one in quotas.standings([phone], now).get(phone.pk, []) if one.is_full]
    return bool(full) and all(one.limit.spill for one in full)


def _movable() -> QuerySet[Message]:
    """Give what may leave by another phone: nothing that may have left before."""
    unsure = Attempt.objects.filter(message=OuterRef("pk"), kind=Attempt.Kind.UNKNOWN)
    return Message.objects.filter(IS_ROUTED, ~Exists(unsure))


def _tried(now: datetime) -> Q:
    """Pick what one phone could not hand over, TRIES times, and waits for its next try."""
    by_turns = Q(attempts__in=range(TRIES, 100, TRIES))
    return by_turns & Q(not_before__gt=now, send_at__lt=F("not_before"))


def move(messages: Sequence[Message], *, most: int = _MOST) -> int:
    """Give messages to other phones of their routes, where there is one; give how many were moved.

    Those that have moved `most` times by themselves stay.
    """
    routes: defaultdict[tuple[int, int | None], list[Message]] = defaultdict(list)
    for message in messages:
        routes[message.workspace_id, message.pool_id].append(message)
    return sum(
        _move(alike, only, most) for some in routes.values() for only, alike in _by_phones(some)
    )


def _by_phones(messages: Sequence[Message]) -> list[tuple[frozenset[int] | None, list[Message]]]:
    """Divide messages of a workspace by the phones that who sends them may use."""
    permitted = permitting.phones_by_message(messages[0].workspace, messages)
    alike: defaultdict[frozenset[int] | None, list[Message]] = defaultdict(list)
    for message in messages:
        alike[permitted[message.pk]].append(message)
    return list(alike.items())


def _move(messages: Sequence[Message], only: frozenset[int] | None, most: int) -> int:
    workspace, pool = messages[0].workspace, messages[0].pool
    route = Route(pool=pool, only=only)
    found = routing.candidates(workspace, route)
    tried = _tried_by(messages)
    restless = _restless(messages, most)
    pictured = _pictured(messages)
    moves: list[tuple[Message, Phone]] = []
    by_phone: defaultdict[frozenset[int], list[Message]] = defaultdict(list)
    for message in messages:
        if message.pk in restless:
            continue
        # One that has tried all others begins anew with them.
        others = {item.phone.pk for item in found} - {message.phone_id}
        fresh = others - tried[message.pk] or others
        by_phone[frozenset(fresh)].append(message)
    for phones, some in by_phone.items():
        others_found = [item for item in found if item.phone.pk in phones]
        # What was written as a picture is never sent without it.
        loads = [
            (m.pk, m.peer, Load(m.text, picture=m.pk in pictured, flash=m.flash))
            for m in some
            if m.pk not in pictured or not routing.links(others_found)
        ]
        assigned = routing.assign(workspace, route, loads, found=others_found)
        moves += [(m, phone) for m in some if m.pk in assigned and (phone := assigned[m.pk].phone)]
    return _write(moves)


def _tried_by(messages: Sequence[Message]) -> defaultdict[int, set[int | None]]:
    """Give {message's id: the phones that could not hand it over}."""
    rows = Attempt.objects.filter(message__in=messages, kind=Attempt.Kind.TEMPORARY)
    tried: defaultdict[int, set[int | None]] = defaultdict(set)
    for message, phone in rows.values_list("message", "phone"):
        tried[message].add(phone)
    return tried


def _restless(messages: Sequence[Message], most: int) -> set[int]:
    """Give the ids of those that have moved often enough."""
    moves = Attempt.objects.filter(message__in=messages, kind=Attempt.Kind.FAILED_OVER)
    often = moves.values("message").annotate(times=Count("pk")).filter(times__gte=most)
    return set(often.order_by().values_list("message", flat=True))


def _pictured(messages: Sequence[Message]) -> set[int]:
    """Give the ids of those whose pictures must be sent with them."""
    ids = [message.pk for message in messages if not media.is_linked(message.text)]
    return set(
        Media.messages.through.objects.filter(message__in=ids).values_list("message", flat=True)
    )


def _write(moves: Sequence[tuple[Message, Phone]]) -> int:
    """Move messages that still wait where they did, and write it into their trails."""
    if not moves:
        return 0
    now = timezone.now()
    tariffs = {phone.pk: tariff_of(phone) for phone in {phone for _message, phone in moves}}
    with transaction.atomic():
        written: set[int] = set()
        for old in {message.phone_id for message, _phone in moves}:
            rows = [
                _row(message, phone, tariffs[phone.pk], now)
                for message, phone in moves
                if message.phone_id == old
            ]
            written |= set(
                bulk.update(
                    Message,
                    _MOVED,
                    rows,
                    assign=_ASSIGN,
                    where="m.status = 'queued' AND NOT m.held AND m.phone_id = %s",
                    arguments=[old],
                )
            )
        done = [(message, phone) for message, phone in moves if message.pk in written]
        Attempt.objects.bulk_create(
            Attempt(
                message=message,
                kind=Attempt.Kind.FAILED_OVER,
                phone=phone,
                words=message.phone.name,
                created_at=now,
            )
            for message, phone in done
        )
    for phone in {phone for _message, phone in done}:
        rouse(phone)
    if done:
        logger.info("%s messages were moved to other phones by themselves.", len(done))
    return len(done)


_MOVED = ("id", "phone", "own", "not_before", "cost", "currency", "cost_is_estimate")
# A provider's name for a message would be looked up among another one's.
_ASSIGN = """
    phone_id = v.phone_id, own = v.own, not_before = v.not_before, cost = v.cost,
    currency = v.currency, cost_is_estimate = v.cost_is_estimate, provider_id = ''
"""


def _row(message: Message, phone: Phone, tariff: Tariff, now: datetime) -> tuple[object, ...]:
    price = tariff.price_of(message.peer)
    return (
        message.pk,
        phone.pk,
        phone.address,
        # It is wanted now; what is planned for later stays so.
        max(message.send_at, now),
        price.amount * message.segments if price else None,
        price.currency if price else "",
        price is not None,
    )


# ---- A phone that goes --------------------------------------------------------------------------


def leave(phone: Phone) -> int:
    """Give some of what waits for a phone that is deleted to others; cancel what has none. Give how much was.

    The rest follows in the background. Nothing of it can leave meanwhile: who claims asks for a living
    phone. What campaigns hold is theirs to end.
    """
    waiting = Message.objects.filter(phone=phone, status=Status.QUEUED, held=False)
    ids = list(
        waiting.order_by("priority", "not_before", "pk").values_list("pk", flat=True)[:_BATCH]
    )
    with transaction.atomic():
        for some in _chunks(ids):
            move(some, most=sys.maxsize)
        cancelled = waiting.filter(pk__in=ids).update(
            status=Status.CANCELLED, reason=Reason.PHONE_GONE, ended_at=timezone.now()
        )
    if len(ids) == _BATCH:
        wake(go_on_leaving, phone.pk, queue=DEFAULT)
    return cancelled


def go_on_leaving(phone_id: int) -> None:
    """Go on where `leave` ended. A job."""
    awake(go_on_leaving, phone_id)
    phone = Phone.objects.select_related("workspace").defer("settings").filter(pk=phone_id).first()
    if phone and phone.is_deleted:
        leave(phone)
