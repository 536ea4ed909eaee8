"""Giving the messages of campaigns to phones, in small portions.

A message of a campaign is `held` until here: only what a phone can send within WINDOW seconds is let
through, shared evenly by the campaigns that want the same phone. So a huge campaign delays a small one by
seconds and a single message not at all; a pause takes hold at once; and the phone is chosen at the last
moment, when limits and troubles are known.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campaigns import alerting, tallying, when
from campaigns.judging import Judge
from campaigns.models import Campaign, State
from contacts.services import opted_out
from lib import bulk
from lib.jobs import DEFAULT, QueueDown, awake, redis, wake
from messaging import media, quiet, routing
from messaging.carrying import Load
from messaging.connected import rouse
from messaging.conversations import note_written
from messaging.models import IS_HELD, Message, Status
from messaging.quiet import Quiet
from messaging.routing import Candidate, Route
from phones.base import Reason
from phones.models import Phone, Unit
from phones.prices import Tariff, tariff_of

logger = logging.getLogger(__name__)

# Seconds of sending that wait at a phone, and messages, at least and at most: the tick comes much sooner.
WINDOW, LEAST, MOST = 30, 20, 50_000
# Messages of one transaction, and of one campaign at a time; looks of which nothing came, likewise.
_CHUNK, _MOST, _FRUITLESS = 1000, 20_000, 2
# What waits longer than this, for a limit or for the end of a phone's rest, is not looked at until then.
_SOON = timedelta(minutes=1)
# Seconds for which it is known how far it was looked in vain.
_KEPT = 600
# How exactly it is known when a campaign was last fed.
_NOTED = timedelta(minutes=1)

_Place = tuple[datetime, int]


def wake_all() -> int:
    """Wake the feeding of every running campaign; give how many. A duty of the tick."""
    running = list(Campaign.objects.filter(state=State.RUNNING).values_list("pk", flat=True))
    for pk in running:
        wake(feed, pk, queue=DEFAULT)
    return len(running)


def feed(pk: int) -> int:
    """Give one campaign its share now; give how many messages were let through. A job."""
    awake(feed, pk)
    related = Campaign.objects.select_related("workspace", "created_by", "phone", "pool")
    campaign = related.filter(pk=pk, state=State.RUNNING).first()
    if campaign is None:
        return 0
    _note_outage(campaign, timezone.now())
    if not _skip_missed(campaign):
        return 0
    route = Judge.route_of(campaign)
    found = routing.candidates(campaign.workspace, route)
    if all(item.phone.is_deleted for item in found):
        # What is held for one phone that is deleted is being cancelled (see steering.go_on).
        if campaign.phone is None and _due(campaign, timezone.now(), None).exists():
            with alerting.spoken_to(campaign):
                alerting.stop(campaign, alerting.no_phone())
        return 0
    room = _room(campaign, found)
    done = seen = fruitless = 0
    place: _Place | None = None
    while seen < _MOST and any(room.values()):
        let, looked, place = _portion(campaign, route, found, room, place)
        done, seen = done + let, seen + looked
        if place is None:
            _remember(pk, None)
            break
        if let:
            continue
        # What has room may be wanted only far behind: each time a part of the way there.
        fruitless += 1
        if fruitless == 1:
            place = max(place, _remembered(pk) or place)
        if fruitless >= _FRUITLESS:
            _remember(pk, place)
            break
    return done


def _note_outage(campaign: Campaign, now: datetime) -> None:
    """Note that a campaign is fed; where it was not for longer than it may be late, what has missed its time.

    This site was down then. What waits because of a phone, of limits, of a quota or of quiet hours is never
    late.
    """
    last = campaign.fed_at
    if last and now - last < _NOTED:
        return
    missed = now - when.lateness(campaign.late)
    if last and campaign.send_at and last < missed:
        campaign.missed_before = missed
        _skip_let_through(campaign, missed)
    # Unless somebody has resumed it in this very moment.
    same = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING, fed_at=last)
    same.update(fed_at=now, missed_before=campaign.missed_before)


def _skip_let_through(campaign: Campaign, missed: datetime) -> None:
    """Skip what was let through to phones and never tried, before the next ones claim it."""
    waiting = Message.objects.filter(
        campaign=campaign, held=False, status=Status.QUEUED, attempts=0, send_at__lt=missed
    )
    waiting.update(status=Status.SKIPPED, reason=Reason.TOO_LATE, ended_at=timezone.now())


def _skip_missed(campaign: Campaign) -> bool:
    """Skip what is held and has missed its time, some at once; say whether that was all."""
    if campaign.missed_before is None:
        return True
    held = Message.objects.filter(IS_HELD, campaign=campaign)
    missed = held.filter(send_at__lt=campaign.missed_before).order_by("send_at", "id")
    for _portion in range(_MOST // _CHUNK):
        pks = list(missed.values_list("pk", flat=True)[:_CHUNK])
        _skip(pks, Reason.TOO_LATE, timezone.now())
        if len(pks) < _CHUNK:
            return True
    wake(feed, campaign.pk, queue=DEFAULT)
    return False


def _remember(pk: int, place: _Place | None) -> None:
    """Note how far it was looked in vain. Lost, it begins anew."""
    key = f"feeding:{pk}"
    with suppress(QueueDown):
        if place is None:
            redis().delete(key)
        else:
            redis().set(key, f"{place[0].isoformat()} {place[1]}", ex=_KEPT)


def _remembered(pk: int) -> _Place | None:
    with suppress(QueueDown):
        if kept := redis().get(f"feeding:{pk}"):
            at, _space, last = kept.decode().partition(" ")  # type: ignore[union-attr]
            return datetime.fromisoformat(at), int(last)
    return None


def _room(campaign: Campaign, found: Sequence[Candidate]) -> dict[int, int]:
    """Say how many more messages each phone may be given by this campaign: {phone's id: messages}."""
    now = timezone.now()
    due = Message.objects.filter(IS_HELD, campaign=OuterRef("pk"), send_at__lte=now)
    running = Campaign.objects.filter(
        Exists(due), workspace=campaign.workspace, state=State.RUNNING
    ).count()
    room = {}
    for phone in (item.phone for item in found if not item.closed and not item.phone.is_deleted):
        window = min(MOST, max(LEAST, int(phone.rate * WINDOW)))
        share = max(1, window // max(1, running))
        # What waits there for its next try, or for a morning, takes nobody's place.
        waiting = Message.objects.filter(
            phone=phone,
            status=Status.QUEUED,
            held=False,
            not_before__lte=now + timedelta(seconds=WINDOW),
        )
        everybodys = _count(waiting.exclude(campaign=None), window)
        own = _count(waiting.filter(campaign=campaign), share) if running > 1 else 0
        room[phone.pk] = max(0, min(window - everybodys, share - own))
    for item in found:
        for standing in item.standings:
            # Who was written to already is no new person, so that a limit of people lets some through.
            if standing.limit.unit != Unit.PEOPLE and item.phone.pk in room:
                room[item.phone.pk] = min(room[item.phone.pk], standing.left)
    return room


def _count(messages: QuerySet[Message], most: int) -> int:
    return messages.order_by().values("pk")[:most].count()


def _portion(
    campaign: Campaign,
    route: Route,
    found: Sequence[Candidate],
    room: dict[int, int],
    after: _Place | None,
) -> tuple[int, int, _Place | None]:
    """Let a chunk through: (messages let through, looked at, where to go on; None at the end)."""
    now = timezone.now()
    with transaction.atomic():
        mine = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING)
        if not mine.select_for_update(no_key=True).exists():
            return 0, 0, None
        rows = list(_due(campaign, now, after)[:_CHUNK])
        hours = None if campaign.urgent else quiet.of(campaign.workspace)
        later = _kept_quiet(hours, rows, now)
        stopped = opted_out(campaign.workspace, [row.peer for row in rows])
        loads = [
            (row.pk, row.peer, _load(campaign, row))
            for row in rows
            if row.pk not in later and row.peer not in stopped
        ]
        if routing.links(found):
            # What was written as a picture is never sent without it.
            lost = [pk for pk, _peer, load in loads if load.picture]
            loads = [load for load in loads if not load[2].picture]
        else:
            lost = []
        where = routing.assign(campaign.workspace, route, loads, room=room, found=found)
        later |= {pk: a.until for pk, a in where.items() if a.until and a.until > now + _SOON}
        let = {pk: assigned.phone for pk, assigned in where.items() if assigned.phone}
        gone = _let_through({row.pk: row for row in rows}, let, hours, now)
        # What only waits here is no news of a conversation.
        note_written(
            campaign.workspace, {row.peer: (row.pk, now) for row in rows if row.pk in gone}
        )
        _put_off(later)
        _skip([row.pk for row in rows if row.peer in stopped], Reason.OPTED_OUT, now)
        # Nobody can reach them any more, since the phones were changed.
        lost += [pk for pk, assigned in where.items() if assigned.is_hopeless]
        _skip(lost, Reason.NO_PHONE, now)
    for phone in let.values():
        room[phone.pk] -= 1
    for phone in {phone.pk: phone for phone in let.values()}.values():
        rouse(phone)
    end = (rows[-1].send_at, rows[-1].pk) if len(rows) == _CHUNK else None
    return len(let), len(rows), end


def _due(campaign: Campaign, now: datetime, after: _Place | None) -> QuerySet[Message]:
    """Give what is wanted by now, behind those that were looked at."""
    held = Message.objects.filter(IS_HELD, campaign=campaign, send_at__lte=now)
    held = held.order_by("send_at", "id")
    if campaign.missed_before:
        held = held.filter(send_at__gte=campaign.missed_before)
    if after:
        send_at, pk = after
        held = held.filter(Q(send_at__gt=send_at) | Q(send_at=send_at, id__gt=pk))
        held = held.filter(send_at__gte=send_at)
    if connection.features.has_select_for_update_skip_locked:
        held = held.select_for_update(skip_locked=True, of=("self",))
    return held.only(
        "pk",
        "peer",
        "text",
        "flash",
        "country",
        "phone_id",
        "segments",
        "cost",
        "not_before",
        "send_at",
    )


def _load(campaign: Campaign, row: Message) -> Load:
    picture = campaign.has_picture and not media.is_linked(row.text)
    return Load(row.text, picture=picture, flash=row.flash)


def _kept_quiet(hours: Quiet | None, rows: Sequence[Message], now: datetime) -> dict[int, datetime]:
    """Give {message: when quiet hours end where its number is}."""
    if not hours:
        return {}
    ends = {row.pk: hours.allowed_at(row.country, now, row.peer) for row in rows}
    return {pk: end for pk, end in ends.items() if end > now}


def _let_through(
    rows: Mapping[int, Message], let: Mapping[int, Phone], hours: Quiet | None, now: datetime
) -> set[int]:
    """Hand messages to their phones; give the ids of those that still waited."""
    tariffs: dict[int, Tariff] = {}
    values = []
    for pk, phone in let.items():
        row, currency = rows[pk], None
        cost = row.cost
        if phone.pk != row.phone_id:
            if phone.pk not in tariffs:
                tariffs[phone.pk] = tariff_of(phone)
            price = tariffs[phone.pk].price_of(row.peer)
            cost = price.amount * row.segments if price else None
            currency = price.currency if price else ""
        # What was wanted in quiet hours, and leaves after them, is wanted now: the next ones hold it.
        is_late = hours and hours.allowed_at(row.country, row.send_at, row.peer) > row.send_at
        wanted, not_before = now if is_late else row.send_at, max(now, row.not_before)
        values.append((pk, phone.pk, phone.address, wanted, not_before, cost, currency))
    changed = bulk.update(
        Message,
        ("id", "phone", "own", "send_at", "not_before", "cost", "currency"),
        values,
        assign="""
            held = %s, phone_id = v.phone_id, own = v.own, send_at = v.send_at,
            not_before = v.not_before, cost = v.cost, currency = COALESCE(v.currency, m.currency),
            provider_id = CASE WHEN v.phone_id = m.phone_id THEN m.provider_id ELSE '' END,
            cost_is_estimate = CASE WHEN v.phone_id = m.phone_id THEN m.cost_is_estimate
                ELSE v.cost IS NOT NULL END
        """,
        where="m.held AND m.status = 'queued'",
        arguments=[False],
    )
    return set(changed)


def _put_off(later: Mapping[int, datetime]) -> None:
    at: defaultdict[datetime, list[int]] = defaultdict(list)
    for pk, until in later.items():
        at[until].append(pk)
    for until, pks in at.items():
        Message.objects.filter(pk__in=pks, held=True, status=Status.QUEUED).update(send_at=until)


def _skip(pks: Sequence[int], reason: Reason, now: datetime) -> None:
    if pks:
        Message.objects.filter(IS_HELD, pk__in=pks).update(
            status=Status.SKIPPED, reason=reason, held=False, ended_at=now
        )


def finish() -> int:
    """End the campaigns of which nothing is left to be sent; give how many. A duty of the tick."""
    running = list(
        Campaign.objects.filter(state=State.RUNNING, expanded_at__isnull=False, again={})
    )
    figures = tallying.figures(running)
    over = [campaign for campaign in running if not figures[campaign.pk].open]
    for campaign in over:
        _finish(campaign)
    return len(over)


def _finish(campaign: Campaign) -> None:
    with transaction.atomic():
        mine = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING, again={})
        mine = mine.select_for_update(no_key=True)
        if mine.exists() and not tallying.figures_of(campaign).open:
            mine.update(state=State.DONE, ended_at=timezone.now())
