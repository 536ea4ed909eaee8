"""A phone type for tests: it does what the test wrote down, and remembers what it was asked.

It is discovered like any other type while the fixture `scripted` puts this folder on the path.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from phones.base import (
    Callback,
    Capabilities,
    Endpoint,
    Event,
    Fetched,
    IncomingMedia,
    Line,
    LookedUp,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Polled,
    Sent,
    yes,
)

_lock = threading.Lock()


class Scripted(PhoneType):
    label = "Scripted"
    what = "For tests"
    can = Capabilities(
        send=yes(),
        polling=yes(),
        receive=yes(),
        delivery=yes(),
        mms_out=yes(),
        mms_in=yes(),
        call=yes(),
        look_up=yes(),
        unicode=yes(),
        long=yes(),
    )
    endpoints = (
        Endpoint("status", "Delivery reports", "why"),
        Endpoint("incoming", "Messages", "why", methods=("GET", "POST")),
    )
    unsigned = "It is a test."

    # {number: what each send to it ends in, in turn}; a number without a script is sent.
    script: ClassVar[dict[str, list[object]]] = defaultdict(list)
    sent: ClassVar[list[OutgoingSms]] = []
    parsed: ClassVar[list[Event]] = []
    parsing: ClassVar[Exception | None] = None
    verifying: ClassVar[Exception | None] = None
    polls: ClassVar[list[object]] = []
    batches: ClassVar[list[list[str]]] = []
    bulk_outcomes: ClassVar[list[object]] = []
    asked: ClassVar[list[tuple[str, list[str]]]] = []
    # What each look-up gives, in turn; without any, a carrier that no gateway is known of.
    look_ups: ClassVar[list[object]] = []
    looked_up: ClassVar[list[str]] = []
    fetched: ClassVar[object] = Fetched(b"", "")
    # What each `watch` gives, in turn; without any it waits until it is to stop. `watchers` counts
    # those that wait or have waited, `closed` those that have ended.
    watched: ClassVar[list[object]] = []
    watchers: ClassVar[int] = 0
    closed: ClassVar[int] = 0
    seconds: ClassVar[float] = 0
    flying: ClassVar[int] = 0
    most_flying: ClassVar[int] = 0

    @classmethod
    def forget(cls) -> None:
        cls.script = defaultdict(list)
        cls.sent, cls.parsed = [], []
        cls.polls, cls.asked = [], []
        cls.batches, cls.bulk_outcomes = [], []
        cls.look_ups, cls.looked_up = [], []
        cls.watched, cls.watchers, cls.closed = [], 0, 0
        cls.parsing = cls.verifying = None
        cls.seconds = 0
        cls.flying = cls.most_flying = 0

    def send(self, sms: OutgoingSms) -> Sent:
        kind = type(self)
        with _lock:
            kind.sent.append(sms)
            kind.flying += 1
            kind.most_flying = max(kind.most_flying, kind.flying)
            outcome = (
                kind.script[sms.to].pop(0) if kind.script[sms.to] else Sent(f"id-{sms.reference}")
            )
        time.sleep(kind.seconds)
        with _lock:
            kind.flying -= 1
        if callable(outcome):
            outcome = outcome(self, sms)
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, Sent)
        return outcome

    def look_up(self, number: str) -> LookedUp:
        type(self).looked_up.append(number)
        found = self.look_ups.pop(0) if self.look_ups else LookedUp("Elsewhere", Line.MOBILE)
        if callable(found):
            found = found()
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, LookedUp)
        return found

    @classmethod
    def carrier_of(cls, settings: Mapping[str, Any], found: LookedUp) -> str:
        return "fr-orange" if found.carrier == "Orange France" else str(settings.get("any", ""))

    def verify(self, callback: Callback) -> None:
        if self.verifying:
            raise self.verifying

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        if self.parsing:
            raise self.parsing
        return list(self.parsed)

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        type(self).batches.append([sms.to for sms in batch])
        outcome = self.bulk_outcomes.pop(0) if self.bulk_outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, list):
            return outcome
        return [Sent(f"id-{sms.reference}") for sms in batch]

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        type(self).asked.append((cursor, list(pending)))
        polled = self.polls.pop(0)
        if isinstance(polled, Exception):
            raise polled
        assert isinstance(polled, Polled)
        return polled

    def watch(self, seconds: float, stop: Callable[[], bool]) -> bool:
        if not self.watched:
            type(self).watchers += 1
            while not stop():
                time.sleep(0.005)
            return False
        news = self.watched.pop(0)
        if isinstance(news, Exception):
            raise news
        return bool(news)

    def close(self) -> None:
        type(self).closed += 1

    @classmethod
    def watches(cls, settings: Mapping[str, Any]) -> bool:
        return settings.get("watch", "yes") == "yes"

    def fetch(self, media: IncomingMedia) -> Fetched:
        if isinstance(self.fetched, Exception):
            raise self.fetched
        assert isinstance(self.fetched, Fetched)
        return self.fetched
