"""Reliability: too many of a phone's messages fail, so somebody is told, and the phone rests or is paused.

A phone that rests is a circuit breaker that is open. After a while a few messages try it (half open); when
these arrive it goes on, else it rests twice as long. How many left is counted as they are claimed (quotas),
how many failed is read from an index that holds nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from lib.jobs import enqueue
from messaging import alerts
from messaging.connected import rouse
from messaging.models import HAS_FAILED, Message, Status
from phones import quotas, services
from phones.base import Reason
from phones.models import PauseReason, Usage, Watch

logger = logging.getLogger(__name__)

# How long a phone rests the first time; twice as long after each try that failed.
REST, LONGEST_REST = timedelta(minutes=5), timedelta(hours=2)
# What a trial's outcome is waited for, besides the margin of the watch.
_PATIENCE = timedelta(minutes=2)
# Failures that say something of the number or the person, and nothing of the phone.
_NOT_THE_PHONE = (
    Reason.BAD_NUMBER, Reason.OPTED_OUT, Reason.LANDLINE, Reason.BY_HAND, Reason.UNREACHABLE,
    Reason.WORKER_LOST,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the messages that left by a phone within some time."""

    left: int
    failed: int
    unknown: int

    def is_too_much(self, watch: Watch) -> bool:
        """Say whether a rate that is watched is reached."""
        shares = ((self.failed, watch.failed), (self.unknown, watch.unknown))
        return any(most is not None and 100 * n >= most * self.left > 0 for n, most in shares)

    @property
    def words(self) -> str:
        """Say it: of 40 messages 12 failed, and the outcome of 3 is unknown."""
        words = _(
            "Of %(left)s messages %(failed)s failed, and the outcome of %(unknown)s is unknown."
        )
        named = {"left": self.left, "failed": self.failed, "unknown": self.unknown}
        return words % {name: number_format(n, force_grouping=True) for name, n in named.items()}


def seen(watch: Watch, now: datetime) -> Seen:
    """Count what left within the window of a watch, in whole quarters of an hour."""
    end = quotas.quarter(now - timedelta(minutes=watch.margin)) if watch.margin else now
    start = max(quotas.quarter(end - timedelta(minutes=watch.window)), watch.counts_from)
    usage = Usage.objects.filter(phone=watch.phone_id, at__gte=quotas.quarter(start), at__lt=end)
    left = usage.aggregate(left=Sum("messages", default=0))["left"]
    return _with_failures(watch, left, Q(claimed_at__gte=start, claimed_at__lte=end))


def _with_failures(watch: Watch, left: int, when: Q) -> Seen:
    rows = Message.objects.filter(HAS_FAILED, when, phone=watch.phone_id)
    rows = rows.exclude(reason__in=_NOT_THE_PHONE).order_by()
    found = dict(rows.values_list("status").annotate(Count("pk")))
    failed, unknown = found.get(Status.FAILED, 0), found.get(Status.UNKNOWN, 0)
    return Seen(max(left, failed + unknown), failed, unknown)


def look_at_phones(now: datetime | None = None) -> int:
    """Look at every watched phone; give how many are in trouble. A duty of the tick."""
    now = now or timezone.now()
    watches: QuerySet[Watch] = Watch.objects.exclude(failed=None, unknown=None)
    living = watches.filter(phone__deleted_at=None, phone__paused_at=None)
    return sum(_look(watch, now) for watch in _whole(living))


def _whole(watches: QuerySet[Watch]) -> Sequence[Watch]:
    return list(watches.select_related("phone__workspace").defer("phone__settings"))


def _look(watch: Watch, now: datetime) -> bool:
    if watch.rests_until:
        return _look_at_trials(watch, now)
    told = seen(watch, now)
    is_bad = told.left >= watch.least and told.is_too_much(watch)
    if is_bad and not watch.troubled_at:
        _begin(watch, told, now)
    elif watch.troubled_at and not is_bad:
        Watch.objects.filter(pk=watch.pk).update(troubled_at=None, words="")
    return is_bad


def _begin(watch: Watch, told: Seen, now: datetime) -> None:
    """Do what was chosen for too many failures."""
    mine = Watch.objects.filter(pk=watch.pk, troubled_at=None, rests_until=None)
    if watch.action == Watch.Action.PAUSE:
        # What has happened before somebody starts it again is forgiven.
        if mine.update(counts_from=now) and services.pause(
            watch.phone, reason=PauseReason.UNRELIABLE, words=told.words
        ):
            enqueue(alerts.phone_paused, watch.phone_id)
            _call(watch, told)
        return
    change: dict[str, object] = {"troubled_at": now, "words": told.words}
    if watch.action == Watch.Action.REST:
        change |= {"rests_until": now + REST, "rests": 1, "tried": 0, "tried_at": None}
    if mine.update(**change):
        logger.warning("Phone %s is unreliable: %s", watch.phone_id, told.words)
        enqueue(alerts.phone_unreliable, watch.phone_id)
        _call(watch, told)


def _call(watch: Watch, told: Seen) -> None:
    if watch.webhook:
        enqueue(alerts.call_webhook, watch.phone_id, told.words)


def _look_at_trials(watch: Watch, now: datetime) -> bool:
    """Close the circuit again, or let the phone rest once more, when its trials have had their time."""
    patience = _PATIENCE + timedelta(minutes=watch.margin)
    if not watch.tried or watch.tried_at is None or watch.tried_at > now - patience:
        return True
    told = _with_failures(watch, watch.tried, Q(claimed_at__gte=watch.rests_until))
    mine = Watch.objects.filter(pk=watch.pk, rests_until=watch.rests_until)
    if told.is_too_much(watch):
        rest = min(REST * 2**watch.rests, LONGEST_REST)
        mine.update(
            rests_until=now + rest, rests=F("rests") + 1, tried=0, tried_at=None, words=told.words
        )
        return True
    if mine.update(**quotas.WELL, counts_from=now):
        logger.info("Phone %s is reliable again.", watch.phone_id)
        rouse(watch.phone)
    return False
