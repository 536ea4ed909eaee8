"""What the papers at the root promise to list, they list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Read by Django or for building, not for operators.
INTERNAL = {"DJANGO_BUILD"}


def test_every_setting_of_the_environment_stands_in_the_example() -> None:
    settings = (ROOT / "smsapp" / "settings.py").read_text()
    read = set(re.findall(r'(?:env\.\w+|_secret|environ\.get)\(\s*"([A-Z_]+)"', settings))

    example = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert read - INTERNAL <= example


def test_the_example_changes_nothing_until_somebody_edits_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.in"])
def test_every_package_has_its_reason(file: str) -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    packages = re.findall(r"^([\w-]+)(?:\[[\w,]+\])?==", (ROOT / file).read_text(), re.MULTILINE)

    assert packages
    assert [package for package in packages if package not in reasons] == []


def pinned(file: str) -> dict[str, tuple[str, int]]:
    """Give {package: (version, how many hashes)} of a requirements file; nothing else may stand in it."""
    lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
    found = {}
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, version, hashes = re.fullmatch(
            r"([\w.-]+)(?:\[[\w,-]+\])?==(\S+)(?: *;[^\\]*?)?((?: +--hash=sha256:[0-9a-f]{64})*)\s*(?:#.*)?",
            line,
        ).groups()  # type: ignore[union-attr]
        found[name.lower().replace("_", "-")] = version, hashes.count("--hash=")
    return found


@pytest.mark.parametrize("file", ["requirements", "requirements-dev"])
def test_every_package_is_pinned_to_files_that_were_looked_at(file: str) -> None:
    chosen = re.findall(
        r"^([\w-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / f"{file}.in").read_text(), re.MULTILINE
    )
    packages = pinned(f"{file}.txt")

    assert [name for name, (_, hashes) in packages.items() if not hashes] == []
    assert {name: packages[name.lower()][0] for name, _ in chosen} == dict(chosen)


def test_tests_run_with_the_versions_that_sites_run_with() -> None:
    site, tests = pinned("requirements.txt"), pinned("requirements-dev.txt")

    assert {name: tests.get(name) for name in site} == site
