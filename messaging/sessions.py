"""Sessions: what stays connected to a provider for a phone, such as a mailbox that tells of new mail.

Every look compares what should run with what runs:
1. a session whose phone was edited, paused or deleted, or whose lease is lost, is asked to stop;
2. one that has ended, by itself or because it was asked, is forgotten;
3. a phone that should have one and has none gets it, if its lease is free.
So an edited phone gets its new session only once the old one is gone, and of two machines that both run
sessions one has it. A session that keeps ending rests longer and longer.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lib import processes
from lib.jobs import QueueDown, redis
from lib.stored import DatabaseAway
from lib.vault import Unreadable
from phones import live, registry
from phones.base import Kind
from phones.models import Phone

logger = logging.getLogger(__name__)

# Seconds between two looks: how soon an edited phone has its new session.
EVERY = 2.0
# Seconds after which the session of a machine that died may begin elsewhere.
LEASE = 15
# Seconds of rest before a session that ended by itself begins again, doubling while it keeps ending,
# and the life after which an end counts as the first.
_REST, _LONGEST_REST, _STEADY = 1.0, 60.0, 60.0
# Of two that find the same dead keeper's lease, one gets it.
_REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class Session(Protocol):
    """Something that runs for one phone. It begins when it is made."""

    def stop(self) -> None:
        """Ask it to end, and return at once. Called at each look until it has."""

    def has_ended(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of session.

    suits   says whether phones of a type may need one
    needed  says whether a phone of such a type does, by its full settings
    begin   begins it
    free    says whether nothing of a session before still stands in its way
    """

    suits: Callable[[Kind], bool]
    begin: Callable[[Phone], Session]
    needed: Callable[[Kind, Mapping[str, Any]], bool] = lambda kind, settings: True
    free: Callable[[Phone], bool] = lambda phone: True


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a session depends on: when this changes, it must begin anew."""

    sort: Sort
    type: str
    token: str
    settings: Mapping[str, Any] = field(repr=False)


@dataclass(slots=True)
class _Running:
    session: Session
    plan: _Plan
    began: float
    asked: bool = False


@dataclass(frozen=True, slots=True)
class _Rest:
    """How long what ended by itself rests, in seconds, and until which moment; only with this plan."""

    plan: _Plan
    pause: float
    until: float


class Keeper:
    """Keeps one session per phone that needs one. `look` is called again and again, by one thread."""

    def __init__(self, *sorts: Sort) -> None:
        self._sorts = sorts
        self._owner = f"{uuid.uuid4().hex} {processes.me()}"
        self._running: dict[int, _Running] = {}
        self._rests: dict[int, _Rest] = {}

    def look(self) -> None:
        """Compare what should run with what runs.

        While the database or the queue server is away, all stays as it is.
        """
        try:
            live.keep()
            wanted = self._wanted()
            self._stop_unwanted({pk: plan for pk, (_, plan) in wanted.items()})
            self._forget_ended()
            for pk, (phone, plan) in wanted.items():
                is_idle = pk not in self._running and self._has_rested(pk, plan)
                if is_idle and self._lease(pk) and plan.sort.free(phone):
                    self._begin(phone, plan)
        except (QueueDown, *DatabaseAway) as error:
            logger.warning("Sessions stay as they are: %s", error)

    def stop(self, seconds: float) -> None:
        """Stop all sessions. What has not ended within `seconds` ends with this process."""
        ends = time.monotonic() + seconds
        while self._running and time.monotonic() < ends:
            for running in self._running.values():
                self._ask_to_stop(running)
            try:
                self._forget_ended()
            except QueueDown as error:
                logger.warning("Leases end by themselves: %s", error)
                return
            time.sleep(0.05)

    def phones(self) -> list[int]:
        """Give the ids of the phones that have a session here."""
        return list(self._running)

    def _wanted(self) -> dict[int, tuple[Phone, _Plan]]:
        """Give {phone's id: (phone, plan)} of all that should have a session, here or elsewhere."""
        sorts = {slug: self._sort(kind) for slug, kind in registry.all_types().items()}
        slugs = [slug for slug, sort in sorts.items() if sort]
        phones = Phone.objects.ready().filter(type__in=slugs).select_related("workspace")
        wanted = {}
        for phone in phones.defer("settings"):
            sort = sorts[phone.type]
            try:
                settings = phone.full_settings
            except Unreadable:
                continue  # its page says so; the others must not wait for it
            if sort and sort.needed(phone.kind, settings):
                wanted[phone.pk] = phone, _Plan(sort, phone.type, phone.token, settings)
        return wanted

    def _sort(self, kind: Kind) -> Sort | None:
        return next((sort for sort in self._sorts if sort.suits(kind)), None)

    def _stop_unwanted(self, wanted: Mapping[int, _Plan]) -> None:
        for pk, running in self._running.items():
            # The lease is kept until it has ended, so that no other begins before.
            if not self._lease(pk) or wanted.get(pk) != running.plan:
                self._ask_to_stop(running)
        for pk in self._rests.keys() - wanted.keys():
            del self._rests[pk]

    def _ask_to_stop(self, running: _Running) -> None:
        running.asked = True
        running.session.stop()

    def _forget_ended(self) -> None:
        now = time.monotonic()
        for pk, running in list(self._running.items()):
            if not running.session.has_ended():
                continue
            if not running.asked:
                self._rests[pk] = _rest(running, self._rests.get(pk), now)
            del self._running[pk]
            self._release(pk)

    def _has_rested(self, pk: int, plan: _Plan) -> bool:
        rest = self._rests.get(pk)
        return rest is None or rest.plan != plan or time.monotonic() >= rest.until

    def _begin(self, phone: Phone, plan: _Plan) -> None:
        logger.info("A session for phone %s begins.", phone.pk)
        self._running[phone.pk] = _Running(plan.sort.begin(phone), plan, time.monotonic())

    def _lease(self, pk: int) -> bool:
        """Take or renew the lease of a phone; say whether it is ours. Raises QueueDown.

        That of a keeper that has died on this machine is free at once.
        """
        if redis().set(_key(pk), self._owner, nx=True, ex=LEASE):
            return True
        if self._is_ours(pk):
            return bool(redis().expire(_key(pk), LEASE))
        found = redis().get(_key(pk)) or b""
        held = found.decode() if isinstance(found, bytes) else found
        if not processes.has_ended(held.partition(" ")[2]):
            return False
        return bool(redis().eval(_REPLACE, 1, _key(pk), held, self._owner, LEASE))

    def _release(self, pk: int) -> None:
        if self._is_ours(pk):
            redis().delete(_key(pk))

    def _is_ours(self, pk: int) -> bool:
        return bool(redis().get(_key(pk)) == self._owner.encode())


def _key(pk: int) -> str:
    return f"session:{pk}"


def _rest(running: _Running, before: _Rest | None, now: float) -> _Rest:
    again = before and before.plan == running.plan and now - running.began < _STEADY
    pause = min(before.pause * 2, _LONGEST_REST) if before and again else _REST
    return _Rest(running.plan, pause, now + pause)
