"""Who may import whom, and where a provider may be named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each part of the project, and the parts it may import besides itself.
ARROWS = {
    "lib": set(),
    "accounts": {"lib"},
    "contacts": {"accounts", "lib"},
    "phones": {"accounts", "lib"},
    "messaging": {"phones", "contacts", "accounts", "lib"},
    "campaigns": {"messaging", "phones", "contacts", "accounts", "lib"},
    "smsapp": {"campaigns", "messaging", "phones", "contacts", "accounts", "lib"},
}
# What a phone type may import of the project and of Django.
FOR_TYPES = ("phones.base", "phones.sessions", "lib", "django.forms", "django.utils.translation")
# Where the word may stand: the type itself, its tests, and servers that speak like it.
NAMED_IN = (
    "phones/types/twilio/", "tests/peers/", "tests/browser/test_main_path.py", "tests/test_architecture.py",
    "tests/test_secrets.py",
)  # fmt: skip


def imports(file: Path) -> Iterator[str]:
    """Give the dotted names a module imports; those relative to its own package left out."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def own_to(entry: str) -> tuple[str, ...]:
    """Give what only one type may import: its own folder or package, and what its provider shares."""
    slug = entry.removesuffix(".py")
    provider = slug.removeprefix("_").split("_")[0]
    return f"phones.types.{slug}", f"phones.{slug}", f"phones.types._{provider}"


def test_imports_follow_the_arrows() -> None:
    against = [
        f"{file.relative_to(ROOT)} imports {name}"
        for part, allowed in ARROWS.items()
        for file in (ROOT / part).rglob("*.py")
        for name in imports(file)
        if name.partition(".")[0] in ARROWS.keys() - allowed - {part}
    ]

    assert against == []


def test_a_phone_type_knows_the_contract_and_nothing_else_of_us() -> None:
    types = ROOT / "phones" / "types"
    against = [
        f"{file.relative_to(types)} imports {name}"
        for file in types.rglob("*.py")
        for name in imports(file)
        if is_within(name, ("django", *ARROWS))
        and not is_within(name, (*FOR_TYPES, *own_to(file.relative_to(types).parts[0])))
    ]

    assert against == []


def test_a_provider_is_named_in_its_own_place_only() -> None:
    folders = [*ARROWS, "templates", "static", "tests"]
    sources = [
        file.relative_to(ROOT)
        for folder in folders
        for suffix in ("py", "html", "txt", "js", "css")
        for file in (ROOT / folder).rglob(f"*.{suffix}")
        if "vendor" not in file.parts
    ]

    naming = [
        str(source)
        for source in sources
        if "twilio" in (ROOT / source).read_text().lower()
        and not str(source).startswith(NAMED_IN)
        and "twilio" not in source.name
    ]

    assert naming == []
