"""Making a message of each recipient of a campaign, a thousand at a time.

1. A run takes the campaign's lease, so that there is one at a time; one that was killed leaves it to end.
2. Each chunk is one transaction: its messages, and the place in the list where the next one begins. Killed
   anywhere, the next run goes on behind the last chunk that counts, without a recipient lost or doubled.
3. `submission` and number are unique together, whatever happens: nobody is reached twice.
4. Who gets nothing gets a row too, skipped and with the reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import alerting, feeding, sources, texts
from campaigns.judging import Judge, Judged
from campaigns.models import Campaign, State
from campaigns.sources import Place
from contacts.importing.reading import Unreadable
from lib import bulk
from lib.jobs import DEFAULT, awake, stopping, wake
from lib.stored import DatabaseAway
from messaging.models import Direction, Media, Message, Status
from messaging.quota.charging import Charged, charge
from phones.models import Phone
from phones.prices import Tariff, tariff_of

logger = logging.getLogger(__name__)

# Recipients of one transaction, rows of one INSERT; seconds of one run and of a lease; tries of a chunk.
_CHUNK, _ROWS, _RUN, _LEASE, _TRIES = 1000, 500, 5.0, timedelta(seconds=90), 3

# What differs from message to message.
_COLUMNS = (
    "status", "held", "reason", "words", "ended_at", "peer", "country", "text", "encoding", "segments",
    "send_at", "not_before", "cost", "currency", "cost_is_estimate", "quota_period",
    "person_quota_period",
)  # fmt: skip


class _TakenOver(Exception):
    """Somebody paused or cancelled the campaign, or another run has it."""


def resume() -> int:
    """Wake the campaigns whose run was lost. A duty of the tick."""
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    open_ = Campaign.objects.filter(free, state=State.RUNNING, expanded_at=None)
    left = list(open_.values_list("pk", flat=True)[:50])
    for pk in left:
        wake(run, pk, queue=DEFAULT)
    return len(left)


def run(pk: int) -> None:
    """Work on a campaign for some seconds. A job."""
    awake(run, pk)
    now = timezone.now()
    until = now + _LEASE
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    mine = Campaign.objects.filter(free, pk=pk, state=State.RUNNING, expanded_at=None)
    if not mine.update(lease_until=until):
        return
    campaign = Campaign.objects.select_related(
        "workspace", "created_by", "sheet", "phone", "pool"
    ).get(pk=pk)
    with alerting.spoken_to(campaign):
        # Whom to leave out must be known to the last, and so must whom to reach.
        if problems := sources.broken(campaign):
            alerting.stop(campaign, problems[0])
            return
        try:
            is_whole = _Expansion(campaign, until).go_on()
        except _TakenOver:
            return
        except (Unreadable, texts.Bad, _NoPhone) as error:
            alerting.stop(campaign, str(error))
            return
        except DatabaseAway:
            raise  # the lease ends, and the tick takes it up again
        except Exception:
            alerting.stop(campaign, _("Something went wrong on our side. Continue to try again."))
            raise
    if is_whole:
        Campaign.objects.filter(pk=pk).update(expanded_at=timezone.now(), lease_until=None)
        wake(feeding.feed, pk, queue=DEFAULT)
    else:
        Campaign.objects.filter(pk=pk, lease_until__isnull=False).update(lease_until=None)
        wake(run, pk, queue=DEFAULT)


class _NoPhone(Exception):
    """The workspace has no phone left that a message could belong to."""


class _Expansion:
    def __init__(self, campaign: Campaign, until: datetime) -> None:
        self.campaign = campaign
        self.judge = Judge(campaign)
        self._lease = until
        self._phone, self._tariff = self._first_phone()
        self._media = list(campaign.media.all())
        # What all its messages share.
        self._same = {
            "workspace": campaign.workspace_id,
            "direction": Direction.OUT,
            "phone": self._phone.pk,
            "own": self._phone.address,
            "pool": campaign.pool_id,
            "any_phone": campaign.phone_id is None and campaign.pool_id is None,
            "flash": campaign.flash,
            "priority": campaign.priority,
            "campaign": campaign.pk,
            "submission": campaign.submission,
            "created_by": campaign.created_by_id,
        }

    def go_on(self) -> bool:
        """Work until the end (True) or until it is time to let others work (False)."""
        campaign = self.campaign
        begun = time.monotonic()
        start = Place(campaign.step, campaign.after)
        for place, recipients in sources.chunks(campaign, _CHUNK, start):
            judged = self.judge(recipients)
            for attempt in range(_TRIES):
                try:
                    self._store(place, judged)
                    break
                except IntegrityError:
                    if attempt + 1 == _TRIES:
                        raise
            if campaign.seen == len(recipients):
                # The first ones need not wait for the last.
                wake(feeding.feed, campaign.pk, queue=DEFAULT)
            if stopping.is_set() or time.monotonic() - begun > _RUN:
                return False
        return True

    def _first_phone(self) -> tuple[Phone, Tariff]:
        """Give the phone that messages name until they are given theirs."""
        found = self.judge.phones
        if not found:
            raise _NoPhone(alerting.no_phone())
        return found[0], tariff_of(found[0]) if self.judge.is_priced else Tariff({})

    def _store(self, place: Place, judged: Sequence[Judged]) -> None:
        campaign = self.campaign
        wanted: dict[str, Judged] = {}
        for item in judged:
            if not item.is_excluded:
                wanted.setdefault(item.recipient.peer, item)
        excluded = sum(item.is_excluded for item in judged)
        now = timezone.now()
        until = now + _LEASE
        with transaction.atomic():
            mine = Campaign.objects.filter(
                pk=campaign.pk, state=State.RUNNING, lease_until=self._lease
            )
            if not mine.update(lease_until=until):
                raise _TakenOver
            known = self._written(wanted)
            new = [item for peer, item in wanted.items() if peer not in known]
            charged = self._charge(new)
            bulk.insert(
                Message,
                _COLUMNS,
                [
                    self._row(item, one, number, now)
                    for number, (item, one) in enumerate(zip(new, charged, strict=True))
                ],
                **self._same,
                created_at=now,
            )
            leaving = [
                item.recipient.peer
                for item, one in zip(new, charged, strict=True)
                if not (item.reason or one.is_skipped)
            ]
            self._attach(leaving)
            Campaign.objects.filter(pk=campaign.pk).update(
                step=place.step,
                after=place.after,
                seen=F("seen") + len(judged),
                excluded=F("excluded") + excluded,
                repeated=F("repeated") + len(judged) - excluded - len(new),
            )
        self._lease = until
        campaign.seen += len(judged)

    def _written(self, peers: Collection[str]) -> dict[str, int]:
        """Give the messages of this campaign to these numbers: {number: message's id}."""
        mine = Message.objects.filter(
            workspace=self.campaign.workspace_id,
            submission=self.campaign.submission,
            direction=Direction.OUT,
            peer__in=peers,
        )
        return dict(mine.values_list("peer", "pk"))

    def _attach(self, peers: Sequence[str]) -> None:
        """Put the pictures to the messages."""
        if not self._media:
            return
        written = self._written(peers)
        through = Media.messages.through
        through.objects.bulk_create(
            [
                through(media_id=item.pk, message_id=pk)
                for item in self._media
                for pk in written.values()
            ],
            batch_size=_ROWS,
        )

    def _charge(self, items: Sequence[Judged]) -> list[Charged]:
        """Charge what is to leave to the quotas there are; what is left out already is nobody's."""
        sizes = [_segments(item) for item in items if not item.reason]
        campaign = self.campaign
        charged = iter(
            charge(campaign.workspace_id, campaign.created_by_id, sizes, priority=campaign.priority)
        )
        return [Charged() if item.reason else next(charged) for item in items]

    def _row(self, item: Judged, charged: Charged, number: int, now: datetime) -> tuple[Any, ...]:
        """Give what is a message's own, in the order of _COLUMNS."""
        send_at = self._moment(item, number)
        segments = _segments(item)
        peer = item.recipient.peer
        is_out = bool(item.reason) or charged.is_skipped
        price = None if is_out else self._tariff.price_of(peer)
        return (
            Status.SKIPPED if is_out else Status.QUEUED,
            not is_out,
            item.reason or charged.reason,
            item.words[:500],
            now if is_out else None,
            peer,
            item.recipient.country,
            item.text,
            item.length.encoding,
            segments,
            send_at,
            send_at,
            price.amount * segments if price else None,
            price.currency if price else "",
            price is not None,
            charged.period,
            charged.person_period,
        )

    def _moment(self, item: Judged, number: int) -> datetime:
        """Say when one recipient's message is wanted: its zone's time, and its share of the spread."""
        campaign, recipient = self.campaign, item.recipient
        at = self.judge.clocks.moment(recipient.number, recipient.contact_zone)
        if not campaign.spread:
            return at
        share = min(1.0, (campaign.seen + number) / max(1, campaign.expected))
        return at + timedelta(seconds=round(campaign.spread * share))


def _segments(item: Judged) -> int:
    return max(1, item.length.segments)
