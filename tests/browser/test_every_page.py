"""Every page an owner can open, in Chromium: axe has nothing to say, nothing overflows.

A page with a script of its own is opened, as all are that other tests here walk. The others differ in
what their body holds alone, so it is put into a page that is open already: that costs a third. What the
CSP would refuse in them is looked for in their templates (tests/smsapp/test_pages.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.browser.conftest import AXE, assert_for_everybody
from tests.test_doors import (
    ADMINISTRATOR,
    MANAGER,
    MEMBER,
    SELF,
    SENDER,
    SHOWN_ELSEWHERE,
    address,
    things,
)

__all__ = ["things"]

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPTS = re.compile(r'<script src="([^"]+)"')
PUT = """text => {
    const page = new DOMParser().parseFromString(text, "text/html");
    document.title = page.title;
    document.body.replaceWith(page.body);
    showCopyButtons();
}"""


def pages(things: dict[str, dict[str, Any]], client: Client) -> dict[str, str]:
    """Give {address: HTML} of what shows a page when it is opened, one for each template of a page."""
    names = sorted(
        (MEMBER - SHOWN_ELSEWHERE)
        | MANAGER
        | (SENDER - {"campaign_preview", "compose_recipients", "texts_menu"})
        | SELF
        | ADMINISTRATOR
    )
    paths = [address(name, things) for name in names]
    drawn: dict[str, tuple[str, str]] = {}
    for path in paths:
        answer = client.get(path)
        if answer.status_code == 200 and "Content-Disposition" not in answer:
            template = answer.templates[0].name if answer.templates else path
            drawn.setdefault(template, (path, answer.content.decode()))
    return dict(drawn.values())


def test_every_page_is_accessible_and_fits(
    things: dict[str, dict[str, Any]],
    alice: User,
    as_alice: Client,
    log_in: Callable[[User], Page],
    live_server: LiveServer,
    complaints: list[str],
) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    shown = pages(things, as_alice)
    usual = SCRIPTS.findall(shown["/more/"])
    plain = [path for path, html in shown.items() if SCRIPTS.findall(html) == usual]
    plain.remove("/more/")  # the one the others are put into
    opened = [path for path in shown if path not in plain and path != "/more/"]
    page = log_in(alice)
    page.add_init_script(path=AXE)
    problems: list[str] = []
    for path in [*opened, "/more/", *plain]:
        if path in plain:
            page.evaluate(PUT, shown[path])
        else:
            page.goto(live_server.url + path)
        try:
            assert_for_everybody(page, path, "main" if path in plain else "")
        except AssertionError as error:
            problems.append(f"{path}: {error}")

    assert not problems, "\n".join(problems)


def test_pages_for_strangers_are_accessible(
    alice: User, page: Page, live_server: LiveServer
) -> None:
    for path in ("/login/", "/password/reset/", "/password/reset/sent/", "/nowhere/"):
        page.goto(live_server.url + path)

        assert_for_everybody(page, path)


def test_the_first_page_of_all_is_accessible(
    page: Page, live_server: LiveServer, complaints: list[str]
) -> None:
    page.goto(live_server.url)

    assert page.url.endswith("/setup/")
    assert_for_everybody(page)
