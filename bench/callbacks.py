"""The user's end of a gateway: an HTTP server that counts callbacks, `python -m bench.callbacks`.

It prints its port and counts the different paths that are asked for; each line on stdin makes it say how
many, and when the last one came (seconds of `time.monotonic`).

    .venv/bin/python -m bench.callbacks --fuzz [10000] [--seed 1]

turns it around: so many callbacks that nobody should send, to a site of its own (`bench/fuzz.py`).

    .venv/bin/python -m bench.callbacks --load [--rate 500] [--seconds 60] [--postgres]

sends receipts at that rate to a site of its own that is sending a campaign (`bench/flood.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.management import call_command
from django.test.utils import setup_test_environment

# What Jasmin wants to read; Kannel reads the status alone.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nACK/Jasmin"


class Running:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        self.url = f"http://127.0.0.1:{process.stdout.readline().strip()}"

    def count(self) -> tuple[int, float]:
        """Give how many came, and when the last one did."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        count, last = self.process.stdout.readline().split()
        return int(count), float(last)


@contextmanager
def running() -> Iterator[Running]:
    command = [sys.executable, "-m", "bench.callbacks"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


class Counter:
    def __init__(self) -> None:
        self.paths: set[bytes] = set()
        self.last = 0.0

    def tell(self) -> None:
        for _line in sys.stdin:
            print(len(self.paths), self.last, flush=True)


class Link(asyncio.Protocol):
    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self.buffer = (self.buffer + data).split(b"\r\n\r\n")
        for request in requests:
            path = request.split(b" ", 2)[1]
            if path not in self.counter.paths:
                self.counter.paths.add(path)
                self.counter.last = time.monotonic()
        self.transport.write(_ANSWER * len(requests))


async def _serve() -> None:
    counter = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Link(counter), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=counter.tell, daemon=True).start()
    await server.serve_forever()


def _fuzz(count: int, seed: int) -> None:
    """Send `count` callbacks that nobody should to a site of its own; end with 1 where one did harm."""
    with tempfile.TemporaryDirectory(prefix="smsapp-fuzz-") as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_BUILD": "1"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
        django.setup()
        logging.disable()
        setup_test_environment()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from bench import fuzz  # noqa: PLC0415 - models, which want what is above

        findings, began, slugs = fuzz.Findings(), time.monotonic(), fuzz.types()
        for number, slug in enumerate(slugs):
            here = count // len(slugs) + (number < count % len(slugs))
            fuzz.run(slug, here, random.Random(f"{seed} {slug}"), findings)
        took = time.monotonic() - began
        statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(findings.statuses.items()))
        print(
            f"{findings.statuses.total():,} callbacks to {len(slugs)} types in {took:.0f} s. {statuses}"
        )
        print(*findings.wrong[:50], f"{len(findings.wrong)} did harm.", sep="\n")
    sys.exit(bool(findings.wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fuzz", nargs="?", type=int, const=10_000, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--rate", type=int, default=500, help="receipts per second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sending", type=int, default=20, help="messages per second")
    parser.add_argument("--connections", type=int, default=64, help="of the provider, at most")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own")
    asked = parser.parse_args()
    if asked.load:
        from bench import flood  # noqa: PLC0415 - only here are its peers needed

        sys.exit(not flood.run(asked))
    if asked.fuzz:
        _fuzz(asked.fuzz, asked.seed)
    else:
        asyncio.run(_serve())


if __name__ == "__main__":
    main()
