"""Writing a text with merge fields in a browser: fields come where the cursor is, mistakes at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User, Workspace
from campaigns.models import Text
from contacts.models import Contact
from phones.models import Phone
from tests.browser.conftest import NARROW, assert_for_everybody

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("complaints")]


def test_a_field_is_inserted_and_read_at_once(
    log_in: Callable[[User], Page], live_server: LiveServer, bob: User, workspace: Workspace
) -> None:
    Contact.objects.create(workspace=workspace, number="+33612345678", name="Nadia Benali")
    page = log_in(bob)
    page.goto(f"{live_server.url}/texts/add/")
    source = page.get_by_label("Text", exact=True)
    source.fill("Hello !")
    source.evaluate("field => field.setSelectionRange(6, 6)")

    page.get_by_text("Insert a field").click()
    assert_for_everybody(page)
    page.get_by_role("button", name="First name").click()

    expect(source).to_have_value("Hello {{ contact.firstname }}!")
    expect(page.locator("#reading")).to_contain_text("Hello Nadia!")
    source.press_sequentially("{{ x")
    expect(page.locator("#source-problems")).to_contain_text("This is never closed")
    page.set_viewport_size(NARROW)
    page.get_by_text("Insert a field").click()
    assert_for_everybody(page)


def test_a_kept_text_is_put_into_a_message(
    log_in: Callable[[User], Page], live_server: LiveServer, bob: User, phone: Phone
) -> None:
    Text.objects.create(
        workspace=phone.workspace, name="Hi", folded="hi", source="Hi {{ contact.firstname }}"
    )
    page = log_in(bob)
    page.goto(f"{live_server.url}/compose/")

    page.locator("summary", has_text="Saved texts").click()
    page.get_by_role("button", name="Hi").click()

    expect(page.get_by_label("Text", exact=True)).to_have_value("Hi {{ contact.firstname }}")
    expect(page.locator("#merging")).to_contain_text("Merge fields are filled in by campaigns")
    assert_for_everybody(page)
