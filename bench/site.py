"""A throw-away smsapp: its own folder, port and secrets, all its processes, and how to end them.

    with start(folder) as site:
        requests.get(site.url)

Nothing of the repository's `var/` or of an operator's `.env` is touched: what either could set is set here.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import django

from smsapp import addresses, valkey

ROOT = Path(__file__).resolve().parent.parent
# Seconds until a site answers and has all its processes, and until one has finished.
PATIENCE = 120.0
_LOOK_EVERY = 0.05
_CODE = re.compile(r"with the code +(\S+)")
_SIMULATOR = re.compile(r"The simulator is ready: (\S+)")


class NotReady(Exception):
    """The site did not come up; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told apart from a later one of the same `pid` by when it `started` (ticks)."""

    pid: int
    parent: int
    started: int
    command: str

    def is_alive(self) -> bool:
        now = _look_at(self.pid)
        return now is not None and now.started == self.started

    def signal(self, number: int) -> bool:
        """Signal it, unless it is gone; say whether it was there."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@dataclass
class Site:
    """One running site. `env` = what its processes were started with, for a process beside them."""

    folder: Path
    port: int
    given: dict[str, str]
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] = field(init=False)
    _begins: int = field(default=0, init=False)
    _left: list[Process] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file that holds all that its processes printed, over all its lives."""
        return self.folder / "site.log"

    @property
    def said(self) -> str:
        """Give what was printed since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._begins)
            return log.read().decode("utf-8", "replace")

    @property
    def setup_code(self) -> str:
        """Give the one-time code that makes the administrator. Raises LookupError without one."""
        return _find(_CODE, self.said)

    @property
    def simulator_url(self) -> str:
        """Give where the simulated provider is now; it moves when the site starts again."""
        return _find(_SIMULATOR, self.said)

    @property
    def redis_url(self) -> str:
        return valkey.url(valkey.socket_path(self.folder))

    @property
    def env(self) -> dict[str, str]:
        """Give the environment in which another process is part of this site."""
        known = {**self.given, "PUBLIC_URL": self.url, "REDIS_URL": self.redis_url}
        return {**known, "SIMULATOR_URL": self.simulator_url}

    def processes(self) -> list[Process]:
        """Give every process below the supervisor, parents first."""
        return descendants(self.process.pid)

    def join(self) -> None:
        """Make this process part of the site: from now on its models can be imported and used."""
        os.environ.update(self.env)
        django.setup()

    def launch(self) -> None:
        """Start the supervisor, and wait for nothing."""
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port), *self.options],
                cwd=ROOT,
                env={**os.environ, **self.given},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until the site is ready. Raises NotReady."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(self.said[-3000:])
            time.sleep(_LOOK_EVERY)

    def is_ready(self) -> bool:
        """Say whether web and simulator answer, and the supervisor has announced itself."""
        said = self.said
        ready = "smsapp is ready" in said and _SIMULATOR.search(said) is not None
        return ready and self.is_well()

    def is_well(self) -> bool:
        """Say whether /healthz answers 200."""
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            web.request("GET", "/healthz")
            return web.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            web.close()

    def stop(self, seconds: float = PATIENCE) -> None:
        """Ask everything to finish, and kill what does not. Leaves no process behind."""
        self._left += self.processes()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._end_the_rest(seconds)

    def kill(self) -> None:
        """Kill the supervisor alone, as the kernel would; Linux then asks its children to end."""
        self._left += self.processes()
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start the site again in the same folder, on the same port, and wait until it is ready."""
        if self.process.poll() is None:
            self.stop()
        self.launch()
        self.wait()

    def orphans(self) -> list[Process]:
        """Give what still runs of the lives that ended."""
        mine = {process.pid for process in self.processes()}
        return [p for p in self._left if p.pid not in mine and p.is_alive()]

    def _end_the_rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(process.is_alive() for process in self._left):
            if time.monotonic() > deadline:
                for process in self._left:
                    process.signal(signal.SIGKILL)
            time.sleep(_LOOK_EVERY)
        self._left.clear()


def start(
    folder: Path,
    *,
    database_url: str = "",
    env: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> Site:
    """Start a site that keeps everything in `folder`, and wait until it is ready.

    `database_url` is a SQLite file in the folder when it is empty; `env` goes over all else. `options`
    are those of ./run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "DJANGO_SETTINGS_MODULE": "smsapp.settings",
        "DATA_DIR": str(folder.resolve()),
        "DATABASE_URL": database_url or f"sqlite:///{folder.resolve() / 'smsapp.sqlite3'}",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # Empty and not missing, so that nobody's .env leads us to a queue or a provider in use.
        **dict.fromkeys(("REDIS_URL", "SIMULATOR_URL", "PUBLIC_URL", "EMAIL_URL"), ""),
        **(env or {}),
    }
    site = Site(folder.resolve(), addresses.free_loopback_port(), given, options)
    given["PUBLIC_URL"] = given["PUBLIC_URL"] or site.url
    site.launch()
    try:
        site.wait()
    except BaseException:
        site.stop()
        raise
    return site


def descendants(pid: int) -> list[Process]:
    """Give every process below `pid`, parents first."""
    everyone = [
        found for name in os.listdir("/proc") if name.isdigit() if (found := _look_at(int(name)))
    ]
    below: list[Process] = []
    parents = {pid}
    while parents:
        generation = [process for process in everyone if process.parent in parents]
        below += generation
        parents = {process.pid for process in generation}
    return below


def _look_at(pid: int) -> Process | None:
    """Give the process as it is now; None when it is gone, or dead and only not yet buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (OSError, UnicodeDecodeError):
        return None
    # The name, in brackets, may hold anything; what follows it is numbers.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), command.strip())


def _find(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    if not found:
        raise LookupError(f"The site did not print {pattern.pattern!r}.")
    return str(found[-1])
