from __future__ import annotations

import stat
import subprocess
import time
from pathlib import Path

import pytest

from smsapp import valkey


def test_the_embedded_server_keeps_what_it_took_when_it_is_killed(tmp_path: Path) -> None:
    path = valkey.socket_path(tmp_path)
    valkey.make_private(tmp_path / "queue")
    command = valkey.command(str(valkey.binary()), folder=tmp_path / "queue", path=path)

    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        wait_for(path)
        assert valkey._ask(path, "SET greeting hello") == b"+OK\r\n"
        time.sleep(1.1)  # the log is written down once a second
        server.kill()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        wait_for(path)
        kept = valkey._ask(path, "GET greeting")
        valkey.ask_to_stop(path)
        assert server.wait(timeout=5) == 0

    assert kept == b"$5\r\nhello\r\n"
    assert not valkey.is_there(path)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 5
    while not valkey.answers(path):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_socket_lies_beside_the_data() -> None:
    assert valkey.socket_path(Path("/srv/smsapp")) == Path("/srv/smsapp/valkey.sock")


def test_a_path_too_long_for_a_socket_moves_to_a_short_one_of_its_own() -> None:
    deep, deeper = Path("/", "long" * 30), Path("/", "long" * 31)

    assert len(str(valkey.socket_path(deep))) < 104
    assert valkey.socket_path(deep) == valkey.socket_path(deep)
    assert valkey.socket_path(deep) != valkey.socket_path(deeper)


def test_the_socket_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)

    valkey.make_private(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_socket_folder_laid_out_by_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")

    with pytest.raises(PermissionError):
        valkey.make_private(tmp_path / "link")


def test_an_address_with_unusual_letters_survives_in_the_url() -> None:
    assert valkey.url(Path("/srv/50% off/valkey.sock")) == "unix:///srv/50%25%20off/valkey.sock"


def test_the_program_of_the_operator_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALKEY_BINARY", "/opt/valkey/bin/valkey-server")

    assert valkey.binary() == "/opt/valkey/bin/valkey-server"
