"""A provider that does nothing but answer, as fast as it can: `python -m bench.sink`.

It prints its address and answers every POST like Twilio's API does for a message it took. `ceiling`
measures what it can do itself, so that nobody takes its limit for ours.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager

from phones.simulator import wire

_numbers = itertools.count(1)


@contextmanager
def running() -> Iterator[str]:
    """Run a sink in a process of its own; give its address."""
    command = [sys.executable, "-m", "bench.sink"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def ceiling(url: str, *, requests: int = 20_000, connections: int = 16) -> float:
    """Give the requests per second that the sink answers to a client that does nothing else."""
    host, _, port = url.removeprefix("http://").partition(":")
    began = time.perf_counter()
    asyncio.run(_ask_all(host, int(port), requests // connections, connections))
    return requests / (time.perf_counter() - began)


async def _ask_all(host: str, port: int, each: int, connections: int) -> None:
    body = b"To=%2B33639980020&From=%2B33639980000&Body=Lunch+is+at+noon+today."
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(each):
            writer.write(head.encode() + body)
            await wire.read_answer(reader)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))


async def _talk(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while True:
            await wire.read_request(reader)
            answer = wire.Answer(201, json.dumps(_message(next(_numbers))).encode())
            writer.write(wire.written(answer))
    except (OSError, EOFError, ValueError):
        writer.close()


def _message(number: int) -> dict[str, object]:
    """Give what Twilio's API says of a message it took."""
    account, sid = f"AC{0:032x}", f"SM{number:032x}"
    place = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": "Lunch is at noon today.",
        "date_created": "Fri, 20 Nov 2026 16:00:00 +0000",
        "date_sent": None,
        "date_updated": "Fri, 20 Nov 2026 16:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": "+33639980000",
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"{place}/Media.json"},
        "to": "+33639980020",
        "uri": f"{place}.json",
    }


async def _serve() -> None:
    server = await asyncio.start_server(_talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
