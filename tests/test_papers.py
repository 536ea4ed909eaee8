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
