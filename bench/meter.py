"""Which part of a worker's processor time goes where, measured by wrapping the parts' own functions.

Each wrapped function is charged the processor time of its thread (`time.thread_time`), less what it
spends in another wrapped function. What no function is charged for is the rest.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Meter:
    """Seconds of processor time by part, while it is `running`."""

    def __init__(self, parts: list[tuple[str, Any, str]]) -> None:
        """`parts` are (name, owner, attribute): the function `owner.attribute` belongs to `name`."""
        self._parts = parts
        self._lock = threading.Lock()
        self._here = threading.local()
        self.seconds: dict[str, float] = defaultdict(float)
        self.total = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        before = [(owner, name, getattr(owner, name)) for _, owner, name in self._parts]
        began = time.process_time()
        for part, owner, name in self._parts:
            setattr(owner, name, self.timed(part, getattr(owner, name)))
        try:
            yield
        finally:
            self.total += time.process_time() - began
            for owner, name, function in before:
                setattr(owner, name, function)

    def shares(self) -> dict[str, float]:
        """Give each part's share of all, 0 to 1, the largest first, and `the rest` at the end."""
        largest = sorted(self.seconds.items(), key=lambda item: -item[1])
        found = {name: seconds / self.total for name, seconds in largest}
        return {**found, "the rest": 1 - sum(found.values())}

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give `function` with its time charged to `part`."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            outer, self._here.inner = getattr(self._here, "inner", 0.0), 0.0
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                with self._lock:
                    self.seconds[part] += took - self._here.inner
                self._here.inner = outer + took

        return timed
