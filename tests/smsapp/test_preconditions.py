from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from smsapp.preconditions import check_port, hold
from smsapp.supervisor import CannotStart


def test_a_second_smsapp_on_the_same_folder_is_refused_and_told_who_holds_it(
    tmp_path: Path,
) -> None:
    with (
        hold(tmp_path / "up.lock"),
        pytest.raises(CannotStart, match=f"as process {os.getpid()}: stop it with `kill"),
    ):
        hold(tmp_path / "up.lock")


def test_a_folder_can_be_held_again_once_it_was_let_go(tmp_path: Path) -> None:
    hold(tmp_path / "up.lock").close()

    with hold(tmp_path / "up.lock") as lock:
        assert lock.fileno() > 0


def test_a_taken_port_is_named_with_a_command_that_avoids_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(CannotStart) as refused:
            check_port("127.0.0.1", port, patience=0)

    assert str(refused.value) == (
        f"Port {port} is taken by another program: stop that, or start with"
        f" `./run --port {port + 1}`."
    )


def test_an_address_of_another_machine_is_refused_in_a_sentence() -> None:
    with pytest.raises(CannotStart, match=re.escape("cannot listen on 192.0.2.1 (")):
        check_port("192.0.2.1", 8000)


def test_a_free_port_is_no_obstacle() -> None:
    check_port("127.0.0.1", 0)
