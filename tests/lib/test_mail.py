"""The way out by mail: guarded, and honest about what left. A server of lines plays each accident."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from email.message import EmailMessage

import pytest

from lib import mail as mails
from lib.http import Guard, NoAnswer, NotSent, Trace
from lib.mail import Mail, Refused, Server
from lib.redact import Redactor

LOOPBACK = Guard(frozenset({"127.0.0.1"}))
TO = "5551234567@txt.example.net"
# What a polite server says, by the word it answers.
POLITE = {
    "": "220 mx.example.net ESMTP",
    "EHLO": "250 mx.example.net",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 Go on",
    ".": "250 2.0.0 Queued as A1",
    "RSET": "250 OK",
    "QUIT": "221 Bye",
}
HANG_UP = ""


class Lines:
    """An SMTP server that answers each word as `says` has it; HANG_UP ends the connection."""

    def __init__(self, **says: str) -> None:
        self.says = {**POLITE, **{word.replace("DOT", "."): line for word, line in says.items()}}
        self.heard: list[str] = []
        self.connections = 0
        self._connection: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._connection:
            with suppress(OSError):  # a client may still hold it
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._connection = connection
            with connection, connection.makefile("rb") as lines:
                self._talk(connection, lines)

    def _talk(self, connection: socket.socket, lines: Sequence[bytes] | object) -> None:
        if not self._say(connection, ""):
            return
        in_data = False
        for raw in lines:  # type: ignore[attr-defined]
            line = raw.decode().rstrip("\r\n")
            self.heard.append(line)
            if in_data and line != ".":
                continue
            word = line if line == "." else line[:4].upper()
            if not self._say(connection, word) or word == "QUIT":
                return
            in_data = word == "DATA" and self.says["DATA"].startswith("354")

    def _say(self, connection: socket.socket, word: str) -> bool:
        line = self.says.get(word, "500 What?")
        if line == HANG_UP:
            return False
        try:
            connection.sendall(f"{line}\r\n".encode())
        except OSError:
            return False
        return True


@pytest.fixture
def serve() -> Iterator[Callable[..., Lines]]:
    running: list[Lines] = []

    def start(**says: str) -> Lines:
        running.append(Lines(**says))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def traces() -> list[Trace]:
    return []


@pytest.fixture
def post(traces: list[Trace]) -> Iterator[Mail]:
    mail = Mail(guard=LOOPBACK, redactor=Redactor(["hunter22"]), record=traces.append)
    yield mail
    mail.close()


def at(lines: Lines) -> Server:
    return Server("127.0.0.1", lines.port, "none")


def hello(text: str = "Hello") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "sms@example.org", TO
    mail.set_content(text)
    return mail


def send(post: Mail, lines: Lines, text: str = "Hello") -> mails.Heard:
    return post.send(at(lines), hello(text), sender="sms@example.org", to=TO)


def test_a_mail_is_handed_over(post: Mail, serve: Callable[..., Lines]) -> None:
    server = serve()

    heard = send(post, server)

    assert (heard.code, heard.words) == (250, "2.0.0 Queued as A1")
    assert f"RCPT TO:<{TO}>" in [line.replace("rcpt", "RCPT") for line in server.heard]
    assert "Hello" in server.heard


@pytest.mark.parametrize("word", ["", "EHLO", "MAIL", "RCPT", "DATA"])
def test_what_breaks_before_the_dot_was_not_sent(
    word: str, post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve(**{word: HANG_UP} if word else {"": HANG_UP})
    if word == "EHLO":
        server.says["HELO"] = HANG_UP

    with pytest.raises(NotSent):
        send(post, server)


def test_what_breaks_after_the_dot_has_no_answer(post: Mail, serve: Callable[..., Lines]) -> None:
    with pytest.raises(NoAnswer):
        send(post, serve(DOT=HANG_UP))


def test_nobody_listening_is_not_sent(post: Mail, serve: Callable[..., Lines]) -> None:
    server = serve()
    server.close()

    with pytest.raises(NotSent):
        send(post, server)


@pytest.mark.parametrize(
    ("says", "step", "code"),
    [
        ({"": "554 Go away"}, "connect", 554),
        ({"MAIL": "550 5.7.1 Not you"}, "sender", 550),
        ({"RCPT": "550 5.1.1 No such user"}, "recipient", 550),
        ({"RCPT": "450 4.2.0 Greylisted"}, "recipient", 450),
        ({"DATA": "451 Later"}, "message", 451),
        ({"DOT": "552 Too large"}, "message", 552),
    ],
)
def test_a_refusal_names_its_step_and_keeps_the_words(
    says: dict[str, str], step: str, code: int, post: Mail, serve: Callable[..., Lines]
) -> None:
    with pytest.raises(Refused) as caught:
        send(post, serve(**says))

    assert (caught.value.step, caught.value.code) == (step, code)
    assert caught.value.words in next(iter(says.values()))


def test_a_server_without_encryption_gets_no_password(
    post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve()

    with pytest.raises(Refused) as caught:
        post.send(
            Server("127.0.0.1", server.port, "starttls", "me", "hunter22"),
            hello(), sender="sms@example.org", to=TO,
        )  # fmt: skip

    assert caught.value.step == "tls"
    assert not [line for line in server.heard if "AUTH" in line]


def test_a_private_address_is_not_called(serve: Callable[..., Lines]) -> None:
    server = serve()

    with pytest.raises(NotSent, match="private network"):
        send(Mail(), server)
    with pytest.raises(NotSent, match="private network"), Mail().mailbox(at(server), "INBOX"):
        pass

    assert server.connections == 0


def test_a_connection_is_used_again_and_closed_at_the_end(
    post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve()

    send(post, server)
    send(post, server)
    post.close()

    assert server.connections == 1
    assert server.heard.count("Hello") == 2


def test_a_refused_mail_does_not_spoil_the_next(post: Mail, serve: Callable[..., Lines]) -> None:
    server = serve(RCPT="550 No such user")
    with pytest.raises(Refused):
        send(post, server)
    server.says["RCPT"] = "250 OK"

    assert send(post, server).code == 250


@pytest.mark.parametrize("answer", [HANG_UP, "421 Idle for too long"])
def test_a_server_that_hung_up_while_we_waited_is_called_again(
    answer: str, post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve()
    send(post, server)
    server.says["MAIL"] = answer
    # The new connection finds it as it was.
    real = server._say

    def say(connection: socket.socket, word: str) -> bool:
        going_on = real(connection, word)
        if word == "MAIL":
            server.says["MAIL"] = "250 OK"
        return going_on

    server._say = say  # type: ignore[method-assign]

    assert send(post, server).code == 250
    assert server.connections == 2


def test_a_lone_dot_in_a_text_does_not_end_the_mail(
    post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve()

    send(post, server, "One\n.\n..two\nend")

    assert server.heard[server.heard.index("One") :][:4] == ["One", "..", "...two", "end"]


def test_a_server_that_drips_is_left_in_time(
    post: Mail, serve: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "WITHIN", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))

    with listener, pytest.raises(NotSent, match=r"Timeout|disconnected|unexpectedly"):
        post.send(
            Server("127.0.0.1", listener.getsockname()[1], "none"),
            hello(), sender="sms@example.org", to=TO,
        )  # fmt: skip


def test_what_was_said_is_kept_without_secrets(
    post: Mail, traces: list[Trace], serve: Callable[..., Lines]
) -> None:
    server = serve(DOT="550 I know that hunter22 is yours")

    with pytest.raises(Refused):
        send(post, server, "Grüße, hunter22")

    (trace,) = traces
    assert (trace.method, trace.status) == ("SMTP", 550)
    assert "Grüße" in trace.sent
    assert "550" in trace.received
    assert "hunter22" not in repr(trace)


@pytest.mark.parametrize("place", ["sender", "to"])
def test_an_address_cannot_carry_a_second_command(
    place: str, post: Mail, serve: Callable[..., Lines]
) -> None:
    server = serve()
    addresses = {"sender": "sms@example.org", "to": TO, place: "a@b.org>\r\nRCPT TO:<all@b.org"}

    with pytest.raises(ValueError):
        post.send(at(server), hello(), **addresses)  # type: ignore[arg-type]

    assert not [line for line in server.heard if "all@b.org" in line]
