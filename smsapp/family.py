"""Several workers that share the memory of what all of them import.

One process imports everything, then forks each member: pages that nobody changes are there once. Alone each
of them takes some 70 MB, as a member some 23 (docs/running.md).

1. A member that ends is forked again, after a pause that doubles while it keeps ending.
2. On SIGTERM the members get SIGTERM too and finish what is in flight; what they talk to (`last`) only
   after them. Then the family ends.
3. If the family's parent is killed, Linux sends each member SIGTERM.
The parent has no other thread, so that no lock is held in what it forks.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from django.core.management import ManagementUtility
from django.db import connections

from phones import registry
from smsapp.supervisor import STEADY_AFTER, die_with, next_pause

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.1  # seconds
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Member:
    """One Django command (`words`), the process that runs it now, and when it is forked again."""

    def __init__(self, words: Sequence[str], *, is_last: bool = False) -> None:
        self.words = list(words)
        self.is_last = is_last
        self.pid = 0
        self.pause = self.began = self.again = 0.0


class Family:
    """Keeps its members alive until it is asked to stop."""

    def __init__(
        self, members: Sequence[Sequence[str]], last: Sequence[Sequence[str]] = ()
    ) -> None:
        self.members = [Member(words) for words in members]
        self.members += [Member(words, is_last=True) for words in last]
        self.asked_to_stop = False

    def run(self) -> None:
        """Fork the members and look after them; return once all have ended."""
        registry.all_types()
        connections.close_all()
        gc.collect()
        gc.freeze()  # a collection in a member must not copy what it shares
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        while not self.asked_to_stop:
            for member in self.members:
                if not member.pid and time.monotonic() >= member.again:
                    self._begin(member)
            self._look()
        while any(member.pid for member in self.members):
            self._ask_to_stop()
            self._look()

    def _begin(self, member: Member) -> None:
        # A signal that comes between the fork and the member's own handlers must not be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        parent = os.getpid()
        try:
            member.pid = os.fork()
        except OSError as error:  # no memory or no processes left: it may pass
            self._plan(member, f"cannot be started ({error})", lived=0)
        if not member.pid and os.getpid() != parent:
            _live(member.words, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        member.began = time.monotonic()

    def _look(self) -> None:
        time.sleep(_LOOK_EVERY)
        for member in self.members:
            if member.pid and (ended := _ended(member.pid)) is not None:
                member.pid = 0
                if not self.asked_to_stop:
                    lived = time.monotonic() - member.began
                    self._plan(member, f"ended with code {ended}", lived)

    def _plan(self, member: Member, why: str, lived: float) -> None:
        before = 0.0 if lived >= STEADY_AFTER else member.pause
        member.pause = next_pause(before, lived=lived)
        member.again = time.monotonic() + member.pause
        name = " ".join(member.words)
        logger.warning("%s %s; starts again in %.1f s", name, why, member.pause)

    def _ask_to_stop(self) -> None:
        alive = [member for member in self.members if member.pid]
        first = [member for member in alive if not member.is_last]
        for member in first or alive:
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGTERM)

    def _on_signal(self, *_: object) -> None:
        self.asked_to_stop = True


def _ended(pid: int) -> int | None:
    """Give the code that a member ended with, None while it lives."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def _live(words: Sequence[str], parent: int) -> NoReturn:
    """Be a member: run the command and end the process."""
    code = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        die_with(parent)()
        retitle(f"{sys.executable} manage.py {' '.join(words)}")
        argv = ["manage.py", *words]
        command = ManagementUtility(argv).fetch_command(words[0])
        command.requires_system_checks = []  # the parent has checked
        command.run_from_argv(argv)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # whatever it is, nothing of the parent may run on in here
        logger.exception("%s failed", " ".join(words))
    finally:
        with suppress(BaseException):
            atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def retitle(title: str) -> None:
    """Let `ps` show another command line, where the kernel allows it and the old one is long enough."""
    with suppress(OSError, ValueError, IndexError):
        # Fields 48 and 49 of proc(5): where the arguments lie. The name, in brackets, may hold anything.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begins, ends = int(fields[45]), int(fields[46])
        room = ends - begins
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(begins)
            memory.write(title.encode()[: room - 1].ljust(room, b"\0"))
