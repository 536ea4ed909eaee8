"""Packages of npm that tests start: installed once, outside the repository.

They lie in ~/.cache/smsapp-peers (or SMSAPP_PEERS). Where node or npm is missing or a package cannot be
had, the test skips and says why.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Seconds to install.
PATIENCE = 120


def home() -> Path:
    """Give the folder outside the repository that holds what tests install."""
    return Path(os.environ.get("SMSAPP_PEERS") or Path.home() / ".cache" / "smsapp-peers")


def node() -> str:
    """Give the path of node; skip the test where it or npm is missing."""
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        pytest.skip("This peer needs node and npm (Debian: apt install nodejs npm).")
    return found


def package(name: str, version: str) -> Path:
    """Give the folder of a package in exactly this version, installed if need be."""
    node()
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / "node_modules" / name
    with (folder / ".lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _version(module) != version:
            _install(folder, f"{name}@{version}")
    return module


def _version(module: Path) -> str:
    try:
        return str(json.loads((module / "package.json").read_text())["version"])
    except OSError:
        return ""


def _install(folder: Path, what: str) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), what]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {what} within {PATIENCE} seconds.")
    if done.returncode:
        pytest.skip(f"npm cannot install {what}: {done.stderr.strip()[-300:]}")
