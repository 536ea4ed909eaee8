"""What docs/security.md promises of the whole site, looked for in all of it."""

from __future__ import annotations

import ast
import csv
import io
import re
import time
import uuid
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.core import mail
from django.test import Client
from django.utils.datastructures import MultiValueDict
from openpyxl import load_workbook

from accounts.mail import send
from accounts.models import Membership, Role, User, Workspace
from contacts.models import Contact
from phones import registry
from phones.forms import _provider_form
from phones.models import Phone
from tests.test_doors import things
from tests.test_nasty_input import WHOLE, at

__all__ = ["things"]

ROOT = Path(__file__).parent.parent
OURS = ("lib", "accounts", "contacts", "phones", "messaging", "campaigns", "smsapp")
MODELS = {
    model
    for model in apps.get_models()
    if "workspace" in {item.name for item in model._meta.get_fields()}
}
OF_A_WORKSPACE = {model.__name__ for model in MODELS}


@cache
def sources() -> list[tuple[str, ast.Module]]:
    """Give our modules, each by its path, as they are written."""
    files = (file for folder in OURS for file in sorted((ROOT / folder).rglob("*.py")))
    return [
        (file.relative_to(ROOT).as_posix(), ast.parse(file.read_text()))
        for file in files
        if "migrations" not in file.parts
    ]


# ---- The workspace ------------------------------------------------------------------------------


def queries(tree: ast.Module) -> Iterator[ast.Call]:
    """Give what is asked of the whole table of something that a workspace has: the outermost calls."""
    within: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in within:
            continue
        chain, names = node.func, []
        while isinstance(chain, (ast.Attribute, ast.Call)):
            if isinstance(chain, ast.Call):
                within.add(id(chain))
                chain = chain.func
            else:
                names.append(chain.attr)
                chain = chain.value
        if isinstance(chain, ast.Name) and chain.id in OF_A_WORKSPACE and "objects" in names:
            yield node


# Two for administrators of the site, and a field that was found in the workspace.
ELSEWHERE = [
    ("accounts/activity_views.py", "Event.objects.all()"),
    ("accounts/activity_views.py", "Event.objects"),
    ("contacts/views/fields.py", "Field.objects"),
]


def test_pages_ask_for_nothing_without_its_workspace() -> None:
    unbounded = []
    for path, tree in sources():
        if not re.search(r"views|forms", path) or "administration" in path:
            continue
        for call in queries(tree):
            words = ast.unparse(call)
            if "workspace" not in words and not words.endswith(".none()"):
                unbounded.append((path, words.partition(".filter")[0]))

    assert unbounded == ELSEWHERE


@pytest.mark.django_db
def test_no_form_takes_what_belongs_to_another_workspace(things: Any, as_charlie: Client) -> None:
    """A stranger sends every form with ids of somebody else's: nothing of his points to them."""
    ids = {str(pk) for pk in things["pk"].values()}
    elsewhere = Workspace.objects.get(name="Elsewhere")
    Phone.objects.create(workspace=elsewhere, type="simulator", name="His", settings={})
    for name, form in WHOLE.items():
        if name.startswith(("account_", "set", "mfa_", "admin_", "workspace_switch")):
            continue
        for pk in sorted(ids)[:2]:
            his = {"submission": str(uuid.uuid4()), "phone": pk, "groups": pk, "group": pk}
            his |= {"chosen": pk, "kept": pk, "target": pk, "segment": pk, "who": f"g{pk}"}
            as_charlie.post(at(name, things), form | his)

    assert crossing() == []


def crossing() -> list[str]:
    """Name the rows that point from one workspace into another."""
    found = []
    for model in apps.get_models():
        names = {
            item.name: item
            for item in model._meta.get_fields()
            if item.many_to_one or item.many_to_many
        }
        if model not in MODELS:
            continue
        for name, item in names.items():
            there = item.related_model
            if item.auto_created or there not in MODELS:
                continue
            rows = model._default_manager.exclude(**{name: None})
            pairs = rows.values_list("workspace_id", f"{name}__workspace_id")
            found += [f"{model.__name__}.{name}" for mine, its in pairs if mine != its]
    return found


# ---- Fields that no form offers -----------------------------------------------------------------


def test_each_form_names_its_fields() -> None:
    def subclasses(kind: Any) -> Iterator[Any]:
        for below in kind.__subclasses__():
            yield below
            yield from subclasses(below)

    for path, _tree in sources():
        if "forms" in path or "views" in path:
            import_module(path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
    ours = [form for form in subclasses(forms.ModelForm) if form.__module__.split(".")[0] in OURS]

    assert ours
    for form in ours:
        assert isinstance(form._meta.fields, (list, tuple)), form
        assert form._meta.exclude is None, form


@pytest.mark.django_db
def test_who_sends_more_than_a_form_asks_gains_nothing(
    things: Any, as_bob: Client, as_alice: Client, bob: User, workspace: Workspace
) -> None:
    more = {
        "is_superuser": "on", "is_staff": "on", "email": "root@example.org", "role": Role.OWNER,
        "must_change_password": "", "password": "x", "pk": "1", "id": "1", "user": "1",
        "archived_at": "2026-01-01", "deleting_at": "2026-01-01", "workspace": "1", "token": "known",
    }  # fmt: skip

    as_bob.post("/settings/profile/", WHOLE["profile"] | more)
    as_bob.post(at("profile", things), WHOLE["profile"] | more)
    as_alice.post(at("settings_workspace", things), WHOLE["settings_workspace"] | more)
    as_alice.post(at("phone_edit", things), WHOLE["phone_edit"] | more)

    bob.refresh_from_db()
    workspace.refresh_from_db()
    assert not bob.is_superuser
    assert not bob.is_staff
    assert bob.email == "bob@example.org"
    assert Membership.objects.get(user=bob).role == Role.SENDER
    assert workspace.archived_at is None
    assert workspace.deleting_at is None
    assert not Phone.objects.filter(token="known").exists()


# ---- Line breaks --------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", registry.all_types())
def test_no_line_of_a_phone_s_settings_breaks_in_two(slug: str) -> None:
    """They become headers, addresses and commands at the provider."""
    kind = registry.get(slug)
    lines = [
        name
        for name, item in kind.Settings.base_fields.items()
        if isinstance(item, forms.CharField) and not isinstance(item.widget, forms.Textarea)
    ]
    for name in lines:
        data = MultiValueDict({f"settings-{name}": ["Acme\r\nX-Other: y"]})
        form = _provider_form(kind, data)

        assert name in form.errors or name not in form.fields


def test_a_name_with_a_line_break_adds_no_header_to_a_mail() -> None:
    send("a@example.org", "Hello\r\nBcc: b@example.org", "accounts/mail/notice.txt")

    (letter,) = mail.outbox
    assert letter.recipients() == ["a@example.org"]
    assert "Bcc" not in letter.message()


# ---- Files for programs that calculate ----------------------------------------------------------

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"]


@pytest.mark.django_db
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_no_export_of_people_calculates(
    format_: str, as_alice: Client, workspace: Workspace
) -> None:
    for number, words in enumerate(FORMULAS):
        Contact.objects.create(
            workspace=workspace, number=f"+3361234567{number}", name=words, notes=words
        )

    answer: Any = as_alice.get("/contacts/export/", {"format": format_})
    content = b"".join(answer.streaming_content)

    if format_ == "csv":
        cells = [
            cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in row
        ]
    else:
        sheet: Any = load_workbook(io.BytesIO(content)).active
        assert "f" not in {cell.data_type for row in sheet for cell in row}
        cells = [str(cell.value or "") for row in sheet for cell in row]
    wrong = [cell for cell in cells if re.match(r"[=@\t\r\n＝＠]|[+-].*[a-z|(]", cell)]
    assert wrong == []
    assert "attachment" in answer["Content-Disposition"]


def test_tables_are_written_where_formulas_are_thought_of() -> None:
    writers = {path for path, tree in sources() if "csv.writer(" in ast.unparse(tree)}

    # The latter writes prefixes, amounts, currencies and names of countries, which nobody types.
    # The last one keeps what somebody gave us as it was, for us alone.
    assert writers == {
        "contacts/exporting.py",
        "phones/price_files.py",
        "contacts/importing/erasing.py",
    }


# ---- Time ---------------------------------------------------------------------------------------

SECRET = re.compile(r"(signature|digest|hmac|secret|token|password|sig|token_hash|code_hash)$")
# Neither is known to one side alone: a typed pair, an argument of the operator, two digests of ours.
NOT_SECRET = {
    "accounts/passwords.py", "phones/types/external/settings.py", "phones/types/_ovh/looking.py",
    "smsapp/preparing.py",
}  # fmt: skip


def test_secrets_are_compared_in_constant_time() -> None:
    found = {
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], (ast.Eq, ast.NotEq))
        and any(SECRET.search(named(side)) for side in (node.left, node.comparators[0]))
    }

    assert found == NOT_SECRET


def named(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


REPEATED = [
    "a",
    "0",
    " ",
    "+",
    "-",
    "=",
    "(",
    "\n",
    "a ",
    "0 ",
    "a.",
    "%2",
    "<a",
    "{{",
    "'",
    ",",
    "A0",
    "_",
]


def test_no_regular_expression_runs_away() -> None:
    """Twice the length may take four times as long, not a thousand times."""
    patterns = {
        value
        for path, _tree in sources()
        if "management" not in path
        for value in vars(
            import_module(path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        ).values()
        if isinstance(value, re.Pattern)
    }
    slow = []
    for pattern in patterns:
        for piece in REPEATED:
            text: Any = piece * (600 // len(piece)) + "!"
            text = text.encode() if isinstance(pattern.pattern, bytes) else text
            began = time.process_time()
            pattern.match(text)
            pattern.fullmatch(text)
            pattern.search(text)
            if time.process_time() - began > 0.2:
                slow.append((pattern.pattern, piece))

    assert len(patterns) > 50
    assert slow == []
