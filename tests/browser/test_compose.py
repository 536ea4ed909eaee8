"""Writing a message in a browser: what it says while one types is what the server says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User, Workspace
from messaging.counting import count
from messaging.models import Message
from phones import prices
from phones.base import Money
from phones.models import Phone
from tests.browser.conftest import assert_for_everybody
from tests.messaging.conftest import scripted  # noqa: F401  a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("complaints")]

# Plain, at the edges of a segment, with one guilty character, with several, one that nothing replaces.
TEXTS = [
    "",
    "Hello",
    "x" * 160,
    "x" * 161,
    "€" * 80,
    "Can’t come?",
    "y" * 70 + "’",
    "“Two” — and “more” … – ’",
    "Good \N{GRINNING FACE} morning",
    "a\N{NO-BREAK SPACE}b",
]


@pytest.fixture
def compose(
    log_in: Callable[[User], Page],
    live_server: LiveServer,
    bob: User,
    phone: Phone,
    scripted: Any,  # noqa: F811
) -> Page:
    """The composer, as bob sees it, with a phone that can do all and one that cannot."""
    Phone.objects.create(workspace=phone.workspace, type="scripted", name="Office", settings={})
    page = log_in(bob)
    page.goto(f"{live_server.url}/compose/")
    return page


def test_the_counter_says_in_the_browser_what_it_says_on_the_server(compose: Page) -> None:
    for text in TEXTS:
        compose.fill("#id_text", text)

        words = count(text)
        expect(compose.locator("[data-count-segments]")).to_have_text(words.segments)
        expect(compose.locator("[data-count-rest]")).to_have_text(words.rest)
        guilt = words.guilt
        expect(compose.locator("[data-guilt]")).to_be_visible(visible=guilt is not None)
        if guilt:
            expect(compose.locator("[data-guilt-title]")).to_have_text(guilt.title)
            expect(compose.locator("[data-guilt-body]")).to_have_text(guilt.body)
            assert compose.locator("[data-guilt] .char").all_inner_texts() == list(guilt.chars)
            fix = compose.locator("[data-replace]")
            expect(fix).to_be_visible(visible=bool(guilt.fix))
            assert fix.text_content() == guilt.fix or not guilt.fix


def test_a_message_is_written_mended_and_sent(compose: Page) -> None:
    compose.fill("#id_to", "06 12 34 56 78, 06 98 76 5")
    expect(compose.locator("#read")).to_contain_text("is too short to be a number in France.")
    compose.fill("#id_to", "06 12 34 56 78, 06 98 76 54 32")
    expect(compose.get_by_role("button", name="Send to 2 people")).to_be_visible()
    compose.fill("#id_to", "06 12 34 56 78")
    compose.fill("#id_text", "Can’t come?")
    compose.locator("[data-replace]").click()
    expect(compose.locator("#id_text")).to_have_value("Can't come?")
    expect(compose.locator("[data-preview]")).to_have_text("Can't come?")

    compose.get_by_role("button", name="Send to 1 person").click()

    expect(compose.locator("h1")).to_contain_text("+33 6 12 34 56 78")
    assert Message.objects.get().text == "Can't come?"


def test_a_phone_that_cannot_do_it_is_greyed_with_the_reason(compose: Page) -> None:
    office = compose.locator(".choice", has_text="Office")
    expect(office).not_to_have_class("choice off")

    compose.locator("#id_flash").check()

    expect(office).to_have_class("choice off")
    expect(office).to_contain_text("cannot send flash messages")


def test_the_time_is_asked_only_for_later(compose: Page) -> None:
    expect(compose.locator("#id_at")).to_be_hidden()

    compose.get_by_text("Later", exact=True).click()

    expect(compose.locator("#id_at")).to_be_visible()


def test_the_page_of_a_message_refreshes_by_itself(
    compose: Page, live_server: LiveServer, workspace: Workspace, phone: Phone
) -> None:
    message = Message.objects.create(
        workspace=workspace, phone=phone, direction="out", status="sent", peer="+33612345678"
    )
    compose.goto(f"{live_server.url}/messages/{message.pk}/")
    expect(compose.locator("h1")).to_contain_text("Sent")

    Message.objects.update(status="delivered")

    expect(compose.locator("h1")).to_contain_text("Delivered")


def test_what_went_wrong_is_for_everybody(
    compose: Page, live_server: LiveServer, phone: Phone
) -> None:
    made = [
        Message.objects.create(
            workspace=phone.workspace, phone=phone, direction="out", peer="+33612345678", text="Hi",
            status=status,
        )
        for status in ("unknown", "failed")
    ]  # fmt: skip
    wrong = "/compose/?to=06+12+34+5,0612345678&text=Can’t"
    for path in (wrong, "/messages/", *(f"/messages/{message.pk}/" for message in made)):
        compose.goto(f"{live_server.url}{path}")

        assert_for_everybody(compose, path)


def test_a_wrong_time_for_later_does_not_keep_a_message_for_now(compose: Page) -> None:
    compose.fill("#id_to", "0612345678")
    compose.fill("#id_text", "Hello")
    compose.get_by_text("Later", exact=True).click()
    compose.fill("#id_at", "2020-01-01T10:00")
    compose.get_by_text("Now", exact=True).click()

    compose.get_by_role("button", name="Send to 1 person").click()

    expect(compose.locator("h1")).to_contain_text("+33 6 12 34 56 78")


def test_a_mistake_far_down_has_the_focus(compose: Page, complaints: list[str]) -> None:
    compose.fill("#id_to", "0612345678")
    compose.fill("#id_text", "Hello")
    compose.get_by_text("Later", exact=True).click()
    compose.fill("#id_at", "2020-01-01T10:00")

    compose.get_by_role("button", name="Send to 1 person").click()

    expect(compose.locator("#id_at_error")).to_contain_text("This time has passed.")
    expect(compose.locator("#id_at")).to_be_focused()
    # Chromium tells of the 422 itself.
    complaints.clear()


def test_the_cost_is_told_while_one_types_and_not_for_pictures(compose: Page, phone: Phone) -> None:
    prices.write(phone, {"33": Money(50_000, "EUR")})
    plan = compose.locator("#plan")

    compose.fill("#id_to", "06 12 34 56 78")
    compose.fill("#id_text", "x" * 161)
    expect(plan).to_contain_text("about 0.10")

    compose.set_input_files(
        "#id_picture", {"name": "a.png", "mimeType": "image/png", "buffer": b"x"}
    )
    expect(plan).not_to_contain_text("about")
