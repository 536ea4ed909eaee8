"""How fast messages leave by SMPP and their receipts are recorded, beside Kannel and Jasmin.

    python -m bench.smpp [--messages 20000] [--delays 0 20] [--only kannel-file] [--json result.json]

Each system first gets all messages, kept in its own store, then one bind with a window of 100 to the same
SMSC (`bench.smsc`), which reports each message delivered. The clock runs from the first submit_sm until the
last receipt is recorded: in smsapp's database, or by a call of the gateway's user. What is not done after
`--seconds` is not waited for, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import smsc, systems
from smsapp.addresses import free_loopback_port

SYSTEMS: dict[str, Callable[[int], AbstractContextManager[systems.System]]] = {
    "smsapp-sqlite": systems.smsapp,
    "smsapp-postgresql": partial(systems.smsapp, postgres=True),
    "kannel-spool": partial(systems.kannel, store="spool"),
    "kannel-file": partial(systems.kannel, store="file"),
    "jasmin": systems.jasmin,
}
# Those that the others are measured by.
REFERENCES = ("jasmin", "kannel-file")
# Ticks of the processor's clock per second, on every Linux.
_TICKS = 100


@dataclass(frozen=True, slots=True)
class Result:
    """One system, once. `done` of `messages` were reported; `delay` is the SMSC's, in milliseconds."""

    system: str
    delay: int
    messages: int
    done: int = 0
    per_second: float = 0.0
    cpu: float = 0.0  # milliseconds per message, all its processes
    memory: float = 0.0  # MB at the most, shared pages shared out
    in_flight: int = 0  # messages that were unanswered at once, at the most
    smsc_busy: float = 0.0  # share of one core that the SMSC used
    refused: int = 0  # receipts that were answered with an error
    problem: str = ""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.smpp", description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 20], help="ms of the SMSC")
    parser.add_argument("--only", choices=SYSTEMS, nargs="+", default=list(SYSTEMS))
    parser.add_argument("--seconds", type=float, default=120, help="to wait for one of them")
    parser.add_argument("--json", type=Path, help="write the results there too")
    parser.add_argument("--one", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        [delay] = options.delays
        print(json.dumps(asdict(measure(options.one, delay, options.messages, options.seconds))))
        return 0
    results = []
    for delay in options.delays:
        print(f"\nthe SMSC answers after {delay} ms; alone it does {ceiling(delay):.0f} messages/s")
        found = [apart(name, delay, options) for name in options.only]
        print_table(found)
        results += found
    if options.json:
        options.json.write_text(json.dumps([asdict(item) for item in results], indent=1))
    return 0 if all(item.done == item.messages or item.problem for item in results) else 1


def ceiling(delay: int) -> float:
    with smsc.running(delay=delay / 1000) as running:
        return smsc.ceiling(running.port, messages=50_000, window=systems.WINDOW)


def apart(name: str, delay: int, options: argparse.Namespace) -> Result:
    """Measure in a process of its own: a site's settings are for one process and once."""
    command = [sys.executable, "-m", "bench.smpp", "--one", name, "--delays", str(delay)]
    command += ["--messages", str(options.messages), "--seconds", str(options.seconds)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return Result(name, delay, options.messages, problem=f"ended with {done.returncode}")
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def measure(name: str, delay: int, messages: int, seconds: float) -> Result:
    """Start a system, let it send, and end it."""
    port = free_loopback_port()
    try:
        with SYSTEMS[name](port) as system:
            system.prepare(messages)
            time.sleep(1)  # what it still writes down is not ours to count
            return _send(name, system, port, delay, messages, seconds)
    except pytest.skip.Exception as skipped:
        return Result(name, delay, messages, problem=str(skipped))


def _send(
    name: str, system: systems.System, port: int, delay: int, messages: int, seconds: float
) -> Result:
    costs = Costs(system.pids)
    with smsc.running(delay=delay / 1000, port=port) as running:
        began = running.count().cpu
        system.go()
        deadline = time.monotonic() + seconds
        recorded, last = 0, 0.0
        while recorded < messages and time.monotonic() < deadline:
            time.sleep(0.1)
            costs.look()
            count = running.count()
            recorded, last = system.recorded(count)
        cpu = costs.cpu()
        count = running.count()
    took = last - count.first_submit if recorded else float("inf")
    return Result(
        *(name, delay, messages, recorded),
        per_second=recorded / took,
        cpu=1000 * cpu / max(recorded, 1),
        memory=costs.memory,
        in_flight=count.most_in_flight,
        smsc_busy=(count.cpu - began) / took,
        refused=count.refused,
    )


class Costs:
    """Processor time and memory of some processes, from now on."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._before = self._used()
        self._looked = 0.0
        self.memory = 0.0  # MB, the most of all looks

    def cpu(self) -> float:
        """Give the seconds used so far, with those of children that ended."""
        return self._used() - self._before

    def look(self) -> None:
        """Look at the memory, once a second at most: the kernel walks all pages for it."""
        if time.monotonic() > self._looked + 1:
            self._looked = time.monotonic()
            self.memory = max(self.memory, sum(map(_memory, self._pids())))

    def _used(self) -> float:
        return sum(map(_cpu, self._pids()))


def _cpu(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS


def _memory(pid: int) -> float:
    """Give its share of the pages it maps (`Pss`), in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def print_table(results: list[Result]) -> None:
    by_name = {item.system: item for item in results}
    references = [name for name in REFERENCES if name in by_name and by_name[name].per_second]
    heads = [
        "messages/s",
        *(f"× {name}" for name in references),
        "CPU ms",
        "MB",
        "in flight",
        "SMSC",
    ]
    print(f"{'':18}" + "".join(f"{head:>14}" for head in heads))
    for item in results:
        if item.problem:
            print(f"{item.system:18}  {item.problem}")
            continue
        ratios = [f"{item.per_second / by_name[name].per_second:.2f}" for name in references]
        cells: list[Any] = [f"{item.per_second:.0f}", *ratios, f"{item.cpu:.3f}"]
        cells += [f"{item.memory:.0f}", item.in_flight, f"{item.smsc_busy:.0%}"]
        missing = "" if item.done == item.messages else f"  {item.done} of {item.messages} done"
        refused = f"  {item.refused} receipts refused" if item.refused else ""
        print(f"{item.system:18}" + "".join(f"{cell:>14}" for cell in cells) + missing + refused)
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
