"""Every page an owner can open, in Chromium: axe and CSP have nothing to say, nothing overflows."""

from __future__ import annotations

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


def pages(things: dict[str, dict[str, Any]], client: Client) -> list[str]:
    """Give the addresses that show a page when they are opened, one for each template of a page."""
    names = sorted(
        (MEMBER - SHOWN_ELSEWHERE)
        | MANAGER
        | (SENDER - {"campaign_preview", "compose_recipients", "texts_menu"})
        | SELF
        | ADMINISTRATOR
    )
    paths = [address(name, things) for name in names]
    drawn: dict[str, str] = {}
    for path in paths:
        answer = client.get(path)
        if answer.status_code == 200 and "Content-Disposition" not in answer:
            drawn.setdefault(answer.templates[0].name if answer.templates else path, path)
    return list(drawn.values())


def test_every_page_is_accessible_and_fits(
    things: dict[str, dict[str, Any]],
    alice: User,
    as_alice: Client,
    log_in: Callable[[User], Page],
    live_server: LiveServer,
    complaints: list[str],
) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    page = log_in(alice)
    page.add_init_script(path=AXE)
    problems: list[str] = []
    for path in pages(things, as_alice):
        page.goto(live_server.url + path)
        try:
            assert_for_everybody(page, path)
        except AssertionError as error:
            problems.append(str(error))

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
