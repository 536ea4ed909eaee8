"""The main path, in Chromium, from an empty machine: set-up, simulator, send, delivered, reply, thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench import site

# Endings of numbers that the simulator knows: 06 delivers, then answers "Yes, thank you."
ANSWERS = "06 12 34 56 06"
# Milliseconds: real processes on a busy machine.
PATIENCE = 30_000


@pytest.fixture
def empty_machine(tmp_path: Path) -> Iterator[site.Site]:
    with site.start(tmp_path / "site") as running:
        yield running


def test_from_an_empty_machine_to_a_reply(
    page: Page, empty_machine: site.Site, complaints: list[str]
) -> None:
    expect.set_options(timeout=PATIENCE)
    page.goto(empty_machine.url)

    # Whatever is opened first, the administrator is made first, with the code of the terminal.
    expect(page).to_have_url(re.compile("/setup/"))
    page.get_by_label("code", exact=False).first.fill(empty_machine.setup_code)
    page.get_by_label("Your name").fill("Claire Morel")
    page.get_by_label("E-mail").fill("claire@example.org")
    page.get_by_label("Password").fill("correct horse battery")
    page.locator("main button[type=submit]").click()
    expect(page).to_have_url(re.compile("/setup/site/"))
    page.locator("[name=name]").fill("Les Tilleuls")
    page.get_by_label("Country").select_option("FR")
    page.locator("main button[type=submit]").click()

    # Home offers the next step; the simulator is there already.
    expect(page).to_have_url(re.compile(r":\d+/$"))
    page.goto(f"{empty_machine.url}/phones/")
    expect(page.get_by_role("heading", name="Simulator")).to_be_visible()

    # Write and send.
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/compose/"))
    page.locator("[name=to]").first.fill(ANSWERS)
    page.locator("[name=text]").fill("Can you come at 10? – Les Tilleuls")
    expect(page.get_by_text("Unicode").first).to_be_visible()
    page.locator("main button[type=submit][class*=primary]").click()

    # It arrives, and the page says so by itself.
    expect(page).to_have_url(re.compile(r"/messages/\d+/"))
    expect(page.locator("h1 .chip")).to_have_text(re.compile("Delivered"))

    # The reply comes by itself, unread, and is answered in its thread.
    page.goto(f"{empty_machine.url}/inbox/")
    expect(page.get_by_text("Yes, thank you.").first).to_be_visible()
    page.locator(".convs a").first.click()
    expect(page.locator(".bubble", has_text="Can you come at 10?")).to_be_visible()
    expect(page.locator(".bubble", has_text="Yes, thank you.").first).to_be_visible()
    page.locator("[name=text]").fill("See you then")
    page.get_by_role("button", name="Reply").click()
    expect(page.locator(".bubble.ours", has_text="See you then")).to_be_visible()
