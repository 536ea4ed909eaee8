"""What `bench.smpp` compares: smsapp, Kannel and Jasmin, each with messages that wait for an SMSC.

Each is a context manager over the port where the SMSC will be. `prepare` makes the messages wait, kept in
whatever the system keeps them in; `go` lets them leave; `recorded` says what has been reported so far.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bench import callbacks, smsc
from bench.site import Site, descendants, start
from tests.peers.jasmin import PASSWORD, SYSTEM_ID, JasminPeer, start_jasmin
from tests.peers.kannel import PASSWORD as KANNEL_PASSWORD
from tests.peers.kannel import USER as KANNEL_USER
from tests.peers.kannel import KannelPeer, start_kannel
from tests.peers.postgres import start_postgres

TEXT = "Lunch is at noon today."
# Messages without an answer on the one bind that each system has.
WINDOW = 100
# Segments per second: more than anything here can do.
RATE = 1_000_000
# Seconds until something is ready.
PATIENCE = 60


class System(ABC):
    @abstractmethod
    def prepare(self, messages: int) -> None: ...

    @abstractmethod
    def go(self) -> None: ...

    @abstractmethod
    def recorded(self, count: smsc.Count) -> tuple[int, float]:
        """Give how many receipts are recorded, and when the last was, given what the SMSC counts."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Give all its processes, with its database and its queue."""


def number(index: int) -> str:
    return f"+{33_639_980_000 + index}"


# ---- smsapp -------------------------------------------------------------------------------------


class Smsapp(System):
    """A whole site as `./run` starts it; one phone of type SMPP, paused until `go`."""

    def __init__(self, site: Site, port: int, database: list[int]) -> None:
        self.site = site
        self.database = database
        self.settings = {
            "host": "127.0.0.1",
            "port": port,
            "system_id": "smsapp",
            "password": "secret",
            "window": WINDOW,
            "source": "12345",
        }

    def prepare(self, messages: int) -> None:
        self.site.join()
        from django.utils import timezone  # noqa: PLC0415 - it needs the site's environment

        from bench import ledger  # noqa: PLC0415 - as above

        self.ledger: Any = ledger
        self.phone = ledger.phone_of_a_new_workspace(slug="smpp", settings=self.settings, rate=RATE)
        self._set(paused_at=timezone.now())
        ledger.compose(self.phone, [number(index) for index in range(messages)], TEXT)

    def go(self) -> None:
        self._set(paused_at=None)

    def recorded(self, count: smsc.Count) -> tuple[int, float]:
        # A receipt is answered once it is stored; only at the end is it worth disturbing the database.
        if count.receipts < count.submits:
            return count.receipts, count.last_answer
        return self.ledger.states()["delivered"], count.last_answer

    def pids(self) -> list[int]:
        own = [self.site.process.pid, *(process.pid for process in self.site.processes())]
        return own + self.database + [p.pid for pid in self.database for p in descendants(pid)]

    def _set(self, **values: Any) -> None:
        type(self.phone).objects.filter(pk=self.phone.pk).update(**values)


@contextmanager
def smsapp(port: int, *, postgres: bool = False) -> Iterator[System]:
    """Start a site on SQLite, or on a PostgreSQL of its own with the settings it comes with."""
    folder = Path(tempfile.mkdtemp(prefix="smpp-"))
    plain = {"listen_addresses": "127.0.0.1"}
    server: AbstractContextManager[Any] = start_postgres(plain) if postgres else nullcontext()
    env = {"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
    try:
        with server as peer:
            url = peer.database_url if peer else ""
            database = (
                [int((peer.folder / "data/postmaster.pid").open().readline())] if peer else []
            )
            with start(folder, database_url=url, env=env) as site:
                yield Smsapp(site, port, database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- Kannel -------------------------------------------------------------------------------------

_KANNEL = """
group = core
admin-port = 13000
admin-password = bench
status-password = bench
smsbox-port = 13001
store-type = {store}
store-location = store
dlr-storage = internal

group = smsbox
bearerbox-host = 127.0.0.1
smsbox-id = bench
sendsms-port = 13013
"""
_KANNEL_USER = f"""
group = sendsms-user
username = {KANNEL_USER}
password = x
"""
_KANNEL_LINK = f"""
group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {{port}}
transceiver-mode = true
smsc-username = kannel
smsc-password = secret
system-type = ""
interface-version = 34
reconnect-delay = 1
max-pending-submits = {WINDOW}
"""


class Kannel(System):
    """bearerbox and smsbox; each delivery is a call of the user's address."""

    def __init__(self, peer: KannelPeer, called: callbacks.Running) -> None:
        self.peer = peer
        self.called = called

    def prepare(self, messages: int) -> None:
        user = {"username": KANNEL_USER, "password": KANNEL_PASSWORD, "from": "12345"}
        common = urlencode(
            {**user, "text": TEXT, "dlr-mask": 3}
        )  # delivered or failed, nothing else
        ask_all(
            self.peer.ports["sendsms-port"],
            [
                f"/cgi-bin/sendsms?{common}&to={quote(number(index))}"
                f"&dlr-url={quote(f'{self.called.url}/?id={index}', safe='')}"
                for index in range(messages)
            ],
        )

    def go(self) -> None:
        """Do nothing: it looks for the SMSC each second."""

    def recorded(self, count: smsc.Count) -> tuple[int, float]:
        return self.called.count()

    def pids(self) -> list[int]:
        return [process.pid for process in self.peer.processes]


@contextmanager
def kannel(port: int, *, store: str) -> Iterator[System]:
    base, link = _KANNEL.format(store=store), _KANNEL_LINK.format(port=port)
    with (
        callbacks.running() as called,
        start_kannel(_KANNEL_USER, links=link, base=base, verbosity=3) as peer,
    ):
        yield Kannel(peer, called)


# ---- Jasmin -------------------------------------------------------------------------------------

_QUIET = (
    *("SMPP_SERVER", "SERVICE_SMPPCLIENT", "SM_LISTENER", "DLR", "AMQP_BROKER", "HTTP_API"),
    *("ROUTER", "DELIVERSM_THROWER", "DLR_THROWER", "REDIS_CLIENT", "CLIENT_MANAGEMENT"),
)
_JASMIN = {
    **{f"{section}_LOG_LEVEL": "ERROR" for section in _QUIET},
    # The message that finds the bind not there yet is tried again after so many seconds.
    "SM_LISTENER_SUBMIT_RETRIAL_DELAY_SMPPC_NOT_READY": "1",
}


class Jasmin(System):
    """jasmind, dlrlookupd, dlrd, RabbitMQ and Redis; each delivery is a call of the user's address."""

    def __init__(self, peer: JasminPeer, called: callbacks.Running, port: int) -> None:
        self.peer = peer
        self.called = called
        self.smsc = port

    def prepare(self, messages: int) -> None:
        # Its queue is there once it was bound. What it does not get to end disturbs its next bind.
        with smsc.running(port=self.smsc):
            wait_until(self._is_bound)
            self.peer.configure("smppccm -0 upstream")
            time.sleep(1)  # it says that it is unbound before it is
        user = {"username": SYSTEM_ID, "password": PASSWORD, "from": "12345", "content": TEXT}
        report = {"dlr": "yes", "dlr-level": 2, "dlr-method": "GET", "dlr-url": self.called.url}
        common = urlencode({**user, **report})  # level 2: delivered or failed, nothing else
        paths = [f"/send?{common}&to={quote(number(index))}" for index in range(messages)]
        ask_all(self.peer.http_port, paths)

    def go(self) -> None:
        self.peer.configure("smppccm -1 upstream")

    def _is_bound(self) -> bool:
        return "BOUND" in self.peer.configure("smppccm -l")

    def recorded(self, count: smsc.Count) -> tuple[int, float]:
        return self.called.count()

    def pids(self) -> list[int]:
        assert self.peer.valkey
        processes = [process.pid for process in self.peer.processes.values()]
        valkey = self.peer.valkey._process
        assert valkey
        below = [item.pid for pid in processes for item in descendants(pid)]
        return [*processes, *below, valkey.pid]


@contextmanager
def jasmin(port: int) -> Iterator[System]:
    with callbacks.running() as called, start_jasmin(port, env=_JASMIN, in_one=False) as peer:
        yield Jasmin(peer, called, port)


# ---- How they are asked -------------------------------------------------------------------------


def ask_all(port: int, paths: list[str], connections: int = 8) -> None:
    """GET each path. Raises RuntimeError where one is refused."""
    refused: list[str] = []

    def ask(some: list[str]) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        for path in some:
            link.request("GET", path)
            answer = link.getresponse()
            said = answer.read()
            if answer.status not in (200, 202):
                refused.append(f"{answer.status}: {said!r}")
                break
        link.close()

    threads = [
        threading.Thread(target=ask, args=(paths[index::connections],))
        for index in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(refused[0])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
