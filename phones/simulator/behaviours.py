"""What a number does, by its last two digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Seconds a call rings.
RINGS = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One callback: `after` in seconds since the message was taken, to which address, saying what.

    `id` is added to the message's own id, for what is a message or a call itself.
    """

    after: float
    callback: str
    says: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success. `once` = only the first try of a reference meets it."""

    status: int
    code: str
    message: str
    retry_after: int | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a message: refused, or taken and followed by callbacks.

    `hangs_up` = taken, but the connection closes without an answer; `early` = the callbacks come
    before the answer.
    """

    steps: tuple[Step, ...] = ()
    refusal: Refusal | None = None
    hangs_up: bool = False
    early: bool = False


def _delivered(after: float = 1) -> Step:
    return Step(after, "status", {"status": "delivered"})


def _failed(code: str, message: str) -> Behaviour:
    return Behaviour((Step(2, "status", {"status": "failed", "code": code, "message": message}),))


def _refused(status: int, code: str, message: str, **more: Any) -> Behaviour:
    return Behaviour((_delivered(),), Refusal(status, code, message, **more))


def _replied(text: str, after: float = 3, **more: Any) -> Behaviour:
    reply = Step(after, "incoming", {"text": text, "media": [], **more}, id="-reply")
    return Behaviour((_delivered(), reply))


_RINGING = Behaviour(
    (
        _delivered(),
        Step(3, "call", {}, id="-call"),
        Step(3 + RINGS, "call_end", {"seconds": RINGS, "outcome": "no-answer"}, id="-call"),
    )
)
_MIXED_UP = Behaviour(
    (
        _delivered(1),
        Step(1.5, "status", {"status": "sent"}),
        _delivered(2),
        Step(2.5, "status", {"status": "sent"}),
    )
)
_LONG = (
    "Merci beaucoup! Ευχαριστώ πολύ, спасибо, ありがとう, شكرا 🙏🏽 I am on my way, but the bus is "
    "late again: count on me at a quarter past six, not before. Could somebody keep a chair, and a "
    "slice of the quince tart — the one with the burnt edge? À tout à l’heure!"
)
PICTURE = [{"url": "/media/picture.png", "type": "image/png"}]

ANY_OTHER = Behaviour((_delivered(),))
# The words of each stand in the table of phones/types/simulator.py.
BY_ENDING: Mapping[str, Behaviour] = {
    "01": Behaviour((_delivered(10),)),
    "02": _failed("unreachable", "The handset cannot be reached."),
    "03": _refused(422, "not_mobile", "This number is not a mobile."),
    "04": Behaviour(),
    "05": Behaviour(hangs_up=True),
    "06": _replied("Yes, thank you."),
    "07": _RINGING,
    "08": _replied("Look where I am!", media=PICTURE),
    "09": _refused(410, "opted_out", "This person asked for no more messages."),
    "10": _refused(429, "busy", "Too many messages at once.", retry_after=2, once=True),
    "11": _refused(503, "unavailable", "Something is broken here. Try again.", once=True),
    "12": _refused(402, "no_credit", "The account is empty.", once=True),
    "13": _refused(401, "no_account", "No account has this key.", once=True),
    "14": _replied(_LONG, after=5),
    "15": _MIXED_UP,
    "16": Behaviour((_delivered(0),), early=True),
    "17": _replied("STOP", opt_out=True),
    "18": _failed("expired", "It could not be delivered in time."),
    "19": _failed("blocked", "The network blocked it."),
}


def behaviour_of(number: str) -> Behaviour:
    return BY_ENDING.get(number[-2:], ANY_OTHER)
