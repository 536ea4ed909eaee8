"""Connected phones: what stands between the database and a session that stays bound.

The session's threads speak to the provider; one thread here speaks to the database, so that neither
waits for the other, and in this order:
1. what became of messages is recorded;
2. what came in is stored, and only then acknowledged;
3. messages are claimed, as many as the window has room for: what a killed process leaves in doubt is never
   more than the window.
The process is an RQ worker whose jobs, on the phone's own queue, only say "look".
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from django.db import DatabaseError, connection, transaction

from lib import stored
from lib.jobs import QueueDown, awake, enqueue, wake
from lib.stored import DatabaseAway
from messaging import alerts, receiving, reporting
from messaging.outcomes import Claimed, Outcome, names_of, record, write
from messaging.repetitions import Repetitions
from messaging.sending import as_outgoing, claim, due, prolong, pump, release
from phones import accounts, leases, limits, live, services
from phones.base import (
    Delivery,
    Event,
    IncomingSms,
    Misconfigured,
    NoCredit,
    OutgoingSms,
    PhoneError,
    Sent,
    StatusReport,
    Throttled,
)
from phones.health import kind_of
from phones.lines import hushed, line
from phones.models import Exchange, Lease, PauseReason, Phone
from phones.sessions import News, Received, Session

logger = logging.getLogger(__name__)

# Seconds that a stopping session waits for answers.
DRAIN = 10.0
# Seconds that a session which has ended insists on recording what it knows.
_INSIST = 60.0
# Seconds between two looks for due messages that no wake-up told of, and to wait where it fails.
_LOOK_AGAIN, _TROUBLE = 5.0, 1.0
# Seconds that a pace is believed, which may have changed elsewhere.
_PACE_AGAIN = 0.1
# Seconds between two beats: the lease, what people watch.
_BEAT = 1.0
# Part of the window that must be free before more is claimed: handfuls, not single messages.
_FREE = 0.25
# Longest rest after throttles that follow one another, in seconds.
_LONGEST_REST = 30.0
# Messages that were given up as unknown and whose late answer is still welcome.
_MOST_LATE = 10_000

_seats: dict[int, Seat] = {}


def rouse(phone: Phone) -> None:
    """Let a phone look for what is due, on commit: its session if it has one, else any worker."""
    kind = kind_of(phone)
    if kind and kind.connected:
        wake(look, phone.pk, queue=queue_of(phone.pk))
    else:
        wake(pump, phone.pk)


def queue_of(phone_id: int) -> str:
    return f"phone-{phone_id}"


def look(phone_id: int) -> None:
    """Let the session of a phone look at once. The job behind its wake-ups."""
    awake(look, phone_id)
    if seat := _seats.get(phone_id):
        seat.nudge()


class Seat(threading.Thread):
    """Holds the session of one phone: a thread of its own, the only one that knows the database."""

    def __init__(self, phone: Phone, lease: Lease) -> None:
        super().__init__(name=f"seat {phone.pk}")
        self.phone = phone
        self.id = uuid.uuid4()
        self._lease = lease
        self._lease_ends = time.monotonic() + leases.LASTS
        self._is_ours = True
        self._session: Session = line(phone).session()
        self._claimed: dict[str, tuple[OutgoingSms, Claimed]] = {}
        self._late: OrderedDict[str, Claimed] = OrderedDict()
        # What the database was away for.
        self._owed_reports: list[StatusReport] = []
        self._owed_outcomes: list[Outcome] = []
        self._owed_unsent: list[Claimed] = []
        self._account = accounts.name_of(phone)
        # What the provider tells of them comes here too.
        self._beside = accounts.beside(phone)
        self._repetitions = Repetitions(phone, lease, self._ids_beside)
        self._heard_at = lease.heard_at
        self._stopping = threading.Event()
        self._stopped = False
        self._may_be_due = True
        self._looked = 0.0
        self._pace: limits.Pace | None = None
        self._paced = 0.0
        self._rest_until = 0.0
        self._throttled_until = 0.0
        self._throttles = 0
        self._beaten = 0.0
        self._told = ""
        # Called, in this thread, once it is over.
        self.ended: Callable[[], object] = lambda: None

    def nudge(self) -> None:
        """Something may be due. From any thread."""
        self._may_be_due = True
        self._session.nudge()

    def stop(self) -> None:
        """End in order. From any thread, again and again."""
        self._stopping.set()
        self._session.nudge()

    def run(self) -> None:
        try:
            self.begin()
            while not self.is_over():
                self.turn()
        finally:
            try:
                self.end()
            finally:
                connection.close()
                self.ended()

    def begin(self) -> None:
        """Connect, and let wake-ups reach this session."""
        _seats[self.phone.pk] = self
        self._session.start()

    def is_over(self) -> bool:
        return self._session.is_over()

    def end(self) -> None:
        """Let somebody else have the phone."""
        _seats.pop(self.phone.pk, None)
        try:
            self._settle(patience=_INSIST)
            leases.release(self._lease, heard_at=self._repetitions.heard_at())
            live.forget(self.phone.pk)
        except (QueueDown, *DatabaseAway) as error:
            logger.warning("The session of phone %s leaves things undone: %s", self.phone.pk, error)

    def turn(self) -> None:
        """Wait for news, and do what they ask for. Never raises."""
        if self._stopping.is_set() and not self._stopped:
            self._stopped = True
            self._session.stop(DRAIN)
        try:
            went_on = self._handle(self._session.news(self._patience()))
            self._beat()
            if not (self._stopped or went_on):
                self._hand_over()
        except (QueueDown, *DatabaseAway) as error:
            logger.warning("The session of phone %s waits: %s", self.phone.pk, error)
            connection.close()
            self._rest_until = time.monotonic() + _TROUBLE
        except leases.Lost:
            logger.warning("The session of phone %s is held elsewhere.", self.phone.pk)
            self._is_ours = False
            self.stop()
        except Exception:  # a bug must not leave messages claimed and receipts unanswered
            logger.exception("The session of phone %s stumbled", self.phone.pk)
            self._rest_until = time.monotonic() + _TROUBLE

    def _patience(self) -> float:
        now = time.monotonic()
        if self._stopped:
            return 0.05
        wait = _BEAT if not self._may_be_due else min(_BEAT, max(0.0, self._rests_until - now))
        return wait or (0.0 if self._is_worth(self._session.room()) else _BEAT)

    @property
    def _rests_until(self) -> float:
        return max(self._rest_until, self._throttled_until)

    # ---- What happened ----------------------------------------------------------------------

    def _handle(self, news: News) -> bool:
        """Record, give back, store and acknowledge; say whether more was claimed, too.

        What came in is answered even where we fail.
        """
        outcomes = self._outcomes(news.results)
        self._owed_outcomes += outcomes
        gone = (self._claimed.pop(sms.reference, None) for sms in news.unsent)
        self._owed_unsent += [claimed[1] for claimed in gone if claimed]
        if self._is_plain(news) and self._go_on(news.received):
            return True
        try:
            self._settle()
        finally:
            if news.received:
                self._store(news.received)
        for error in news.troubles:
            self._trouble(error)
        self._learn([outcome.error for outcome in outcomes])
        return False

    def _is_plain(self, news: News) -> bool:
        """Say whether all went well, and reports came in and nothing else."""
        return (
            not (self._stopped or self._beside or news.troubles)
            and not (self._owed_unsent or self._owed_reports)
            and bool(self._owed_outcomes or news.received)
            and all(outcome.sent for outcome in self._owed_outcomes)
            and all(isinstance(item.event, StatusReport) for item in news.received)
        )

    def _go_on(self, received: Sequence[Received]) -> bool:
        """Record, store, and claim anew, in one transaction: a commit costs as much as ten messages.

        Say whether that was possible; else nothing has happened, and each is to be done by itself.
        """
        outcomes, claimed = self._owed_outcomes, list[Claimed]()
        reports = [item.event for item in received if isinstance(item.event, StatusReport)]
        try:
            granted, pace = self._granted()
            with transaction.atomic():
                if outcomes:
                    write(self.id, self.phone, outcomes)
                    reporting.match_parked(self.phone, names_of(outcomes))
                if reports:
                    reporting.apply(self.phone, reports)
                if granted:
                    claimed = claim(self.phone, self.id, granted, lease=self._lease)
        except DatabaseAway:
            connection.close()
            self._session.acknowledge(received, stored=False)
            raise
        except (QueueDown, leases.Lost, DatabaseError, ValueError, TypeError) as error:
            logger.info("Phone %s does one thing after the other: %s", self.phone.pk, error)
            return False
        if outcomes:
            self._owed_outcomes = []
            self._throttles = 0
        self._session.acknowledge(received, stored=True)
        if pace:
            self._submit(claimed, granted, pace)
        return True

    def _outcomes(self, results: Sequence[tuple[OutgoingSms, Sent | PhoneError]]) -> list[Outcome]:
        """Give what became of messages, also where that is heard after they were given up."""
        outcomes = []
        for sms, result in results:
            claimed = self._claimed.get(sms.reference)
            if claimed and claimed[0] is sms:
                message = self._claimed.pop(sms.reference)[1]
            elif sms.reference in self._late and (not claimed or isinstance(result, Sent)):
                message = self._late.pop(sms.reference)
                self._heard_late(message, result)
            else:
                continue  # its second copy is on its way: what became of that one counts
            if isinstance(result, Sent):
                outcomes.append(Outcome(message, sent=result))
            else:
                outcomes.append(Outcome(message, error=hushed(self.phone, result)))
                self._late[sms.reference] = message
        while len(self._late) > _MOST_LATE:
            self._late.popitem(last=False)
        return outcomes

    def _heard_late(self, message: Claimed, result: Sent | PhoneError) -> None:
        """Keep a message that was taken after all from being sent again by itself."""
        if isinstance(result, Sent):
            self._owed_reports.append(
                StatusReport(Delivery.SENT, result.provider_id, reference=str(message.pk))
            )

    def _settle(self, patience: float = 0) -> None:
        """Write what became of messages; what cannot be written now stays owed."""
        if self._owed_reports:
            receiving.apply(self.phone, self._owed_reports, beside=self._ids_beside)
            self._owed_reports = []
        if self._owed_outcomes:
            record(
                self.id,
                self.phone,
                self._owed_outcomes,
                patience=patience,
                beside=self._ids_beside,
            )
            self._owed_outcomes = []
        if self._owed_unsent:
            release(self.id, self.phone, self._owed_unsent)
            self._owed_unsent = []
            self._may_be_due = True

    def _learn(self, errors: Sequence[PhoneError | None]) -> None:
        """Slow down where the provider asks for it: a window of refusals is one wish."""
        throttles = [error for error in errors if isinstance(error, Throttled)]
        if len(throttles) < len(errors):
            self._throttles = 0
        now = time.monotonic()
        if throttles:
            self._may_be_due = True
            if now >= self._throttled_until:
                seconds = (throttles[0].retry_after or 1) * 2**self._throttles
                rest = min(seconds, _LONGEST_REST)
                self._throttles += 1
                self._throttled_until = now + rest
                self._pace = None
                with suppress(QueueDown):
                    for phone in accounts.all_of(self.phone):
                        limits.slow_down(phone, words=throttles[0].words, seconds=rest)
        for error in errors:
            if isinstance(error, Misconfigured):
                self._pause(error)

    def _store(self, received: Sequence[Received]) -> None:
        """Store what came in, then say so; what cannot be stored now is to be sent again."""
        is_stored = False
        try:
            self._keep(received)
            is_stored = True
        except DatabaseAway as error:
            logger.warning("Phone %s cannot store what came in: %s", self.phone.pk, error)
            connection.close()
        except (DatabaseError, ValueError, TypeError):
            if len(received) == 1 and received[0].event is None:
                raise
            logger.exception("What phone %s received cannot be stored", self.phone.pk)
            # One that cannot be stored must cost the others nothing, nor be sent again for ever.
            for item in received:
                one = len(received) == 1
                self._store([replace(item, event=None, words=str(item.event)) if one else item])
            return
        self._session.acknowledge(received, stored=is_stored)

    def _keep(self, received: Sequence[Received]) -> None:
        events = [self._repetitions.named(item) for item in received if item.event]
        unreadable = [item.words for item in received if item.event is None]
        with transaction.atomic():
            for phone, told in self._addressed(events):
                receiving.apply(phone, told, beside=self._ids_beside)
            if unreadable:
                Exchange.objects.bulk_create(
                    Exchange(
                        phone=self.phone,
                        direction=Exchange.Direction.IN,
                        method="SMPP",
                        received=stored.text(words, 4000),
                        error="It could not be read.",
                    )
                    for words in unreadable
                )

    @property
    def _ids_beside(self) -> list[int]:
        return [phone.pk for phone in self._beside]

    def _addressed(self, events: Sequence[Event]) -> list[tuple[Phone, list[Event]]]:
        """Give each message to the phone of the account that it was written to."""
        if not self._beside:
            return [(self.phone, list(events))] if events else []
        found: dict[int, tuple[Phone, list[Event]]] = {}
        for event in events:
            to = event.to if isinstance(event, IncomingSms) else ""
            phone = accounts.addressee(self.phone, self._beside, to)
            found.setdefault(phone.pk, (phone, []))[1].append(event)
        # In one order: two sessions of one account must not wait for each other.
        return [found[pk] for pk in sorted(found)]

    def _trouble(self, error: PhoneError) -> None:
        """The session cannot be had: say it once, to those who can mend it."""
        if isinstance(error, Misconfigured) and self._told != error.words:
            self._told = error.words
            words = hushed(self.phone, error).words
            enqueue(alerts.phone_refused, self.phone.pk, f"{words} ({error.code})")

    def _pause(self, error: Misconfigured) -> None:
        reason = PauseReason.NO_CREDIT if isinstance(error, NoCredit) else PauseReason.MISCONFIGURED
        words = f"{error.words} ({error.code})" if error.code else error.words
        if services.pause(self.phone, reason=reason, words=words, by=None):
            enqueue(alerts.phone_paused, self.phone.pk)

    # ---- What is to be done -----------------------------------------------------------------

    def _hand_over(self) -> None:
        """Claim what the window and the rate have room for."""
        granted, pace = self._granted()
        if pace:
            messages = claim(self.phone, self.id, granted, lease=self._lease)
            self._submit(messages, granted, pace)

    def _granted(self) -> tuple[int, limits.Pace | None]:
        """Give how many may be claimed now, and at which pace; (0, None) where none is to be."""
        now = time.monotonic()
        if now - self._looked > _LOOK_AGAIN:
            self._may_be_due = True
        room = self._session.room()
        if not self._may_be_due or now < self._rests_until or not self._is_worth(room):
            return 0, None
        pace = self._pace_now(now)
        if pace.held:
            self._rest_until = now + min(pace.held, _LOOK_AGAIN)
            return 0, None
        granted, nap = limits.take(self.phone, pace, room, account=self._account)
        if not granted:
            self._rest_until = now + max(nap, 0.001)
            return 0, None
        self._looked = now
        return granted, pace

    def _pace_now(self, now: float) -> limits.Pace:
        """Give the pace, some moments old at most."""
        if self._pace is None or now > self._paced + _PACE_AGAIN:
            self._pace, self._paced = limits.pace(self.phone), now
        return self._pace

    def _submit(self, messages: Sequence[Claimed], granted: int, pace: limits.Pace) -> None:
        """Hand over what was claimed, of so many granted."""
        handed_over = [(as_outgoing(message), message) for message in messages]
        self._claimed |= {sms.reference: (sms, message) for sms, message in handed_over}
        self._session.submit([sms for sms, _ in handed_over])
        self._may_be_due = bool(messages) and (len(messages) == granted or due(self.phone).exists())
        more = sum(message.segments for message in messages) - granted
        limits.charge(self.phone, pace, more, account=self._account)

    def _is_worth(self, room: int) -> bool:
        return room > 0 and room >= len(self._claimed) * _FREE

    def _beat(self) -> None:
        """Renew the lease, learn what people changed, show how it is."""
        now = time.monotonic()
        if now - self._beaten < _BEAT:
            return
        self._beaten = now
        if self._is_ours:
            self._keep_lease(now)
        with suppress(QueueDown):
            self._show()

    def _keep_lease(self, now: float) -> None:
        if now > self._lease_ends:
            raise leases.Lost
        heard_at = self._repetitions.heard_at()
        is_due = self._lease_ends - now < leases.LASTS - leases.RENEW
        has_heard = self._heard_at <= self._repetitions.newest and self._heard_at < heard_at
        if (is_due or has_heard) and not leases.renew(self._lease, heard_at=heard_at):
            raise leases.Lost
        if is_due or has_heard:
            self._heard_at = heard_at
        if is_due:
            self._lease_ends = now + leases.LASTS
            prolong(self.id, [message.pk for _, message in self._claimed.values()])
            self.phone.refresh_from_db(fields=["rate", "resend_unknown", "paused_at", "metered"])
            self._pace = None
            self._beside = accounts.beside(self.phone)
            self._repetitions.beside = self._ids_beside

    def _show(self) -> None:
        binds = self._session.binds()
        if any(bind.state == "bound" for bind in binds):
            self._told = ""
        live.show(self.phone.pk, [asdict(bind) for bind in binds])
        if seconds := live.wants_trace(self.phone.pk):
            self._session.watch(seconds)
        live.add_trace(self.phone.pk, self._session.trace())
