"""Count across processes: counters, histograms and moments in the queue server, which may forget them.

What is counted gathers in this process for a second at most and then travels in one pipeline, so that
counting costs the hot paths microseconds. A count that is lost, with a killed process or a queue server
that was flushed, is only missing from a graph.
"""

from __future__ import annotations

import atexit
import json
import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

from lib.server import QueueDown, redis

# Seconds that counts gather before they are written.
GATHER = 1.0
# Seconds. Upper bounds of what is fast (requests, jobs) and of what may take days (receipts).
FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SLOW = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0)
_BEYOND, _SUM = "+Inf", "sum"

Labels = tuple[str, ...]

_lock = threading.Lock()
_gathered: defaultdict[tuple[str, Labels], float] = defaultdict(float)
_moments: dict[tuple[str, Labels], float] = {}
_timer: threading.Timer | None = None


def count(name: str, *labels: object, by: float = 1) -> None:
    """Add to a counter."""
    with _lock:
        _gathered[name, _texts(labels)] += by
    _write_soon()


def observe(
    name: str, *labels: object, seconds: float, bounds: tuple[float, ...] = FAST, times: float = 1
) -> None:
    """Add what took so long, `times` times, to a histogram."""
    seconds = max(0.0, seconds)
    bound = next((format(upper, "g") for upper in bounds if seconds <= upper), _BEYOND)
    with _lock:
        _gathered[name, (*_texts(labels), bound)] += times
        _gathered[name, (*_texts(labels), _SUM)] += seconds * times
    _write_soon()


def note(name: str, *labels: object) -> None:
    """Remember that something happened now."""
    with _lock:
        _moments[name, _texts(labels)] = time.time()
    _write_soon()


def read(name: str) -> dict[Labels, float]:
    """Give what was counted or noted, by its labels. Raises QueueDown."""
    flush()
    kept = redis().hgetall(_key(name))
    return {tuple(json.loads(labels)): float(value) for labels, value in kept.items()}


def histograms(name: str) -> dict[Labels, tuple[list[tuple[str, float]], float]]:
    """Give, by labels, ([(upper bound, how many up to it)], sum of seconds). Raises QueueDown."""
    found: dict[Labels, dict[str, float]] = {}
    for (*labels, bound), value in read(name).items():
        found.setdefault(tuple(labels), {})[bound] = value
    return {labels: (_cumulated(bounds), bounds.get(_SUM, 0)) for labels, bounds in found.items()}


def flush() -> None:
    """Write what has gathered; with the queue server away it waits here."""
    global _timer  # noqa: PLW0603 - one per process, like the connection
    with _lock:
        _timer = None
        counts, moments = dict(_gathered), dict(_moments)
        _gathered.clear()
        _moments.clear()
    if not (counts or moments):
        return
    try:
        with redis().pipeline(transaction=False) as asked:
            for (name, labels), by in counts.items():
                asked.hincrbyfloat(_key(name), json.dumps(labels), by)
            for (name, labels), moment in moments.items():
                asked.hset(_key(name), json.dumps(labels), f"{moment:.3f}")
            asked.execute()
    except QueueDown:
        with _lock:
            for key, by in counts.items():
                _gathered[key] += by
            _moments.update({**moments, **_moments})


def forget() -> None:
    """Forget what has gathered here."""
    with _lock:
        _gathered.clear()
        _moments.clear()


def _write_soon() -> None:
    global _timer  # noqa: PLW0603
    with _lock:
        if _timer is not None:
            return
        _timer = timer = threading.Timer(GATHER, flush)
        timer.daemon = True
    # A machine that has no thread left counts on, and writes with the next one that it gets.
    with suppress(RuntimeError):
        timer.start()
        return
    _timer = None


def _texts(labels: tuple[object, ...]) -> Labels:
    return tuple(str(label) for label in labels)


def _key(name: str) -> str:
    return f"count:{name}"


def _cumulated(bounds: dict[str, float]) -> list[tuple[str, float]]:
    ordered: list[tuple[str, Any]] = sorted(
        ((bound, many) for bound, many in bounds.items() if bound not in (_SUM, _BEYOND)),
        key=lambda pair: float(pair[0]),
    )
    total, found = 0.0, []
    for bound, many in [*ordered, (_BEYOND, bounds.get(_BEYOND, 0.0))]:
        total += many
        found.append((bound, total))
    return found


atexit.register(flush)
