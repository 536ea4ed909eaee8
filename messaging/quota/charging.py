"""Charging messages to the quotas of who sends them, or letting them wait or go.

In the transaction that writes the messages, with the quotas' rows locked from here to its end: no two charge
at once, so that no quota is ever passed. Of several messages those that fit are charged, in their order. New
ones do not overtake what waits, is as urgent and would fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet
from django.utils import timezone

from messaging.models import AWAITS_QUOTA, Message, Status
from messaging.quota import ledger
from messaging.quota.ledger import Balance
from messaging.quota.models import Quota, QuotaPeriod
from phones.base import Reason


@dataclass(frozen=True, slots=True)
class Charged:
    """What a message is charged to (ids of periods), or the reason why it waits or, else, is skipped."""

    period: int | None = None
    person_period: int | None = None
    reason: Reason = Reason.NONE
    waits: bool = False

    @property
    def is_skipped(self) -> bool:
        return bool(self.reason) and not self.waits


_FREE = Charged()


class Account:
    """What is left of a quota while it is being charged."""

    def __init__(self, balance: Balance) -> None:
        self.quota, self.period = balance.quota, balance.period
        self.left = balance.left
        self.is_person = self.quota.person_id is not None
        self.reason = Reason.OWN_QUOTA if self.is_person else Reason.QUOTA
        self._is_short = False

    def price(self, segments: int) -> int:
        return segments if self.quota.unit == Quota.Unit.SEGMENTS else 1

    def fits(self, segments: int) -> bool:
        return self.price(segments) <= self.left

    def note_short(self) -> None:
        self._is_short = True

    def write(self, now: datetime) -> None:
        """Remember when it was too short for the first time."""
        if self._is_short and not self.period.short_since:
            QuotaPeriod.objects.filter(pk=self.period.pk).update(short_since=now)


def accounts(quotas: Sequence[Quota], now: datetime) -> list[Account]:
    """Give the accounts of quotas that this transaction has locked, renewed where their time has come."""
    periods = [ledger.settle(quota, now) for quota in quotas]
    found = ledger.balances(periods)
    return [Account(found[period.pk]) for period in periods]


def charge(
    workspace: int, person: int | None, sizes: Sequence[int], *, priority: int
) -> list[Charged]:
    """Charge messages of a person (None = nobody's) to the quotas there are; `sizes` are their segments.

    In a transaction. Where there is no quota it costs one query.
    """
    quotas = ledger.hold(workspace, person) if sizes else []
    if not quotas:
        return [_FREE] * len(sizes)
    now = timezone.now()
    found = accounts(quotas, now)
    behind = [account for account in found if _others_first(account, priority)]
    charged = [_charge(found, behind, size) for size in sizes]
    for account in found:
        account.write(now)
    return charged


def _charge(found: Sequence[Account], behind: Sequence[Account], size: int) -> Charged:
    short = [account for account in found if not account.fits(size)]
    for account in short:
        account.note_short()
    skips = [account for account in short if account.quota.over == Quota.Over.SKIP]
    if skips:
        return Charged(reason=skips[-1].reason)
    if short or behind:
        return Charged(reason=(short or behind)[0].reason, waits=True)
    return take(found, size)


def take(found: Iterable[Account], size: int) -> Charged:
    """Charge one message that fits."""
    periods: dict[bool, int] = {}
    for account in found:
        account.left -= account.price(size)
        periods[account.is_person] = account.period.pk
    return Charged(periods.get(False), periods.get(True))


def waiting(workspace: int | OuterRef) -> QuerySet[Message]:
    """Give the messages that wait for a quota, by the index of those."""
    return Message.objects.filter(AWAITS_QUOTA, workspace=workspace, status=Status.QUEUED)


def _others_first(account: Account, priority: int) -> bool:
    """Say whether something waits for a quota that is as urgent and would fit: the tick lets it go soon."""
    quota = account.quota
    if account.left <= 0 or quota.over == Quota.Over.SKIP:
        return False
    others = waiting(quota.workspace_id).filter(reason=account.reason, priority__lte=priority)
    if quota.unit == Quota.Unit.SEGMENTS:
        others = others.filter(segments__lte=account.left)
    if account.is_person:
        others = others.filter(created_by=quota.person_id)
    return others.exists()


# ---- Again --------------------------------------------------------------------------------------


def charge_again(messages: Sequence[Message]) -> list[Charged]:
    """Charge messages anew that are to be sent again, all of one workspace, and locked.

    What they took before stays taken: they are booked once those that do not wait or go are known, by
    `book`.
    """
    by_person: defaultdict[tuple[int | None, int], list[int]] = defaultdict(list)
    for place, message in enumerate(messages):
        by_person[message.created_by_id, message.priority].append(place)
    charged: dict[int, Charged] = {}
    for (person, priority), places in by_person.items():
        sizes = [messages[place].segments for place in places]
        workspace = messages[places[0]].workspace_id
        charged |= dict(
            zip(places, charge(workspace, person, sizes, priority=priority), strict=True)
        )
    return [charged[place] for place in range(len(messages))]


def book(messages: Iterable[Message]) -> None:
    """Book what messages took the first time, before they are sent again. In a transaction."""
    taken: defaultdict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for message in messages:
        if not counts(message):
            continue
        for period in filter(None, (message.quota_period, message.person_quota_period)):
            amount, segments = taken[period]
            taken[period] = (amount + 1, segments + message.segments)
    if taken:
        ledger.book_again(taken, timezone.now())


def counts(message: Message) -> bool:
    """Say whether a message takes of what it is charged to, as quota.counting says it."""
    if message.status != Status.FAILED:
        return message.status not in (Status.CANCELLED, Status.SKIPPED)
    claimed_at = message.claimed_at
    return message.sent_at is not None and (claimed_at is None or message.sent_at >= claimed_at)
