"""A network of cards: `FakeHttp` stands where `lib.http.Http` stands and answers from a table.

    http = FakeHttp({"POST /Messages.json": answer(201, {"sid": "SM1"})})
    phone = SomeType(settings, http, Addresses("https://sms.example.org/callbacks/t0ken/"))
    phone.send(sms)
    assert http.last.form["To"] == ["+33612345678"]

An entry is an `Answer`, an error to raise (`NotSent("…")`, `NoAnswer("…")`), a function of the
request, or a list of these, used one after the other (the last one stays).
"""

from __future__ import annotations

import base64
import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from lib.http import TIMEOUT, Answer, Http, NoAnswer, NotSent
from lib.mail import Heard, Mail, Refused, Server


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it would have left: prepared by the library that prepares the real ones."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: tuple[float, float]

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)

    @property
    def auth(self) -> tuple[str, str] | None:
        """Give user and password of Basic credentials, None without any."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password

    def json(self) -> Any:
        return jsonlib.loads(self.body)


Entry = Answer | NotSent | NoAnswer | Callable[[Asked], Answer]


def answer(status: int = 200, body: Any = "", **headers: str) -> Answer:
    """Give an answer; a dict or list becomes JSON; `Retry_After="3"` becomes a header."""
    named = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict | list):
        named.setdefault("content-type", "application/json")
        body = jsonlib.dumps(body)
    return Answer(status, named, body if isinstance(body, bytes) else str(body).encode())


class FakeHttp(Http):
    """`table`: {"POST /end/of/path" or "POST https://whole/address": entry}; longest match wins.

    `asked` keeps every request, in order. A request that no entry matches fails the test.
    """

    def __init__(self, table: Mapping[str, Entry | Sequence[Entry]] | None = None) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self._table: dict[str, list[Entry]] = {}
        for key, entry in (table or {}).items():
            self.on(key, *(entry if isinstance(entry, Sequence) else [entry]))

    def on(self, key: str, *entries: Entry) -> None:
        """Answer requests like `key` with these entries, the last one for ever."""
        self._table[key] = list(entries)

    @property
    def last(self) -> Asked:
        return self.asked[-1]

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
        prepared = requests.Request(
            method, url, headers, data=data, json=json, params=params, auth=auth
        ).prepare()
        asked = _asked(prepared, timeout)
        self.asked.append(asked)
        entry = self._next(asked)
        if isinstance(entry, NotSent | NoAnswer):
            raise entry
        return entry if isinstance(entry, Answer) else entry(asked)

    def _next(self, asked: Asked) -> Entry:
        matching = [key for key in self._table if _matches(key, asked)]
        assert matching, f"Nobody expected {asked.method} {asked.url}"
        entries = self._table[max(matching, key=len)]
        return entries.pop(0) if len(entries) > 1 else entries[0]


class FakeMail(Mail):
    """Mail over the same table of cards: a mail is the request `SMTP smtp://host:port/`, an answer's
    status is the server's reply code; `Step` says what it answers, the recipient by default."""

    def __init__(self, http: FakeHttp) -> None:
        super().__init__()
        self._http = http

    def send(self, server: Server, mail: EmailMessage, *, sender: str, to: str) -> Heard:
        said = {"sender": sender, "to": to, "user": server.user}
        heard = self._http.request(
            "SMTP",
            f"smtp://{server.host}:{server.port}/",
            data=mail.as_bytes(policy=SMTP),
            headers=said,
        )
        if heard.status >= 400:
            raise Refused(heard.headers.get("step", "recipient"), heard.status, heard.text)
        return Heard(heard.status, heard.text)


def _matches(key: str, asked: Asked) -> bool:
    method, _, place = key.partition(" ")
    if method != asked.method:
        return False
    if place.startswith("http"):
        return asked.url.partition("?")[0] == place
    return asked.path.endswith(place)


def _asked(prepared: requests.PreparedRequest, timeout: tuple[float, float]) -> Asked:
    body = prepared.body or b""
    return Asked(
        method=str(prepared.method),
        url=str(prepared.url),
        headers={name.lower(): str(value) for name, value in prepared.headers.items()},
        body=body.encode() if isinstance(body, str) else body,
        timeout=timeout,
    )
