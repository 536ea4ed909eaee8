from __future__ import annotations

from typing import Any

import pytest

from smsapp import addresses
from smsapp.management.commands import up


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_URL", "SIMULATOR_URL", "ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_site_is_where_it_listens() -> None:
    env = up.environment("127.0.0.1", 8000)

    assert env["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert env["ALLOWED_HOSTS"] == "127.0.0.1"
    assert env["SIMULATOR_URL"].startswith("http://127.0.0.1:")


def test_the_operator_s_address_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://sms.example.org")
    monkeypatch.setenv("ALLOWED_HOSTS", "intranet")

    env = up.environment("10.0.0.5", 8000)

    assert env["PUBLIC_URL"] == "https://sms.example.org"
    assert env["ALLOWED_HOSTS"] == "intranet,10.0.0.5"


def test_a_site_open_to_the_network_names_an_address_others_can_type() -> None:
    env = up.environment("0.0.0.0", 8000)

    assert "0.0.0.0" not in env["PUBLIC_URL"]
    assert addresses.public_host("0.0.0.0") in env["ALLOWED_HOSTS"].split(",")


@pytest.mark.parametrize(
    ("host", "bound", "asked"),
    [
        pytest.param("0.0.0.0", "0.0.0.0:8000", "127.0.0.1", id="every address"),
        pytest.param("::", "[::]:8000", "::1", id="every IPv6 address"),
        pytest.param("10.0.0.5", "10.0.0.5:8000", "10.0.0.5", id="one address"),
    ],
)
def test_the_site_is_asked_for_where_it_listens(host: str, bound: str, asked: str) -> None:
    assert addresses.with_port(host, 8000) == bound
    assert addresses.loopback_host(host) == asked


def test_each_worker_looks_after_one_queue() -> None:
    env = up.environment("127.0.0.1", 8000)

    commands = [child.command for child in up.children("127.0.0.1", 8000, env)]

    # On two queues RQ uses BLPOP, which loses a job when its worker dies between pop and start.
    workers = [command for command in commands if "rqworker" in command]
    queues = [command[command.index("rqworker") + 1 :] for command in workers]
    assert [words[0] for words in queues] == ["send", "send", "default"]
    assert all(words[1].startswith("--") for words in queues)


def test_workers_stop_before_what_they_talk_to() -> None:
    env = up.environment("127.0.0.1", 8000)

    stages = {child.name: child.stage for child in up.children("127.0.0.1", 8000, env)}

    assert stages["worker send 1"] == stages["worker default"] == stages["tick"]
    assert stages["tick"] > stages["web"] > stages["simulator"] > up.QUEUE


def test_a_simulator_elsewhere_is_not_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_URL", "http://127.0.0.1:9999")

    env: dict[str, Any] = up.environment("127.0.0.1", 8000)

    assert env["SIMULATOR_URL"] == "http://127.0.0.1:9999"
    assert "simulator" not in [child.name for child in up.children("127.0.0.1", 8000, env)]
