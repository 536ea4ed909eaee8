"""The simulated provider's API: takes messages, counts them, and owes callbacks.

    POST /messages              {reference, to, text, from, media, flash, callbacks} -> 202 {id…}
    GET  /messages?reference=   every arrival of one reference
    GET  /count                 received, references, doubled, refused, owed
    GET  /balance, /health, /media/picture.png

A second arrival of a reference is a second message: what counts arrivals must not hide them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lib.gsm import measure
from phones.simulator import wire
from phones.simulator.behaviours import Behaviour, Refusal, Step, behaviour_of
from phones.simulator.caller import Caller
from phones.simulator.picture import picture
from phones.simulator.store import Owed, Store
from phones.simulator.wire import Answer, Request, in_json

logger = logging.getLogger(__name__)

# Millionths of a euro that a segment costs, and that are always left.
PRICE, LEFT = 50_000, 100_000_000


class Simulator:
    """Answers requests out of `store`; `pace` multiplies every delay of a behaviour."""

    def __init__(self, store: Store, caller: Caller, pace: float = 1) -> None:
        self._store = store
        self._caller = caller
        self._pace = pace

    async def talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection until either side hangs up."""
        try:
            while True:
                answer = await self._answer(await wire.read_request(reader))
                if answer is None:
                    break
                writer.write(wire.written(answer))
                await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            logger.debug("A connection ended: %r", error)
        except asyncio.CancelledError:
            # The process stops. Passed on, Python 3.11 would print a traceback per open connection.
            logger.debug("A connection was open at the end.")
        finally:
            writer.close()

    async def _answer(self, request: Request) -> Answer | None:
        """Give the answer; None = hang up."""
        parts = urlsplit(request.target)
        if (request.method, parts.path) == ("POST", "/messages"):
            return await self._take(request)
        if parts.path == "/media/picture.png":
            return Answer(200, picture(), "image/png")
        pages: dict[str, Callable[[], Any]] = {
            "/messages": lambda: self._store.arrivals(_reference(parts.query)),
            "/count": self._store.count,
            "/balance": lambda: {"amount": LEFT, "currency": "EUR"},
            "/health": lambda: {"running": True},
        }
        if page := pages.get(parts.path):
            return in_json(200, page())
        return in_json(404, {"code": "no_such_page", "message": "There is nothing here."})

    async def _take(self, request: Request) -> Answer | None:
        try:
            body = _readable(request.body)
        except ValueError as error:
            return in_json(400, {"code": "malformed", "message": str(error)})
        behaviour = behaviour_of(body["to"])
        if refusal := self._refusal(behaviour, body["reference"]):
            self._store.take("", refusal.status, body)
            words = {"code": refusal.code, "message": refusal.message}
            return in_json(refusal.status, words, refusal.retry_after)
        return await self._accept(behaviour, body, request.headers.get("authorization", ""))

    def _refusal(self, behaviour: Behaviour, reference: str) -> Refusal | None:
        refusal = behaviour.refusal
        if refusal and refusal.once and self._store.has_seen(reference):
            return None
        return refusal

    async def _accept(
        self, behaviour: Behaviour, body: dict[str, Any], authorization: str
    ) -> Answer | None:
        name = f"sim-{secrets.token_hex(8)}"
        key = authorization.removeprefix("Bearer ")
        owed = [
            self._owed(step, body, name, key)
            for step in behaviour.steps
            if step.callback in body["callbacks"]
        ]
        self._store.take(name, 0 if behaviour.hangs_up else 202, body, owed)
        if behaviour.hangs_up:
            return None
        if behaviour.early:
            for item in owed:
                await self._caller.call(item)
        else:
            self._caller.plan(owed)
        segments = max(1, measure(body["text"]).segments)
        return in_json(202, {"id": name, "segments": segments, "cost": segments * PRICE})

    def _owed(self, step: Step, body: dict[str, Any], name: str, key: str) -> Owed:
        at = time.time() + step.after * self._pace
        says: dict[str, Any] = {
            "id": name + step.id,
            "at": datetime.fromtimestamp(at, UTC).isoformat(),
            **step.says,
        }
        if step.callback == "status":
            says["reference"] = body["reference"]
        else:
            says |= {"from": body["to"], "to": body["from"]}
        return Owed(body["callbacks"][step.callback], key, json.dumps(says), at, at)


def _reference(query: str) -> str:
    return parse_qs(query).get("reference", [""])[0]


_SHAPE = {"reference": str, "to": str, "from": str, "text": str, "callbacks": dict}


def _readable(content: bytes) -> dict[str, Any]:
    """Give the message of a request. Raises ValueError saying what is wrong with it."""
    body = json.loads(content)
    if not isinstance(body, dict):
        raise ValueError("The body is not a JSON object.")
    for name, kind in _SHAPE.items():
        if not isinstance(body.get(name), kind):
            raise ValueError(f"{name} is missing, or is not what it should be.")
    if not all(isinstance(url, str) for url in body["callbacks"].values()):
        raise ValueError("An address in callbacks is not a text.")
    if not body["reference"] or not body["to"].strip("+").isdigit():
        raise ValueError("Say a reference, and a number to send to.")
    if not body["text"] and not body.get("media"):
        raise ValueError("There is nothing to send.")
    return body


async def serve(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    deliver_to: tuple[str, int] | None = None,
    pace: float = 1,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until cancelled. `ready` is told the address once it answers. Raises OSError."""
    store = Store(path)
    caller = Caller(store, deliver_to)
    try:
        server = await asyncio.start_server(Simulator(store, caller, pace).talk, host, port)
        async with server:
            ready(f"http://{host}:{server.sockets[0].getsockname()[1]}")
            await caller.run()
    finally:
        store.close()
