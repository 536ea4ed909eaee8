"""The operator's end of a link, as little of it as Kannel needs: SMPP, UCP/EMI and CIMD2.

    with SmppSmsc() as smsc:
        Kannel connects to 127.0.0.1:smsc.port
        smsc.wait_for(1)

Each takes any log-in and every message, and keeps both. Sources: SMPP 3.4 §4; EMI-UCP 4.0 §4 and §5;
CIMD Interface Specification 2.0 §3.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from dataclasses import dataclass
from typing import Self

# Seconds to wait for a message.
PATIENCE = 20
STX, ETX = b"\x02", b"\x03"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as the operator got it."""

    sender: str
    to: str
    text: str


class Smsc:
    """Listens on loopback. `logins` are (user, password), `taken` the messages."""

    def __init__(self) -> None:
        self.logins: list[tuple[str, str]] = []
        self.taken: list[Taken] = []
        self._news = threading.Condition()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Taken]:
        """Give all messages once there are `count`. Raises AssertionError when they do not come."""
        with self._news:
            self._news.wait_for(lambda: len(self.taken) >= count, PATIENCE)
            assert len(self.taken) >= count, f"{len(self.taken)} of {count} messages came."
            return list(self.taken)

    def take(self, sender: str, to: str, text: str) -> None:
        with self._news:
            self.taken.append(Taken(sender, to, text))
            self._news.notify_all()

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        """Answer one connection until it ends."""
        raise NotImplementedError


class SmppSmsc(Smsc):
    """A transceiver. `refusal` is the command_status of its answers to messages.

    `receipt` becomes `stat:… err:…` of the receipt that follows each message it takes.
    """

    refusal = 0
    receipt = ("DELIVRD", "000")

    _BIND, _SUBMIT, _DELIVER, _UNBIND, _ENQUIRE = 9, 4, 5, 6, 0x15

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        while len(header := connection.rfile.read(16)) == 16:
            size, command, _status, sequence = struct.unpack(">4I", header)
            body = connection.rfile.read(size - 16)
            if command == self._BIND:
                user, password = body.split(b"\0")[:2]
                self.logins.append((user.decode(), password.decode()))
                self._answer(connection, command, sequence, b"smsc\0")
            elif command == self._SUBMIT:
                self._submitted(connection, sequence, body)
            elif command in (self._ENQUIRE, self._UNBIND):
                self._answer(connection, command, sequence, b"")

    def _submitted(
        self, connection: socketserver.StreamRequestHandler, sequence: int, body: bytes
    ) -> None:
        _service, rest = body.split(b"\0", 1)
        sender, rest = rest[2:].split(b"\0", 1)
        to, rest = rest[2:].split(b"\0", 1)
        # esm_class, protocol_id, priority; two times; four bytes; the length of the text.
        _times, _validity, rest = rest[3:].split(b"\0", 2)
        text = rest[5 : 5 + rest[4]]
        if self.refusal:
            self._answer(connection, self._SUBMIT, sequence, b"", self.refusal)
            return
        self.take(sender.decode(), to.decode(), text.decode("ascii"))
        self._answer(connection, self._SUBMIT, sequence, b"m7f3\0")
        state, error = self.receipt
        said = (
            f"id:m7f3 sub:001 dlvrd:001 submit date:2611201650 done date:2611201651 "
            f"stat:{state} err:{error} text:"
        ).encode()
        addresses = b"\0\1\1" + to + b"\0\1\1" + sender + b"\0"
        deliver = addresses + b"\4\0\0\0\0\0\0\0\0" + bytes([len(said)]) + said
        connection.wfile.write(struct.pack(">4I", 16 + len(deliver), self._DELIVER, 0, 77))
        connection.wfile.write(deliver)

    def _answer(
        self,
        connection: socketserver.StreamRequestHandler,
        command: int,
        sequence: int,
        body: bytes,
        status: int = 0,
    ) -> None:
        header = struct.pack(">4I", 16 + len(body), command | 0x80000000, status, sequence)
        connection.wfile.write(header + body)


class _Framed(Smsc):
    """A protocol of text between STX and ETX."""

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        frame = b""
        while byte := connection.rfile.read(1):
            frame = b"" if byte == STX else frame + byte
            if byte == ETX:
                connection.wfile.write(STX + self.answer(frame[:-1].decode("latin-1")) + ETX)

    def answer(self, frame: str) -> bytes:
        raise NotImplementedError


class EmiSmsc(_Framed):
    """UCP/EMI with sessions (operation 60)."""

    _LOGIN, _SUBMIT = "60", "51"

    def answer(self, frame: str) -> bytes:
        number, _size, _kind, operation, *fields = frame.split("/")
        said = "A/"
        if operation == self._LOGIN:
            self.logins.append((fields[0], bytes.fromhex(fields[4]).decode()))
        elif operation == self._SUBMIT:
            self.take(fields[1], fields[0], bytes.fromhex(fields[20]).decode("ascii"))
            said = f"A//{fields[0]}:201126165045"
        body = f"R/{operation}/{said}/"
        # The size counts everything between STX and ETX: number, size, body, two of checksum.
        whole = f"{number}/{len(body) + 11:05}/{body}"
        return f"{whole}{sum(whole.encode()) & 0xFF:02X}".encode()


class Cimd2Smsc(_Framed):
    """CIMD2: operations, and parameters by number."""

    _LOGIN, _SUBMIT = "01", "03"
    _USER, _PASSWORD, _TO, _SENDER, _TEXT, _TIME = "010", "011", "021", "023", "033", "060"

    def answer(self, frame: str) -> bytes:
        head, *pairs = frame.split("\t")[:-1]
        operation, number = head.split(":")
        given = dict(pair.split(":", 1) for pair in pairs)
        said = ""
        if operation == self._LOGIN:
            self.logins.append((given[self._USER], given[self._PASSWORD]))
        elif operation == self._SUBMIT:
            self.take(given.get(self._SENDER, ""), given[self._TO], given[self._TEXT])
            said = f"{self._TO}:{given[self._TO]}\t{self._TIME}:261120165045\t"
        whole = f"{int(operation) + 50}:{number}\t{said}"
        return f"{whole}{sum(whole.encode()) + STX[0] & 0xFF:02X}".encode()
