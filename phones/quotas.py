"""How much may leave by a phone: limits over days, weeks and months, and the few that try a rested phone.

Messages are counted in the transaction that claims them, with the phone's row locked, so that no limit is
ever passed; what is given back is taken off again. Counts are kept by quarters of an hour. A sliding period
begins with a whole quarter: it may be up to fifteen minutes longer than it says, never shorter.
A phone without limits that nobody watches is not `metered`, and nothing of this is done for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from phones.models import Limit, Period, Phone, Reached, Unit, Usage, Watch

QUARTER = timedelta(minutes=15)
# Messages that try whether a phone which has rested is well again.
TRIALS = 5
_SLIDING = {
    Period.HOURS_24: timedelta(hours=24),
    Period.DAYS_7: timedelta(days=7),
    Period.DAYS_28: timedelta(days=28),
    Period.DAYS_30: timedelta(days=30),
    Period.DAYS_31: timedelta(days=31),
}
# What a watch says of a phone that is well.
WELL: dict[str, object] = {
    "troubled_at": None,
    "words": "",
    "rests": 0,
    "rests_until": None,
    "tried": 0,
    "tried_at": None,
}
# Rows are kept a little longer than the longest period.
_KEPT = timedelta(days=33)
_BATCH = 5000


def quarter(at: datetime) -> datetime:
    """Give the beginning of the quarter of an hour that a moment is in."""
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def begins(period: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Give the first quarter that a limit counts now."""
    if period in _SLIDING:
        return quarter(now - _SLIDING[Period(period)])
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == Period.WEEK:
        today -= timedelta(days=today.weekday())
    if period == Period.MONTH:
        today = today.replace(day=1)
    return today.astimezone(now.tzinfo)


def ends(period: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Give when a calendar period that runs now is over."""
    first = begins(period, zone, now).astimezone(zone)
    days = {Period.DAY: 1, Period.WEEK: 7}.get(Period(period), 32)
    after = first + timedelta(days=days)
    return (after.replace(day=1) if period == Period.MONTH else after).astimezone(now.tzinfo)


def month_of(zone: ZoneInfo, at: datetime) -> int:
    """Give the month of a moment as people count it there: 202611."""
    local = at.astimezone(zone)
    return local.year * 100 + local.month


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit, what of it is used, and, where that is all, from when on something may leave again."""

    limit: Limit
    used: int
    until: datetime | None = None

    @property
    def left(self) -> int:
        return max(0, self.limit.amount - self.used)

    @property
    def is_full(self) -> bool:
        return not self.left

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // max(1, self.limit.amount))


def standings(phones: Iterable[Phone], now: datetime | None = None) -> dict[int, list[Standing]]:
    """Give {phone's id: its limits}, the tightest first. One query, and one for each limited phone.

    The workspaces of the phones must be at hand.
    """
    now = now or timezone.now()
    metered = {phone.pk: phone for phone in phones if phone.metered}
    found: dict[int, list[Limit]] = {}
    if metered:
        for limit in Limit.objects.filter(phone__in=metered):
            found.setdefault(limit.phone_id, []).append(limit)
    return {pk: _standings(metered[pk], limits, now) for pk, limits in found.items()}


def _standings(phone: Phone, limits: Sequence[Limit], now: datetime) -> list[Standing]:
    zone = ZoneInfo(phone.workspace.time_zone)
    from_ = {limit.pk: begins(limit.period, zone, now) for limit in limits}
    rows = Usage.objects.filter(phone=phone, at__gte=min(from_.values()))
    sums = rows.aggregate(
        **{
            f"of_{limit.pk}": Sum(limit.unit, filter=Q(at__gte=from_[limit.pk]), default=0)
            for limit in limits
        }
    )
    told = []
    for limit in limits:
        used = max(0, sums[f"of_{limit.pk}"])
        until = _until(limit, zone, now) if used >= limit.amount else None
        told.append(Standing(limit, used, until))
    return sorted(told, key=lambda standing: (standing.left, standing.limit.pk))


def _until(limit: Limit, zone: ZoneInfo, now: datetime) -> datetime:
    """Give when something of a full limit is free again."""
    period = Period(limit.period)
    if period not in _SLIDING:
        return ends(period, zone, now)
    used = Usage.objects.filter(phone=limit.phone_id, at__gte=begins(period, zone, now))
    first = used.filter(**{f"{limit.unit}__gt": 0}).aggregate(first=Min("at"))["first"]
    return (first or quarter(now)) + _SLIDING[period] + QUARTER


# ---- Claiming -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """How much a phone may claim now, None = as much as it likes. `people` are new ones of `month`."""

    at: datetime
    month: int
    messages: int | None = None
    segments: int | None = None
    people: int | None = None
    is_trial: bool = False

    @property
    def is_none(self) -> bool:
        return self.messages == 0 or self.segments == 0


def room_of(phone: Phone, now: datetime | None = None) -> Room:
    """Give what a metered phone has room for. In a transaction that has locked it, nobody takes it away."""
    now = now or timezone.now()
    limits = list(Limit.objects.filter(phone=phone))
    left: dict[str, int] = {}
    for standing in _standings(phone, limits, now) if limits else []:
        unit = standing.limit.unit
        left[unit] = min(standing.left, left.get(unit, standing.left))
    watch = Watch.objects.filter(phone=phone).exclude(rests_until=None).first()
    if watch:
        trials = max(0, TRIALS - watch.tried) if watch.rests_until <= now else 0  # type: ignore[operator]
        left[Unit.MESSAGES] = min(trials, left.get(Unit.MESSAGES, trials))
    return Room(
        at=quarter(now),
        month=month_of(ZoneInfo(phone.workspace.time_zone), now),
        messages=left.get(Unit.MESSAGES),
        segments=left.get(Unit.SEGMENTS),
        people=left.get(Unit.PEOPLE),
        is_trial=watch is not None,
    )


def lock(phone: Phone) -> None:
    """Let nobody else count what leaves by a phone until the end of the transaction."""
    locked = Phone.objects.select_for_update(no_key=True).filter(pk=phone.pk)
    list(locked.values_list("pk", flat=True))


def hold(phone: Phone) -> Room:
    """Lock a metered phone until the end of the transaction, and give what it has room for."""
    lock(phone)
    return room_of(phone)


def known_now(phone: Phone, numbers: Iterable[str]) -> set[str]:
    """Give those of some numbers that the phone has written to in the month that it is there."""
    month = month_of(ZoneInfo(phone.workspace.time_zone), timezone.now())
    return _known(phone, month, numbers)


def known(phone: Phone, room: Room, numbers: Iterable[str]) -> set[str]:
    """Give those of some numbers that the phone has written to in this month."""
    return _known(phone, room.month, numbers)


def _known(phone: Phone, month: int, numbers: Iterable[str]) -> set[str]:
    rows = Reached.objects.filter(phone=phone, month=month, number__in=set(numbers))
    return set(rows.values_list("number", flat=True))


def to_known(phone: Phone, room: Room) -> Exists:
    """Give the condition that a message's `peer` is somebody whom the phone has written to this month."""
    return Exists(Reached.objects.filter(phone=phone, month=room.month, number=OuterRef("peer")))


def charge(phone: Phone, room: Room, claimed: Sequence[tuple[str, int]]) -> None:
    """Count messages, each a number and its segments, in the transaction that holds the phone."""
    if not claimed:
        return
    people = 0 if room.people is None else _reach(phone, room, [number for number, _ in claimed])
    # What is there is added to in one statement: two may begin a quarter at the same time.
    table = Usage._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (phone_id, at, messages, segments, people) "  # noqa: S608 - ours
            f"VALUES (%s, %s, %s, %s, %s) ON CONFLICT (phone_id, at) DO UPDATE SET "
            f"messages = {table}.messages + excluded.messages, "
            f"segments = {table}.segments + excluded.segments, "
            f"people = {table}.people + excluded.people",
            [
                phone.pk,
                Usage._meta.get_field("at").get_db_prep_value(room.at, connection),
                len(claimed),
                sum(segments for _, segments in claimed),
                people,
            ],
        )
    if room.is_trial:
        Watch.objects.filter(phone=phone).update(
            tried=F("tried") + len(claimed), tried_at=timezone.now()
        )


def _reach(phone: Phone, room: Room, numbers: Sequence[str]) -> int:
    """Remember whom a phone writes to; give how many were new."""
    times = Counter(numbers)
    before = known(phone, room, times)
    for number in before:
        Reached.objects.filter(phone=phone, month=room.month, number=number).update(
            times=F("times") + times[number]
        )
    Reached.objects.bulk_create(
        Reached(phone=phone, month=room.month, number=number, times=count)
        for number, count in times.items()
        if number not in before
    )
    return len(times) - len(before)


def give_back(phone: Phone, at: datetime, released: Sequence[tuple[str, int]]) -> None:
    """Take messages off again that were counted in the quarter `at` and never left.

    In a transaction that has locked the phone.
    """
    month = month_of(ZoneInfo(phone.workspace.time_zone), at)
    reached = Reached.objects.filter(phone=phone, month=month)
    for number, count in Counter(number for number, _ in released).items():
        reached.filter(number=number).update(times=F("times") - count)
    gone, _ = reached.filter(number__in={number for number, _ in released}, times__lte=0).delete()
    # What was not taken has tried nothing.
    trying = Watch.objects.filter(phone=phone, rests_until__isnull=False)
    trying.update(tried=Greatest(F("tried") - len(released), 0))
    Usage.objects.filter(phone=phone, at=at).update(
        messages=F("messages") - len(released),
        segments=F("segments") - sum(segments for _, segments in released),
        people=F("people") - gone,
    )


# ---- Keeping ------------------------------------------------------------------------------------


def set_limit(phone: Phone, *, period: str, unit: str, amount: int, spill: bool) -> None:
    """Add a limit, or change that of the same period and unit, which goes on counting."""
    Limit.objects.update_or_create(
        phone=phone, period=period, unit=unit, defaults={"amount": amount, "spill": spill}
    )
    note_metered(phone)


def remove_limit(phone: Phone, pk: int) -> bool:
    """Remove a limit; say whether it was there."""
    removed, _rows = Limit.objects.filter(phone=phone, pk=pk).delete()
    note_metered(phone)
    return bool(removed)


def note_metered(phone: Phone) -> None:
    """Write down whether a phone's messages are to be counted, after its limits or its watch changed."""
    watched = Watch.objects.filter(phone=phone).exclude(failed=None, unknown=None)
    counts = Limit.objects.filter(phone=phone).exists() or watched.exists()
    Phone.objects.filter(pk=phone.pk).update(metered=counts)


def forget_counts() -> int:
    """Forget counts that no period reaches any more; give how many rows. A duty of the tick."""
    before = timezone.now() - _KEPT
    old = Usage.objects.filter(at__lt=before)
    gone = old.delete()[0]
    months: QuerySet[Reached] = Reached.objects.filter(month__lt=before.year * 100 + before.month)
    while ids := list(months.values_list("pk", flat=True)[:_BATCH]):
        gone += Reached.objects.filter(pk__in=ids).delete()[0]
    return gone
