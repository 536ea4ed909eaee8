"""How fast a phone may go: its rate, the provider's wish to slow down, and short holds.

All of it lives in Redis and may be lost: then a phone starts again at its full rate. The factor is
AIMD: halved at each throttle, one tenth of the rate regained every RECOVER seconds without one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from lib import rate
from lib.jobs import SEND, redis
from phones.models import Phone

# Share of the rate that is always left.
SLOWEST = 0.05
# Seconds to regain one tenth of the rate.
RECOVER = 30
# Seconds that a slowed phone is remembered after its last throttle; it has recovered long before.
_REMEMBERED = 3600
# Times in a row that a provider could not be reached, after which others take over where they may.
_LOST_AFTER = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """A phone's pace now: `rate` in segments/s, `held` = seconds until it may send at all."""

    rate: float
    factor: float
    held: float
    why: str = ""

    @property
    def is_slow(self) -> bool:
        return self.factor < 1 or self.held > 0


def pace(phone: Phone) -> Pace:
    """Give the phone's pace. Raises redis.RedisError when the queue server is down."""
    server = redis(SEND)
    with server.pipeline() as asked:
        asked.hgetall(_slow(phone.pk))
        asked.get(_hold(phone.pk))
        asked.pttl(_hold(phone.pk))
        slow, hold, ttl = asked.execute()
    factor = 1.0
    if slow:
        since = max(0.0, time.time() - float(slow[b"at"]))
        factor = min(1.0, float(slow[b"factor"]) + 0.1 * (since // RECOVER))
    why = hold.decode() if hold else ""
    return Pace(rate=phone.rate * factor, factor=factor, held=max(0, ttl) / 1000, why=why)


def slow_down(phone: Phone, *, words: str, seconds: float) -> None:
    """Halve the rate, and send nothing for `seconds`."""
    factor = max(SLOWEST, pace(phone).factor / 2)
    server = redis(SEND)
    server.hset(_slow(phone.pk), mapping={"factor": factor, "at": time.time()})
    server.expire(_slow(phone.pk), _REMEMBERED)
    hold(phone, words=words, seconds=seconds)


def hold(phone: Phone, *, words: str, seconds: float) -> None:
    """Send nothing for `seconds`, because of `words`."""
    redis(SEND).set(_hold(phone.pk), words[:300], px=max(1, int(seconds * 1000)))


def note_trouble(phone: Phone) -> int:
    """Count one more time that the provider could not be reached; give the times before this one."""
    with redis(SEND).pipeline() as asked:
        asked.incr(_trouble(phone.pk))
        asked.expire(_trouble(phone.pk), _REMEMBERED)
        times, _ = asked.execute()
    return int(times) - 1


def lost(phones: Sequence[int]) -> set[int]:
    """Give those phones, by id, that rest because their provider could not be reached again and again."""
    with redis(SEND).pipeline() as asked:
        for phone in phones:
            asked.get(_trouble(phone))
            asked.exists(_hold(phone))
        told = asked.execute()
    return {
        phone
        for phone, times, held in zip(phones, told[::2], told[1::2], strict=True)
        if held and int(times or 0) >= _LOST_AFTER
    }


def forget_trouble(phone: Phone) -> None:
    """The provider was reached: count from the start next time."""
    redis(SEND).delete(_trouble(phone.pk))


def release(phone: Phone) -> None:
    """Forget that the phone was slowed or held, e.g. because a person has mended it."""
    redis(SEND).delete(_slow(phone.pk), _hold(phone.pk), _trouble(phone.pk))


def take(phone: Phone, pace: Pace, want: int, *, account: str = "") -> tuple[int, float]:
    """Take up to `want` segments of the phone's rate: (granted, seconds to wait when none is).

    With an `account` (accounts.name_of), what its phones take is of one whole: each second of one at its
    rate is a second less for the others.
    """
    return rate.take(
        redis(SEND), _bucket(phone, account), rate=pace.rate, burst=max(1.0, pace.rate), want=want
    )


def charge(phone: Phone, pace: Pace, segments: int, *, account: str = "") -> None:
    """Settle the difference between what was taken and what was used (negative = give back)."""
    rate.charge(redis(SEND), _bucket(phone, account), rate=pace.rate, units=segments)


def _bucket(phone: Phone, account: str) -> str:
    if not account:
        return f"phone:{phone.pk}"
    return f"account:{blake2b(account.encode(), digest_size=16).hexdigest()}"


def _slow(phone: int) -> str:
    return f"slow:{phone}"


def _hold(phone: int) -> str:
    return f"hold:{phone}"


def _trouble(phone: int) -> str:
    return f"trouble:{phone}"
