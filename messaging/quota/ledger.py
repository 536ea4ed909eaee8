"""What is granted: a ledger that only grows, in periods that follow each other.

1. A period begins with what is granted, and with what of the one before is carried over.
2. Whoever asks first after its end closes it, with the quota's row locked: what is left is carried over or
   expires, and the next one begins. No two of a quota begin at the same moment.
3. A quota that does not renew itself goes on, without an end, with nothing but the credit it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from accounts.models import User, Workspace
from lib import zones
from messaging.quota.counting import RESERVED
from messaging.quota.models import Quota, QuotaEntry, QuotaPeriod, QuotaUse
from messaging.quota.periods import begins, ends

Kind = QuotaEntry.Kind
# What two periods are apart at least, should the clock stand still.
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Balance:
    """What of a period is granted and used, in its quota's unit.

    What is `reserved` counts as used, and has not left.
    """

    quota: Quota
    period: QuotaPeriod
    granted: int
    used: int
    reserved: int

    @property
    def left(self) -> int:
        """Give what is left; below 0 where more left than was granted, as a late report may tell."""
        return self.granted - self.used

    @property
    def percent(self) -> int:
        """Give what share is used, 100 where nothing was granted."""
        return 100 * self.used // self.granted if self.granted > 0 else 100

    @property
    def shown_percent(self) -> int:
        """Give the same for a bar, which ends at 100."""
        return max(0, min(100, self.percent))

    @property
    def is_used_up(self) -> bool:
        return self.left <= 0

    @property
    def ran_short(self) -> bool:
        """Say whether nothing is left, or there was too little for something that was written."""
        return self.is_used_up or self.period.short_since is not None

    @property
    def has_ended(self) -> bool:
        """Say whether its time is over and it does not renew itself."""
        return self.quota.every != Quota.Every.ONCE and self.period.ends_at is None


# ---- Looking ------------------------------------------------------------------------------------


def of_workspace(workspace: Workspace | int) -> list[Quota]:
    """Give the quotas of a workspace: its own first, then those of people."""
    mine = Quota.objects.filter(workspace=workspace, removed_at=None)
    found = list(mine.select_related("workspace", "person"))
    return sorted(found, key=lambda quota: (quota.person_id is not None, str(quota.person or "")))


def of_person(workspace: Workspace, person: User | None) -> list[Quota]:
    """Give the quotas that what a person sends is charged to: the workspace's, then their own.

    None = nobody in particular.
    """
    mine = Quota.objects.filter(_charged(workspace.pk, person.pk if person else None))
    return sorted(
        mine.select_related("workspace", "person"), key=lambda quota: quota.person_id or 0
    )


def _charged(workspace: int, person: int | None) -> Q:
    whose = Q(person=None) | Q(person=person) if person else Q(person=None)
    return whose & Q(workspace=workspace, removed_at=None)


def standings(quotas: Iterable[Quota], now: datetime | None = None) -> list[Balance]:
    """Give how quotas stand now, renewed where their time has come."""
    now = now or timezone.now()
    periods = [_up_to_date(quota, now) for quota in quotas]
    found = balances(periods)
    return [found[period.pk] for period in periods]


def _up_to_date(quota: Quota, now: datetime) -> QuotaPeriod:
    period = _latest(quota)
    if not _is_over(period, now):
        return period
    with transaction.atomic():
        return settle(lock(quota), now)


def _latest(quota: Quota) -> QuotaPeriod:
    period = quota.periods.order_by("-starts_at")[0]
    period.quota = quota
    return period


def _is_over(period: QuotaPeriod, now: datetime) -> bool:
    return period.ends_at is not None and period.ends_at <= now


def balances(periods: Collection[QuotaPeriod]) -> dict[int, Balance]:
    """Give {period's id: its balance}, in two queries. Their quotas must be at hand."""
    resent = Q(kind=Kind.RESENT)
    rows = QuotaEntry.objects.filter(period__in=periods).order_by().values_list("period")
    entries = rows.annotate(
        granted=Sum("amount", filter=~resent, default=0),
        resent=Sum("amount", filter=resent, default=0),
    )
    given = {pk: (granted, resent) for pk, granted, resent in entries}
    uses = QuotaUse.objects.filter(period__in=periods).order_by().values("period")
    summed: Any = uses.annotate(**_SUMS)
    taken: dict[int, dict[str, int]] = {row["period"]: row for row in summed}
    found = {}
    for period in periods:
        granted, again = given.get(period.pk, (0, 0))
        row, unit = taken.get(period.pk, {}), period.quota.unit
        found[period.pk] = Balance(
            period.quota,
            period,
            granted=int(granted),
            used=int(row.get(f"used_{unit}", 0) - again),
            reserved=int(row.get(f"reserved_{unit}", 0)),
        )
    return found


# What messages take of a period, in both units.
_SUMS = {
    f"{what}_{unit.value}": Sum(column, filter=which, default=0)
    for unit, column in ((Quota.Unit.MESSAGES, "amount"), (Quota.Unit.SEGMENTS, "segments"))
    for what, which in (("used", None), ("reserved", RESERVED))
}


# ---- Locking and renewing -----------------------------------------------------------------------


def lock(quota: Quota) -> Quota:
    """Give a quota as it is now; nobody else charges or renews it until the end of the transaction."""
    locked = Quota.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("workspace").get(pk=quota.pk)


def hold(workspace: int, person: int | None) -> list[Quota]:
    """Lock the quotas that what a person sends is charged to, and give them.

    Where there is none it is the one look at the database.
    """
    return _locked(Quota.objects.filter(_charged(workspace, person)))


def hold_all(workspace: int) -> list[Quota]:
    """Lock all quotas of a workspace, and give them."""
    return _locked(Quota.objects.filter(workspace=workspace, removed_at=None))


def _locked(quotas: Any) -> list[Quota]:
    # All in the same order, so that two never wait for each other.
    locked = quotas.select_for_update(no_key=True, of=("self",)).order_by("pk")
    return list(locked.select_related("workspace"))


def settle(quota: Quota, now: datetime) -> QuotaPeriod:
    """Give the period that runs now, begun if its time has come.

    In a transaction that has locked the quota.
    """
    period = _latest(quota)
    while _is_over(period, now):
        period = _follow(quota, period, now)
    return period


def _follow(quota: Quota, old: QuotaPeriod, now: datetime) -> QuotaPeriod:
    """Begin the period after one that is over."""
    over: datetime = old.ends_at  # type: ignore[assignment]
    if not quota.renews:
        fresh = QuotaPeriod.objects.create(quota=quota, starts_at=over)
        _close(old, fresh, now, carries=False)
        return fresh
    # Where nothing is carried over, periods that nobody saw leave no trace.
    zone = zones.zone(quota.workspace.time_zone)
    start = over if quota.carries else max(over, begins(quota.every, zone, now))
    return _begin(quota, start, now, old=old)


def _begin(
    quota: Quota,
    start: datetime,
    now: datetime,
    *,
    old: QuotaPeriod | None = None,
    by: User | None = None,
) -> QuotaPeriod:
    zone = zones.zone(quota.workspace.time_zone)
    fresh = QuotaPeriod.objects.create(
        quota=quota, starts_at=start, ends_at=ends(quota.every, zone, start)
    )
    if old:
        _close(old, fresh, now, carries=quota.carries)
    _enter(fresh, Kind.GRANTED, quota.amount, now, by=by)
    return fresh


def _close(old: QuotaPeriod, fresh: QuotaPeriod, now: datetime, *, carries: bool) -> None:
    """Carry over what is left of a period, as far as that is allowed; the rest expires."""
    left = balances([old])[old.pk].left
    most = old.quota.carries_most
    carried = _carry(old, fresh, left if most is None else min(left, most), now) if carries else 0
    _enter(old, Kind.EXPIRED, -max(0, left - carried), now)


def _carry(old: QuotaPeriod, fresh: QuotaPeriod, amount: int, now: datetime) -> int:
    carried = max(0, amount)
    _enter(old, Kind.CARRIED, -carried, now)
    _enter(fresh, Kind.CARRIED, carried, now)
    return carried


def _enter(
    period: QuotaPeriod,
    kind: str,
    amount: int,
    now: datetime,
    *,
    by: User | None = None,
    words: str = "",
) -> None:
    if amount:
        QuotaEntry.objects.create(
            period=period, kind=kind, amount=amount, by=by, words=words, created_at=now
        )


def book_again(taken: Mapping[int, tuple[int, int]], now: datetime) -> None:
    """Write down what messages that are sent again took the first time: {period's id: (messages, segments)}.

    They count but once, for the second time.
    """
    for period in QuotaPeriod.objects.select_related("quota").filter(pk__in=taken):
        amount, segments = taken[period.pk]
        by_segments = period.quota.unit == Quota.Unit.SEGMENTS
        _enter(period, Kind.RESENT, -(segments if by_segments else amount), now)


def renew_due() -> int:
    """Renew what nobody has charged since its period ended; give how many. A duty of the tick.

    What came back to a period after its end, of a campaign that was cancelled since, is carried over too.
    """
    now = timezone.now()
    living = Quota.objects.filter(removed_at=None)
    over = QuotaPeriod.objects.filter(ends_at__lte=now, quota__in=living)
    newer = QuotaPeriod.objects.filter(ends_at=None) | QuotaPeriod.objects.filter(ends_at__gt=now)
    ended = living.filter(pk__in=over.values("quota")).exclude(pk__in=newer.values("quota"))
    found = list(ended)
    for quota in found:
        with transaction.atomic():
            settle(lock(quota), now)
    for quota in living.filter(carries=True):
        _carry_late(quota, now)
    return len(found)


def _carry_late(quota: Quota, now: datetime) -> None:
    two = list(quota.periods.order_by("-starts_at")[:2])
    if len(two) < 2 or balances(two)[two[1].pk].left <= 0:
        return
    with transaction.atomic():
        quota = lock(quota)
        settle(quota, now)
        fresh, old = quota.periods.select_related("quota").order_by("-starts_at")[:2]
        room = balances([old])[old.pk].left
        if quota.carries_most is not None:
            before = fresh.entries.filter(kind=Kind.CARRIED).aggregate(sum=Sum("amount", default=0))
            room = min(room, quota.carries_most - before["sum"])
        _carry(old, fresh, room, now)


# ---- What people decide -------------------------------------------------------------------------


def grant(workspace: Workspace, person: User | None, by: User | None, **fields: Any) -> Quota:
    """Give a workspace, or a person in it, a quota. Raises IntegrityError where there is one."""
    now = timezone.now()
    with transaction.atomic():
        quota = Quota.objects.create(workspace=workspace, person=person, created_at=now, **fields)
        _begin(quota, now, now, by=by)
    return quota


def change(quota: Quota, by: User | None, **fields: Any) -> None:
    """Change a quota: another amount counts from now on, another period begins one now. Not its unit."""
    now = timezone.now()
    with transaction.atomic():
        before = lock(quota)
        old = settle(before, now)
        Quota.objects.filter(pk=quota.pk).update(**fields)
        after = lock(quota)
        old.quota = after
        has_ended = old.ends_at is None and before.every != Quota.Every.ONCE
        if after.every != before.every or (has_ended and after.renews):
            _end_now(after, old, now, by)
        elif not has_ended:
            _enter(old, Kind.CHANGED, after.amount - before.amount, now, by=by)


def renew(quota: Quota, by: User | None) -> None:
    """Begin a period now, whatever is left of the one that runs."""
    now = timezone.now()
    with transaction.atomic():
        quota = lock(quota)
        _end_now(quota, settle(quota, now), now, by)


def _end_now(quota: Quota, old: QuotaPeriod, now: datetime, by: User | None) -> None:
    now = max(now, old.starts_at + _INSTANT)
    QuotaPeriod.objects.filter(pk=old.pk).update(ends_at=now)
    _begin(quota, now, now, old=old, by=by)


def credit(quota: Quota, amount: int, words: str, by: User | None) -> None:
    """Add to what is left of the period that runs, or take off it, and say why."""
    now = timezone.now()
    with transaction.atomic():
        period = settle(lock(quota), now)
        _enter(period, Kind.CREDIT, amount, now, by=by, words=words)
        # There is room again: should it end once more, people are told.
        if amount > 0:
            QuotaPeriod.objects.filter(pk=period.pk).update(short_since=None)


def remove(quota: Quota) -> None:
    """Take a quota away: nothing is charged to it any more. What waited for it leaves."""
    Quota.objects.filter(pk=quota.pk).update(removed_at=timezone.now())
