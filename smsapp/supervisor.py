"""Keep processes alive in one foreground process, and stop them in order.

1. `start` starts children; what they print comes out line by line behind their names.
2. `run` starts a child that died again, after a pause that doubles while it keeps dying.
3. On SIGTERM, SIGHUP or Ctrl-C the children stop stage by stage, the highest first: each gets
   SIGTERM and its patience to finish, then SIGKILL. A second Ctrl-C kills at once.
4. If this process itself is killed, Linux sends each child SIGTERM, so nothing runs on unseen.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Self

FIRST_PAUSE = 0.2  # seconds before a child that died is started again
LONGEST_PAUSE = 10.0
STEADY_AFTER = 30.0  # seconds of life after which a death counts as the first
_LOOK_EVERY = 0.05  # seconds
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_printing = threading.Lock()


class CannotStart(Exception):
    """One sentence for the terminal: what is in the way, and what mends it."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive.

    stage     children of the highest stage are stopped first
    patience  seconds it may take to finish once it was asked to stop
    env       added to the environment of the supervisor
    ignored   lines that hold one of these texts are not shown
    """

    name: str
    command: list[str]
    stage: int = 0
    patience: float = 10.0
    env: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class _Kept:
    """A child with the process it has now."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.pause = 0.0
        self.restart_at: float | None = None
        self.start()

    def start(self) -> None:
        self.process = _spawn(self.child)
        self.started_at = time.monotonic()
        self.restart_at = None
        arguments = (self.child, self.process.stdout)
        threading.Thread(target=_copy_lines, args=arguments, daemon=True).start()

    def look(self) -> None:
        """Start the process again when it died and its pause is over."""
        now = time.monotonic()
        if self.restart_at is None and self.process.poll() is not None:
            self.signal(signal.SIGTERM)  # what it started must not hold its port or its locks
            self.pause = next_pause(self.pause, lived=now - self.started_at)
            self._plan_restart(_ended(self.process))
        elif self.restart_at is not None and now >= self.restart_at:
            self._restart()

    def _restart(self) -> None:
        try:
            self.start()
        except CannotStart as error:  # out of memory or of processes: it may pass
            self.pause = next_pause(self.pause, lived=0)
            self._plan_restart(str(error))

    def _plan_restart(self, why: str) -> None:
        self.restart_at = time.monotonic() + self.pause
        say(self.child.name, f"{why}; starts again in {self.pause:.1f} s")

    def signal(self, number: int) -> None:
        """Signal the process, or the rest of its group when it is dead or must die."""
        try:
            if number == signal.SIGKILL or self.process.returncode is not None:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            pass  # macOS answers "not permitted" for a group that has only zombies


class Supervisor:
    """Keeps its children alive while its `with` block lasts; leaving the block stops them."""

    def __init__(self) -> None:
        self.asked_to_stop = False
        self._in_haste = False
        self._kept: list[_Kept] = []
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP, and means it
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

    def start(self, *children: Child) -> None:
        """Start the children in this order. Raises CannotStart for a command that is not there."""
        for child in children:
            self._kept.append(_Kept(child))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Keep the children alive until `condition` holds or somebody asks to stop."""
        while not self.asked_to_stop and not condition():
            self._look()

    def run(self) -> None:
        """Keep the children alive until somebody asks to stop."""
        self.wait_until(lambda: False)

    def stop(self) -> None:
        """Stop all children, the highest stage first."""
        self.asked_to_stop = True
        for stage in sorted({kept.child.stage for kept in self._kept}, reverse=True):
            self._stop([kept for kept in self._kept if kept.child.stage == stage])
        self._kept.clear()

    def _look(self) -> None:
        for kept in self._kept:
            kept.look()
        time.sleep(_LOOK_EVERY)

    def _stop(self, stage: list[_Kept]) -> None:
        for kept in stage:
            kept.signal(signal.SIGTERM)
        deadline = time.monotonic() + max(kept.child.patience for kept in stage)
        while any(kept.process.poll() is None for kept in stage):
            if self._in_haste or time.monotonic() > deadline:
                break
            time.sleep(_LOOK_EVERY)
        for kept in stage:
            if kept.process.poll() is None:
                say(kept.child.name, "did not finish in time and was killed")
            kept.signal(signal.SIGKILL)
            kept.process.wait()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._in_haste = self._in_haste or (self.asked_to_stop and number == signal.SIGINT)
        self.asked_to_stop = True


def next_pause(pause: float, *, lived: float) -> float:
    """Give the seconds to wait before a child that `lived` so many seconds is started again.

    `pause` is the wait before its last start.
    """
    if lived >= STEADY_AFTER:
        return FIRST_PAUSE
    return min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)


def say(name: str, line: str) -> None:
    """Print one line behind the name of who says it; logs for programs ("") as they are.

    A terminal that went away is no error.
    """
    try:
        with _printing:
            print(f"{name:15} | {line}" if name else line, flush=True)  # noqa: T201
    except OSError:
        pass


def _spawn(child: Child) -> subprocess.Popen[str]:
    """Start the child in a group of its own, so that Ctrl-C reaches the supervisor alone.

    To be called from the main thread only: the signal at our death is tied to the calling thread.
    """
    try:
        return subprocess.Popen(
            child.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it asks the kernel, nothing else
        )
    except OSError as error:
        why = error.strerror
        raise CannotStart(f"{child.command[0]} cannot be started: {why}.") from error


def die_with(supervisor: int) -> Callable[[], None]:
    def ask_kernel() -> None:
        if _libc:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before we asked
            os._exit(1)

    return ask_kernel


def _copy_lines(child: Child, lines: IO[str]) -> None:
    with lines:
        for line in lines:
            if not any(text in line for text in child.ignored):
                say("" if line.startswith('{"time"') else child.name, line.rstrip("\n"))


def _ended(process: subprocess.Popen[str]) -> str:
    code = process.returncode
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
