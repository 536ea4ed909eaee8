"""Chromium for the browser tests: pages are walked as people do, and judged by axe-core."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parent.parent / "vendor" / "axe.min.js"
# Nothing of these may leave the machine.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What htmx says of a request that the person did not wait for.
BROKEN_OFF = ("htmx:sendAbort,", "htmx:afterRequest,")
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 740}
# Milliseconds for what a busy machine does later.
PATIENCE = 30_000
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None and "browser" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="chromium is not installed"))


@pytest.fixture(autouse=True, scope="session")
def patience() -> None:
    """Wait longer than five seconds for what is expected."""
    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": CHROMIUM, "args": QUIET}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    # Without motion, so that nothing is judged half-way through a transition.
    return {
        "viewport": WIDE,
        "locale": "en-GB",
        "reduced_motion": "reduce",
    }


@pytest.fixture(scope="session")
def one_context(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[BrowserContext]:
    """Give the profile of the whole run: a new one costs Chromium half a second of work."""
    context = browser.new_context(**browser_context_args)
    context.new_page()  # it keeps the window open, which would be made anew for each test
    yield context
    context.close()


@pytest.fixture
def context(one_context: BrowserContext) -> Iterator[BrowserContext]:
    """Give a profile that remembers nobody and may do nothing."""
    yield one_context
    one_context.clear_cookies()
    one_context.clear_permissions()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Give an empty page; what it stored is forgotten afterwards."""
    page = context.new_page()
    yield page
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
    forget = {"origin": origin, "storageTypes": "all"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", forget)
    page.close()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """Collect what the browser complains of: scripts that fail, and what the CSP refused."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "console",
        lambda message: (
            found.append(message.text)
            if message.type == "error" and not message.text.startswith(BROKEN_OFF)
            else None
        ),
    )
    yield found
    assert not found


@pytest.fixture
def log_in(page: Page, live_server: LiveServer) -> Callable[[User], Page]:
    """Give the page to somebody who is logged in already, without the log-in form."""

    def enter(user: User) -> Page:
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
        )
        return page

    return enter


def assert_accessible(page: Page, part: str = "") -> None:
    """Fail with what axe-core finds against WCAG 2.2 A and AA in a page, or in a part (CSS) of it."""
    _judge(page, {"type": "tag", "values": STANDARDS}, part)


def assert_for_everybody(page: Page, path: str = "", part: str = "") -> None:
    """Fail with what is wrong with a page in light and dark, on a wide screen and on a small one.

    With `part` (CSS), axe-core looks at that part alone.

    Dark changes nothing but colours, so only these are judged again; a small screen, whether it fits.
    """
    path = path or page.url
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    assert_accessible(page, part)
    assert fits(page), f"{path} does not fit on a wide screen"
    page.emulate_media(color_scheme="dark")
    _judge(page, {"type": "rule", "values": ["color-contrast"]}, part)
    page.set_viewport_size(NARROW)
    assert fits(page), f"{path} does not fit on a small screen"


def fits(page: Page) -> bool:
    """Say whether nothing makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def _judge(page: Page, rules: dict[str, Any], part: str) -> None:
    """Fail with what axe-core finds against some of its rules in a page, or in a part of it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    # What passed is ten times what did not: it stays in the browser.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    ask = "async ([part, how]) => (await axe.run(part || document, how)).violations"
    violations = page.evaluate(ask, [part, options])
    problems = [
        f"{item['id']}: {node['html']} — {node['failureSummary']}"
        for item in violations
        for node in item["nodes"]
    ]
    assert not problems, f"{page.url}\n" + "\n".join(problems)
