"""SMPP for `bench.chaos`: a bind to npm's SMSC, what can strike it, and its independent count.

To be imported once the process is part of a site (`Site.join`).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench import ledger
from messaging.models import Direction, Message, Report, Status
from tests.peers.smpp import start_smsc

WINDOW = 20
# How often each is chosen. What holds the bind is hit most.
WEIGHTS = {
    "session": 6,
    "sessions": 3,
    "SMSC": 4,
    "writers": 6,
    "throttle": 2,
    "queue server": 2,
    "flushall": 2,
    "supervisor": 1,
    "tick": 1,
}
# Each of these can leave a window in doubt.
_IN_DOUBT = ("session", "sessions", "SMSC", "supervisor")


class Storm:
    """An SMSC that answers after some milliseconds and reports each message twice, and what it does."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._smsc = start_smsc(patience=1500, retry=300)
        self._smsc.behave("ok", delay=15)
        self._smsc.receipts(delay=40, times=2)
        self.written: list[str] = []
        self.strikes = {"SMSC": self._drop, "throttle": self._throttle, "writers": self._write}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._smsc.stop()

    def compose(self, *, count: int, rate: float) -> None:
        """Make the phone, and write one message to each of `count` numbers; every tenth is long."""
        settings = {
            "host": "127.0.0.1",
            "port": self._smsc.port,
            "system_id": "bench",
            "password": "bench",
            "source": "BENCH",
            "window": WINDOW,
            "receipts": "1",
            "answer_within": 5,
        }
        phone = ledger.phone_of_a_new_workspace(slug="smpp", settings=settings, rate=rate)
        numbers = [ledger.number(index) for index in range(count)]
        ledger.compose(phone, numbers[: count // 10], text="Lunch is at noon today. " * 12)
        ledger.compose(phone, numbers[count // 10 :])

    def is_settled(self) -> bool:
        """Say whether every message has come to its end, and every reply is here."""
        sent = Message.objects.filter(direction=Direction.OUT, status=Status.SENT)
        is_waiting = ledger.is_waiting() or sent.exists()
        return not is_waiting and not Counter(self.written) - _stored()

    def compare(self, killed: Counter[str]) -> Findings:
        """Compare what we say of each message with what the SMSC took."""
        most_unknown = WINDOW * sum(killed[name] for name in _IN_DOUBT)
        findings = Findings(ledger.states(), most_unknown, replies=len(self.written))
        taken: Counter[tuple[str, int]] = Counter()
        for submit in self._smsc.submits:
            if submit.outcome == "ok":
                part = submit.part[2] if submit.part else 1
                taken["+" + submit.fields["destination_addr"], part] += 1
        for message in Message.objects.filter(direction=Direction.OUT):
            copies = [taken[message.peer, part] for part in range(1, message.segments + 1)]
            _judge(findings, message, copies)
        stored, wanted = _stored(), Counter(self.written)
        findings.marked = _stored(perhaps_repeated=True).total()
        findings.replies_lost = sorted((wanted - stored).elements())
        findings.replies_shown_twice = (stored - wanted).total()
        doubled = stored - wanted - _stored(perhaps_repeated=True)
        findings.replies_doubled = sorted(doubled.elements())
        findings.strays = Report.objects.filter(message=None).count()
        return findings

    def _drop(self) -> bool:
        bound = bool(self._smsc.binds())
        self._smsc.drop()
        return bound

    def _throttle(self) -> bool:
        self._smsc.behave("throttle", times=self._chance.randint(1, WINDOW))
        return True

    def _write(self) -> bool:
        """Deliver messages, half of them with words that were written before."""
        for _ in range(self._chance.randint(1, 20)):
            again = self._chance.random() < 0.5
            text = self._chance.choice(["Yes.", "No."]) if again else f"Yes, {len(self.written)}."
            self.written.append(text)
            [part] = self._smsc.parts(text, sender=ledger.number(7))
            self._smsc.deliver(part, wait=False)
        return True


def _stored(**wanted: bool) -> Counter[str]:
    """Count the texts that came in."""
    replies = Message.objects.filter(direction=Direction.IN, **wanted)
    return Counter(replies.values_list("text", flat=True))


@dataclass
class Findings:
    """The comparison; each list holds what is wrong with one message."""

    states: Counter[str]
    most_unknown: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    receipts_lost: list[str] = field(default_factory=list)
    replies_lost: list[str] = field(default_factory=list)
    replies_doubled: list[str] = field(default_factory=list)
    replies_shown_twice: int = 0
    marked: int = 0
    replies: int = 0
    unknown_arrived: int = 0
    strays: int = 0

    @property
    def wrong(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "receipts lost": self.receipts_lost,
            "replies lost": self.replies_lost,
            "replies doubled": self.replies_doubled,
        }

    @property
    def is_clean(self) -> bool:
        return not any(self.wrong.values()) and self.states[Status.UNKNOWN] <= self.most_unknown

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.states.items()))
        lines = [
            f"states       {counts}",
            f"unknown      {self.states[Status.UNKNOWN]} of {self.most_unknown} allowed; "
            f"{self.unknown_arrived} had arrived; {self.strays} receipts of nobody",
            f"replies      {self.replies}; {self.marked} marked as possibly twice, "
            f"{self.replies_shown_twice} were",
        ]
        for name, found in self.wrong.items():
            lines.append(f"{name:15} {len(found)} {'; '.join(found[:20])}".rstrip())
        return "\n".join(lines)


def _judge(findings: Findings, message: Message, copies: list[int]) -> None:
    name = f"{message.pk} to {message.peer} is {message.status}"
    if message.status in (Status.SENT, Status.DELIVERED) and not all(copies):
        findings.lost.append(f"{name}: the SMSC has {copies}")
    elif message.status not in (Status.SENT, Status.DELIVERED, Status.UNKNOWN):
        findings.lost.append(f"{name}: {message.words}")
    if max(copies) > 1:
        findings.doubled.append(f"{name}: the SMSC has {copies}")
    if message.status == Status.SENT:
        findings.receipts_lost.append(name)
    findings.unknown_arrived += message.status == Status.UNKNOWN and any(copies)
