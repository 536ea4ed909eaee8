"""The one way out: requests to providers, guarded, timed, recorded, and honest about what was sent.

`Http.request` raises exactly two errors, because sending twice depends on telling them apart:
`NotSent` (nothing left this machine: safe to try again) and `NoAnswer` (the request began to leave and
no whole answer came: the provider may have acted on it).
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from lib import stored
from lib.redact import Redactor

# Seconds to connect, seconds between two pieces of the answer.
TIMEOUT = (5.0, 20.0)
# Seconds for the whole of it: an answer that drips must not hold a worker for ever.
WITHIN = 60.0
# Seconds that an unused connection is kept. Servers close theirs after some (gunicorn 2, Node and
# Apache 5), and a request that meets the closing ends without an answer, though nobody read it.
_KEPT_FOR = 1.0
# Bytes of an answer that are read at most.
ANSWER_LIMIT = 8 * 1024 * 1024
# Characters of a body that an exchange keeps.
KEPT = 4000


class NotSent(Exception):
    """No byte of the request left: refused, unknown host, forbidden address, connect time-out, TLS."""


class NoAnswer(Exception):
    """The request began to leave and no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` (HTTP), `headers` (names in lower case), `body` (bytes)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Give the parsed body. Raises ValueError when it is not JSON."""
        return json.loads(self.body)

    @property
    def retry_after(self) -> float | None:
        """Give the seconds of a numeric Retry-After header."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Trace:
    """One redacted exchange as a person may read it. `status` 0 = no answer; `ms` = milliseconds."""

    method: str
    url: str
    sent: str
    received: str
    status: int
    ms: int
    error: str = ""


@dataclass(frozen=True)
class Guard:
    """Decide which addresses may be called: public ones, and those the operator allows.

    `allow` names hosts, addresses or networks: `{"127.0.0.1", "10.8.0.0/16", "modem.lan"}`.
    """

    allow: frozenset[str] = frozenset()
    _networks: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in self.allow:
            try:
                self._networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                continue  # a host name, compared as it is

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve `host` to the addresses that may be called. Raises NotSent when there is none."""
        try:
            found = [
                str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            ]
        except (OSError, UnicodeError) as error:
            raise NotSent(f"The host {host} was not found: {error}.") from None
        if host in self.allow:
            return found
        allowed = [address for address in found if self._permits(address)]
        if not allowed:
            raise NotSent(
                f"{host} is an address inside a private network, which phones may not call. "
                f"If this is meant, the operator adds it to ALLOW_PRIVATE_ADDRESSES: {host}"
            )
        return allowed

    def _permits(self, address: str) -> bool:
        ip = _reached_by(address)
        if any(ip in network for network in self._networks if network.version == ip.version):
            return True
        is_ours = ip.version == 6 and ip not in _GLOBAL_IPV6
        return ip.is_global and not ip.is_multicast and not is_ours


# All that is given out to the public so far. Python counts more as global, old site-local ones too.
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
# Gateways of networks without IPv4 translate these (RFC 6052); the last four bytes are the address.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _reached_by(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Give the IPv4 address that an IPv6 one leads to, where it is of that kind; else itself."""
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if ip.version == 4:
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


# Of the current thread's request: whether it has `began` to leave, set by the connections below, and
# `ends`, the moment (of the monotonic clock) at which its answer must be there.
_leaving = threading.local()


class InTime(io.RawIOBase):
    """What a socket says until the moment `ends` gives (of the monotonic clock). Then TimeoutError."""

    def __init__(self, source: socket.socket, ends: Callable[[], float]) -> None:
        self._socket = source
        self._ends = ends
        self._raw = source.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends() - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"The answer took longer than {WITHIN:.0f} seconds.")
        self._socket.settimeout(min(left, self._socket.gettimeout() or left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answering(http.client.HTTPResponse):
    """An answer that is read in time."""

    def __init__(self, source: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(InTime(source, lambda: float(_leaving.ends)), *args, **more)  # type: ignore[arg-type]


class _Connect:
    """Connect only where the guard allows, to the very address it checked (no DNS rebinding)."""

    guard = Guard()
    response_class = _Answering
    _used = 0.0

    @property
    def is_connected(self: Any) -> bool:
        fresh = time.monotonic() - self._used < _KEPT_FOR
        return fresh and bool(super().is_connected)  # type: ignore[misc]

    def getresponse(self) -> Any:
        answer = super().getresponse()  # type: ignore[misc]
        self._used = time.monotonic()
        return answer

    def _new_conn(self: Any) -> socket.socket:
        error: OSError | None = None
        for address in self.guard.addresses(self.host, self.port):
            if time.monotonic() > _leaving.ends:
                break
            try:
                return create_connection(
                    (address, self.port), self.timeout, socket_options=self.socket_options
                )
            except OSError as failed:
                error = failed
        raise NotSent(f"No connection to {self.host}:{self.port}: {error}.")

    def send(self: Any, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _leaving.began = True
        super().send(data)  # type: ignore[misc]


class _Adapter(HTTPAdapter):
    """Use guarded connections for both schemes, without retries of its own."""

    def __init__(self, guard: Guard, size: int) -> None:
        self._guard = guard
        super().__init__(pool_connections=4, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        plain = type("Plain", (_Connect, HTTPConnection), {"guard": self._guard})
        secure = type("Secure", (_Connect, HTTPSConnection), {"guard": self._guard})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("P", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("S", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class Http:
    """Make requests for one phone, keeping connections; safe to share between threads.

    `secrets` never appear in a trace; `record` is called once per request, from the calling thread.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        secrets: Iterable[str] = (),
        record: Callable[[Trace], None] = lambda trace: None,
        connections: int = 16,
    ) -> None:
        self.redactor = Redactor(secrets)
        # For what is not HTTP: the same addresses may be called.
        self.guard = guard or Guard()
        self._record = record
        self._connections = connections
        self._making = threading.Lock()
        self._made: requests.Session | None = None

    @property
    def _session(self) -> requests.Session:
        """The session, made for the first request: a callback asks nobody, and would pay for it."""
        with self._making:
            if self._made is None:
                self._made = requests.Session()
                # No proxies, no .netrc: the environment must not decide where credentials go.
                self._made.trust_env = False
                adapter = _Adapter(self.guard, self._connections)
                self._made.mount("http://", adapter)
                self._made.mount("https://", adapter)
            return self._made

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> Answer:
        """Ask once, following no redirect. Raises NotSent or NoAnswer, nothing else."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise NotSent(f"{url} is not an http or https address.")
        started = time.monotonic()
        _leaving.began, _leaving.ends = False, started + WITHIN
        prepared: requests.PreparedRequest | None = None
        answer: Answer | None = None
        problem = ""
        try:
            prepared = self._session.prepare_request(
                requests.Request(
                    method, url, headers, data=data, json=json, params=params, auth=auth
                )
            )
            answer = self._send(prepared, timeout)
            return answer
        except NotSent as error:
            problem = str(error)
            raise
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            problem = stored.text(self.redactor.text(f"{type(error).__name__}: {error}"))
            raise (NoAnswer if _leaving.began else NotSent)(problem) from None
        finally:
            self._record(self._trace(method, url, prepared, answer, problem, started))

    def _send(self, prepared: requests.PreparedRequest, timeout: tuple[float, float]) -> Answer:
        response = self._session.send(prepared, timeout=timeout, allow_redirects=False, stream=True)
        with response:
            body = response.raw.read(ANSWER_LIMIT + 1, decode_content=True)
            if len(body) > ANSWER_LIMIT:
                raise ValueError(f"The answer is larger than {ANSWER_LIMIT} bytes.")
        self._session.cookies.clear()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body)

    def _trace(
        self,
        method: str,
        url: str,
        prepared: requests.PreparedRequest | None,
        answer: Answer | None,
        problem: str,
        started: float,
    ) -> Trace:
        sent = received = ""
        if prepared is not None:
            url = prepared.url or url
            sent = self._readable(prepared.headers.items(), prepared.body)
        if answer is not None:
            received = self._readable(answer.headers.items(), answer.body)
        return Trace(
            method=method,
            url=self.redactor.text(url),
            sent=sent,
            received=received,
            status=answer.status if answer else 0,
            ms=int((time.monotonic() - started) * 1000),
            error=problem,
        )

    def _readable(self, headers: Iterable[tuple[str, str]], body: bytes | str | None) -> str:
        return readable(self.redactor, headers, body)


def is_base(url: str, *, path: bool = True) -> bool:
    """Say whether paths may be put behind `url`: http or https, a host, perhaps a port; no ? or #.

    Without `path`, nothing else may stand behind the host.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(
        parts.scheme in ("http", "https")
        and re.fullmatch(r"[\w.\-]+(:\d{1,5})?", parts.netloc, re.ASCII)
        and not (parts.query or parts.fragment)
        and (path or not parts.path)
    )


def readable(
    redactor: Redactor, headers: Iterable[tuple[str, str]], body: bytes | str | None
) -> str:
    """Give headers and body as redacted text of at most KEPT characters of body."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    # Cut after hiding, so that no half of a secret is left at the edge.
    text = redactor.text(text)[:KEPT]
    return stored.text(f"{redactor.headers(headers)}\n\n{text}").strip()
