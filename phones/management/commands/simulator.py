"""Run the simulated provider. `./run` starts it and tells the other processes where it is."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from phones.simulator import store
from phones.simulator.server import serve


class Command(BaseCommand):
    help = "Run the simulated provider, which keeps what it takes in DATA_DIR/simulator.sqlite3."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=0, help="0 = any that is free")
        parser.add_argument(
            "--deliver-to",
            default="",
            metavar="URL",
            help="connect here for callbacks, instead of to the host of PUBLIC_URL",
        )
        parser.add_argument(
            "--pace", type=float, default=1, help="multiply every delay, e.g. 0.1 for tests"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        try:
            with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
                asyncio.run(self._serve(options))
        except OSError as error:
            raise CommandError(f"The simulator cannot start: {error}.") from None

    async def _serve(self, options: dict[str, Any]) -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await serve(
            store.path(),
            host=options["host"],
            port=options["port"],
            deliver_to=_place(options["deliver_to"]),
            pace=options["pace"],
            ready=self._announce,
        )

    def _announce(self, address: str) -> None:
        self.stdout.write(f"The simulator is ready: {address}")
        # Into a pipe Python writes only when its buffer is full: whoever waits would wait for ever.
        self.stdout.flush()


def _place(url: str) -> tuple[str, int] | None:
    """Give host and port of an http address. Raises CommandError."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise CommandError(f"--deliver-to must look like http://127.0.0.1:8000, not {url}.")
    return parts.hostname, parts.port or 80
