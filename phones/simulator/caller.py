"""Calls back until it is heard: signed, over kept connections, with growing pauses, for hours."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import logging
import time
from asyncio import StreamReader, StreamWriter
from urllib.parse import urlsplit

from phones.simulator import wire
from phones.simulator.store import Owed, Store

logger = logging.getLogger(__name__)

# Callbacks made at the same time.
CONNECTIONS = 8
# Seconds: the first pause, the longest, the wait for an answer, and the whole effort.
FIRST_PAUSE, LONGEST_PAUSE, ANSWER, PATIENCE = 0.5, 30, 10, 6 * 3600
# Answers that say that nobody lives at this address any more.
_GONE = (404, 410)

Connection = tuple[StreamReader, StreamWriter]


def signature(key: str, url: str, body: bytes) -> str:
    """Sign the address and the body with the key that came with the message."""
    return "sha256=" + hmac.new(key.encode(), url.encode() + body, hashlib.sha256).hexdigest()


class Caller:
    """Makes the callbacks that the store owes, each when it is due.

    `deliver_to` (host, port) is where to connect instead of to the host of each address.
    """

    def __init__(self, store: Store, deliver_to: tuple[str, int] | None = None) -> None:
        self._store = store
        self._deliver_to = deliver_to
        self._due: asyncio.Queue[Owed] = asyncio.Queue()
        self._idle: dict[tuple[str, int], list[Connection]] = {}

    async def run(self) -> None:
        """Make callbacks until cancelled, those owed from an earlier life first."""
        self.plan(self._store.owed())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONNECTIONS):
                    group.create_task(self._work())
        finally:
            for _, writer in itertools.chain(*self._idle.values()):
                writer.close()

    def plan(self, owed: list[Owed]) -> None:
        """Make each of these callbacks when it is due."""
        loop = asyncio.get_running_loop()
        for item in owed:
            loop.call_later(max(0, item.at - time.time()), self._due.put_nowait, item)

    async def call(self, owed: Owed) -> None:
        """Make one callback now; plan another try when it is not heard."""
        status = await self._post(owed)
        if 200 <= status < 300:
            self._store.forget(owed)
        elif status in _GONE or time.time() - owed.first_at > PATIENCE:
            logger.warning("A callback is given up after HTTP %s.", status)
            self._store.forget(owed)
        else:
            owed.at = time.time() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(owed.tries, 10))
            owed.tries += 1
            self._store.postpone(owed)
            self.plan([owed])

    async def _work(self) -> None:
        while True:
            await self.call(await self._due.get())

    async def _post(self, owed: Owed) -> int:
        """Give the status of the answer, 0 when there is none."""
        try:
            async with asyncio.timeout(ANSWER):
                return await self._exchange(owed)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            logger.debug("No answer to a callback: %r", error)
            return 0

    async def _exchange(self, owed: Owed) -> int:
        place, secure = self._place(owed.url)
        request = _request(owed)
        kept = self._idle.setdefault(place, [])
        while kept:
            # The other side may have closed it meanwhile. A callback may come twice, so ask anew.
            connection = kept.pop()
            try:
                return await self._ask(connection, request, kept)
            except (OSError, EOFError):
                continue
        connection = await asyncio.open_connection(*place, ssl=secure or None)
        return await self._ask(connection, request, kept)

    async def _ask(self, connection: Connection, request: bytes, kept: list[Connection]) -> int:
        reader, writer = connection
        usable = False
        try:
            writer.write(request)
            await writer.drain()
            status, usable = await wire.read_answer(reader)
        finally:
            if usable:
                kept.append(connection)
            else:
                writer.close()
        return status

    def _place(self, url: str) -> tuple[tuple[str, int], bool]:
        if self._deliver_to:
            return self._deliver_to, False
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return (parts.hostname or "", parts.port or (443 if secure else 80)), secure


def _request(owed: Owed) -> bytes:
    parts = urlsplit(owed.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    body = owed.body.encode()
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"X-Simulator-Signature: {signature(owed.signing_key, owed.url, body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
