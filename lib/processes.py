"""Whether another process on this machine has ended, told without asking it (Linux, proc(5)).

Where that cannot be known for sure, it has not: another machine, another container, another system.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
# State of a process that only waits for its parent to look, in /proc/PID/stat.
_ENDED = ("Z", "X")


def me() -> str:
    """Name this process: the machine's start, its process namespace, pid, start. "" where unknown."""
    return _name(os.getpid())


def has_ended(name: str) -> bool:
    """Say whether the process of that name (`me`) ran on this machine, here, and surely is gone."""
    place, _, process = name.rpartition("/")
    pid = process.partition(".")[0]
    return bool(place) and place == _place() and pid.isdigit() and _name(int(pid)) != name


def _name(pid: int) -> str:
    place = _place()
    if not place:
        return ""
    with suppress(OSError):
        # Behind the name of its program, which may hold anything: state first, start as the 20th.
        stat = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        if stat[0] not in _ENDED:
            return f"{place}/{pid}.{stat[19]}"
    return ""


def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""
