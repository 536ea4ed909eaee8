"""The inbox in a browser: what comes appears by itself, and an answer leaves with two keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from messaging.models import Message
from phones.models import Phone
from tests.browser.conftest import assert_for_everybody
from tests.messaging.conftest import number
from tests.messaging.threads import conversation_with, incoming

pytestmark = pytest.mark.django_db(transaction=True)
# Milliseconds: an open page asks every few seconds.
SOON = 10_000

LogIn = Callable[[User], Page]


def test_messages_appear_by_themselves(
    bob: User, phone: Phone, log_in: LogIn, live_server: LiveServer, complaints: list[str]
) -> None:
    here = conversation_with(incoming(phone, "First").peer)
    page = log_in(bob)
    page.goto(f"{live_server.url}/inbox/{here.pk}/")
    page.fill("#answer_text", "Half an answer")

    incoming(phone, "Second", peer=here.peer)
    incoming(phone, "Somebody else", peer=number(2))

    expect(page.locator(".bubble", has_text="Second")).to_be_visible(timeout=SOON)
    expect(page.locator("#heard")).to_have_text("New message: Second")
    expect(page.locator(".convs .new", has_text="Somebody else")).to_be_visible(timeout=SOON)
    expect(page.locator("#unread-filter")).to_have_text("1")
    expect(page.locator("#answer_text")).to_have_value("Half an answer")
    assert conversation_with(here.peer).unread == 0


def test_an_answer_leaves_with_two_keys(
    bob: User, phone: Phone, log_in: LogIn, live_server: LiveServer, complaints: list[str]
) -> None:
    here = conversation_with(incoming(phone, "Are you open?").peer)
    page = log_in(bob)
    page.goto(f"{live_server.url}/inbox/{here.pk}/")

    page.fill("#answer_text", "Until six")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".bubble.ours", has_text="Until six")).to_be_visible()
    assert Message.objects.filter(direction="out", peer=here.peer).count() == 1


def test_a_long_text_is_for_everybody(
    bob: User, phone: Phone, log_in: LogIn, live_server: LiveServer, complaints: list[str]
) -> None:
    here = conversation_with(incoming(phone, "A long text without an end. " * 20).peer)
    page = log_in(bob)

    page.goto(f"{live_server.url}/inbox/{here.pk}/")

    assert_for_everybody(page)
