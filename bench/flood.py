"""How many receipts a second a site takes while it sends a campaign: `python -m bench.callbacks --load`.

A process of its own sends receipts at a fixed rate, whether or not the last ones were answered, as
providers do: signed, over so many connections, again after `Retry-After` or 5 seconds where the answer is not
a success or does not come within 10. Meanwhile a person asks for the home page every second. At the end every
receipt must have reached its message, and the simulator must have got each message of the campaign once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from bench.send import cpu_by_name
from bench.site import Site, start
from tests.peers.postgres import start_postgres

# Seconds: until a provider gives an answer up, until it tries again, and for how long it does.
ANSWER, AGAIN, PATIENCE = 10.0, 5.0, 300.0


def run(options: argparse.Namespace) -> bool:
    """Do one round and print it; say whether nothing was lost."""
    folder = Path(tempfile.mkdtemp(prefix="flood-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        plain = {"listen_addresses": "127.0.0.1"}
        url = stack.enter_context(start_postgres(plain)).database_url if options.postgres else ""
        site = stack.enter_context(start(folder, database_url=url))
        site.join()
        return _round(options, site)


def _round(options: argparse.Namespace, site: Site) -> bool:
    from bench import ledger  # noqa: PLC0415 - it has models, which want the site's environment
    from campaigns.models import Campaign, State  # noqa: PLC0415
    from messaging.models import Message, Status  # noqa: PLC0415

    phone, ids = _sent(ledger, options.rate * options.seconds)
    sender = ledger.phone_of_a_new_workspace(rate=options.sending)
    people = [ledger.number(index) for index in range(options.sending * options.seconds)]
    ledger.start_campaigns(sender, people, 1, random.Random(1))
    page = _page(site, phone)
    page()  # the first one loads what the others have
    before, began = cpu_by_name(site), time.monotonic()
    with _generator(site, phone, ids, options) as process:
        seconds = []
        while process.poll() is None and time.monotonic() < began + options.seconds:
            seconds.append(page())
            time.sleep(1)
        said = json.loads(process.communicate()[0])
    after = cpu_by_name(site)
    while Campaign.objects.exclude(state=State.DONE).exists():
        time.sleep(0.5)
    known = Counter(Message.objects.filter(phone=phone).values_list("status", flat=True))
    count = requests.get(f"{site.simulator_url}/count", timeout=10).json()
    total = len(ids)
    print(
        f"{options.rate}/s for {options.seconds} s: {total:,} receipts, {said['asked']:,} requests"
    )
    print(f"  answered 200 within the time   {said['in_time'] / options.seconds:.0f}/s")
    print(f"  all taken after                {said['took']:.0f} s; given up: {said['given_up']}")
    print(f"  first answers                  {said['first']}")
    print(f"  waited for an answer           {_quantiles(said['waits'])} s")
    print(f"  home page meanwhile            {_quantiles(seconds)} s, {len(seconds)} times")
    for name, cpu in after.items():
        if (used := cpu - before[name]) > 0.5:
            print(f"  CPU, {name:25} {used:.0f} s, {1000 * used / said['asked']:.2f} ms a request")
    print(f"  receipts that are lost         {total - known[Status.DELIVERED]}")
    print(
        f"  campaign, at the simulator     {count['received']} of {len(people)}, {count['doubled']} twice"
    )
    return known[Status.DELIVERED] == total and not count["doubled"] and not said["given_up"]


def _sent(ledger: Any, many: int) -> tuple[Any, list[int]]:
    """Give a phone and the ids of so many messages that its provider took a moment ago."""
    from django.utils import timezone  # noqa: PLC0415 - as above

    from messaging.models import Message  # noqa: PLC0415

    phone, now = ledger.phone_of_a_new_workspace(rate=1), timezone.now()
    type(phone).objects.filter(pk=phone.pk).update(paused_at=now)
    for start_at in range(0, many, 5000):
        numbers = [ledger.number(index) for index in range(start_at, min(many, start_at + 5000))]
        ledger.compose(phone, numbers)
    Message.objects.filter(phone=phone).update(status="sent", sent_at=now, claimed_at=now)
    return phone, list(Message.objects.filter(phone=phone).values_list("pk", flat=True))


def _page(site: Site, phone: Any) -> Any:
    """Give what asks for the home page as its owner and says how long that took."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415

    from accounts.models import Membership, Role, User  # noqa: PLC0415

    owner = User.objects.create_user("owner@example.org", "x")
    Membership.objects.create(user=owner, workspace=phone.workspace, role=Role.OWNER)
    known = SessionStore()
    known[SESSION_KEY], known[HASH_SESSION_KEY] = str(owner.pk), owner.get_session_auth_hash()
    known[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    known.create()
    browser = requests.Session()
    browser.trust_env = False
    browser.cookies.set("sessionid", str(known.session_key))

    def ask() -> float:
        began = time.monotonic()
        answer = browser.get(f"{site.url}/", timeout=60, allow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"The home page is answered {answer.status_code}.")
        return time.monotonic() - began

    return ask


def _generator(
    site: Site, phone: Any, ids: list[int], options: argparse.Namespace
) -> subprocess.Popen[str]:
    from phones.lines import line  # noqa: PLC0415 - as above

    order = {
        "url": f"{site.url}/callbacks/{phone.token}/status/",
        "key": line(phone)._key,  # type: ignore[attr-defined]
        "ids": ids,
        "rate": options.rate,
        "seconds": options.seconds,
        "connections": options.connections,
    }
    command = [sys.executable, "-m", "bench.flood"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdin
    process.stdin.write(json.dumps(order))
    process.stdin.close()
    process.stdin = None
    return process


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values) or [0.0]
    places = [
        ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.95, 0.99)
    ]
    return (
        "/".join(f"{value:.2f}" for value in [*places, ordered[-1]]) + " (half, 95 %, 99 %, worst)"
    )


# ---- The provider, in a process of its own ------------------------------------------------------


class Provider:
    """Sends each receipt when its time has come, and again until it was taken."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        parts = urlsplit(order["url"])
        self.place = (parts.hostname, parts.port)
        self.head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        self.idle: list[Any] = []
        self.room = asyncio.Semaphore(order["connections"])
        self.first: Counter[int] = Counter()
        self.waits: list[float] = []
        self.asked = self.in_time = self.given_up = 0

    async def run(self) -> dict[str, Any]:
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for index, pk in enumerate(self.order["ids"]):
                wait = self.began + index / self.order["rate"] - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._tell(pk))
        return {
            "asked": self.asked,
            "took": time.monotonic() - self.began,
            "in_time": self.in_time,
            "given_up": self.given_up,
            "first": dict(self.first),
            "waits": self.waits,
        }

    async def _tell(self, pk: int) -> None:
        request = self._request(pk)
        due = time.monotonic()
        for tried in range(1000):
            began = time.monotonic()
            status, again = await self._ask(request)
            if not tried:
                self.first[status] += 1
                self.waits.append(time.monotonic() - began)
            if status == 200:
                self.in_time += time.monotonic() < self.began + self.order["seconds"]
                return
            if time.monotonic() > due + PATIENCE:
                break
            await asyncio.sleep(again * random.uniform(0.8, 1.2))
        self.given_up += 1

    async def _ask(self, request: bytes) -> tuple[int, float]:
        """Give the status of the answer (0: none came) and after how many seconds to try again."""
        async with self.room:
            self.asked += 1
            connection = None
            try:
                async with asyncio.timeout(ANSWER):
                    connection = await self._connected()
                    connection[1].write(request)
                    status, again, stays = await _answer(connection[0])
            except (OSError, EOFError, TimeoutError, ValueError):
                if connection:
                    connection[1].close()
                return 0, AGAIN
            if stays:
                self.idle.append(connection)
            else:
                connection[1].close()
            return status, again

    async def _connected(self) -> Any:
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        return await asyncio.open_connection(*self.place)

    def _request(self, pk: int) -> bytes:
        said = {"id": f"sim-{pk}", "status": "delivered", "reference": str(pk)}
        body = json.dumps(said | {"at": "2026-11-21T12:00:00+00:00"}).encode()
        signed = hmac.new(
            self.order["key"].encode(), self.order["url"].encode() + body, hashlib.sha256
        )
        head = (
            f"{self.head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Simulator-Signature: sha256={signed.hexdigest()}\r\n\r\n"
        )
        return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, float, bool]:
    """Read one answer: (status, seconds until another try, whether the connection stays)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:]) if k}
    await reader.readexactly(int(headers.get("content-length", 0)))
    stays = headers.get("connection", "").lower() != "close"
    return int(lines[0].split()[1]), float(headers.get("retry-after", AGAIN)), stays


def main() -> None:
    order = json.load(sys.stdin)

    async def provide() -> dict[str, Any]:
        return await Provider(order).run()

    print(json.dumps(asyncio.run(provide())))


if __name__ == "__main__":
    main()
