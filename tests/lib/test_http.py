"""The one way out: honest about what left, guarded, and silent about secrets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lib.http import Guard, Http, NoAnswer, NotSent, Trace, is_base

LOCAL = Guard(frozenset({"127.0.0.1"}))
QUICK = (0.5, 0.3)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads one request per connection, then behaves."""
    listening = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                behave(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(2)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


@pytest.fixture
def traces() -> list[Trace]:
    return []


@pytest.fixture
def http(traces: list[Trace]) -> Http:
    return Http(guard=LOCAL, secrets=["hunter22"], record=traces.append)


def test_an_answer_comes_with_status_headers_and_body(http: Http) -> None:
    with server(answering(OK)) as (url, _):
        answer = http.request("GET", url)

    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"hi", "2")


def test_a_refused_connection_is_not_sent(http: Http, traces: list[Trace]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(NotSent):
        http.request("POST", f"http://127.0.0.1:{port}/", timeout=QUICK)

    assert traces[0].status == 0
    assert "No connection" in traces[0].error


def test_an_unknown_host_is_not_sent(http: Http) -> None:
    with pytest.raises(NotSent, match="was not found"):
        http.request("POST", "http://nowhere.invalid/", timeout=QUICK)


@pytest.mark.parametrize(
    "behave",
    [
        lambda connection: None,
        lambda connection: threading.Event().wait(0.6),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"),
        answering(b"nonsense\r\n\r\n"),
    ],
    ids=["closed", "silent", "half an answer", "nonsense"],
)
def test_once_a_byte_has_left_it_is_no_answer(behave, http: Http, traces: list[Trace]) -> None:
    with server(behave) as (url, heard), pytest.raises(NoAnswer):
        http.request("POST", url, data={"a": "b"}, timeout=QUICK)

    assert heard
    assert len(traces) == 1


def test_tls_that_fails_is_not_sent(http: Http) -> None:
    with server(answering(b"not tls")) as (url, heard), pytest.raises(NotSent):
        http.request("POST", url.replace("http:", "https:"), data={"a": "b"}, timeout=QUICK)

    assert b"a=b" not in heard[0]


def test_nothing_is_sent_twice_behind_our_back(http: Http) -> None:
    with server(lambda connection: None) as (url, heard):
        with pytest.raises(NoAnswer):
            http.request("POST", url, data={"a": "b"}, timeout=QUICK)

        assert len(heard) == 1


def test_redirects_are_not_followed(http: Http) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with server(answering(moved)) as (url, heard):
        answer = http.request("GET", url)

    assert (answer.status, len(heard)) == (302, 1)


def test_secrets_are_not_in_the_trace(http: Http, traces: list[Trace]) -> None:
    echo = b"HTTP/1.1 401 No\r\nContent-Length: 18\r\n\r\nhunter22 was wrong"
    with server(answering(echo)) as (url, _):
        http.request("POST", url + "?k=hunter22", data={"p": "hunter22"}, auth=("u", "hunter22"))

    (trace,) = traces
    assert "hunter22" not in repr(trace)
    assert "Authorization: •••" in trace.sent
    assert trace.status == 401


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]",
        "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]",
        "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[::7f00:1]",
        "[::ffff:0:7f00:1]", "[fec0::1]", "[fe80::1%25lo]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_with_the_mending_words(host: str) -> None:
    with pytest.raises(NotSent, match=r"ALLOW_PRIVATE_ADDRESSES|was not found"):
        Http().request("GET", f"http://{host}:1/", timeout=QUICK)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_may_be_called_however_they_are_written(address: str) -> None:
    assert Guard().addresses(address, 443)


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "localhost"])
def test_the_operator_may_allow_private_addresses(allowed: str) -> None:
    host = "localhost" if allowed == "localhost" else "127.0.0.1"
    http = Http(guard=Guard(frozenset({allowed})))
    with server(answering(OK)) as (url, _):
        assert http.request("GET", url.replace("127.0.0.1", host)).status == 200


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "nonsense", ""])
def test_only_http_leaves(url: str) -> None:
    with pytest.raises(NotSent):
        Http().request("GET", url)


def test_an_endless_answer_is_cut(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.http.ANSWER_LIMIT", 10)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 99
    with server(answering(long)) as (url, _), pytest.raises(NoAnswer):
        http.request("GET", url)


def test_an_answer_that_drips_is_given_up(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.http.WITHIN", 0.5)

    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi":
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            threading.Event().wait(0.1)

    with server(drip) as (url, _), pytest.raises(NoAnswer, match=r"longer|timed out"):
        http.request("POST", url, data={"a": "b"}, timeout=QUICK)


@pytest.mark.parametrize("body", [b"hi", b"h" * 300_000], ids=["short", "long"])
def test_an_answer_without_a_length_is_read_to_its_end(body, http: Http) -> None:
    with server(answering(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as (url, _):
        assert http.request("GET", url).body == body


@pytest.mark.parametrize(("pause", "connections"), [(0, 1), (0.3, 2)], ids=["busy", "idle"])
def test_a_connection_that_has_idled_is_not_used_again(
    pause: float, connections: int, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.http._KEPT_FOR", 0.2 if pause else 30)

    def twice(connection: socket.socket) -> None:
        """Answer, and hang up when asked again: as one who closes just then."""
        connection.sendall(OK)
        if connection.recv(65536) and not pause:
            connection.sendall(OK)

    with server(twice) as (url, heard):
        http.request("GET", url)
        threading.Event().wait(pause)
        assert http.request("GET", url).status == 200
        assert len(heard) == connections


@pytest.mark.parametrize(
    ("url", "with_path", "bare"),
    [
        ("https://sms.example.org", True, True),
        ("http://192.168.1.20:8080", True, True),
        ("https://sms.example.org/api/v1", True, False),
        ("https://sms.example.org/?a=1", False, False),
        ("https://sms.example.org#a", False, False),
        ("https://me:secret@sms.example.org", False, False),
        ("ftp://sms.example.org", False, False),
        ("sms.example.org", False, False),
        ("http://[", False, False),
        ("", False, False),
    ],
)
def test_an_address_that_paths_may_be_put_behind(url: str, with_path: bool, bare: bool) -> None:
    assert (is_base(url), is_base(url, path=False)) == (with_path, bare)
