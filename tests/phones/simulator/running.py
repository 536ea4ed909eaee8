"""A simulator in a thread, and somebody who receives its callbacks."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

from phones.simulator.server import serve


@contextmanager
def simulator(path: Path, *, deliver_to: str = "", pace: float = 0.01) -> Iterator[str]:
    """Run a simulator on `path`; gives its address. `deliver_to` is `host:port`."""
    host, _, port = deliver_to.partition(":")
    place = (host, int(port)) if deliver_to else None
    address: Queue[str] = Queue()
    loop = asyncio.new_event_loop()
    work = serve(path, deliver_to=place, pace=pace, ready=address.put)
    task = loop.create_task(work)

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        rest = asyncio.all_tasks(loop)
        for item in rest:
            item.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        # Closed connections need one more turn to let go of their sockets.
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield address.get(timeout=5)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


@dataclass(frozen=True)
class Heard:
    """A callback as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers callbacks with `statuses`, one after the other, then 200; keeps what it heard."""

    def __init__(self, port: int = 0) -> None:
        self.heard: list[Heard] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                named = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.heard.append(Heard(self.path, named, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/callbacks/t0ken/"

    def bodies(self, endpoint: str) -> list[Any]:
        """Give what one address heard."""
        return [item.json() for item in self.heard if item.path.endswith(f"/{endpoint}/")]

    def wait(self, count: int) -> list[Heard]:
        """Wait until `count` callbacks were heard."""
        until(lambda: len(self.heard) >= count)
        return self.heard

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def until(true: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for something to become true, and fail when it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.01)
