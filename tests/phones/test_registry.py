from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from phones import matrix, registry
from phones.base import Capabilities, PhoneType
from phones.management.commands.phonetypes import as_markdown, as_text

ROOT = Path(__file__).parents[2]


def test_a_file_or_folder_is_a_type_and_its_name_is_the_slug() -> None:
    types = ROOT / "phones/types"
    files = {file.stem for file in types.glob("[!_]*.py")}
    folders = {file.parent.name for file in types.glob("[!_]*/__init__.py")}

    assert set(registry.all_types()) == files | folders
    assert all(kind.slug == slug for slug, kind in registry.all_types().items())


def test_types_stand_in_the_order_of_their_labels() -> None:
    labels = [str(kind.label) for kind in registry.all_types().values()]

    assert labels == sorted(labels, key=str.casefold)


def test_a_type_says_who_is_behind_it() -> None:
    providers = {slug: str(kind.provider) for slug, kind in registry.all_types().items()}

    assert providers["ovh_number"] == providers["ovh_shortcode"] == "OVH"
    assert providers["plivo"] == "Plivo"
    assert all(providers.values())


def test_a_type_whose_file_is_gone_is_not_found() -> None:
    with pytest.raises(KeyError):
        registry.get("gone")


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_holds_exactly_one_type(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    name = "phones.types.made_up"
    module = ModuleType(name)
    for number in range(count):
        setattr(module, f"Type{number}", type("T", (PhoneType,), {"__module__": name}))
    monkeypatch.setitem(sys.modules, name, module)

    with pytest.raises(TypeError, match=rf"exactly one PhoneType, not {count}"):
        registry._type_in("made_up")


def test_the_matrix_has_a_cell_for_each_type_and_capability() -> None:
    for row in matrix.rows():
        assert [cell.column.name for cell in row.cells] == Capabilities.names()
        assert all(cell.ability is getattr(row.kind.can, cell.column.name) for cell in row.cells)


def test_types_that_can_do_what_is_wanted_come_first() -> None:
    rows = matrix.rows({"flash"})

    assert [row.fits for row in rows] == sorted((row.fits for row in rows), reverse=True)
    assert all(row.fits == row.kind.can.flash.ok for row in rows)
    assert [cell.column.name for cell in rows[0].cells if cell.column.wanted] == ["flash"]


def test_wanting_nothing_or_nonsense_fits_everything() -> None:
    assert all(row.fits for row in matrix.rows())
    assert all(row.fits for row in matrix.rows({"teleport"}))


def test_the_page_of_phone_types_is_what_the_types_say() -> None:
    written = (ROOT / "docs/phone-types.md").read_text()

    assert written == as_markdown(), "Run: manage.py phonetypes --markdown > docs/phone-types.md"


def test_the_page_of_phone_types_is_english_whoever_writes_it() -> None:
    with translation.override("fr"):
        written = as_markdown()

    assert written == as_markdown()


@pytest.mark.parametrize("width", [20, 80, 200])
def test_the_command_prints_every_capability_at_any_width(width: int) -> None:
    lines = as_text(width).splitlines()

    for name in Capabilities.names():
        sentence = str(Capabilities.sentence(name))
        assert any(line.startswith(sentence) for line in lines)
    assert all(slug in as_text(width) for slug in registry.all_types())


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("phonetypes", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_one_type_with_its_notes() -> None:
    text = printed("simulator")

    assert text.startswith("Simulator: ")
    assert "from numbers that end in 07".lower() in text.lower()


def test_the_command_prints_the_matrix_and_the_page() -> None:
    assert "simulator" in printed()
    assert printed("--markdown") == as_markdown()


def test_the_command_says_which_types_there_are() -> None:
    with pytest.raises(CommandError, match="simulator"):
        printed("teleport")
