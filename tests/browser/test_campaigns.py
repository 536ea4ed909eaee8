"""Writing and following a campaign in a browser: what one types is kept, what happens is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Membership, User, Workspace
from campaigns import steering
from campaigns.models import Campaign
from contacts.models import Contact, Group
from messaging.models import Message
from phones.models import Phone
from tests.browser.conftest import WIDE, assert_for_everybody
from tests.campaigns.conftest import work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("complaints")]
Enter = Callable[[User], Page]


@pytest.fixture
def parents(workspace: Workspace) -> Group:
    group = Group.objects.create(workspace=workspace, name="Parents 4B", folded="parents 4b")
    for place, name in enumerate(("Amélie Roux", "Nadia Benali")):
        contact = Contact(workspace=workspace, name=name, number=f"+3361234567{place}")
        contact.derive()
        contact.save()
        group.contacts.add(contact)
    return group


def test_a_draft_keeps_itself_and_what_is_typed_last_is_checked(
    log_in: Enter, live_server: LiveServer, bob: User, phone: Phone, parents: Group
) -> None:
    page = log_in(bob)
    page.goto(f"{live_server.url}/campaigns/new/")
    page.fill("#id_name", "Trip")
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    page.fill("#who-search", "paren")
    page.locator("#who-list [data-value]").click()
    page.fill("#id_text", "Hello {{ contact.firstname }}")
    expect(page.locator("#preview .bubble")).to_have_text("Hello Amélie")

    page.get_by_role("button", name="The next person").click()
    expect(page.locator("#preview .bubble")).to_have_text("Hello Nadia")
    page.fill("#id_text", "Bye {{ contact.firstname }}")
    page.get_by_role("button", name="Check before sending").click()
    page.wait_for_url("**/check/")

    draft = Campaign.objects.get()
    assert (draft.name, draft.text) == ("Trip", "Bye {{ contact.firstname }}")
    assert draft.who == [f"g{parents.pk}"]
    work(draft)
    expect(page.get_by_role("button", name="Send to 2 people")).to_be_visible()


def test_a_running_campaign_shows_what_happens(
    log_in: Enter, live_server: LiveServer, bob: User, workspace: Workspace, phone: Phone
) -> None:
    numbers = [f"+3361234567{place}" for place in range(3)]
    campaign = steering.create(workspace, bob, name="Trip", text="Hi", numbers=numbers, phone=phone)
    steering.start(campaign, bob)
    page = log_in(bob)
    page.goto(f"{live_server.url}/campaigns/{campaign.pk}/")
    expect(page.locator("#live h2")).to_contain_text("of 3")
    page.fill("#id_q", "nobody here")
    expect(page.locator("#people")).to_contain_text("Nobody of this campaign matches")
    page.fill("#id_q", "")

    work(campaign)

    expect(page.locator("#people tbody tr")).to_have_count(Message.objects.count())
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()


def test_what_must_be_approved_is_asked_for_and_approved(
    log_in: Enter,
    live_server: LiveServer,
    bob: User,
    alice: User,
    workspace: Workspace,
    phone: Phone,
    parents: Group,
) -> None:
    limits = {"people": [f"g{parents.pk}"], "approval": True}
    Membership.objects.filter(user=bob).update(limits=limits)
    page = log_in(bob)
    page.goto(f"{live_server.url}/compose/?group={parents.pk}")
    page.fill("#id_text", "The bus leaves at nine")
    page.get_by_role("button", name="Ask for approval…").last.click()
    page.wait_for_url("**/check/")
    draft = Campaign.objects.get()
    work(draft)
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("You asked for approval")).to_be_visible()

    log_in(alice)
    page.goto(live_server.url)
    page.get_by_role("link", name="The bus leaves at nine").click()
    assert_for_everybody(page)
    page.set_viewport_size(WIDE)
    page.get_by_role("button", name="Approve for 2 people").click()
    page.wait_for_url(f"**/campaigns/{draft.pk}/")
    expect(page.get_by_text("Approved by Alice Martin")).to_be_visible()
    page.goto(f"{live_server.url}/settings/people/{Membership.objects.get(user=bob).pk}/role/")
    assert_for_everybody(page)
