"""Start everything smsapp needs in one foreground process, and keep it alive until Ctrl-C."""

from __future__ import annotations

import http.client
import os
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from accounts.setup import one_time_code
from smsapp import addresses, valkey
from smsapp.preconditions import check_port, hold
from smsapp.preparing import collect_static_files, prepare_database
from smsapp.supervisor import CannotStart, Child, Supervisor

# Children are stopped from the highest stage down: workers finish while the rest still answers.
QUEUE, PROVIDER, WEB, WORK = range(4)
# Seconds. A worker finishes the requests it has in flight; each of them ends within 30.
_WORKERS_PATIENCE = 35.0
# Seconds. The web server has the processor to itself for so long; all of them load the same code.
_HEAD_START = 5.0
_MANAGE = [sys.executable, "manage.py"]


class Command(BaseCommand):
    help = "Start all processes of the site, and keep them alive."
    requires_system_checks: list[str] = []  # each child checks itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", default=8000, type=int, help="port to listen on")

    def handle(self, *_: str, host: str, port: int, **__: Any) -> None:
        try:
            self.keep_up(host, port)
        except CannotStart as error:
            sys.exit(str(error))

    def keep_up(self, host: str, port: int) -> None:
        """Hold the folder, start everything and keep it alive. Raises CannotStart."""
        data = Path(settings.DATA_DIR)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with hold(data / "up.lock"), Supervisor() as supervisor:
            check_port(host, port)
            env = environment(host, port)
            if not os.environ.get("REDIS_URL"):
                env["REDIS_URL"] = start_queue_server(supervisor, data)
            prepare_database()
            collect_static_files()
            if not os.environ.get("REDIS_URL"):
                supervisor.wait_until(lambda: valkey.answers(valkey.socket_path(data)))
            start_site(supervisor, host, port, env)
            supervisor.wait_until(lambda: answers(host, port))
            if not supervisor.asked_to_stop:
                self.announce(env["PUBLIC_URL"])
            supervisor.run()

    def announce(self, url: str) -> None:
        """Print where the site is and, while nobody exists, the code that lets somebody in."""
        code = one_time_code()
        connection.close()
        lines = [f"smsapp is ready:  {url}"]
        if code:
            lines.append(f"Create the administrator there with the code  {code}")
        self.stdout.write("\n" + "\n".join(lines) + "\n")
        self.stdout.flush()


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


def start_site(supervisor: Supervisor, host: str, port: int, env: dict[str, str]) -> None:
    """Start the web server, and the rest a moment later: people see the site sooner that way."""
    if supervisor.asked_to_stop:
        return
    web, *others = children(host, port, env)
    supervisor.start(web)
    deadline = time.monotonic() + _HEAD_START
    supervisor.wait_until(lambda: answers(host, port) or time.monotonic() > deadline)
    if not supervisor.asked_to_stop:
        supervisor.start(*others)


def children(host: str, port: int, env: dict[str, str]) -> list[Child]:
    """Give what runs beside the queue server, in the order of its start."""
    port_of_simulator = env["SIMULATOR_URL"].rpartition(":")[2]
    web = Child("web", gunicorn(host, port), WEB, patience=_WORKERS_PATIENCE, env=env)
    work = [
        # Two, so that a provider that is slow to answer does not keep all other phones waiting.
        Child("worker send 1", rqworker("send"), WORK, _WORKERS_PATIENCE, env),
        Child("worker send 2", rqworker("send"), WORK, _WORKERS_PATIENCE, env),
        Child("worker default", rqworker("default"), WORK, _WORKERS_PATIENCE, env),
        Child("tick", [*_MANAGE, "tick"], WORK, _WORKERS_PATIENCE, env),
        Child("sessions", [*_MANAGE, "sessions"], WORK, _WORKERS_PATIENCE, env),
    ]
    if os.environ.get("SIMULATOR_URL"):
        return [web, *work]
    command = [*_MANAGE, "simulator", "--port", port_of_simulator]
    return [web, *work, Child("simulator", command, PROVIDER, env=env)]


def gunicorn(host: str, port: int) -> list[str]:
    """Give the web server's command. A worker is renewed now and then, in case memory leaks."""
    options = {
        "bind": addresses.with_port(host, port),
        "worker-class": "gthread",
        "workers": "2",
        "threads": "8",
        "max-requests": "10000",
        "max-requests-jitter": "1000",
        "log-level": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "gunicorn", "smsapp.wsgi", *words, "--no-control-socket"]


def rqworker(queue: str) -> list[str]:
    """Give the command of a worker of one queue.

    It has no `--name`: RQ invents a unique one, and refuses the name of a worker that was killed.
    """
    classes = ["--worker-class", "lib.jobs.Worker", "--serializer", "rq.serializers.JSONSerializer"]
    return [*_MANAGE, "rqworker", queue, *classes, "--verbosity", "0"]


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
