"""What others wrote lies here unchanged, at the version we name, with its licence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANIFEST = json.loads((ROOT / "static/vendor/manifest.json").read_text())
VERSIONS = {
    "@tabler/core": "1.6.1",
    "htmx.org": "2.0.11",
    "@tabler/icons": "3.51.0",
    "axe-core": "4.14.1",
}
each = pytest.mark.parametrize("item", MANIFEST, ids=[item["name"] for item in MANIFEST])


@each
def test_a_vendored_file_is_the_one_of_the_manifest(item: dict[str, str]) -> None:
    content = (ROOT / item["file"]).read_bytes()

    assert hashlib.sha256(content).hexdigest() == item["sha256"]


@each
def test_a_vendored_file_comes_with_its_licence(item: dict[str, str]) -> None:
    assert item["licence"]
    assert "copyright" in (ROOT / item["licence_file"]).read_text().lower() or (
        item["licence"] == "0BSD"
    )


def test_the_versions_are_those_we_chose() -> None:
    assert {item["name"]: item["version"] for item in MANIFEST} == VERSIONS


@pytest.mark.parametrize(
    ("file", "mark"),
    [
        ("static/vendor/tabler.min.css", "Tabler v1.6.1"),
        ("static/vendor/htmx.min.js", 'version:"2.0.11"'),
        ("tests/vendor/axe.min.js", "axe v4.14.1"),
    ],
    ids=["tabler", "htmx", "axe"],
)
def test_the_files_themselves_name_that_version(file: str, mark: str) -> None:
    assert mark in (ROOT / file).read_text()


def test_every_vendored_file_is_in_the_manifest() -> None:
    known = {item["file"] for item in MANIFEST} | {item["licence_file"] for item in MANIFEST}
    folders = [ROOT / "static/vendor", ROOT / "tests/vendor"]
    there = {str(file.relative_to(ROOT)) for folder in folders for file in folder.glob("*.*")}

    assert there - known == {"static/vendor/manifest.json"}


def test_no_file_points_to_a_source_map_that_is_not_here() -> None:
    files = [*(ROOT / "static").rglob("*.css"), *(ROOT / "static").rglob("*.js")]

    assert [file.name for file in files if "sourceMappingURL" in file.read_text()] == []
