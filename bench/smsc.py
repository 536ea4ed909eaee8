"""An SMSC that does nothing but take messages and report each delivered: `python -m bench.smsc`.

    with running(delay=0.02) as smsc:
        bind to 127.0.0.1:smsc.port
        smsc.wait_for(20_000)

Anybody may bind. A receipt follows its message's answer after a moment, and at most `WINDOW` receipts
are unanswered. `ceiling` measures what it can do itself, so that nobody takes its limit for ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from struct import Struct
from typing import Any

# Seconds between the answer to a message and its receipt: no operator is faster.
RECEIPT_AFTER = 0.1
# Receipts that wait for their answer.
WINDOW = 500
_HEADER = Struct(">IIII")
_RESPONSE = 0x80000000
_BINDS, _SUBMIT, _DELIVER, _UNBIND, _ENQUIRE = (1, 2, 9), 4, 5, 6, 0x15


@dataclass(frozen=True, slots=True)
class Count:
    """What an SMSC did so far. Moments are seconds of `time.monotonic`, 0 = not yet."""

    submits: int = 0
    receipts: int = 0  # answered with 0
    refused: int = 0  # answered with an error
    first_submit: float = 0.0
    last_submit: float = 0.0
    last_answer: float = 0.0  # to a receipt
    most_in_flight: int = 0  # messages that were unanswered at once
    cpu: float = 0.0  # seconds


class Running:
    """An SMSC in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        self.port = int(process.stdout.readline())

    def count(self) -> Count:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Count(**json.loads(self.process.stdout.readline()))

    def wait_for(
        self, receipts: int, seconds: float, watch: Callable[[Count], Any] = lambda _count: None
    ) -> Count:
        """Give the count once so many receipts are answered, or after so many seconds.

        `watch` is given each count on the way, some ten a second.
        """
        deadline = time.monotonic() + seconds
        while (count := self.count()).receipts < receipts and time.monotonic() < deadline:
            watch(count)
            time.sleep(0.1)
        return count


@contextmanager
def running(*, delay: float = 0.0, port: int = 0) -> Iterator[Running]:
    """Run an SMSC that answers each message after `delay` seconds."""
    command = [sys.executable, "-m", "bench.smsc", "--delay", str(delay), "--port", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, smsc: Smsc) -> None:
        self.smsc = smsc
        self.buffer = b""
        self.sequence = 0
        self.flying = 0  # receipts
        self.open = 0  # messages
        self.receipts: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        buffer, at = self.buffer + data, 0
        unpack, size = _HEADER.unpack_from, len(buffer)
        messages: list[tuple[int, bytes]] = []
        while size - at >= 16:
            length, command, status, sequence = unpack(buffer, at)
            if size - at < length:
                break
            if command == _SUBMIT:
                messages.append((sequence, buffer[at + 16 : at + length]))
            elif command == _DELIVER | _RESPONSE:
                self.answered(status)
            elif command & _RESPONSE == 0:
                self.other(command, sequence)
            at += length
        self.buffer = buffer[at:]
        if messages:
            self.take(messages)
        self.deliver()

    def take(self, messages: list[tuple[int, bytes]]) -> None:
        smsc = self.smsc
        smsc.submitted(len(messages))
        self.open += len(messages)
        smsc.most_in_flight = max(smsc.most_in_flight, self.open)
        answers, receipts = smsc.answers(messages)
        loop = smsc.loop
        if smsc.delay:
            loop.call_later(smsc.delay, self.answer, answers, len(messages))
        else:
            self.answer(answers, len(messages))
        loop.call_later(smsc.delay + RECEIPT_AFTER, self.report, receipts)

    def answer(self, answers: bytes, count: int) -> None:
        self.open -= count
        self.transport.write(answers)

    def report(self, receipts: list[bytes]) -> None:
        self.receipts += receipts
        self.deliver()

    def deliver(self) -> None:
        room = min(WINDOW - self.flying, len(self.receipts))
        if room <= 0:
            return
        pack, next_one = _HEADER.pack, self.receipts.popleft
        pieces: list[bytes] = []
        for sequence in range(self.sequence + 1, self.sequence + room + 1):
            body = next_one()
            pieces += (pack(16 + len(body), _DELIVER, 0, sequence), body)
        self.sequence += room
        self.flying += room
        self.transport.write(b"".join(pieces))

    def answered(self, status: int) -> None:
        self.flying -= 1
        self.smsc.answered(status)

    def other(self, command: int, sequence: int) -> None:
        if command == _UNBIND:
            self.receipts.clear()
        body = b"smsc\0" if command in _BINDS else b""
        self.transport.write(_HEADER.pack(16 + len(body), command | _RESPONSE, 0, sequence) + body)


class Smsc:
    """Counts, and knows the bytes of answers and receipts."""

    def __init__(self, delay: float, loop: asyncio.AbstractEventLoop) -> None:
        self.delay = delay
        self.loop = loop
        self.submits = self.receipts = self.refused = 0
        self.first_submit = self.last_submit = self.last_answer = 0.0
        self.most_in_flight = 0

    def submitted(self, count: int) -> None:
        self.last_submit = time.monotonic()
        self.first_submit = self.first_submit or self.last_submit
        self.submits += count

    def answered(self, status: int) -> None:
        if status:
            self.refused += 1
        else:
            self.receipts += 1
            self.last_answer = time.monotonic()

    def answers(self, messages: list[tuple[int, bytes]]) -> tuple[bytes, list[bytes]]:
        """Give all submit_sm_resp, and the body of each deliver_sm (SMPP 3.4 §4.4.2, §4.6.1)."""
        date = time.strftime("%y%m%d%H%M", time.gmtime()).encode()
        said = b" sub:001 dlvrd:001 submit date:%b done date:%b stat:DELIVRD err:000 text:" % (
            date,
            date,
        )
        # esm_class: a receipt; data_coding and all between: 0; the length of the text, its id included.
        middle = b"\x04\0\0\0\0\0\0\0\0" + bytes([13 + len(said)])
        # message_state 2, receipted_message_id.
        tlvs = b"\x04\x27\0\1\2\0\x1e\0\x0b"
        pack = _HEADER.pack
        answers: list[bytes] = []
        receipts: list[bytes] = []
        for number, (sequence, body) in enumerate(messages, self.submits - len(messages) + 1):
            id_ = b"%010d" % number
            answers += (pack(27, _SUBMIT | _RESPONSE, 0, sequence), id_, b"\0")
            # service_type, then twice TON, NPI, address: the receipt's go the other way.
            first = body.index(0) + 1
            second = body.index(0, first + 2) + 1
            end = body.index(0, second + 2) + 1
            addresses = body[second:end] + body[first:second]
            receipts.append(b"\0%b%bid:%b%b%b%b\0" % (addresses, middle, id_, said, tlvs, id_))
        return b"".join(answers), receipts

    def count(self) -> dict[str, Any]:
        names = ("submits", "receipts", "refused", "first_submit", "last_submit", "last_answer")
        counted = {name: getattr(self, name) for name in (*names, "most_in_flight")}
        return {**counted, "cpu": time.process_time()}


async def _serve(delay: float, port: int) -> None:
    loop = asyncio.get_running_loop()
    smsc = Smsc(delay, loop)
    server = await loop.create_server(lambda: Link(smsc), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=_report, args=(smsc,), daemon=True).start()
    await server.serve_forever()


def _report(smsc: Smsc) -> None:
    for _line in sys.stdin:
        print(json.dumps(smsc.count()), flush=True)


# ---- What it can do itself ----------------------------------------------------------------------


def ceiling(port: int, *, messages: int, window: int = 500) -> float:
    """Give the messages per second of a client that only sends bytes it has, and answers receipts."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(_HEADER.pack(23, 9, 0, 1) + b"\0\0\0\x34\0\0\0")
    link.recv(1024)
    link.setblocking(False)
    body = b"\0\5\0smsapp\0\1\1" + b"33639980020\0\0\0\0\0\0\1\0\0\0\x17Lunch is at noon today."
    one = [_HEADER.pack(16 + len(body), _SUBMIT, 0, number) + body for number in range(messages)]
    began = time.monotonic()
    _send_all(link, one, window)
    link.close()
    return messages / (time.monotonic() - began - RECEIPT_AFTER)


def _send_all(link: socket.socket, messages: list[bytes], window: int) -> None:
    """Send all, at most `window` unanswered, and read until each is reported."""
    sent = answered = reported = 0
    ready = selectors.DefaultSelector()
    ready.register(link, selectors.EVENT_READ)
    out = buffer = b""
    unpack, pack = _HEADER.unpack_from, _HEADER.pack
    while reported < len(messages):
        room = min(window - (sent - answered), len(messages) - sent)
        if room and len(out) < 65536:
            out += b"".join(messages[sent : sent + room])
            sent += room
        if out:
            ready.modify(link, selectors.EVENT_READ | selectors.EVENT_WRITE)
        for _key, event in ready.select():
            if event & selectors.EVENT_WRITE:
                out = out[link.send(out) :]
                if not out:
                    ready.modify(link, selectors.EVENT_READ)
            if event & selectors.EVENT_READ:
                buffer += link.recv(262144)
                at = 0
                replies: list[bytes] = []
                while len(buffer) - at >= 16:
                    length, command, _status, sequence = unpack(buffer, at)
                    if len(buffer) - at < length:
                        break
                    at += length
                    if command == _DELIVER:
                        replies += (pack(17, _DELIVER | _RESPONSE, 0, sequence), b"\0")
                        reported += 1
                    else:
                        answered += 1
                buffer = buffer[at:]
                out += b"".join(replies)
    # The last answers are still on their way.
    link.setblocking(True)
    link.sendall(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.smsc", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until each answer")
    given = parser.parse_args()
    asyncio.run(_serve(given.delay, given.port))
