"""A real Kannel (Debian's packages kannel and kannel-extras): bearerbox, smsbox, and a link to nobody.

    with start_kannel(phone.groups()) as peer:
        phone settings: peer.settings
        with peer.operator() as operator:
            operator.write("+33612345678", "12345", "Oui")
            operator.wait_for(1)

It lives on loopback in a folder of its own, and forgets all when it stops. The link is Kannel's own
`smsc = fake`: a line of text for each message, each one taken and delivered at once.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote_plus, unquote_to_bytes

import pytest
import requests

USER, PASSWORD, STATUS_PASSWORD = "smsapp", "gateway s3cret", "look at it"
LINK = "operator"
# Seconds to start, to wait for a message.
PATIENCE = (30, 20)
BASE = """
group = core
admin-port = 13000
admin-password = only-for-orders
status-password = a-password-of-its-own
smsbox-port = 13001
dlr-storage = internal

group = smsbox
bearerbox-host = 127.0.0.1
smsbox-id = smsapp
sendsms-port = 13013
http-request-retry = 20
http-queue-delay = 1
"""
FAKE = f"""
group = smsc
smsc = fake
smsc-id = {LINK}
allowed-smsc-id = {LINK}
port = 10000
connect-allow-ip = 127.0.0.1
"""


@dataclass(frozen=True, slots=True)
class Handed:
    """A message as Kannel handed it to the link; a long one is several, with `part` as n of `parts`.

    `data` is the text in UTF-8, or in UTF-16BE where it was sent as UCS-2. Kannel cuts between the
    halves of an emoji: only the parts together are text.
    """

    sender: str
    to: str
    data: bytes
    part: int = 1
    parts: int = 1


class Operator:
    """The other end of the fake link: keeps what Kannel hands over, and writes as a subscriber does."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def write(self, sender: str, to: str, text: str) -> None:
        """Let `sender` write to us."""
        kind, coded = "text", text
        if not text.isascii():
            kind, coded = "ucs2", quote_plus(text.encode("utf-16-be"))
        self._socket.sendall(f"{sender} {to} {kind} {coded}\n".encode())

    def wait_for(self, count: int) -> list[Handed]:
        """Give all messages once there are `count`. Raises AssertionError when they do not come."""
        with self._news:
            self._news.wait_for(lambda: len(self._lines) >= count, PATIENCE[1])
            assert len(self._lines) >= count, f"{len(self._lines)} of {count} messages came."
            return [_handed(line) for line in self._lines]

    def _listen(self) -> None:
        with self._socket.makefile(encoding="utf-8") as lines:
            for line in lines:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()


def _handed(line: str) -> Handed:
    """Read `FROM TO [udh HEADER] KIND TEXT`."""
    sender, to, kind, rest = line.split(" ", 3)
    header = b""
    if kind == "udh":
        coded, kind, rest = rest.split(" ", 2)
        header = unquote_to_bytes(coded.replace("+", " "))
    data = rest.encode() if kind == "text" else unquote_to_bytes(rest.replace("+", " "))
    # 3GPP TS 23.040 §9.2.3.24.1: length, 0, 3, a number for the whole, parts, part.
    return Handed(sender, to, data, header[5], header[4]) if header else Handed(sender, to, data)


@dataclass
class KannelPeer:
    """A running Kannel; `settings` are those of a phone that speaks to it."""

    folder: Path
    ports: Mapping[str, int]
    verbosity: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

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
    def settings(self) -> dict[str, str]:
        return {
            "base_url": f"http://127.0.0.1:{self.ports['sendsms-port']}/cgi-bin/sendsms",
            "username": USER,
            "password": PASSWORD,
            "sender": "12345",
            "smsc": LINK,
            "status_url": f"http://127.0.0.1:{self.ports['admin-port']}/status.xml",
            "status_password": STATUS_PASSWORD,
        }

    def operator(self) -> Operator:
        """Connect the other end of the fake link."""
        return Operator(self.ports["port"])

    def links(self) -> dict[str, str]:
        """Give the state of each link, as the status page says it."""
        params = {"password": STATUS_PASSWORD}
        page = requests.get(self.settings["status_url"], params=params, timeout=5).text
        pairs = re.findall(r"<smsc>.*?<id>(.*?)</id>\s*<status>(\S*).*?</status>", page, re.DOTALL)
        return dict(pairs)

    def wait_for_links(self, *names: str) -> None:
        """Wait until these links are online."""
        end = time.monotonic() + PATIENCE[0]
        while not all(self.links().get(name) == "online" for name in names):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.links()}\n{self.log('bearerbox')}")
            time.sleep(0.05)

    def stop(self) -> None:
        # At once: alone, each of them waits for the other.
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, box: str) -> None:
        log = (self.folder / f"{box}.log").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [_binary(box), "-v", str(self.verbosity), str(self.folder / "kannel.conf")],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def log(self, box: str) -> str:
        """Give the end of what bearerbox or smsbox wrote."""
        return (self.folder / f"{box}.log").read_text(errors="replace")[-3000:]


def start_kannel(
    groups: str, *, links: str = FAKE, base: str = BASE, verbosity: int = 0
) -> KannelPeer:
    """Start Kannel with the groups a phone shows; skip the test where there is no Kannel.

    Whatever ports and addresses the groups name, it listens on free ports of loopback. `links` are
    groups `smsc`, left as they are but for the port of the fake one. `verbosity` is 0 (debug) to 4.
    """
    for box in ("bearerbox", "smsbox"):
        _binary(box)
    names = ("admin-port", "smsbox-port", "sendsms-port", "port")
    folder = Path(tempfile.mkdtemp(prefix="smsapp-kannel-"))
    peer = KannelPeer(folder, _free_ports(*names), verbosity)
    store = folder / "store"
    if re.search(r"(?m)^store-type *= *spool", base):
        store.mkdir()
    ports = {name: str(port) for name, port in peer.ports.items()}
    own = {
        **{name: value for name, value in ports.items() if name != "port"},
        "status-password": f'"{STATUS_PASSWORD}"',
        "admin-interface": "127.0.0.1",
        "smsbox-interface": "127.0.0.1",
        "sendsms-interface": "127.0.0.1",
        "store-location": str(store),
        "dlr-spool": str(peer.folder),
    }
    groups = _with(groups, {"password": f'"{PASSWORD}"'})
    links = _with(links, {"port": ports["port"]}) if "= fake" in links else links
    base = _with(_with_interfaces(base), own)
    (peer.folder / "kannel.conf").write_text("\n\n".join([base, links, groups]))
    try:
        peer.start("bearerbox")
        _wait(peer, "admin-port", "bearerbox")
        _wait(peer, "smsbox-port", "bearerbox")
        peer.start("smsbox")
        _wait(peer, "sendsms-port", "smsbox")
    except BaseException:
        peer.stop()
        raise
    return peer


def _binary(box: str) -> str:
    found = shutil.which(box, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not found:
        pytest.skip(f"There is no {box} here (Debian: apt install kannel kannel-extras).")
    return found


def _with(text: str, values: Mapping[str, str]) -> str:
    """Give the groups with other values for the keys that they have."""
    for name, value in values.items():
        text = re.sub(rf"(?m)^{name} *=.*$", f"{name} = {value}", text)
    return text


def _with_interfaces(base: str) -> str:
    """Listen on loopback alone, whether or not the groups say so."""
    for name in ("admin", "smsbox", "sendsms"):
        if f"{name}-interface" not in base:
            base = re.sub(rf"(?m)^({name}-port *=.*)$", rf"\1\n{name}-interface = x", base)
    return base


def _free_ports(*names: str) -> dict[str, int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [int(item.getsockname()[1]) for item in listening]
    for item in listening:
        item.close()
    return dict(zip(names, ports, strict=True))


def _wait(peer: KannelPeer, port: str, box: str) -> None:
    end = time.monotonic() + PATIENCE[0]
    while time.monotonic() < end and peer.processes[-1].poll() is None:
        try:
            socket.create_connection(("127.0.0.1", peer.ports[port])).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{box} did not start:\n{peer.log(box)}")
