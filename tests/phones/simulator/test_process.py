from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.phones.simulator.conftest import line_to
from tests.phones.simulator.running import Receiver

ROOT = Path(__file__).parents[3]

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `manage.py simulator` on a folder of its own; gives the process and its address."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> tuple[subprocess.Popen[str], str]:
        environment = {**os.environ, "DATA_DIR": str(tmp_path), "DJANGO_BUILD": "1"}
        command = [sys.executable, "manage.py", "simulator", "--pace", "0.01", *options]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().rpartition(" ")[2].strip()

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_what_was_taken_survives_kill_9(start: Start) -> None:
    away = Receiver()
    away.close()
    process, base_url = start()
    line_to(base_url, away.base).send("+33639980006")
    process.kill()
    process.wait()

    back = Receiver(away.port)
    try:
        _, base_url = start()
        back.wait(2)
    finally:
        back.close()

    assert line_to(base_url, back.base).ask("/count")["received"] == 1
    assert len(back.bodies("status")) == len(back.bodies("incoming")) == 1


def test_it_stops_quietly_while_somebody_is_connected(start: Start) -> None:
    process, base_url = start()
    line_to(base_url, "http://127.0.0.1:1/").phone.check()

    process.terminate()
    _, complaints = process.communicate(timeout=10)

    assert (process.returncode, complaints) == (0, "")


def test_a_taken_port_is_said_in_one_sentence(start: Start, receiver: Receiver) -> None:
    process, _ = start("--port", str(receiver.port))

    _, complaints = process.communicate(timeout=10)

    assert process.returncode == 1
    assert complaints.startswith("CommandError: The simulator cannot start:")
    assert "Traceback" not in complaints
