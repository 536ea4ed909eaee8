"""Letting go what waits for a quota, once there is room: renewed, credited, given back, or taken away.

The most urgent first, then the oldest; what is too long for what is left lets shorter ones pass. It is
wanted anew then: quiet hours that have begun since hold it, and it is not late for its campaign.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import Workspace
from lib import bulk
from messaging import quiet
from messaging.connected import rouse
from messaging.models import Attempt, Message, Priority
from messaging.quota import ledger
from messaging.quota.charging import Account, Charged, accounts, take, waiting
from messaging.quota.models import Quota
from phones.base import Reason
from phones.models import Phone

logger = logging.getLogger(__name__)

# Messages of one transaction, and transactions for a workspace in one look.
_BATCH, _BATCHES = 500, 20


def release() -> int:
    """Let go what quotas have room for; give how much. A duty of the tick."""
    some = Exists(waiting(OuterRef("pk")))
    here = Workspace.objects.filter(some).values_list("pk", flat=True)
    return sum(_release(workspace) for workspace in list(here))


def _release(workspace: int) -> int:
    done = 0
    for _batch in range(_BATCHES):
        some = _release_some(workspace)
        done += some
        if not some:
            break
    if done:
        logger.info("%s messages that waited for a quota may leave.", done)
    return done


def _release_some(workspace: int) -> int:
    now = timezone.now()
    with transaction.atomic():
        found = accounts(ledger.hold_all(workspace), now)
        shared = next((account for account in found if not account.is_person), None)
        people = {account.quota.person_id: account for account in found if account.is_person}
        fitting = waiting(workspace)
        if shared:
            fitting = fitting.filter(_fits(shared))
        for person, account in people.items():
            fitting = fitting.exclude(~_fits(account), created_by=person)
        rows = list(_first(fitting))
        charged = [(row, _charge(row, shared, people)) for row in rows]
        let = [(row, one) for row, one in charged if one]
        _let_go(let, _kept_quiet(workspace, [row for row, _one in let], now), now)
        if not let and (shared is None or shared.left > 0):
            _wait_for_people(workspace, people.values())
    phones = Phone.objects.filter(pk__in={row.phone_id for row, _one in let if not _is_held(row)})
    for phone in phones.only("pk", "type"):
        rouse(phone)
    return len(let)


def _fits(account: Account) -> Q:
    """Pick what fits into what is left, alone."""
    if account.left <= 0:
        return Q(pk__in=())
    if account.quota.unit == Quota.Unit.SEGMENTS:
        return Q(segments__lte=account.left)
    return Q(pk__gt=0)


def _first(fitting: QuerySet[Message]) -> QuerySet[Message]:
    rows = fitting.select_related("campaign").order_by("priority", "id")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    return rows.only(
        "segments",
        "created_by",
        "campaign__state",
        "phone",
        "country",
        "peer",
        "priority",
        "send_at",
    )[:_BATCH]


def _charge(
    row: Message, shared: Account | None, people: dict[int | None, Account]
) -> Charged | None:
    own = people.get(row.created_by_id) if row.created_by_id else None
    mine = [account for account in (shared, own) if account]
    return take(mine, row.segments) if all(one.fits(row.segments) for one in mine) else None


def _is_held(row: Message) -> bool:
    """Say whether a message waits in its campaign for its turn. One that is over lets nothing go any more."""
    return row.campaign is not None and row.campaign.state != "done"


def _kept_quiet(workspace: int, rows: Iterable[Message], now: datetime) -> dict[int, datetime]:
    """Give {message's id: when the quiet hours end that hold it}. Campaigns heed them by themselves."""
    free = [row for row in rows if not _is_held(row) and row.priority != Priority.URGENT]
    if not free:
        return {}
    hours = quiet.of(Workspace.objects.get(pk=workspace))
    ends = {row.pk: hours.begun(row.country, row.peer, row.send_at, now) for row in free}
    return {pk: end for pk, end in ends.items() if end}


def _let_go(
    let: Sequence[tuple[Message, Charged]], later: Mapping[int, datetime], now: datetime
) -> None:
    """Charge messages that still wait. Those of a campaign wait there for their turn."""
    changed = set(
        bulk.update(
            Message,
            ("id", "quota_period", "person_quota_period", "held", "send_at", "not_before"),
            [
                (row.pk, one.period, one.person_period, _is_held(row), *_moments(row, later, now))
                for row, one in let
            ],
            assign="""
            quota_period = v.quota_period, person_quota_period = v.person_quota_period, reason = '',
            held = v.held, send_at = v.send_at,
            not_before = CASE WHEN m.not_before < v.not_before THEN v.not_before ELSE m.not_before END
        """,
            where="m.status = 'queued' AND m.reason IN ('quota', 'own_quota')",
        )
    )
    Attempt.objects.bulk_create(
        Attempt(message=row, kind=Attempt.Kind.QUIET, phone_id=row.phone_id, next_at=later[row.pk])
        for row, _one in let
        if row.pk in later and row.pk in changed
    )


def _moments(
    row: Message, later: Mapping[int, datetime], now: datetime
) -> tuple[datetime, datetime]:
    """Give when a message is wanted from now on, and may be tried."""
    if until := later.get(row.pk):
        return until, until
    return max(row.send_at, now) if _is_held(row) else row.send_at, now


def _wait_for_people(workspace: int, people: Iterable[Account]) -> None:
    """Let what would fit into the workspace's quota wait for its person's, so that it is in nobody's way."""
    for account in people:
        stuck = waiting(workspace).filter(reason=Reason.QUOTA, created_by=account.quota.person_id)
        stuck.exclude(_fits(account)).update(reason=Reason.OWN_QUOTA)
