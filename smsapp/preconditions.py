"""What must hold before anything is started: one smsapp per folder, and a port to listen on."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO

from smsapp.supervisor import CannotStart


def hold(file: Path) -> IO[str]:
    """Lock `file` for as long as the result stays open. Raises CannotStart naming who holds it."""
    lock = file.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise CannotStart(
            f"smsapp already runs on {file.parent} as process {holder}: stop it with"
            f" `kill {holder}`, or give this one another folder with DATA_DIR."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def check_port(host: str, port: int, *, patience: float = 3.0) -> None:
    """Raise CannotStart when nothing can listen on `port`; one about to be freed has `patience`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.socket(family) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((host, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise CannotStart(_why_no_port(error, host, port)) from error
        time.sleep(0.1)


def _why_no_port(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = f"./run --port {port + 1}"
        return f"Port {port} is taken by another program: stop that, or start with `{other}`."
    if error.errno == errno.EACCES:
        return f"Port {port} is kept for root: start with a higher one, `./run --port 8000`."
    return f"This machine cannot listen on {host} ({error.strerror}): start with `./run --host 127.0.0.1`."
