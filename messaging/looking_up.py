"""Looking up whose number it is, for phones whose messages go elsewhere for each carrier.

Such a phone may name another one through which carriers are looked up. Its messages to numbers that
nobody knows stay queued (`sending.due`) until the answer is there. Each answer costs money:
1. a row of `LookUp` says, committed, that a number is being asked for; it is unique;
2. only then does the request leave;
3. the answer is stored and the row goes in one transaction, and what is stored is not asked again.
So of any number of workers one asks. Where a request may have been answered and nothing usable came,
that is stored, too: only a person has the number looked up again.
"""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import NumberCarrier
from lib import stored
from lib.http import NoAnswer, NotSent, Trace
from lib.jobs import DEFAULT, awake, enqueue, stopping, wake
from lib.vault import Unreadable
from messaging import alerts
from messaging.gateways import NO_NUMBER
from messaging.models import OVER_QUOTA, Attempt, LookUp, Message, Status
from messaging.outcomes import TRIES, backoff
from messaging.sending import pump
from phones import services
from phones.base import (
    BadAnswer,
    BadNumber,
    Line,
    LookedUp,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    PhoneType,
    Temporary,
    outcome_of,
)
from phones.lines import hushed, keep, line, redactor_of
from phones.lookups import asker_of
from phones.models import PauseReason, Phone

logger = logging.getLogger(__name__)

# Seconds that one job asks before others have the worker, and numbers it asks about at most.
_TURN, _AT_ONCE = 20.0, 200
# Seconds after which a worker that asked is believed dead.
_LEASE = 300
# Unusable answers in a row after which the phone pauses: each may have cost money.
_USELESS = 3
# Tries of one number that hold up the others after they failed.
_RESTS = 2
# Messages to one number that are told of its look-up.
_TOLD = 500


@dataclass(frozen=True, slots=True)
class _Pair:
    """The phone whose messages wait, and the phone that is asked."""

    gateway: Phone
    asker: Phone
    line: PhoneType
    traces: list[Trace]


def wake_due() -> int:
    """Wake the look-ups of every phone with messages to numbers that nobody knows; give how many."""
    waiting = _waiting().filter(phone=OuterRef("pk"))
    phones = Phone.objects.ready().filter(Exists(waiting), look_up_by__isnull=False)
    found = list(phones.values_list("pk", flat=True))
    for phone in found:
        wake(look_up, phone, queue=DEFAULT)
    return len(found)


def look_up(phone_id: int) -> None:
    """Look up the carriers that a phone's messages wait for. A job; it may run at the same time."""
    awake(look_up, phone_id)
    pair = _pair(phone_id)
    if pair is None or _rests(pair):
        return
    _give_up_lost(pair)
    ends = time.monotonic() + _TURN
    useless = 0
    try:
        for number in _numbers(pair.gateway):
            if stopping.is_set() or (time.monotonic() > ends and not useless):
                break
            if not _begin(pair, number):
                continue
            outcome = _ask(pair, number)
            usable = not isinstance(outcome, OutcomeUnknown)
            useless = 0 if usable else useless + 1
            if not _record(pair, number, outcome, useless):
                return
    finally:
        pair.line.close()
    if _numbers(pair.gateway):
        wake(look_up, phone_id, queue=DEFAULT)


def _pair(phone_id: int) -> _Pair | None:
    gateway = Phone.objects.ready().select_related("workspace").filter(pk=phone_id).first()
    asker = asker_of(gateway) if gateway else None
    if gateway is None or asker is None or asker.is_paused:
        return None
    traces: list[Trace] = []
    try:
        asker = Phone.objects.select_related("workspace").get(pk=asker.pk)
        return _Pair(gateway, asker, line(asker, traces.append), traces)
    except Unreadable as error:
        _pause(gateway, asker, Misconfigured(str(error)))
        return None


def _rests(pair: _Pair) -> bool:
    """Say whether whoever is asked could not answer just now, so that the next number can wait.

    One number that is refused again and again holds up no others.
    """
    return LookUp.objects.filter(
        workspace=pair.gateway.workspace,
        phone=pair.asker,
        asked_at=None,
        again_at__gt=timezone.now(),
        tries__range=(1, _RESTS),
    ).exists()


def _waiting() -> QuerySet[Message]:
    """Give the messages that are due and go to a number of which nothing is known."""
    now = timezone.now()
    known = NumberCarrier.objects.filter(workspace=OuterRef("workspace"), number=OuterRef("peer"))
    asked = LookUp.objects.filter(workspace=OuterRef("workspace"), number=OuterRef("peer"))
    busy = asked.exclude(asked_at=None, again_at__lte=now)
    late = asked.filter(asked_at__lt=now - timedelta(seconds=_LEASE))
    due = Message.objects.filter(status=Status.QUEUED, not_before__lte=now)
    due = due.exclude(reason__in=OVER_QUOTA)
    return due.filter(~Exists(known), ~Exists(busy) | Exists(late))


def _numbers(gateway: Phone) -> list[str]:
    """Give the numbers to look up, in the order in which their messages are to leave."""
    rows = _waiting().filter(phone=gateway).order_by("priority", "not_before", "id")
    return list(dict.fromkeys(rows.values_list("peer", flat=True)[:_AT_ONCE]))


# ---- One number ---------------------------------------------------------------------------------


def _begin(pair: _Pair, number: str) -> bool:
    """Say, durably, that this number is being asked for now; False where it need not or must not be."""
    now = timezone.now()
    of = {"workspace": pair.gateway.workspace, "number": number}
    with transaction.atomic():
        row = LookUp(**of, phone=pair.asker, again_at=now)
        LookUp.objects.bulk_create([row], ignore_conflicts=True)
        ours = LookUp.objects.filter(**of, asked_at=None, again_at__lte=now)
        if not ours.update(asked_at=now, phone=pair.asker):
            return False
        # Looked at last: who stored an answer meanwhile took the row away in the same transaction.
        if NumberCarrier.objects.filter(**of).exists():
            LookUp.objects.filter(**of).delete()
            return False
    return True


def _ask(pair: _Pair, number: str) -> LookedUp | PhoneError:
    """Ask once. Outside any transaction."""
    try:
        return pair.line.look_up(number)
    except PhoneError as error:
        return hushed(pair.asker, error)
    except (NotSent, NoAnswer) as error:
        return outcome_of(error)
    except Exception as error:  # noqa: BLE001  a type's bug; the request may have left
        trace = redactor_of(pair.asker).text(traceback.format_exc())
        logger.error("Phone type %s failed on a look-up\n%s", pair.asker.type, trace)
        return BadAnswer(f"This phone type has an error: {type(error).__name__}.")


def _record(pair: _Pair, number: str, outcome: LookedUp | PhoneError, useless: int) -> bool:
    """Store what came of it; say whether to go on with the next number."""
    first = _queued(pair, number).values_list("pk", flat=True).first()
    try:
        return _goes_on(pair, number, outcome, useless)
    finally:
        keep(pair.asker, pair.traces, first or 0)
        pair.traces.clear()


def _goes_on(pair: _Pair, number: str, outcome: LookedUp | PhoneError, useless: int) -> bool:
    if isinstance(outcome, Misconfigured):
        _put_off(pair, number, outcome, timezone.now())
        _pause(pair.gateway, pair.asker, outcome)
        return False
    if isinstance(outcome, Temporary):
        # What keeps one from being looked up keeps the next one, too.
        _wait(pair, number, outcome)
        return False
    _settle(pair, number, outcome)
    if isinstance(outcome, OutcomeUnknown) and useless >= _USELESS:
        _pause(pair.gateway, pair.asker, outcome)
        return False
    return True


def _wait(pair: _Pair, number: str, error: Temporary) -> None:
    rows = LookUp.objects.filter(workspace=pair.gateway.workspace, number=number)
    tries = rows.values_list("tries", flat=True).first() or 0
    if tries + 1 >= TRIES:
        _settle(pair, number, error)
        return
    seconds = max(error.retry_after or 0, backoff(tries))
    _put_off(pair, number, error, timezone.now() + timedelta(seconds=seconds), tries + 1)


def _put_off(
    pair: _Pair, number: str, error: PhoneError, again_at: datetime, tries: int = 0
) -> None:
    LookUp.objects.filter(workspace=pair.gateway.workspace, number=number).update(
        asked_at=None, again_at=again_at, tries=tries, problem=error.words[:500]
    )


def _settle(pair: _Pair, number: str, outcome: LookedUp | PhoneError) -> None:
    """Remember the answer for good, tell the messages that wait, and let them leave."""
    row = _answer(pair, number, outcome)
    with transaction.atomic():
        # What a person wrote down meanwhile is better than any answer.
        NumberCarrier.objects.bulk_create([row], ignore_conflicts=True)
        of = LookUp.objects.filter(workspace=pair.gateway.workspace, number=number)
        if of.delete()[0]:
            _tell(pair, row)
        for phone in set(_queued(pair, number).values_list("phone", flat=True)):
            wake(pump, phone)


def _answer(pair: _Pair, number: str, outcome: LookedUp | PhoneError) -> NumberCarrier:
    row = NumberCarrier(
        workspace=pair.gateway.workspace,
        number=number,
        source=NumberCarrier.Source.LOOK_UP,
        by=pair.asker.name,
    )
    if isinstance(outcome, PhoneError):
        row.line = NO_NUMBER if isinstance(outcome, BadNumber) else Line.UNKNOWN
        row.problem = _whole(outcome.words)[:300]
        return row
    found = outcome
    row.said = stored.text(found.carrier, 200)
    row.line = found.line
    row.country = stored.text(found.country, 2).upper()
    row.network = stored.text(found.code, 10)
    if found.line != Line.LANDLINE:
        row.carrier = pair.gateway.kind.carrier_of(pair.gateway.settings, found)
    if not (row.said or row.carrier or found.line == Line.LANDLINE):
        row.problem = _("It knows no carrier of this number.")
    return row


def _whole(words: str) -> str:
    """Give the words as a sentence."""
    return words if not words or words[-1] in ".!?…" else f"{words}."


def _tell(pair: _Pair, row: NumberCarrier) -> None:
    """Write into the story of each message that waits what was found."""
    kind = Attempt.Kind.NO_CARRIER if row.problem else Attempt.Kind.LOOKED_UP
    Attempt.objects.bulk_create(
        Attempt(
            message_id=pk,
            kind=kind,
            phone=pair.asker,
            code=row.network,
            words=row.problem or row.said or row.line,
        )
        for pk in _queued(pair, row.number).values_list("pk", flat=True)[:_TOLD]
    )


def _queued(pair: _Pair, number: str) -> QuerySet[Message]:
    """Give the messages to a number that wait at phones which have carriers looked up."""
    return Message.objects.filter(
        workspace=pair.gateway.workspace,
        peer=number,
        status=Status.QUEUED,
        phone__look_up_by__isnull=False,
    ).order_by("pk")


def _give_up_lost(pair: _Pair) -> None:
    """Settle what a worker was asking for when it died: it may have been paid."""
    late = timezone.now() - timedelta(seconds=_LEASE)
    lost = LookUp.objects.filter(workspace=pair.gateway.workspace, asked_at__lt=late)
    for number in lost.values_list("number", flat=True)[:_AT_ONCE]:
        _settle(pair, number, OutcomeUnknown(_("The worker stopped while it was asked.")))


def _pause(gateway: Phone, asker: Phone, error: PhoneError) -> None:
    """Pause the phone whose messages wait; the one that was asked may still send well."""
    reason = PauseReason.NO_CREDIT if isinstance(error, NoCredit) else PauseReason.MISCONFIGURED
    words = _("Carriers cannot be looked up through %(phone)s: %(problem)s")
    words %= {"phone": asker.name, "problem": error.words}
    if services.pause(gateway, reason=reason, words=words, by=None):
        enqueue(alerts.phone_paused, gateway.pk)
