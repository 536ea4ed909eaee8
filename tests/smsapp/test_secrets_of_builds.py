"""The secrets of builds are known to everybody: no site starts with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCE = "SECRET_KEY is not set and {data}/secrets/secret_key does not exist."


def started(data: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DJANGO_BUILD": "1", "DATA_DIR": str(data)}
    for name in ("SECRET_KEY", "FIELD_KEYS"):
        env.pop(name, None)
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "up"],
        ["manage.py", "rqworker", "send"],
        ["manage.py", "sessions"],
        ["-c", "import smsapp.wsgi"],
    ],
    ids=["up", "worker", "sessions", "wsgi"],
)
def test_no_site_starts_with_them(command: list[str], tmp_path: Path) -> None:
    refused = started(tmp_path, *command)

    assert refused.returncode == 1
    assert refused.stderr.startswith(SENTENCE.format(data=tmp_path))
    assert len(refused.stderr.splitlines()) == 1


def test_builds_and_checks_need_no_others(tmp_path: Path) -> None:
    assert started(tmp_path, "manage.py", "diffsettings").returncode == 0
