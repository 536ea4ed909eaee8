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
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaigns import tallying
from campaigns.judging import Judge
from campaigns.models import Campaign, State
from lib import bulk
from lib.jobs import DEFAULT, awake, wake
from messaging import quiet, routing
from messaging.carrying import Load
from messaging.connected import rouse
from messaging.models import Message, Status
from messaging.routing import Assigned, Route
from phones.models import Phone
from phones.prices import Tariff, tariff_of

logger = logging.getLogger(__name__)

# Seconds of sending that wait at a phone, and messages, at least and at most: the tick comes much sooner.
WINDOW, LEAST, MOST = 30, 20, 50_000
# Messages of one transaction, and of one campaign at a time.
_CHUNK, _MOST = 1000, 20_000


def wake_all() -> int:
    """Wake the feeding of every running campaign; give how many. A duty of the tick."""
    running = list(Campaign.objects.filter(state=State.RUNNING).values_list("pk", flat=True))
    for pk in running:
        wake(feed, pk, queue=DEFAULT)
    return len(running)


def feed(pk: int) -> int:
    """Give one campaign its share now; give how many messages were let through. A job."""
    awake(feed, pk)
    found = Campaign.objects.select_related("workspace", "phone", "pool")
    campaign = found.filter(pk=pk, state=State.RUNNING).first()
    if campaign is None:
        return 0
    route = Judge.route_of(campaign)
    phones = routing.candidates(campaign.workspace, route)
    room = _room(campaign, [phone for phone in phones if not phone.is_paused])
    done = 0
    while done < _MOST and any(room.values()):
        let, is_more = _portion(campaign, route, room)
        done += let
        if not is_more:
            break
    return done


def _room(campaign: Campaign, phones: Sequence[Phone]) -> dict[int, int]:
    """Say how many more messages each phone may be given by this campaign: {phone's id: messages}."""
    running = Campaign.objects.filter(workspace=campaign.workspace, state=State.RUNNING).count()
    room = {}
    for phone in phones:
        window = min(MOST, max(LEAST, int(phone.rate * WINDOW)))
        share = max(1, window // max(1, running))
        waiting = Message.objects.filter(phone=phone, status=Status.QUEUED, held=False)
        everybodys = _count(waiting.exclude(campaign=None), window)
        own = _count(waiting.filter(campaign=campaign), share) if running > 1 else 0
        room[phone.pk] = max(0, min(window - everybodys, share - own))
    return room


def _count(messages: QuerySet[Message], most: int) -> int:
    return messages.order_by().values("pk")[:most].count()


def _portion(campaign: Campaign, route: Route, room: dict[int, int]) -> tuple[int, bool]:
    """Let a chunk through: (messages let through, whether there may be more)."""
    now = timezone.now()
    with transaction.atomic():
        mine = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING)
        if not mine.select_for_update().exists():
            return 0, False
        limit = min(_CHUNK, sum(room.values()))
        rows = list(_due(campaign, now)[:limit])
        later = _kept_quiet(campaign, rows, now)
        loads = [(row.pk, row.peer, _load(campaign, row)) for row in rows if row.pk not in later]
        where = routing.assign(campaign.workspace, route, loads, room=room)
        for pk, assigned in where.items():
            if assigned.phone is None and assigned.until:
                later[pk] = assigned.until
        by_pk = {row.pk: row for row in rows}
        let = [pk for pk, assigned in where.items() if assigned.phone]
        _let_through(by_pk, where, let, now)
        _put_off(later)
    for pk in let:
        phone = where[pk].phone
        assert phone is not None
        room[phone.pk] = max(0, room.get(phone.pk, 0) - 1)
    for phone in {p.pk: p for p in (where[pk].phone for pk in let) if p}.values():
        rouse(phone)
    # Where nothing moved, the same ones would be looked at again.
    return len(let), len(rows) == limit and bool(let or later)


def _due(campaign: Campaign, now: datetime) -> QuerySet[Message]:
    held = Message.objects.filter(
        campaign=campaign, held=True, status=Status.QUEUED, send_at__lte=now
    ).order_by("send_at", "id")
    if connection.features.has_select_for_update_skip_locked:
        held = held.select_for_update(skip_locked=True, of=("self",))
    return held.only(
        "pk", "peer", "text", "flash", "country", "phone_id", "segments", "cost", "not_before"
    )


def _load(campaign: Campaign, row: Message) -> Load:
    return Load(row.text, picture=campaign.has_picture, flash=row.flash)


def _kept_quiet(campaign: Campaign, rows: Sequence[Message], now: datetime) -> dict[int, datetime]:
    """Give {message: when quiet hours end where its number is}."""
    if campaign.urgent:
        return {}
    hours = quiet.of(campaign.workspace)
    if not hours:
        return {}
    ends = {row.pk: hours.allowed_at(row.country, now, row.peer) for row in rows}
    return {pk: end for pk, end in ends.items() if end > now}


def _let_through(
    rows: Mapping[int, Message], where: Mapping[int, Assigned], let: Sequence[int], now: datetime
) -> None:
    tariffs: dict[int, Tariff] = {}
    values = []
    for pk in let:
        row, phone = rows[pk], where[pk].phone
        assert phone is not None
        cost, currency = row.cost, None
        if phone.pk != row.phone_id:
            tariff = tariffs.setdefault(phone.pk, tariff_of(phone))
            price = tariff.price_of(row.peer)
            cost = price.amount * row.segments if price else None
            currency = price.currency if price else ""
        values.append((pk, phone.pk, phone.address, max(now, row.not_before), cost, currency))
    bulk.update(
        Message,
        ("id", "phone", "own", "not_before", "cost", "currency"),
        values,
        assign="""
            held = %s, phone_id = v.phone_id, own = v.own, not_before = v.not_before, cost = v.cost,
            currency = COALESCE(v.currency, m.currency),
            cost_is_estimate = CASE WHEN v.phone_id = m.phone_id THEN m.cost_is_estimate
                ELSE v.cost IS NOT NULL END
        """,
        where="m.held AND m.status = 'queued'",
        arguments=[False],
    )


def _put_off(later: Mapping[int, datetime]) -> None:
    at: defaultdict[datetime, list[int]] = defaultdict(list)
    for pk, until in later.items():
        at[until].append(pk)
    for until, pks in at.items():
        Message.objects.filter(pk__in=pks, held=True, status=Status.QUEUED).update(send_at=until)


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
        mine = Campaign.objects.select_for_update().filter(pk=campaign.pk, state=State.RUNNING)
        if mine.exists() and not tallying.figures_of(campaign).open:
            mine.update(state=State.DONE, ended_at=timezone.now())
