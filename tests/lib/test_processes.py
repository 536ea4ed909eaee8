"""Processes of this machine: only what is surely gone has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lib import processes

SLEEP = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_a_process_that_runs_has_not_ended() -> None:
    assert processes.me() == processes.me() != ""
    assert not processes.has_ended(processes.me())


def test_one_that_was_killed_has_ended_even_before_its_parent_looks() -> None:
    with subprocess.Popen(SLEEP, stdin=subprocess.PIPE) as process:
        name = processes._name(process.pid)
        before = processes.has_ended(name)
        process.kill()
        process.wait()

        assert not before
        assert processes.has_ended(name)


def test_another_one_that_has_its_number_is_another_one() -> None:
    place, _, process = processes.me().rpartition("/")

    assert processes.has_ended(f"{place}/{process}1")


@pytest.mark.parametrize(
    "name", ["", "/", "nonsense", "boot/pid:[1]/1.1", "boot/pid:[1]/x.1", "a/b/c/d"]
)
def test_of_another_machine_nothing_is_known(name: str) -> None:
    assert not processes.has_ended(name)


def test_where_the_system_does_not_tell_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = processes.me()
    monkeypatch.setattr(processes, "_PROC", Path("/nowhere"))

    assert processes.me() == ""
    assert not processes.has_ended(name + "1")
