"""English, French and Spanish are complete: a word shown to people and missing in one of them fails here."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.conf import settings
from django.template import Template
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.translation import trim_whitespace

ROOT = Path(__file__).parents[1]
APPS = ("accounts", "contacts", "lib", "messaging", "phones", "smsapp")
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURALS = {"ngettext", "ngettext_lazy"}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]")
# What a person sees between tags or in these attributes must go through a translation tag.
ATTRIBUTES = ("title", "placeholder", "aria-label", "alt")


def in_python() -> Iterator[tuple[str, str]]:
    """Give (where, msgid) of each literal in a translating call."""
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    count = 2 if name in PLURALS else 1 if name in CALLS else 0
                    for argument in node.args[:count]:
                        where = f"{file.relative_to(ROOT)}:{node.lineno}"
                        assert isinstance(argument, ast.Constant), f"{where} translates no literal"
                        yield where, str(argument.value)


def test_makemessages_knows_every_name_of_a_translating_call() -> None:
    """It reads the names that gettext has, and `_`; what hides behind another is never translated."""
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
                    assert {alias.asname for alias in node.names} <= {None, "_"}, file


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.*"))


def in_templates() -> Iterator[tuple[str, str]]:
    for file in templates():
        for node in all_nodes(Template(file.read_text()).nodelist):
            where = str(file.relative_to(ROOT))
            if isinstance(node, TranslateNode):
                literal = getattr(node.filter_expression.var, "literal", None)
                if literal is not None:
                    yield where, str(literal)
            elif isinstance(node, BlockTranslateNode):
                for tokens in filter(None, (node.singular, node.plural)):
                    text = node.render_token_list(tokens)[0]
                    yield where, trim_whitespace(text) if node.trimmed else text


def all_nodes(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for attribute in node.child_nodelists:
            yield from all_nodes(getattr(node, attribute, None) or [])
        # Partials keep what they define beside the tree.
        yield from all_nodes(getattr(getattr(node, "inner", None), "nodelist", None) or [])
        for _, branch in getattr(node, "conditions_nodelists", []):
            yield from all_nodes(branch)


def catalog(language: str) -> Catalog:
    folder = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"
    with (folder / "django.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def written() -> list[tuple[str, str]]:
    """Give (place, words) of all that is to be translated, read once for every language."""
    return [*in_python(), *in_templates()]


def strings(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("language", ["fr", "es"])
def test_every_word_is_translated(language: str) -> None:
    known = {
        msgid
        for message in catalog(language)
        if message.id and not message.fuzzy and all(strings(message.string))
        for msgid in strings(message.id)
    }

    missing = {(where, msgid) for where, msgid in written() if msgid not in known}

    assert not missing, "\n".join(f"{where}: {msgid!r}" for where, msgid in sorted(missing))


@pytest.mark.parametrize("language", ["fr", "es"])
def test_placeholders_survive_translation(language: str) -> None:
    for message in catalog(language):
        wanted = {match for text in strings(message.id) for match in PLACEHOLDER.findall(text)}
        for text in strings(message.string) if message.id else []:
            assert set(PLACEHOLDER.findall(text)) <= wanted, message.id
            if isinstance(message.id, str):
                assert set(PLACEHOLDER.findall(text)) == wanted, message.id


@pytest.mark.parametrize("language", ["fr", "es"])
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    folder = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"
    with (folder / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    for message in catalog(language):
        if message.id and not message.fuzzy and isinstance(message.id, str) and message.string:
            context = message.context
            said = (
                compiled.pgettext(context, message.id) if context else compiled.gettext(message.id)
            )
            assert said == message.string
