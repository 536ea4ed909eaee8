"""How the sessions of connected phones are right now: in the queue server, since it may be lost."""

from __future__ import annotations

import json
from typing import Any

from lib.jobs import SEND, redis

# Seconds that a state is believed, that a trace is kept, and its lines at most.
_FRESH, _TRACE_KEPT, _TRACE_LINES = 10, 600, 400
# Seconds that a trace runs once somebody asked for it.
TRACED = 60


def show(phone_id: int, binds: list[dict[str, Any]]) -> None:
    """Say how the binds of a session are. Raises QueueDown, as all here do."""
    redis(SEND).set(f"live:{phone_id}", json.dumps(binds), ex=_FRESH)


def forget(phone_id: int) -> None:
    redis(SEND).delete(f"live:{phone_id}")


def binds_of(phone_id: int) -> list[dict[str, Any]] | None:
    """Give how the binds are (the fields of sessions.Bind), None where no session says so."""
    told = redis(SEND).get(f"live:{phone_id}")
    binds: list[dict[str, Any]] | None = json.loads(told) if told else None
    return binds


def keep() -> None:
    """Say that somebody here starts sessions; to be said again within _FRESH seconds."""
    redis(SEND).set("sessions", 1, ex=_FRESH)


def is_kept() -> bool:
    return bool(redis(SEND).exists("sessions"))


def ask_trace(phone_id: int) -> None:
    """Ask the session to keep a trace for TRACED seconds, and forget the last one."""
    with redis(SEND).pipeline() as asked:
        asked.delete(f"trace:{phone_id}")
        asked.set(f"trace-wanted:{phone_id}", 1, ex=TRACED)
        asked.execute()


def wants_trace(phone_id: int) -> int:
    """Give for how many more seconds a trace is wanted, 0 = none is."""
    return max(0, int(redis(SEND).ttl(f"trace-wanted:{phone_id}")))


def add_trace(phone_id: int, lines: list[str]) -> None:
    if not lines:
        return
    key = f"trace:{phone_id}"
    with redis(SEND).pipeline() as asked:
        asked.rpush(key, *lines)
        asked.ltrim(key, -_TRACE_LINES, -1)
        asked.expire(key, _TRACE_KEPT)
        asked.execute()


def trace_of(phone_id: int) -> list[str]:
    lines = redis(SEND).lrange(f"trace:{phone_id}", 0, -1)
    return [line.decode() if isinstance(line, bytes) else line for line in lines]
