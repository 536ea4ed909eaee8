"""What every page has around it works with mouse, keys and screen readers, without a complaint."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Membership, User, Workspace
from messaging.models import Direction, Message, Status
from phones.models import Phone
from tests.browser.conftest import NARROW, assert_accessible, assert_for_everybody, fits

pytestmark = pytest.mark.django_db(transaction=True)
LogIn = Callable[[User], Page]


@pytest.fixture
def home(log_in: LogIn, alice: User, live_server: LiveServer, complaints: list[str]) -> Page:
    page = log_in(alice)
    page.goto(f"{live_server.url}/")
    return page


@pytest.fixture
def life(workspace: Workspace, phone: Phone) -> None:
    """A little of everything that home can show."""
    for index, status in enumerate((Status.SENT, Status.FAILED, Status.UNKNOWN, Status.QUEUED)):
        Message.objects.create(
            workspace=workspace,
            phone=phone,
            direction=Direction.OUT,
            status=status,
            peer=f"+3361234567{index}",
            text="Hello",
        )


def test_home_is_for_everybody(life: None, home: Page) -> None:
    assert_for_everybody(home)


def test_the_first_minutes_are_for_everybody(phone: Phone, home: Page) -> None:
    assert_for_everybody(home)


def test_keys_lead_to_places(home: Page) -> None:
    home.keyboard.press("g")
    home.keyboard.press("p")

    expect(home).to_have_url(re.compile("/phones/$"))


def test_keys_are_listed_and_can_be_turned_off(home: Page) -> None:
    home.keyboard.press("?")
    expect(home.get_by_role("dialog")).to_be_visible()
    assert_accessible(home)
    home.get_by_label("Turn these keys off").check()
    home.keyboard.press("Escape")

    home.keyboard.press("?")

    expect(home.get_by_role("dialog")).to_be_hidden()


def test_letters_typed_into_a_field_are_no_keys(home: Page, live_server: LiveServer) -> None:
    home.goto(f"{live_server.url}/settings/me/")
    home.get_by_label("Your name").press_sequentially("gp?c")

    expect(home).to_have_url(re.compile("/settings/me/$"))
    expect(home.get_by_role("dialog")).to_be_hidden()


def test_the_workspace_menu_opens_closes_and_switches(
    home: Page, alice: User, live_server: LiveServer
) -> None:
    other = Workspace.objects.create(name="École du Parc")
    Membership.objects.create(workspace=other, user=alice, role="viewer")
    home.reload()
    menu = home.locator("details.places-menu")
    menu.locator("summary").click()
    assert_accessible(home)
    home.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")

    menu.locator("summary").click()
    menu.get_by_role("button", name="École du Parc").click()

    expect(home).to_have_title("Home · École du Parc")
    expect(home.get_by_role("link", name="Compose")).to_have_count(0)


def test_what_was_done_is_said_and_can_be_dismissed(home: Page, live_server: LiveServer) -> None:
    home.goto(f"{live_server.url}/settings/me/")
    home.get_by_role("button", name="Save").click()
    said = home.get_by_text("Saved.")
    expect(said).to_be_visible()
    assert_accessible(home)

    home.get_by_label("Dismiss").click()

    expect(said).to_be_hidden()


def test_a_link_is_copied_by_its_button(home: Page, live_server: LiveServer) -> None:
    home.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    home.goto(f"{live_server.url}/settings/people/")
    home.get_by_role("button", name="Invite").click()
    button = home.locator("[data-copy]").first

    button.click()

    expect(button).to_contain_text("Copied")
    copied = home.evaluate("navigator.clipboard.readText()")
    assert copied == home.locator(".copy input").first.input_value()


def test_danger_is_asked_about_first(home: Page, live_server: LiveServer) -> None:
    home.evaluate(
        """() => { main.innerHTML = '<form action="/more/" data-confirm="Delete 3 messages?">'
        + '<button class="btn">Delete 3</button></form>' }"""
    )
    button, dialog = home.locator("#main").get_by_role("button"), home.get_by_role("alertdialog")
    button.click()
    expect(dialog).to_contain_text("Delete 3 messages?")
    assert_accessible(home)

    dialog.get_by_role("button", name="Keep as it is").click()
    expect(dialog).to_be_hidden()
    expect(home).to_have_url(f"{live_server.url}/")

    button.click()
    dialog.get_by_role("button", name="Delete 3").click()
    expect(home).to_have_url(re.compile("/more/"))


def test_the_skip_link_is_the_first_stop(home: Page) -> None:
    home.keyboard.press("Tab")
    expect(home.get_by_role("link", name="Skip to content")).to_be_focused()

    home.keyboard.press("Enter")

    expect(home.locator("#main")).to_be_focused()


def test_other_languages_are_for_everybody_too(
    life: None, home: Page, alice: User, live_server: LiveServer
) -> None:
    home.set_viewport_size(NARROW)
    for language in ("fr", "es"):
        User.objects.filter(pk=alice.pk).update(language=language)
        for path in ("/phones/", "/phones/add/", "/settings/people/", "/"):
            home.goto(f"{live_server.url}{path}")
            assert fits(home), (language, path)
        assert_accessible(home)


def test_no_column_runs_into_its_neighbour_on_a_small_laptop(
    life: None, home: Page, phone: Phone
) -> None:
    Phone.objects.filter(pk=phone.pk).update(
        name="The front desk of the clinic on the second floor"
    )
    home.set_viewport_size({"width": 1024, "height": 768})
    home.reload()

    wide = "[...document.querySelectorAll('.two > *')].filter(e => e.scrollWidth > e.clientWidth)"
    assert home.evaluate(f"{wide}.length") == 0


def test_a_long_name_stays_in_the_sidebar(home: Page, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(name="Vera Lindqvist-Österberg de la Fuente")
    home.reload()

    assert home.evaluate("document.querySelector('.side').scrollWidth <= 240")
