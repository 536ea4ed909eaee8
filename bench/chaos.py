"""Kill at random while 2,000 messages leave, then count what was lost and what was sent twice.

    python -m bench.chaos [--smpp | --campaigns 4] [--seed 1] [--messages 2000] [--rate 60] [--database-url …]

It starts a site of its own and kills only what that site started: `kill -9` of each process and of
the supervisor, and FLUSHALL. The simulator keeps an independent count, which is the judge; with
`--smpp` it is npm's SMSC (`bench/storm.py`), which loses connections too. The same seed gives the same
messages and the same kills; what each kill hits is up to the machine.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from redis import Redis
from redis.exceptions import RedisError

from bench.site import Process, Site, start

# Words in the command line that tell a kind of process.
COMMANDS = {
    "send worker": "rqworker send",
    "default worker": "rqworker default",
    "tick": "manage.py tick",
    "simulator": "manage.py simulator",
    "queue server": "valkey-server",
    "session": "manage.py session ",
    "sessions": "manage.py sessions",
}
WEB = "gunicorn"
# How often each is chosen. What sends and what it stands on is hit most.
WEIGHTS = {
    "send worker": 5,
    "queue server": 3,
    "flushall": 3,
    "simulator": 3,
    "web worker": 3,
    "web master": 2,
    "default worker": 1,
    "tick": 2,
    "supervisor": 2,
}
# Seconds between two kills.
LEAST, MOST = 0.3, 1.5
# Seconds that a kill waits, at most, for something to be under way.
CALM = 8
# Seconds: above the time-out of a request to a provider in real life; here that is a local process.
LEASE = 15


@dataclass
class Chaos:
    """Kills, chosen by `chance`, and the count of them."""

    site: Site
    chance: random.Random
    weights: Mapping[str, int] = field(default_factory=lambda: WEIGHTS)
    # Further strikes, by their names in `weights`: what they do says whether they hit.
    others: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    missed: int = 0

    def strike(self) -> str:
        """Kill one thing; give what it was, or nothing when it was just not there."""
        [kind] = self.chance.choices(list(self.weights), list(self.weights.values()))
        if self._kill(kind):
            self.killed[kind] += 1
            return kind
        self.missed += 1
        return ""

    def revive(self) -> None:
        """Start the supervisor where it is not there, as systemd would."""
        if self.site.process.poll() is not None:
            self.site.launch()

    def _kill(self, kind: str) -> bool:
        if kind == "supervisor":
            alive = self.site.process.poll() is None
            self.site.kill()
            return alive
        if kind == "flushall":
            return self._flush()
        if kind in self.others:
            return self.others[kind]()
        found = self._find(kind)
        return bool(found) and self.chance.choice(found).signal(signal.SIGKILL)

    def _flush(self) -> bool:
        with suppress(RedisError), Redis.from_url(self.site.redis_url) as server:
            return bool(server.flushall())
        return False

    def _find(self, kind: str) -> list[Process]:
        """Look among what our supervisor started, and nowhere else."""
        processes = self.site.processes()
        if kind in COMMANDS:
            return [item for item in processes if COMMANDS[kind] in item.command]
        webs = [item for item in processes if WEB in item.command]
        masters = [item for item in webs if item.parent == self.site.process.pid]
        return masters if kind == "web master" else [item for item in webs if item not in masters]


def run(options: argparse.Namespace, site: Site) -> bool:
    """Do one round and print it; say whether nothing was lost and nothing was sent twice."""
    site.join()
    if options.smpp:
        return run_smpp(options, site)
    from bench import ledger  # noqa: PLC0415 - it has models, which need the site's environment

    chaos = Chaos(site, random.Random(options.seed))
    phone = ledger.phone_of_a_new_workspace(rate=options.rate)
    numbers = ledger.mixed_numbers(options.messages, chaos.chance)
    if options.campaigns:
        chaos.weights = {**WEIGHTS, "default worker": 6}
        ledger.start_campaigns(phone, numbers, options.campaigns, chaos.chance)
    else:
        ledger.compose(phone, numbers)
    began = time.monotonic()
    rage(chaos, ledger, seconds=options.seconds, quiet=options.quiet)
    settle(chaos, ledger.is_settled, seconds=options.settle)
    took = time.monotonic() - began
    findings = ledger.compare(site.simulator_url)

    kills = ", ".join(f"{name} {times}" for name, times in sorted(chaos.killed.items()))
    print(f"seed {options.seed}, {options.messages} messages, {took:.0f} s")
    print(f"kills        {chaos.killed.total()}: {kills}")
    print(findings)
    return findings.is_clean


def run_smpp(options: argparse.Namespace, site: Site) -> bool:
    """Do one round by SMPP and print it; say whether all that must hold holds."""
    from bench import ledger, storm  # noqa: PLC0415 - as above

    chance = random.Random(options.seed)
    with storm.Storm(chance) as weather:
        chaos = Chaos(site, chance, weights=storm.WEIGHTS, others=weather.strikes)
        weather.compose(count=options.messages, rate=options.rate)
        began = time.monotonic()
        rage(chaos, ledger, seconds=options.seconds, quiet=options.quiet)
        settle(chaos, weather.is_settled, seconds=options.settle)
        took = time.monotonic() - began
        findings = weather.compare(chaos.killed)

    kills = ", ".join(f"{name} {times}" for name, times in sorted(chaos.killed.items()))
    print(f"seed {options.seed}, {options.messages} messages by SMPP, {took:.0f} s")
    print(f"kills        {chaos.killed.total()}: {kills}")
    print(findings)
    return findings.is_clean


def rage(chaos: Chaos, ledger: ModuleType, *, seconds: float, quiet: bool) -> None:
    """Kill until nothing is under way, or the time is up."""
    began = time.monotonic()
    while ledger.is_waiting() and time.monotonic() < began + seconds:
        time.sleep(chaos.chance.uniform(LEAST, MOST))
        wait_for_sending(chaos, ledger)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(ledger.states().items()))
        kind = chaos.strike()
        if kind and not quiet:
            print(f"{time.monotonic() - began:6.1f} s  {kind:15} {counts}", flush=True)
        chaos.revive()


def wait_for_sending(chaos: Chaos, ledger: ModuleType) -> None:
    """Return once something leaves: a kill while nothing happens shows nothing.

    After CALM seconds return all the same, so that the coming up is hit as well.
    """
    deadline = time.monotonic() + CALM
    while ledger.is_waiting() and not ledger.is_leaving() and time.monotonic() < deadline:
        chaos.revive()
        time.sleep(0.02)


def settle(chaos: Chaos, is_settled: Callable[[], bool], *, seconds: float) -> None:
    """Bring the site up, and give it time to finish what is left."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        chaos.revive()
        if chaos.site.is_ready() and is_settled():
            break
        time.sleep(0.5)
    # Replies come some seconds after the delivery they answer.
    time.sleep(4)
    chaos.site.wait()


def options_from(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--smpp", action="store_true", help="by an SMPP bind")
    parser.add_argument("--campaigns", type=int, default=0, help="by so many campaigns at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=150, help="segments per second")
    parser.add_argument("--seconds", type=float, default=90, help="of kills, at most")
    parser.add_argument("--settle", type=float, default=75, help="seconds of rest, at most")
    parser.add_argument("--database-url", default="", help="instead of a SQLite file of its own")
    parser.add_argument(
        "--keep", action="store_true", help="keep the folder, and print where it is"
    )
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = options_from(arguments)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    env = {"SENDING_LEASE": str(LEASE), "TICK_SECONDS": "1"}
    env |= {"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"} if options.smpp else {}
    try:
        with start(folder, database_url=options.database_url, env=env) as site:
            return 0 if run(options, site) else 1
    finally:
        if options.keep:
            print(f"kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
