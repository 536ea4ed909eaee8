"""A provider played from its own OpenAPI document by Prism, of npm (Apache-2.0).

https://github.com/stoplightio/prism

    with start_prism(document) as peer:
        requests to peer.base_url are checked against the document and answered from it

What breaks the document is answered 422 and says how; the header `Prefer: code=402` chooses among the
answers that the document knows.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import npm

# The last that runs on Node 18 to 22.
NAME, VERSION = "@stoplight/prism-cli", "5.14.2"
# Seconds to start: it is slow the first time, and on a busy machine.
PATIENCE = 60


@dataclass
class PrismPeer:
    """A running Prism."""

    base_url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def start_prism(document: Path) -> Iterator[PrismPeer]:
    """Start Prism on a free loopback port; skip the test where there can be none."""
    program = npm.package(NAME, VERSION) / "dist" / "index.js"
    folder = Path(tempfile.mkdtemp(prefix="smsapp-prism-"))
    port = _free_port()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [npm.node(), str(program), "mock", "--port", str(port), str(document)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield PrismPeer(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def ready(peer: PrismPeer) -> PrismPeer:
    """Wait until it listens."""
    address = peer.base_url.removeprefix("http://").split(":")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and peer.process.poll() is None:
        try:
            socket.create_connection((address[0], int(address[1])), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return peer
    raise RuntimeError(f"Prism did not start:\n{peer.log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
