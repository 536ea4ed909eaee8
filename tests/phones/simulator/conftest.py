from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lib.http import Guard, Http
from phones.base import Addresses, OutgoingSms, Sent
from phones.types.simulator import Simulator
from tests.phones.simulator.running import Receiver, simulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "simulator.sqlite3"


@dataclass
class Line:
    """A simulator phone and its provider, talking over real HTTP."""

    phone: Simulator
    http: Http
    base_url: str

    def send(self, to: str, reference: str = "r1", **more: Any) -> Sent:
        return self.phone.send(OutgoingSms(reference, to, **{"text": "Hello", **more}))

    def ask(self, path: str) -> Any:
        return self.http.request("GET", self.base_url + path).json()


def line_to(base_url: str, addresses: str) -> Line:
    http = Http(guard=Guard(frozenset({"127.0.0.1"})))
    phone = Simulator({"base_url": base_url, "key": "hunter22"}, http, Addresses(addresses))
    return Line(phone, http, base_url)


@pytest.fixture
def line(store: Path, receiver: Receiver) -> Iterator[Line]:
    with simulator(store) as base_url:
        yield line_to(base_url, receiver.base)
