"""Packages of npm that stand in for providers: fetched once, outside the repository.

They lie in ~/.cache/smsapp-peers (or SMSAPP_PEERS). Where node or npm is missing or a package cannot
be had, the test skips and says why. Scripts of packages are not run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Seconds to fetch a package.
PATIENCE = 120


def node() -> str:
    """Give the path of node; skip the test where it or npm is missing."""
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        pytest.skip("This peer needs node and npm (Debian: apt install nodejs npm).")
    return found


def home() -> Path:
    """Give the folder outside the repository that holds what tests install."""
    return Path(os.environ.get("SMSAPP_PEERS") or Path.home() / ".cache" / "smsapp-peers")


def package(name: str, version: str) -> Path:
    """Give the folder of a package in exactly this version, installed unless it is there."""
    with _alone() as place:
        folder = place / "node_modules" / name
        if _version(folder) != version:
            _npm("install", "--ignore-scripts", "--prefix", str(place), f"{name}@{version}")
    return folder


def files_of(package: str, *paths: str) -> list[Path]:
    """Give these files of a package that is too big to be kept whole."""
    with _alone() as place:
        folder = place / "files" / package
        found = [folder / path for path in paths]
        if not all(file.is_file() for file in found):
            with tempfile.TemporaryDirectory(dir=place) as draft:
                _npm("pack", "--silent", "--pack-destination", draft, package)
                [archive] = Path(draft).glob("*.tgz")
                with tarfile.open(archive) as tar:
                    for path in paths:
                        content = tar.extractfile(f"package/{path}")
                        assert content is not None
                        (folder / path).parent.mkdir(parents=True, exist_ok=True)
                        (folder / path).write_bytes(content.read())
    return found


@contextmanager
def _alone() -> Iterator[Path]:
    """Give the folder, to one process at a time: two npm in one folder break each other's work."""
    node()
    home().mkdir(parents=True, exist_ok=True)
    with (home() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home()


def _version(folder: Path) -> str:
    try:
        return str(json.loads((folder / "package.json").read_text())["version"])
    except OSError:
        return ""


def _npm(command: str, *arguments: str) -> None:
    asked = ["npm", command, "--no-audit", "--no-fund", *arguments]
    try:
        done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch {arguments[-1]} within {PATIENCE} seconds.")
    if done.returncode:
        pytest.skip(f"npm cannot fetch {arguments[-1]}: {done.stderr.strip()[-300:]}")
