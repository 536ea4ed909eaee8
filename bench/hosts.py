"""Kill hosts and cut their cables while messages leave, then count what was lost and what was sent twice.

    python -m bench.hosts [--seed 1] [--messages 1500] [--rate 60]

As root, on Linux: each host is a network namespace and a process namespace of its own, with a cable to two
bridges. `inside` leads to PostgreSQL and Valkey (a host each); `outside` to the provider (the simulator,
whose count is the judge) and from its door to the web hosts. Two web hosts serve, two others send and keep
tick and sessions, one only sends. A cut cable is silent, as it is between machines: nobody is told that a
connection ended.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import http.client
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django

from bench.site import ROOT, descendants
from smsapp import valkey
from smsapp.supervisor import Child, Supervisor
from tests.peers.postgres import PostgresPeer, _run, start_postgres

WEB, BOTH, SEND = "web", "both", "send"
HOSTS = {"web1": WEB, "web2": WEB, "work1": BOTH, "work2": BOTH, "work3": SEND}
DATABASE, QUEUE, PROVIDER = "database", "queue", "provider"
PLACES = [DATABASE, QUEUE, PROVIDER, *HOSTS]
# Workers that send on a host, and what one holds at the most.
SENDERS = {WEB: 0, BOTH: 1, SEND: 2}
CONCURRENCY = 16
# Seconds: claims end sooner than in real life, so that several hosts can be lost in one round.
LEASE = 15
# How often each is chosen; the seconds it lasts are chosen evenly between two.
STRIKES: dict[str, tuple[int, float, float]] = {
    "host lost": (5, 1, 10),
    "host cut off": (4, 2, 30),
    "inside cut": (5, 2, 30),
    "outside cut": (2, 2, 15),
    "host frozen": (3, 2, 25),
    "database cut": (2, 2, 20),
    "database crash": (2, 0, 0),
    "queue cut": (2, 2, 20),
    "queue crash": (1, 0.5, 5),
    "flushall": (1, 0, 0),
}
# Seconds between two strikes.
LEAST, MOST = 1.0, 5.0
# Seconds that strikes wait, at most, for something to be under way.
CALM = 15.0
PATIENCE = 120.0
# What runs on one machine here needs no fsync: its kernel lives. PostgreSQL ends only once those have who
# have not said who they are: a host that was cut off in that moment would keep it for a minute.
_POSTGRES = {"listen_addresses": "*", "fsync": "off", "jit": "off", "authentication_timeout": "5s"}
_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


# ---- The network --------------------------------------------------------------------------------


class Network:
    """Namespaces with a cable to each bridge; the bridges lie in one of their own, so nothing is left."""

    def __init__(self) -> None:
        self.prefix = f"smsapp-{os.getpid()}-"
        self.switch = f"{self.prefix}switch"

    def __enter__(self) -> Network:
        lines = [f"netns add {self.switch}"]
        lines += [f"netns add {self.prefix}{place}" for place in PLACES]
        ip(lines)
        bridges = [f"link add {side} type bridge" for side in ("inside", "outside")]
        ip([*bridges, "link set inside up", "link set outside up"], self.switch)
        for place in PLACES:
            self._connect(place)
        return self

    def __exit__(self, *_: object) -> None:
        for place in ("switch", *PLACES):
            subprocess.run(["ip", "netns", "del", f"{self.prefix}{place}"], check=False)

    def _connect(self, place: str) -> None:
        for side in ("inside", "outside"):
            plug, name = f"{place}-{side[:2]}", f"{self.prefix}{place}"
            far = f"address {_mac(side, place)} netns {name}"
            ip(
                [f"link add {plug} type veth peer name {side} {far}", f"link set {plug} up"],
                self.switch,
            )
            self.plug(place, side)
            # Neighbours are known for good: behind a router nobody would say either that one is gone.
            known = [
                f"neigh replace {address(side, other)} lladdr {_mac(side, other)}"
                f" nud permanent dev {side}"
                for other in PLACES
                if other != place
            ]
            up = [f"addr add {address(side, place)}/24 dev {side}", f"link set {side} up"]
            ip(["link set lo up", *up, *known], name)

    def plug(self, place: str, side: str) -> None:
        ip([f"link set {place}-{side[:2]} master {side}"], self.switch)

    def unplug(self, place: str, side: str) -> None:
        """Cut the cable, and tell nobody: what is sent into it is gone."""
        ip([f"link set {place}-{side[:2]} nomaster"], self.switch)

    @contextmanager
    def inside(self, place: str) -> Iterator[None]:
        """Be there with this thread: what it connects and whom it starts."""
        with ExitStack() as files:
            here = files.enter_context(open("/proc/thread-self/ns/net", "rb"))
            there = files.enter_context(open(f"/run/netns/{self.prefix}{place}", "rb"))
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())


def ip(lines: list[str], namespace: str = "") -> None:
    """Do what `ip` does with each line. Raises CalledProcessError."""
    where = ["-netns", namespace] if namespace else []
    words = "\n".join(lines)
    subprocess.run(["ip", *where, "-batch", "-"], input=words, text=True, check=True)


def address(side: str, place: str) -> str:
    return f"10.203.{1 if side == 'inside' else 2}.{PLACES.index(place) + 1}"


def _mac(side: str, place: str) -> str:
    return f"02:00:00:00:{1 if side == 'inside' else 2:02x}:{PLACES.index(place) + 1:02x}"


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


# ---- Hosts --------------------------------------------------------------------------------------


def be(name: str, kind: str) -> None:
    """Be a host's first process: keep its others alive, as systemd would."""
    from smsapp.starting import gunicorn, rqworker  # noqa: PLC0415 - it wants the site's environment

    socket.sethostname(name)
    manage = [sys.executable, "manage.py"]
    if kind == WEB:
        child = Child("web", gunicorn("0.0.0.0", 8000, light=False))
    else:
        members = [rqworker("send")] * SENDERS[kind]
        if kind == BOTH:
            members += [rqworker("default"), "tick", "sessions"]
        child = Child("work", [*manage, "family", *members])
    with Supervisor() as supervisor:
        supervisor.start(child)
        supervisor.run()


@dataclass
class Host:
    """A machine: all its processes die with its first."""

    network: Network
    name: str
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def kind(self) -> str:
        return HOSTS[self.name]

    def start(self) -> None:
        unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--"]
        command = [*unshare, sys.executable, "-m", "bench.hosts", "--be", self.name]
        with self.network.inside(self.name), self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def lose(self) -> None:
        """Take its power away: nothing that it would still say is heard."""
        self.cut()
        self.thaw()
        self.process.kill()
        self.process.wait()

    def back(self) -> None:
        self.mend()
        self.start()

    def cut(self, *sides: str) -> None:
        for side in sides or ("inside", "outside"):
            self.network.unplug(self.name, side)

    def mend(self) -> None:
        for side in ("inside", "outside"):
            self.network.plug(self.name, side)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for process in descendants(self.process.pid):
            process.signal(number)


class Door:
    """What stands before the web hosts: it passes a connection on to the next one that takes it."""

    PORT = 8080

    def __init__(self, network: Network) -> None:
        self.network = network
        self.next = itertools.cycle([name for name, kind in HOSTS.items() if kind == WEB])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self.network.inside(PROVIDER):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", self.PORT)
        await server.serve_forever()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    place = address("outside", next(self.next))
                    far, to_far = await asyncio.open_connection(place, 8000)
                await asyncio.gather(_copy(reader, to_far), _copy(far, writer))
                return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()


# ---- The site -----------------------------------------------------------------------------------


class Site:
    """Everything, started and stopped in order."""

    def __init__(self, folder: Path, network: Network, stack: ExitStack) -> None:
        self.folder, self.network, self._stack = folder, network, stack
        self.database = self._start_database()
        self.socket = valkey.socket_path(folder)
        self.queue = self._start_queue()
        stack.callback(lambda: self._end(self.queue))
        inside = {place: address("inside", place) for place in PLACES}
        self.simulator_url = f"http://{address('outside', PROVIDER)}:9000"
        self.env = {
            "DJANGO_SETTINGS_MODULE": "smsapp.settings",
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"postgres://smsapp@{inside[DATABASE]}:{self.database.port}/smsapp",
            "REDIS_URL": f"redis://{inside[QUEUE]}:6379/0",
            "SECRET_KEY": "bench" * 10,
            "FIELD_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "PUBLIC_URL": f"http://127.0.0.1:{Door.PORT}",
            "SIMULATOR_URL": self.simulator_url,
            "EMAIL_URL": "",
            "SENDING_LEASE": str(LEASE),
            "SENDING_CONCURRENCY": str(CONCURRENCY),
            "TICK_SECONDS": "1",
        }
        self.join()
        self.simulator = self._start_simulator()
        stack.callback(lambda: self._end(self.simulator))
        Door(network)
        self.hosts = {name: Host(network, name, self.env, folder / f"{name}.log") for name in HOSTS}
        for host in self.hosts.values():
            host.start()
            stack.callback(host.lose)

    def join(self) -> None:
        """Let this process be part of the site, by paths that no cut cable concerns."""
        database = f"postgres://smsapp@:{self.database.port}/{self.database.folder}/smsapp"
        own = {"DATABASE_URL": database, "REDIS_URL": valkey.url(self.socket)}
        os.environ |= {**self.env, **own}
        django.setup()
        from django.core.management import call_command  # noqa: PLC0415 - it wants the above

        call_command("prepare")

    def _start_database(self) -> PostgresPeer:
        with self.network.inside(DATABASE):
            peer = start_postgres(_POSTGRES)
        self._stack.callback(peer.stop)
        with (peer.folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.203.0.0/16 trust\n")
        self._pg_ctl(peer, "reload")
        return peer

    def crash_database(self) -> None:
        """Let PostgreSQL end as if it had crashed, and start it again."""
        log = str(self.database.folder / "log")
        self._pg_ctl(self.database, "-m", "immediate", "-w", "-l", log, "restart")

    def _pg_ctl(self, peer: PostgresPeer, *words: str) -> None:
        with self.network.inside(DATABASE):
            _run([peer.binaries / "pg_ctl", "-D", peer.folder / "data", *words])

    def _start_queue(self) -> subprocess.Popen[bytes]:
        folder = self.folder / "queue"
        folder.mkdir(exist_ok=True)
        program = valkey.binary()
        assert program
        command = valkey.command(program, folder=folder, path=self.socket)
        command += ["--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no"]
        with self.network.inside(QUEUE), (self.folder / "queue.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: valkey.answers(self.socket))
        return process

    def crash_queue(self) -> None:
        self._end(self.queue)

    def revive_queue(self) -> None:
        self.queue = self._start_queue()

    def flush(self) -> None:
        from lib.jobs import QueueDown, redis  # noqa: PLC0415 - it wants the site's environment

        with suppress(QueueDown):
            redis().flushall()

    def _start_simulator(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "simulator", "--host", "0.0.0.0", "--port", "9000"]
        with self.network.inside(PROVIDER), (self.folder / "simulator.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def is_up(self) -> bool:
        """Say whether each web host answers that all is well: its database and its queue server."""
        with self.network.inside(PROVIDER):
            webs = [name for name, host in self.hosts.items() if host.kind == WEB]
            return all(answers(address("outside", name), 8000) for name in webs) and answers(
                "127.0.0.1", 9000, "/health"
            )


def answers(host: str, port: int, path: str = "/healthz") -> bool:
    link = http.client.HTTPConnection(host, port, timeout=5)
    try:
        link.request("GET", path, headers={"Host": "localhost"})
        return link.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


# ---- Strikes ------------------------------------------------------------------------------------


class Misfortune:
    """Strikes, chosen by `chance`, each with the moment at which it is mended."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site, self.chance = site, chance
        self.struck: Counter[str] = Counter()
        # Messages that may be in the hands of what was struck.
        self.in_doubt = 0
        self._wounds: dict[str, tuple[float, Callable[[], None]]] = {}

    def strike(self) -> str:
        """Do one thing to one that is well; give its words, or nothing where none is."""
        kinds = list(STRIKES)
        [kind] = self.chance.choices(kinds, [STRIKES[name][0] for name in kinds])
        _, least, most = STRIKES[kind]
        seconds = self.chance.uniform(least, most)
        place = kind.split()[0] if kind != "flushall" else QUEUE
        if place in ("host", "inside", "outside"):
            place = self.chance.choice(list(self.site.hosts))
        well = self._wounds.keys().isdisjoint({place})
        # One host of each sort stays, or nothing happens that a strike could hit.
        down = len(self._wounds.keys() & self.site.hosts.keys())
        if not well or (place in self.site.hosts and down >= 3):
            return ""
        self._wounds[place] = (time.monotonic() + seconds, self._do(kind, place))
        self.struck[kind] += 1
        senders = sum(SENDERS[k] for n, k in HOSTS.items() if n == place or place not in HOSTS)
        self.in_doubt += CONCURRENCY * senders if kind not in ("flushall",) else 0
        return f"{kind:15} {place:9} {seconds:4.0f} s"

    def _do(self, kind: str, place: str) -> Callable[[], None]:
        """Do it; give what mends it."""
        site, network = self.site, self.site.network
        host = site.hosts.get(place)
        if host:
            doings = {
                "host lost": (host.lose, host.back),
                "host cut off": (host.cut, host.mend),
                "inside cut": (lambda: host.cut("inside"), host.mend),
                "outside cut": (lambda: host.cut("outside"), host.mend),
                "host frozen": (host.freeze, host.thaw),
            }
        else:
            doings = {
                f"{place} cut": (
                    lambda: network.unplug(place, "inside"),
                    lambda: network.plug(place, "inside"),
                ),
                "database crash": (site.crash_database, lambda: None),
                "queue crash": (site.crash_queue, site.revive_queue),
                "flushall": (site.flush, lambda: None),
            }
        hurt, mend = doings[kind]
        hurt()
        return mend

    def mend(self, *, all_of_it: bool = False) -> None:
        for place, (until, mend) in list(self._wounds.items()):
            if all_of_it or time.monotonic() > until:
                del self._wounds[place]
                mend()


def run(options: argparse.Namespace, site: Site) -> bool:
    """Do one round and print it; say whether nothing was lost and nothing was sent twice."""
    from bench import ledger  # noqa: PLC0415 - it has models, which want the site's environment

    wait_until(site.is_up)
    chance = random.Random(options.seed)
    fate = Misfortune(site, chance)
    phone = ledger.phone_of_a_new_workspace(rate=options.rate)
    ledger.compose(phone, ledger.mixed_numbers(options.messages, chance))
    began = time.monotonic()
    while asked(ledger.is_waiting) and time.monotonic() < began + options.seconds:
        time.sleep(chance.uniform(LEAST, MOST))
        calm = time.monotonic() + CALM
        while asked(ledger.is_waiting) and time.monotonic() < calm:
            fate.mend()
            if asked(ledger.is_leaving):
                break
            time.sleep(0.1)
        if words := fate.strike():
            counts = asked(ledger.states)
            said = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            print(f"{time.monotonic() - began:6.1f} s  {words}   {said}", flush=True)
    fate.mend(all_of_it=True)
    raged = time.monotonic() - began
    with suppress(TimeoutError):
        wait_until(lambda: site.is_up() and bool(asked(ledger.is_settled)), options.settle)
    settled = time.monotonic() - began - raged
    time.sleep(4)  # replies come some seconds after the delivery they answer
    with site.network.inside(PROVIDER):
        findings = ledger.compare("http://127.0.0.1:9000")
    return told(options, fate, findings, ledger, raged, settled)


def asked(ask: Callable[[], Any]) -> Any:
    """Ask the database, which may just be starting again."""
    from django.db import connection  # noqa: PLC0415 - as above

    from lib.stored import DatabaseAway  # noqa: PLC0415 - as above

    for _ in range(100):
        try:
            return ask()
        except DatabaseAway:
            connection.close()
            time.sleep(0.2)
    return ask()


def told(
    options: argparse.Namespace,
    fate: Misfortune,
    findings: Any,
    ledger: Any,
    raged: float,
    settled: float,
) -> bool:
    from messaging.models import Direction, Message, Status  # noqa: PLC0415 - as above

    unknown = Message.objects.filter(status=Status.UNKNOWN).exclude(peer__endswith="05").count()
    incoming = Message.objects.filter(direction=Direction.IN).values_list("provider_id", flat=True)
    twice = sum(count - 1 for count in Counter(incoming).values())
    strikes = ", ".join(f"{name} {times}" for name, times in sorted(fate.struck.items()))
    print(
        f"seed {options.seed}, {options.messages} messages, {raged:.0f} s, settled {settled:.0f} s later"
    )
    print(f"strikes      {fate.struck.total()}: {strikes}")
    print(findings)
    print(f"in doubt     {unknown} unknown without those that hang up, of {fate.in_doubt} allowed")
    print(f"replies      {twice} shown twice")
    return bool(findings.is_clean and unknown <= fate.in_doubt and not twice)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.hosts", description=__doc__.splitlines()[0])
    parser.add_argument("--be", choices=HOSTS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=60, help="segments per second")
    parser.add_argument("--seconds", type=float, default=120, help="of strikes, at most")
    parser.add_argument("--settle", type=float, default=120, help="seconds of rest, at most")
    parser.add_argument("--keep", action="store_true", help="keep the folder, and say where it is")
    options = parser.parse_args(arguments)
    if options.be:
        be(options.be, HOSTS[options.be])
        return 0
    if os.geteuid() or not shutil.which("ip"):
        sys.exit("This makes network namespaces: run it as root, with iproute2 installed.")
    folder = Path(tempfile.mkdtemp(prefix="hosts-"))
    try:
        with Network() as network, ExitStack() as stack:
            return 0 if run(options, Site(folder, network, stack)) else 1
    finally:
        if options.keep:
            print(f"kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
