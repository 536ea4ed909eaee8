"""Every page an owner can open, in Chromium: axe and CSP have nothing to say, nothing overflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.browser.conftest import assert_accessible
from tests.test_doors import MANAGER, MEMBER, SELF, SENDER, SHOWN_ELSEWHERE, address, things

__all__ = ["things"]

pytestmark = pytest.mark.django_db(transaction=True)

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 780}


def pages(things: dict[str, dict[str, Any]], client: Client) -> list[str]:
    """Give the addresses that show a page when they are opened."""
    names = sorted((MEMBER - SHOWN_ELSEWHERE) | MANAGER | (SENDER - {"compose_recipients"}) | SELF)
    paths = [address(name, things) for name in names]
    answers = {path: client.get(path) for path in paths}
    return [
        path
        for path, answer in answers.items()
        if answer.status_code == 200 and "Content-Disposition" not in answer
    ]


def test_every_page_is_accessible_and_fits(
    things: dict[str, dict[str, Any]],
    alice: User,
    as_alice: Client,
    log_in: Callable[[User], Page],
    live_server: LiveServer,
    complaints: list[str],
) -> None:
    page = log_in(alice)
    problems: list[str] = []
    for path in pages(things, as_alice):
        page.goto(live_server.url + path)
        for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            try:
                assert_accessible(page)
            except AssertionError as error:
                problems.append(f"{path} {scheme}: {error}")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                problems.append(f"{path} does not fit into {size['width']} pixels")

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    "path", ["/login/", "/password/reset/", "/password/reset/sent/", "/nowhere/"]
)
def test_pages_for_strangers_are_accessible(
    path: str, alice: User, page: Page, live_server: LiveServer
) -> None:
    page.goto(live_server.url + path)

    assert_accessible(page)


def test_the_first_page_of_all_is_accessible(
    page: Page, live_server: LiveServer, complaints: list[str]
) -> None:
    page.goto(live_server.url)

    assert page.url.endswith("/setup/")
    assert_accessible(page)
