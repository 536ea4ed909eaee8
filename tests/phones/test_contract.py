"""What every phone type promises. A new one is found by itself and must pass."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from django import forms
from django.utils.functional import Promise

from phones import registry
from phones.base import Callback, Capabilities, Endpoint, Malformed, Money, PhoneType, yes
from phones.checks import check_phone_types, faults_of
from phones.types.simulator import Simulator

ROOT = Path(__file__).parents[2]
# What a type may import of ours and of Django; a provider's SDK is allowed to its own type.
OURS = ("phones.base", "phones.sessions", "lib", "django.forms", "django.utils.translation")
FORBIDDEN = (
    "django",
    "accounts",
    "contacts",
    "phones",
    "messaging",
    "smsapp",
    "requests",
    "socket",
)

every_type = pytest.mark.parametrize(
    "kind", registry.all_types().values(), ids=list(registry.all_types())
)


@every_type
def test_a_type_keeps_what_it_promises(kind: type[PhoneType]) -> None:
    assert faults_of(kind) == []


def test_the_start_is_checked_too() -> None:
    assert check_phone_types(None) == []


@every_type
def test_a_type_has_tests_and_a_page(kind: type[PhoneType]) -> None:
    assert (ROOT / f"tests/phones/types/test_{kind.slug}.py").is_file()
    assert (ROOT / f"docs/phones/{kind.slug}.md").is_file()


@every_type
def test_a_type_imports_nothing_it_may_not(kind: type[PhoneType]) -> None:
    wrong = [
        name
        for file in files_of(kind)
        for name in imported(file.read_text())
        if within(name, FORBIDDEN)
    ]

    # Its own folder, and the package of a protocol that only this type speaks.
    own = (*OURS, f"phones.types.{kind.slug}", f"phones.{kind.slug}")
    # What two types of one provider share lies beside them: octopush_number → _octopush.
    own = (*own, f"phones.types._{kind.slug.split('_')[0]}")
    assert [name for name in wrong if not within(name, own)] == []


@every_type
def test_every_word_of_a_type_can_be_translated(kind: type[PhoneType]) -> None:
    # A name of its own, such as the provider's, needs no translation; sentences do.
    untranslated = [words for words in sentences(kind) if words and not isinstance(words, Promise)]

    assert untranslated == []


@every_type
def test_a_pattern_says_what_fits_it(kind: type[PhoneType]) -> None:
    silent = [
        name
        for name, field in kind.Settings.base_fields.items()
        if isinstance(field, forms.RegexField) and "invalid" not in field.error_messages
    ]

    assert silent == []


@every_type
def test_the_answer_to_each_callback_is_a_success(kind: type[PhoneType]) -> None:
    phone = object.__new__(kind)
    for endpoint in kind.endpoints:
        assert 200 <= phone.reply(endpoint.name).status < 300


def sentences(kind: type[PhoneType]) -> Iterator[object]:
    yield kind.what
    yield kind.unsigned
    yield from kind.setup
    for name in Capabilities.names():
        yield getattr(kind.can, name).note
    for endpoint in kind.endpoints:
        yield from (endpoint.label, endpoint.why, *endpoint.paste)
    for row in kind.table:
        yield row[1]
    for field in kind.Settings.base_fields.values():
        yield from (field.label, field.help_text)


def files_of(kind: type[PhoneType]) -> list[Path]:
    """Give the type's one file, or those of its folder."""
    place = ROOT / "phones/types" / kind.slug
    return sorted(place.rglob("*.py")) or [place.with_suffix(".py")]


def imported(source: str) -> Iterator[str]:
    """Give each imported module; `from django import forms` is `django.forms`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            for item in node.names:
                whole = f"{node.module}.{item.name}"
                yield whole if is_module(whole) else str(node.module)


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def within(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


# ---- The checks find what they are there for ----------------------------------------------------


class Silent(PhoneType):
    label = "Silent"
    what = "gives nothing"
    can = Capabilities(send=yes(), receive=yes(), delivery=yes(), mms_in=yes(), balance=yes())


class Deaf(PhoneType):
    label = "Deaf"
    what = "is never called and asks for nothing"
    can = Capabilities(receive=yes(), polling=yes())


class Unsigned(Simulator):
    verify = PhoneType.verify


class Modest(Simulator):
    can = Capabilities(send=yes())


class Secretive(Simulator):
    can = Capabilities(send=yes())

    def price_to(self, country: str) -> Money:
        return Money(0, "EUR")


class Careless(Simulator):
    class Settings(forms.Form):
        api_key = forms.CharField(label="Key", help_text="Where it is.")
        password = forms.CharField(
            label="Password",
            help_text="Where it is.",
            widget=forms.PasswordInput(render_value=True),
        )
        number = forms.CharField()
        advanced = ("nothing",)


class Mute(Simulator):
    endpoints = (*Simulator.endpoints, Endpoint("call", "", ""))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Silent, ["method `check`"]),
        (Silent, ["`send`", "no method"]),
        (Silent, ["`receive`", "no method `parse`"]),
        (Silent, ["`mms_in`", "no method `fetch`"]),
        (Silent, ["`balance`", "no method"]),
        (Silent, ["`receive`", "no endpoint `incoming`"]),
        (Silent, ["`delivery`", "no endpoint `status`"]),
        (Deaf, ["`receive`", "no method `poll`"]),
        (Unsigned, ["`signed`", "no method `verify`"]),
        (Unsigned, ["does not say why"]),
        (Modest, ["matrix says that they are not signed"]),
        (Secretive, ["`price_to`", "no `price`"]),
        (Careless, ["`api_key`", "field that shows it"]),
        (Careless, ["`password`", "back into the page"]),
        (Careless, ["`number`", "no label or no help"]),
        (Careless, ["`nothing`", "does not exist"]),
        (Mute, ["Two of its endpoints"]),
        (Mute, ["`call`", "what it is and why"]),
        (Mute, ["`call`", "where to paste it"]),
        (PhoneType, ["no `label`"]),
    ],
)
def test_a_broken_promise_is_named(kind: type[PhoneType], words: list[str]) -> None:
    faults = faults_of(kind)

    assert [fault for fault in faults if all(word in fault for word in words)] != []


def test_a_callback_that_lacks_a_field_is_malformed() -> None:
    callback = Callback("POST", "https://x/", {}, {"b": ["2"]}, {"a": ["1"]}, b"")

    assert (callback.need("a"), callback.need("b")) == ("1", "2")
    with pytest.raises(Malformed, match="c is missing"):
        callback.need("c")
