"""A throw-away PostgreSQL: `with start_postgres() as peer: peer.database_url`.

From Debian's packages (/usr/lib/postgresql/*/bin) or whatever is in the PATH. It runs as another user
when we are root, since PostgreSQL refuses to, and forgets all when it stops.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

USER = "smsapp"
# Seconds for one command: initdb on a busy machine.
PATIENCE = 120
# Nothing has to survive, so nothing is written through.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "50",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True)
class PostgresPeer:
    """A running cluster with an empty database. `database_url` = over TCP, `socket_url` = over its socket."""

    binaries: Path
    folder: Path
    port: int

    def __enter__(self) -> PostgresPeer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def database_url(self) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{USER}"

    @property
    def socket_url(self) -> str:
        return f"postgres://{USER}@{str(self.folder).replace('/', '%2F')}:{self.port}/{USER}"

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server (`immediate` = like a crash) and remove its files."""
        _run([self.binaries / "pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop"])
        shutil.rmtree(self.folder, ignore_errors=True)


def start_postgres(settings: Mapping[str, str] = FAST) -> PostgresPeer:
    """Make and start a cluster on a free loopback port; skip the test where there is no PostgreSQL."""
    binaries = _binaries()
    # Short: the path of a unix socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="smspg-", dir="/tmp"))
    data = folder / "data"
    peer = PostgresPeer(binaries, folder, _free_port())
    if owner := _other_user():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        _check([*initdb, "--locale=C", "--no-sync"])
        options = "".join(f" -c {name}={value}" for name, value in settings.items())
        options += f" -c port={peer.port} -c unix_socket_directories={folder}"
        start: list[str | Path] = [
            binaries / "pg_ctl",
            "-D",
            data,
            "-l",
            folder / "log",
            "-w",
            "-o",
            options,
        ]
        _check([*start, "start"])
        _check(
            [binaries / "createdb", "-h", folder, "-p", str(peer.port), "-U", USER, USER],
        )
    except BaseException:
        peer.stop()
        raise
    return peer


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    if found:
        return found[-1].parent
    if place := shutil.which("initdb"):
        return Path(place).resolve().parent
    pytest.skip("There is no PostgreSQL server here (Debian: apt install postgresql).")


def _major(initdb: Path) -> int:
    name = initdb.parent.parent.name
    return int(name) if name.isdecimal() else 0


def _other_user() -> pwd.struct_passwd | None:
    """Give who runs PostgreSQL when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody.")


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    owner = _other_user()
    return subprocess.run(
        command,
        check=False,
        # pg_ctl hands its output on to the server: a pipe would never end.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PATIENCE,
        cwd="/",
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )


def _check(command: Sequence[str | Path]) -> None:
    code = _run(command).returncode
    if code:
        raise RuntimeError(f"{Path(command[0]).name} ended with {code}.")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
