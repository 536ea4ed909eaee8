"""`./run`: start everything smsapp needs in one foreground process, and keep it alive until Ctrl-C.

This process stays for as long as the site runs, so it never loads Django: what needs it is a process of its
own.
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from smsapp import addresses, settings, valkey
from smsapp.preconditions import check_port, hold
from smsapp.supervisor import CannotStart, Child, Supervisor, die_with

# Children are stopped from the highest stage down: workers finish while the rest still answers.
QUEUE, WEB, WORK = range(3)
# Seconds. A worker finishes the requests it has in flight; each of them ends within 30.
_WORKERS_PATIENCE = 35.0
# Seconds. The web server has the processor to itself for so long; all of them load the same code.
_HEAD_START = 5.0
_MANAGE = [sys.executable, "manage.py"]


def main(words: list[str]) -> None:
    """Do what the command line asks. Ends the process."""
    parser = argparse.ArgumentParser(prog="./run", description="Start all processes of the site.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=int, help="port to listen on")
    parser.add_argument("--light", action="store_true", help="for small machines: one of each")
    asked = parser.parse_args(words)
    try:
        keep_up(asked.host, asked.port, light=asked.light)
    except CannotStart as error:
        sys.exit(str(error))


def keep_up(host: str, port: int, *, light: bool) -> None:
    """Hold the folder, start everything and keep it alive. Raises CannotStart."""
    data = Path(settings.DATA_DIR)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with hold(data / "up.lock"), Supervisor() as supervisor:
        check_port(host, port)
        env = environment(host, port)
        if not os.environ.get("REDIS_URL"):
            env["REDIS_URL"] = start_queue_server(supervisor, data)
        first = prepare(env)
        if not os.environ.get("REDIS_URL"):
            supervisor.wait_until(lambda: valkey.answers(valkey.socket_path(data)))
        start_site(supervisor, children(host, port, env, light=light), lambda: answers(host, port))
        supervisor.wait_until(lambda: answers(host, port))
        if not supervisor.asked_to_stop:
            print(f"\nsmsapp is ready:  {env['PUBLIC_URL']}\n{first}", end="", flush=True)  # noqa: T201
        supervisor.run()


def prepare(env: dict[str, str]) -> str:
    """Bring database and collected files up to date; give what the first person must know.

    Ends the process where that fails; the sentence has been said.
    """
    ran = subprocess.run(
        [*_MANAGE, "prepare"],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        process_group=0,  # Ctrl-C must not cut a migration off
        preexec_fn=die_with(os.getpid()),
    )
    if ran.returncode:
        sys.exit(ran.returncode)
    return ran.stdout


def environment(host: str, port: int) -> dict[str, str]:
    """Give what all children must agree on: the site's addresses and the simulator's."""
    public_url = f"http://{addresses.with_port(addresses.public_host(host), port)}"
    simulator_url = f"http://127.0.0.1:{addresses.free_loopback_port()}"
    allowed = [name for name in os.environ.get("ALLOWED_HOSTS", "").split(",") if name]
    return {
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or public_url,
        "SIMULATOR_URL": os.environ.get("SIMULATOR_URL") or simulator_url,
        "ALLOWED_HOSTS": ",".join([*allowed, *addresses.allowed_hosts(host)]),
    }


def start_queue_server(supervisor: Supervisor, data: Path) -> str:
    """Start the embedded queue server and give its REDIS_URL."""
    program = valkey.binary()
    if program is None:
        raise CannotStart(
            "No queue server was found: install one (`apt install redis-server`),"
            " name its program in VALKEY_BINARY, or its address in REDIS_URL."
        )
    folder, path = data / "valkey", valkey.socket_path(data)
    for private in (folder, path.parent):
        valkey.make_private(private)
    # A supervisor that was killed may have left one that is just writing its file down.
    if valkey.is_there(path):
        valkey.ask_to_stop(path)
        supervisor.wait_until(lambda: not valkey.is_there(path))
    command = valkey.command(program, folder=folder, path=path)
    # It advises this kernel setting at each start; for the few megabytes of our queue it is noise.
    ignored = ("Memory overcommit must be enabled",)
    supervisor.start(Child("queue", command, QUEUE, patience=30, ignored=ignored))
    return valkey.url(path)


def start_site(supervisor: Supervisor, children: list[Child], answers: Callable[[], bool]) -> None:
    """Start the web server, and the rest a moment later: people see the site sooner that way."""
    if supervisor.asked_to_stop:
        return
    web, *others = children
    supervisor.start(web)
    deadline = time.monotonic() + _HEAD_START
    supervisor.wait_until(lambda: answers() or time.monotonic() > deadline)
    if not supervisor.asked_to_stop:
        supervisor.start(*others)


def children(host: str, port: int, env: dict[str, str], *, light: bool = False) -> list[Child]:
    """Give what runs beside the queue server, in the order of its start."""
    web = Child("web", gunicorn(host, port, light), WEB, patience=_WORKERS_PATIENCE, env=env)
    # Two that send, so that a provider that is slow to answer does not keep all other phones waiting.
    members = [rqworker("send")] * (1 if light else 2)
    members += [rqworker("default"), "tick", "sessions"]
    if not os.environ.get("SIMULATOR_URL"):
        port_of_simulator = env["SIMULATOR_URL"].rpartition(":")[2]
        members += ["--last", f"simulator --port {port_of_simulator}"]
    work = Child("work", [*_MANAGE, "family", *members], WORK, _WORKERS_PATIENCE, env)
    return [web, work]


def gunicorn(host: str, port: int, light: bool) -> list[str]:
    """Give the web server's command."""
    command = [sys.executable, "-m", "gunicorn", "smsapp.wsgi", "--config", "python:smsapp.web"]
    # Of one thread alone a browser that keeps its connection would have the site to itself.
    fewer = ["--workers", "1", "--threads", "2"] if light else []
    return [*command, "--bind", addresses.with_port(host, port), *fewer]


def rqworker(queue: str) -> str:
    """Give the command of a worker of one queue.

    It has no `--name`: RQ invents a unique one, and refuses the name of a worker that was killed.
    """
    return f"rqworker {queue} --verbosity 0"


def answers(host: str, port: int) -> bool:
    """Say whether the web server that listens on `host` answers that it is well."""
    web = http.client.HTTPConnection(addresses.loopback_host(host), port, timeout=2)
    try:
        web.request("GET", "/healthz", headers={"Host": "localhost"})
        return web.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        web.close()
