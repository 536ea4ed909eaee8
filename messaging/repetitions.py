"""Messages that a provider repeats although we have them, where it gives them no id (SMPP).

Its answers tell when it knows that we have a message (`phones.sessions.Fate`); the same again is then
another one. As long as it does not:
- one whose answer never left is repeated: the same again is that one, once;
- one whose answer left, and perhaps arrived, may be repeated: the same again is kept, and marked;
- so is what comes again while the first one has waited so long that the provider may have lost patience.
What was in doubt when a process died is told by its lease: nothing is, that came before `heard_at`.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from messaging.models import Direction, IncomingPart, Message
from phones.base import Event, IncomingSms
from phones.models import Lease, Phone
from phones.sessions import Fate, Received

# Seconds within which a provider repeats what was not acknowledged, and after which it asks again
# while it still waits for our answer.
_REPEATED_WITHIN, _ASKED_AGAIN = 600.0, 5.0
# Seconds that an answer is remembered: what it is compared with came over the same connection.
_COMPARED_WITHIN = 60.0
# Different texts, and messages of a process before this one, that are remembered.
_MOST = 10_000


@dataclass(slots=True)
class _Copy:
    """A message that we have under `name`, since `stored_at`, and that may be repeated as `item` was.

    `at` is when its doubts began, in seconds of the clock. `is_doubtful` = it was marked itself;
    `has_marked` = one more of the same was.
    """

    name: str
    item: Received
    at: float
    stored_at: datetime
    is_doubtful: bool = False
    has_marked: bool = False

    def is_repeated_by(self, event: IncomingSms, item: Received) -> bool:
        # A part carries a number of its message: the same again is hardly another one.
        return self.item.fate == Fate.UNHEARD or (event.part is not None and self._is_open(item))

    def may_be_repeated_by(self, item: Received) -> bool:
        return not self.has_marked and self._is_open(item)

    def _is_open(self, item: Received) -> bool:
        waited = not self.item.told or item.came < self.item.told
        lost_patience = waited and item.came - self.item.came > _ASKED_AGAIN
        return self.item.fate == Fate.IN_DOUBT or lost_patience

    def is_settled(self, now: float) -> bool:
        fate, told = self.item.fate, self.item.told
        return now - self.at > _REPEATED_WITHIN or (
            fate == Fate.HEARD and now - told > _COMPARED_WITHIN
        )


class Repetitions:
    """Names what comes in, so that what is repeated is stored once, and nothing else is lost."""

    def __init__(self, phone: Phone, lease: Lease, beside: Sequence[int] = ()) -> None:
        self._phone = phone
        # The phones of its account: what a session of theirs has and did not acknowledge may come here.
        self.beside = beside
        self._before: tuple[datetime, datetime] | None = lease.before
        # When the newest came that is known here.
        self.newest = lease.before[0]
        self._copies: OrderedDict[str, list[_Copy]] = OrderedDict()

    def named(self, item: Received) -> Event:
        """Give the event of what came in, an incoming message under its name."""
        event = item.event
        assert event is not None
        if not isinstance(event, IncomingSms) or event.provider_id or not event.fingerprint:
            return event
        self._load()
        now = time.monotonic()
        known = self._copies.pop(event.fingerprint, [])
        copies = [copy for copy in known if not copy.is_settled(now)]
        self._copies[event.fingerprint] = copies
        copy = self._copy_of(event, item, copies, now)
        self.newest = max(self.newest, copy.stored_at)
        while len(self._copies) > _MOST:
            self._copies.popitem(last=False)
        return replace(event, provider_id=copy.name, perhaps_repeated=copy.is_doubtful)

    def heard_at(self) -> datetime:
        """Give the moment before which nothing that we have may be repeated."""
        self._load()
        now = time.monotonic()
        for print_, copies in list(self._copies.items()):
            copies[:] = [copy for copy in copies if not copy.is_settled(now)]
            if not copies:
                del self._copies[print_]
        doubts = (
            copy.stored_at
            for copies in self._copies.values()
            for copy in copies
            if copy.item.fate != Fate.HEARD
        )
        return min((*doubts, timezone.now()))

    def _load(self) -> None:
        """Learn what a process before this one may have told nobody."""
        if self._before is None:
            return
        since, until = self._before
        found: list[tuple[str, datetime]] = []
        if since < until:
            # By the index of send_at, which is when an incoming one came.
            messages = Message.objects.filter(
                workspace=self._phone.workspace_id,
                send_at__range=(since, until),
                direction=Direction.IN,
                phone__in=[self._phone.pk, *self.beside],
                part_set=None,
            )
            parts = IncomingPart.objects.filter(
                set__phone__in=[self._phone.pk, *self.beside], received_at__range=(since, until)
            )
            found += messages.order_by("-id").values_list("provider_id", "send_at")[:_MOST]
            found += parts.order_by("-id").values_list("provider_id", "received_at")[:_MOST]
        now = time.monotonic()
        for name, at in found:
            item = Received(None, None, fate=Fate.IN_DOUBT)
            self._copies.setdefault(name.rpartition("-")[0], []).append(_Copy(name, item, now, at))
            self.newest = max(self.newest, at)
        self._before = None

    def _copy_of(
        self, event: IncomingSms, item: Received, copies: list[_Copy], now: float
    ) -> _Copy:
        """Give what this message is: one of those that we have, or one more."""
        for copy in copies:
            if copy.item is item:  # it could not be stored a moment ago
                return copy
        for copy in copies:
            if copy.is_repeated_by(event, item):
                copy.item, copy.at = item, now
                return copy
        doubt = next((copy for copy in copies if copy.may_be_repeated_by(item)), None)
        if doubt:
            doubt.has_marked = True
        copy = _Copy(f"{event.fingerprint}-{uuid.uuid4().hex[:12]}", item, now, timezone.now())
        copy.is_doubtful = doubt is not None or self._is_in_doubt_beside(event, copies)
        copies.append(copy)
        return copy

    def _is_in_doubt_beside(self, event: IncomingSms, own: Sequence[_Copy]) -> bool:
        """Say whether a session of another phone of the account has the same, and perhaps told nobody."""
        if not self.beside:
            return False
        alike = Message.objects.filter(
            workspace=self._phone.workspace_id,
            direction=Direction.IN,
            phone__in=[self._phone.pk, *self.beside],
            provider_id__startswith=f"{event.fingerprint}-",
        ).exclude(provider_id__in=[copy.name for copy in own])
        return any(
            alike.filter(send_at__range=(lease.heard_at, lease.until)).exists()
            for lease in Lease.objects.filter(phone__in=self.beside)
        )
