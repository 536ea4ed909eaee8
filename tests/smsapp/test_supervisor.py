"""The supervisor over tiny children, in a process of its own: signals and deaths are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smsapp.supervisor import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    STEADY_AFTER,
    CannotStart,
    Child,
    Supervisor,
    next_pause,
)

ROOT = Path(__file__).resolve().parents[2]

# Keeps the children described by argv[1]: a JSON list of Child's arguments. Tests that were started
# with `nohup` or `&` hand down that SIGHUP and SIGINT are ignored, which a supervisor respects.
KEEPER = """
import json, signal, sys
from smsapp.supervisor import Child, Supervisor
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
with Supervisor() as supervisor:
    supervisor.start(*(Child(**child) for child in json.loads(sys.argv[1])))
    supervisor.run()
"""
# Writes its process number, then on SIGTERM its name into a shared journal.
CHILD = """
import os, signal, sys, time
name, folder, obeys = sys.argv[1], sys.argv[2], sys.argv[3] == "obeys"
def leave(*_):
    with open(folder + "/journal", "a") as journal:
        journal.write(name + "\\n")
    if obeys:
        sys.exit(0)
signal.signal(signal.SIGTERM, leave)
with open(folder + "/draft-" + name, "w") as out:
    out.write(str(os.getpid()))
os.replace(folder + "/draft-" + name, folder + "/" + name)
print("hello from " + name)
while True:
    time.sleep(0.05)
"""

Keep = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    """Start a supervisor in a process; what is still alive at the end is killed.

    One that a test left behind would fail another: its `Popen` is told of when it is collected.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*children: dict[str, object]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KEEPER, json.dumps(children)]
        supervisor = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(supervisor)
        return supervisor

    yield start
    for process in started:
        try:
            process.terminate()
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def child(name: str, folder: Path, *, obeys: bool = True, **options: object) -> dict[str, object]:
    behaviour = "obeys" if obeys else "refuses"
    command = [sys.executable, "-c", CHILD, name, str(folder), behaviour]
    return {"name": name, "command": command, **options}


def eventually(condition: Callable[[], object], seconds: float = 5) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It did not happen in time.")


def number_of(name: str, folder: Path) -> int:
    eventually((folder / name).exists)
    return int((folder / name).read_text())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_killed_child_is_started_again(keep: Keep, tmp_path: Path) -> None:
    keep(child("web", tmp_path))
    first = number_of("web", tmp_path)

    os.kill(first, signal.SIGKILL)

    eventually(lambda: number_of("web", tmp_path) != first)
    assert is_alive(number_of("web", tmp_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_children_stop_from_the_highest_stage_down(
    keep: Keep, tmp_path: Path, number: signal.Signals
) -> None:
    stages = {"queue": 0, "worker": 2, "web": 1}
    supervisor = keep(*(child(name, tmp_path, stage=stage) for name, stage in stages.items()))
    numbers = [number_of(name, tmp_path) for name in stages]

    supervisor.send_signal(number)

    assert supervisor.wait(timeout=20) == 0
    assert (tmp_path / "journal").read_text().split() == ["worker", "web", "queue"]
    assert not any(is_alive(process) for process in numbers)


def test_a_child_that_does_not_finish_is_killed_after_its_patience(
    keep: Keep, tmp_path: Path
) -> None:
    supervisor = keep(child("worker", tmp_path, obeys=False, patience=0.3))
    worker = number_of("worker", tmp_path)

    supervisor.terminate()
    said, _ = supervisor.communicate(timeout=20)

    assert not is_alive(worker)
    assert "worker          | did not finish in time and was killed" in said


def test_a_second_ctrl_c_kills_at_once(keep: Keep, tmp_path: Path) -> None:
    supervisor = keep(child("worker", tmp_path, obeys=False, patience=60))
    worker = number_of("worker", tmp_path)

    supervisor.send_signal(signal.SIGINT)
    eventually((tmp_path / "journal").exists)
    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(timeout=20) == 0
    assert not is_alive(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells children of our death.")
def test_a_killed_supervisor_leaves_no_orphan(keep: Keep, tmp_path: Path) -> None:
    supervisor = keep(child("web", tmp_path), child("worker", tmp_path))
    numbers = [number_of(name, tmp_path) for name in ("web", "worker")]

    supervisor.kill()

    eventually(lambda: not any(is_alive(process) for process in numbers))


def test_what_a_dead_child_had_started_does_not_live_on(keep: Keep, tmp_path: Path) -> None:
    master = """
import subprocess, sys, time
subprocess.Popen(sys.argv[1:])
time.sleep(60)
"""
    helper = [sys.executable, "-c", CHILD, "helper", str(tmp_path), "obeys"]
    keep({"name": "web", "command": [sys.executable, "-c", master, *helper]})
    first = number_of("helper", tmp_path)

    os.kill(os.getpgid(first), signal.SIGKILL)

    eventually(lambda: not is_alive(first))
    eventually(lambda: number_of("helper", tmp_path) != first)


def test_lines_come_out_behind_the_name_of_who_printed_them(keep: Keep, tmp_path: Path) -> None:
    noisy = {"name": "web", "command": [sys.executable, "-c", "print('advice'); print('héllo')"]}
    supervisor = keep({**noisy, "ignored": ["advice"]}, child("worker", tmp_path))
    number_of("worker", tmp_path)

    supervisor.terminate()
    said, _ = supervisor.communicate(timeout=20)

    assert "web             | héllo" in said
    assert "worker          | hello from worker" in said
    assert "advice" not in said


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(keep: Keep, tmp_path: Path) -> None:
    supervisor = keep(child("web", tmp_path))
    web = number_of("web", tmp_path)

    assert os.getpgid(web) != os.getpgid(supervisor.pid)


def test_a_command_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(CannotStart, match="no-such-program cannot be started: No such file"),
        Supervisor() as supervisor,
    ):
        supervisor.start(Child("queue", ["no-such-program"]))


@pytest.mark.parametrize(
    ("pause", "lived", "expected"),
    [
        pytest.param(0, 1, FIRST_PAUSE, id="the first death"),
        pytest.param(0.2, 1, 0.4, id="soon again"),
        pytest.param(8, 1, LONGEST_PAUSE, id="never longer than the longest"),
        pytest.param(8, STEADY_AFTER, FIRST_PAUSE, id="after a steady life"),
    ],
)
def test_the_pause_doubles_while_a_child_keeps_dying(
    pause: float, lived: float, expected: float
) -> None:
    assert next_pause(pause, lived=lived) == expected
