"""What we say became of each message, beside what the simulator says it got.

To be imported once the process is part of a site (`Site.join`).
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import requests
from django.utils import timezone

from accounts.models import Workspace
from campaigns import steering, tallying
from campaigns.models import Campaign, State
from messaging import composing
from messaging.models import Direction, Message, Status
from messaging.routing import Route
from phones.models import Phone

# A range that France keeps for films: nobody has these numbers.
_FIRST = 33_639_980_000
# Endings that mean something to the simulator (phones/simulator/behaviours.py), and the share of
# messages that each gets. Those that pause the phone (12, 13) need a person and are left out.
_SHARES = {"02": 2, "03": 1, "04": 2, "05": 2, "06": 2, "09": 1, "11": 1, "15": 4, "16": 4, "19": 1}
_THROTTLES = "10"
_NEVER_REPORTED = ("04", "05")
_FAILS = ("02", "03", "09", "18", "19")
_REPLIES = "06"
_SETTLED = {Status.DELIVERED, Status.FAILED, Status.UNKNOWN, Status.CANCELLED, Status.SKIPPED}


def phone_of_a_new_workspace(
    *, slug: str = "simulator", settings: Any = None, rate: float
) -> Phone:
    workspace = Workspace.objects.create(name="Bench", country="FR", time_zone="Europe/Paris")
    return Phone.objects.create(
        workspace=workspace, type=slug, name="Bench", settings=settings or {}, rate=rate
    )


def number(index: int, ending: str = "20") -> str:
    return f"+{_FIRST + index * 100 + int(ending)}"


def compose(phone: Phone, numbers: list[str], text: str = "Lunch is at noon today.") -> None:
    """Write one message to each number; one that stands there n times gets n messages, in order."""
    while numbers:
        once = list(dict.fromkeys(numbers))
        composing.create(
            workspace=phone.workspace,
            route=Route(phone),
            numbers=once,
            text=text,
            by=None,
            submission=uuid.uuid4(),
        )
        again = Counter(numbers)
        numbers = [name for name in again for _ in range(again[name] - 1)]


def start_campaigns(phone: Phone, numbers: list[str], count: int, chance: random.Random) -> None:
    """Start campaigns to some of the numbers each, now and then to the same ones, all at once."""
    several = sorted(set(numbers))
    share = len(numbers) // count
    for place in range(count):
        campaign = steering.create(
            phone.workspace,
            None,
            name=f"Chaos {place}",
            text="Lunch is at noon today.",
            phone=phone,
            numbers=chance.sample(several, min(share, len(several))),
        )
        steering.start(campaign, None)


def unreached() -> list[str]:
    """Say of whom a campaign has no message, or two, and of which the counters are wrong."""
    found = []
    for campaign in Campaign.objects.all():
        peers = Counter(campaign.messages.values_list("peer", flat=True))
        found += [
            f"campaign {campaign.pk}: {n} has no message" for n in {*campaign.numbers} - {*peers}
        ]
        found += [f"campaign {campaign.pk}: {n} {k} times" for n, k in peers.items() if k > 1]
        if campaign.state != State.DONE:
            found.append(f"campaign {campaign.pk} is {campaign.state}: {campaign.problem}")
        if not tallying.agrees(campaign):
            found.append(f"campaign {campaign.pk}: its counters differ from its messages")
    return found


def mixed_numbers(count: int, chance: random.Random) -> list[str]:
    """Give numbers of every behaviour that needs no person; some of them several times."""
    kinds = [*_SHARES, "20"]
    weights = [*_SHARES.values(), 100 - sum(_SHARES.values())]
    numbers = [
        number(index, ending)
        for index, ending in enumerate(chance.choices(kinds, weights, k=count * 9 // 10))
    ]
    numbers += [number(count + index, _THROTTLES) for index in range(3)]
    return numbers + chance.choices(numbers, k=count - len(numbers))


def states() -> Counter[str]:
    """Count our outgoing messages by status."""
    outgoing = Message.objects.filter(direction=Direction.OUT)
    return Counter(outgoing.values_list("status", flat=True))


def is_leaving() -> bool:
    """Say whether something is being sent by a worker that lives, as far as one can see."""
    lately = timezone.now() - timedelta(seconds=1)
    return Message.objects.filter(status=Status.SENDING, claimed_at__gt=lately).exists()


def is_waiting() -> bool:
    """Say whether something has still to be sent, or may be under way."""
    if Campaign.objects.filter(state=State.RUNNING).exists():
        return True
    return Message.objects.filter(status__in=[Status.QUEUED, Status.SENDING]).exists()


def is_settled() -> bool:
    """Say whether every message has come to its end."""
    return not is_waiting() and not unreported().exists()


def unreported() -> Any:
    """Give the messages whose provider has still to say how they ended."""
    sent = Message.objects.filter(status=Status.SENT)
    for ending in _NEVER_REPORTED:
        sent = sent.exclude(peer__endswith=ending)
    return sent


@dataclass
class Findings:
    """The comparison. Each list holds messages' ids, except `replies_lost`: the simulator's."""

    states: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    disordered: list[int] = field(default_factory=list)
    reports_lost: list[int] = field(default_factory=list)
    replies_lost: list[str] = field(default_factory=list)
    unknown_arrived: int = 0
    unknown_never_arrived: int = 0

    @property
    def wrong(self) -> dict[str, list[Any]]:
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "out of order": self.disordered,
            "reports lost": self.reports_lost,
            "replies lost": self.replies_lost,
        }

    @property
    def is_clean(self) -> bool:
        return not any(self.wrong.values())

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.states.items()))
        lines = [
            f"states       {counts}",
            f"unknown      {self.states[Status.UNKNOWN]}: {self.unknown_arrived} had arrived,"
            f" {self.unknown_never_arrived} had not",
        ]
        for name, found in self.wrong.items():
            shown = ": " + "; ".join(map(str, found[:20])) if found else ""
            lines.append(f"{name:12} {len(found)}{shown}")
        return "\n".join(lines)


def compare(simulator_url: str) -> Findings:
    """Ask the simulator about each of our messages."""
    findings = Findings(states=states())
    replies = set(
        Message.objects.filter(direction=Direction.IN).values_list("provider_id", flat=True)
    )
    at_peer: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with requests.Session() as session:
        session.trust_env = False
        for message in Message.objects.filter(direction=Direction.OUT).order_by("id"):
            asked = session.get(f"{simulator_url}/messages", params={"reference": message.pk})
            taken = [item for item in asked.json() if item["status"] in (0, 202)]
            _judge(findings, message, taken)
            at_peer[message.peer] += [(message.pk, item["at"]) for item in taken]
            if message.peer.endswith(_REPLIES):
                wanted = [f"{item['id']}-reply" for item in taken]
                findings.replies_lost += [name for name in wanted if name not in replies]
    findings.lost += unreached()
    # What several campaigns write to one number leaves in the order in which it was let through.
    for arrivals in () if Campaign.objects.exists() else at_peer.values():
        findings.disordered += [
            later for (_, first), (later, second) in pairwise(arrivals) if second < first
        ]
    return findings


def _judge(findings: Findings, message: Message, taken: list[dict[str, Any]]) -> None:
    ending, status = message.peer[-2:], message.status
    if why := _why_lost(ending, status, bool(taken)):
        findings.lost.append(f"{message.pk} to …{ending} is {status}: {why}")
    if len(taken) > 1:
        findings.doubled.append(message.pk)
    if status == Status.UNKNOWN:
        findings.unknown_arrived += bool(taken)
        findings.unknown_never_arrived += not taken
        if taken and ending not in _NEVER_REPORTED:
            findings.reports_lost.append(message.pk)


def _why_lost(ending: str, status: str, arrived: bool) -> str:
    """Say what is wrong with where a message ended; nothing when it may end so."""
    if status not in _SETTLED and not (status == Status.SENT and ending in _NEVER_REPORTED):
        return "it has not come to its end"
    if status in (Status.SENT, Status.DELIVERED) and not arrived:
        return "the simulator never got it"
    if status == Status.FAILED and ending not in _FAILS:
        return "nothing refused it"
    return ""
