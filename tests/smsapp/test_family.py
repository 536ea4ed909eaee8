"""A family looks after its members: it forks again who ends, and lets all finish when it is to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each member is a command of its own here: it writes down its pid, and when it was asked to end.
FAMILY = """
    import os, signal, sys, time
    os.environ["DJANGO_SETTINGS_MODULE"] = "smsapp.settings"
    import django
    django.setup()
    from django.core.management import ManagementUtility
    from django.core.management.base import BaseCommand
    from pathlib import Path
    from smsapp import family

    class Sleep(BaseCommand):
        def add_arguments(self, parser):
            parser.add_argument("name")
        def handle(self, *, name, **_):
            place = Path(sys.argv[1]) / name
            with place.open("a") as told:
                told.write(f"{os.getpid()}\\n")
            if name == "breaks":
                raise ZeroDivisionError
            ended = []
            signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
            while not ended:
                time.sleep(0.02)
            time.sleep(0.2)
            with place.open("a") as told:
                told.write(f"finished\\n{time.monotonic()}\\n")

    ManagementUtility.fetch_command = lambda self, name: Sleep()
    last = [["sleep", name] for name in sys.argv[2:] if name == "last"]
    family.Family([["sleep", name] for name in sys.argv[2:] if name != "last"], last).run()
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started = []

    def start(*names: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "DJANGO_BUILD": "1", "DATA_DIR": str(tmp_path / "var")}
        command = [sys.executable, "-c", textwrap.dedent(FAMILY), str(tmp_path), *names]
        started.append(subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL))
        until(lambda: all(lines(tmp_path / name) for name in names))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_family_keeps_its_members_and_lets_them_finish(begin: Callable, tmp_path: Path) -> None:
    family = begin("one", "two", "breaks", "last")
    (first,) = lines(tmp_path / "one")

    os.kill(int(first), signal.SIGKILL)
    until(lambda: len(lines(tmp_path / "one")) == 2)
    until(lambda: len(lines(tmp_path / "breaks")) >= 2)
    family.terminate()

    assert family.wait(20) == 0
    assert lines(tmp_path / "one")[-2] == lines(tmp_path / "two")[-2] == "finished"
    assert len(lines(tmp_path / "two")) == 3
    assert float(lines(tmp_path / "last")[-1]) >= float(lines(tmp_path / "one")[-1]) + 0.2


def test_members_of_a_family_whose_parent_is_killed_finish_too(
    begin: Callable, tmp_path: Path
) -> None:
    family = begin("one")

    family.kill()

    until(lambda: "finished" in lines(tmp_path / "one"))


def test_ps_shows_what_each_member_does(begin: Callable, tmp_path: Path) -> None:
    begin("one")
    (pid,) = lines(tmp_path / "one")

    shown = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    assert shown.strip() == f"{sys.executable} manage.py sleep one"
