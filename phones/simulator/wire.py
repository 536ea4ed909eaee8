"""The little HTTP/1.1 that the simulator speaks: heads, bodies with a length, kept connections."""

from __future__ import annotations

import json
from asyncio import StreamReader
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

# Bytes of a body.
LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    retry_after: int | None = None


def in_json(status: int, body: Any, retry_after: int | None = None) -> Answer:
    return Answer(status, json.dumps(body).encode(), retry_after=retry_after)


async def read_head(reader: StreamReader) -> tuple[str, dict[str, str]]:
    """Give the first line and the headers (names in lower case)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.lower(): value.strip() for name, _, value in pairs}


async def read_request(reader: StreamReader) -> Request:
    """Read one request. Raises ValueError when it is none, or too large."""
    first, headers = await read_head(reader)
    method, target, _ = first.split(" ")
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= LIMIT or "transfer-encoding" in headers:
        raise ValueError("The body has no length, or is too large.")
    return Request(method, target, headers, await reader.readexactly(length))


def written(answer: Answer) -> bytes:
    """Give the bytes of an answer."""
    again = "" if answer.retry_after is None else f"Retry-After: {answer.retry_after}\r\n"
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n{again}Content-Length: {len(answer.body)}\r\n\r\n"
    )
    return head.encode() + answer.body


async def read_answer(reader: StreamReader) -> tuple[int, bool]:
    """Give the status of an answer, and whether its connection can be used again."""
    first, headers = await read_head(reader)
    status = int(first.split(" ")[1])
    length = headers.get("content-length", "")
    if not length.isdigit() or int(length) > LIMIT or headers.get("connection", "") == "close":
        return status, False
    await reader.readexactly(int(length))
    return status, True
