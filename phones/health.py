"""How each phone is doing, at a cost that does not grow with the number of messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.models import Workspace
from phones import limits, quotas, registry
from phones.base import PhoneType
from phones.limits import Pace
from phones.models import EndpointCall, Phone, Watch
from phones.quotas import Standing

# The newest messages of a workspace that the delivered share is taken from, at most.
SAMPLE = 2000
_DAY = timedelta(hours=24)
# What became of messages that a provider took, in the words of messaging.models.Status.
_TAKEN = {"sent", "delivered", "failed", "unknown"}


@dataclass(frozen=True, slots=True)
class Health:
    """One phone at a glance.

    `kind` is None when the file of its type is gone, `pace` when the queue server does not answer. `waiting`
    counts the messages that wait while it is paused. `share` is the delivered part, 0 to 1, of those
    it handed over within 24 hours (of the newest SAMPLE of its workspace), None without any. `tightest` is
    the limit that has least left, `watch` how its failures are watched.
    """

    phone: Phone
    kind: type[PhoneType] | None
    pace: Pace | None
    waiting: int
    share: float | None
    called_at: datetime | None
    tightest: Standing | None = None
    watch: Watch | None = None

    @property
    def is_slow(self) -> bool:
        return self.pace is not None and self.pace.is_slow and not self.phone.is_paused

    @property
    def is_troubled(self) -> bool:
        """Say whether somebody should look at it."""
        failing = self.watch is not None and self.watch.troubled_at is not None
        return self.phone.is_paused or self.is_slow or failing or self.kind is None

    @property
    def percent(self) -> float | None:
        """Give the share as people read it; 100 only when really all were delivered."""
        return None if self.share is None else int(self.share * 1000) / 10


def health_of(workspace: Workspace) -> list[Health]:
    """Give every living phone, oldest first, in a fixed number of queries."""
    phones = list(
        workspace.phones.living().defer("settings").select_related("paused_by").order_by("pk")
    )
    called = _called(workspace)
    waiting = _waiting(workspace, [phone for phone in phones if phone.is_paused])
    shares = _shares(workspace)
    paces = _paces(phones)
    for phone in phones:
        phone.workspace = workspace
    limits_of = quotas.standings(phones)
    watches = watches_of(phones)
    return [
        Health(
            phone=phone,
            kind=kind_of(phone),
            pace=paces.get(phone.pk),
            waiting=waiting.get(phone.pk, 0),
            share=shares.get(phone.pk),
            called_at=called.get(phone.pk),
            tightest=next(iter(limits_of.get(phone.pk, [])), None),
            watch=watches.get(phone.pk),
        )
        for phone in phones
    ]


def watches_of(phones: list[Phone]) -> dict[int, Watch]:
    """Give {phone's id: how its failures are watched}. One query, none where no phone is metered."""
    metered = [phone.pk for phone in phones if phone.metered]
    return {w.phone_id: w for w in Watch.objects.filter(phone__in=metered)} if metered else {}


def kind_of(phone: Phone) -> type[PhoneType] | None:
    """Give the phone's type, None when its file is gone."""
    return registry.all_types().get(phone.type)


def pace_of(phone: Phone) -> Pace | None:
    """Give the phone's pace, None when the queue server does not answer."""
    return _paces([phone]).get(phone.pk)


def _paces(phones: list[Phone]) -> dict[int, Pace]:
    try:
        return {phone.pk: limits.pace(phone) for phone in phones}
    except RedisError:
        return {}


def _called(workspace: Workspace) -> dict[int, datetime]:
    calls = EndpointCall.objects.filter(phone__workspace=workspace)
    return dict(calls.values_list("phone").annotate(Max("last_at")).order_by())


def _waiting(workspace: Workspace, paused: list[Phone]) -> dict[int, int]:
    queued = workspace.messages.filter(status="queued", phone__in=paused)
    return dict(queued.values_list("phone").annotate(Count("pk")).order_by())


def _shares(workspace: Workspace) -> dict[int, float]:
    taken: Counter[int] = Counter()
    delivered: Counter[int] = Counter()
    since = timezone.now() - _DAY
    newest = workspace.messages.order_by("-pk").values_list("phone", "status", "sent_at")
    for phone, status, sent_at in newest[:SAMPLE]:
        if status in _TAKEN and sent_at and sent_at >= since:
            taken[phone] += 1
            delivered[phone] += status == "delivered"
    return {phone: delivered[phone] / taken[phone] for phone in taken}
