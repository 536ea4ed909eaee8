"""The contract of connected types: providers one stays connected to, such as SMPP.

A type gives a `Session` (`PhoneType.session`), whose threads only talk to the provider. Whoever holds
it (`messaging/sessions.py`) claims messages, records what becomes of them, stores what comes in, and
says so; nothing is acknowledged before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from phones.base import IncomingSms, OutgoingSms, PhoneError, Sent, StatusReport


class Fate(Enum):
    """What the provider knows of our answer to something that it sent us."""

    WAITING = auto()  # there is none yet
    TOLD = auto()  # it left
    HEARD = (
        auto()
    )  # what the provider said since shows that it read it: the same again is another one
    UNHEARD = auto()  # it never left, or asked for a repetition: the same again is one
    IN_DOUBT = auto()  # the connection ended before anything showed that it was read


@dataclass(slots=True)
class Received:
    """Something that came over a session, and waits to be acknowledged once it is stored.

    `event` is None for what cannot be read; `words` then say what it was. `came` and `told` are moments
    of one clock, in seconds: when it came, and when the answer to it left (0 = not yet).
    """

    event: StatusReport | IncomingSms | None
    ticket: object
    words: str = ""
    fate: Fate = Fate.WAITING
    came: float = 0
    told: float = 0


@dataclass(slots=True)
class News:
    """What happened on a session since the last look.

    results   what became of messages that were handed over
    unsent    messages of which no byte left: they may go another way, at once
    received  what came in, in order
    troubles  what keeps the session from sending, as errors whose class says what follows
    """

    results: list[tuple[OutgoingSms, Sent | PhoneError]] = field(default_factory=list)
    unsent: list[OutgoingSms] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    troubles: list[PhoneError] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.results or self.unsent or self.received or self.troubles)


@dataclass(frozen=True, slots=True)
class Bind:
    """One connection of a session as people watch it; times are seconds ago, None = never."""

    name: str
    state: str
    since: float
    window: int = 0
    in_flight: int = 0
    per_second: float = 0
    answer_ms: float | None = None
    throttled: int = 0
    in_doubt: int = 0
    enquired: float | None = None
    received: float | None = None
    words: str = ""


class Session:
    """Connections that stay open, kept by threads of their own; spoken to from one thread.

    The threads only talk to the provider. Whoever holds the session claims messages, stores what comes
    in, and says so: nothing is acknowledged before.
    """

    def start(self) -> None:
        """Begin to connect."""
        raise NotImplementedError

    def room(self) -> int:
        """Give how many messages may be handed over now, such that all unanswered ones fit the window."""
        raise NotImplementedError

    def submit(self, batch: Sequence[OutgoingSms]) -> None:
        """Take messages; each comes back once, as a result or unsent."""
        raise NotImplementedError

    def news(self, seconds: float) -> News:
        """Wait up to `seconds` for something to happen; give all of it."""
        raise NotImplementedError

    def nudge(self) -> None:
        """End the waiting of `news`. May be called from any thread, and from a signal handler."""
        raise NotImplementedError

    def acknowledge(self, received: Sequence[Received], *, stored: bool) -> None:
        """Tell the provider that these are stored, or that it must send them again."""
        raise NotImplementedError

    def binds(self) -> list[Bind]:
        """Give each connection as it is now."""
        raise NotImplementedError

    def watch(self, seconds: float) -> None:
        """Keep a redacted trace of what is said, for so long."""
        raise NotImplementedError

    def trace(self) -> list[str]:
        """Give the lines of the trace since the last call."""
        raise NotImplementedError

    def stop(self, seconds: float) -> None:
        """Begin to end: give back what has not left, wait up to `seconds` for answers, disconnect."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Say whether it has ended, and `news` has been emptied."""
        raise NotImplementedError
