from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from smsapp import addresses, starting


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_URL", "SIMULATOR_URL", "ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_site_is_where_it_listens() -> None:
    env = starting.environment("127.0.0.1", 8000)

    assert env["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert env["ALLOWED_HOSTS"] == "127.0.0.1"
    assert env["SIMULATOR_URL"].startswith("http://127.0.0.1:")


def test_the_operator_s_address_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://sms.example.org")
    monkeypatch.setenv("ALLOWED_HOSTS", "intranet")

    env = starting.environment("10.0.0.5", 8000)

    assert env["PUBLIC_URL"] == "https://sms.example.org"
    assert env["ALLOWED_HOSTS"] == "intranet,10.0.0.5"


def test_a_site_open_to_the_network_names_an_address_others_can_type() -> None:
    env = starting.environment("0.0.0.0", 8000)

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


@pytest.mark.parametrize(("light", "senders"), [(False, 2), (True, 1)], ids=["usual", "light"])
def test_each_worker_looks_after_one_queue(light: bool, senders: int) -> None:
    env = starting.environment("127.0.0.1", 8000)

    children = starting.children("127.0.0.1", 8000, env, light=light)

    # On two queues RQ uses BLPOP, which loses a job when its worker dies between pop and start.
    (family,) = [child.command for child in children if "family" in child.command]
    workers = [words.split() for words in family if words.startswith("rqworker")]
    assert [words[1] for words in workers] == ["send"] * senders + ["default"]
    assert all(words[2].startswith("--") for words in workers)
    assert family[-4:-1] == ["tick", "sessions", "--last"]  # workers talk to the simulator
    assert family[-1].startswith("simulator --port ")


def test_workers_stop_before_what_they_talk_to() -> None:
    env = starting.environment("127.0.0.1", 8000)

    stages = {child.name: child.stage for child in starting.children("127.0.0.1", 8000, env)}

    assert stages["work"] > stages["web"] > starting.QUEUE


def test_what_stays_for_good_never_loads_django() -> None:
    command = "import sys; import smsapp.starting; print('django.apps' in sys.modules)"
    env = {**os.environ, "DJANGO_BUILD": "1"}
    said = subprocess.run(
        [sys.executable, "-c", command], env=env, capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "False"


def test_a_simulator_elsewhere_is_not_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_URL", "http://127.0.0.1:9999")

    env: dict[str, Any] = starting.environment("127.0.0.1", 8000)

    assert env["SIMULATOR_URL"] == "http://127.0.0.1:9999"
    commands = [child.command for child in starting.children("127.0.0.1", 8000, env)]
    assert "simulator" not in " ".join(word for command in commands for word in command)
