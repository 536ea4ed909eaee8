"""One site with all its processes, from an empty machine on: real workers, real Valkey.

1. In Chromium: set-up, simulator, send, delivered, reply, thread.
2. From a form to a provider nobody here wrote and back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from bench import site
from tests.flows.person import EMAIL, PASSWORD, Person, log_in, set_up, until
from tests.peers.twilio import TwilioPeer, start_twilio

# Endings of numbers that the simulator knows: 06 delivers, then answers "Yes, thank you."
ANSWERS = "06 12 34 56 06"


THEIRS = "+33612345678"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[site.Site]:
    """Run the site for both: its ten processes take as many seconds of work to start."""
    env = {"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
    with site.start(tmp_path_factory.mktemp("site"), env=env) as running:
        yield running


@pytest.fixture
def claire(running: site.Site) -> Person:
    """Give the administrator, who is made here where no test before did."""
    person = Person(running.url)
    person.open("/")
    if "/setup/" in person.page.url:
        return set_up(running.url, running.setup_code)
    return log_in(running.url)


@pytest.fixture
def twilio() -> Iterator[TwilioPeer]:
    with start_twilio() as peer:
        yield peer


def test_from_an_empty_machine_to_a_reply(
    page: Page, running: site.Site, complaints: list[str]
) -> None:
    page.goto(running.url)

    # Whatever is opened first, the administrator is made first, with the code of the terminal.
    expect(page).to_have_url(re.compile("/setup/"))
    page.get_by_label("code", exact=False).first.fill(running.setup_code)
    page.get_by_label("Your name").fill("Claire Morel")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    expect(page).to_have_url(re.compile("/setup/site/"))
    page.locator("[name=name]").fill("Les Tilleuls")
    page.get_by_label("Country").select_option("FR")
    page.locator("main button[type=submit]").click()

    # Home offers the next step; the simulator is there already.
    expect(page).to_have_url(re.compile(r":\d+/$"))
    page.goto(f"{running.url}/phones/")
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
    page.goto(f"{running.url}/inbox/")
    expect(page.get_by_text("Yes, thank you.").first).to_be_visible()
    page.locator(".convs a").first.click()
    expect(page.locator(".bubble", has_text="Can you come at 10?")).to_be_visible()
    expect(page.locator(".bubble", has_text="Yes, thank you.").first).to_be_visible()
    page.locator("[name=text]").fill("See you then")
    page.get_by_role("button", name="Reply").click()
    expect(page.locator(".bubble.ours", has_text="See you then")).to_be_visible()


@pytest.mark.peer
def test_a_message_is_sent_delivered_and_answered(claire: Person, twilio: TwilioPeer) -> None:
    phone = add_phone(claire, twilio)

    claire.fill_in(
        "/compose/", "submission", to="06 12 34 56 78", text="Où ? Ici. 10 €", phone=phone
    )
    message = claire.find(r"/messages/(\d+)/")
    claire.sees(f"/messages/{message}/", "Sent")
    (sent,) = twilio.messages()
    twilio.set_status(sent["sid"], "delivered")
    claire.sees(f"/messages/{message}/", "Delivered")

    assert (sent["to"], sent["body"]) == (THEIRS, "Où ? Ici. 10 €")

    twilio.simulate_incoming(THEIRS, "Merci, à demain")
    until(lambda: "Merci, à demain" in claire.open("/inbox/?q=612345678"))
    conversation = claire.find(r"/inbox/(\d+)/")
    thread = claire.open(f"/inbox/{conversation}/")

    assert "Où ? Ici. 10 €" in thread
    assert "Merci, à demain" in thread

    claire.fill_in(f"/inbox/{conversation}/", "submission", text="À demain !")
    bodies = until(lambda: len(found := [m["body"] for m in twilio.messages()]) == 3 and found)

    assert sorted(bodies) == sorted(["Où ? Ici. 10 €", "Merci, à demain", "À demain !"])
    refuses_a_forged_callback(claire, phone)


def refuses_a_forged_callback(claire: Person, phone: str) -> None:
    """Nobody gets in without the provider's key, and people see that somebody tried."""
    claire.open(f"/phones/{phone}/addresses/")
    address = claire.find(r'value="([^"]+/callbacks/[^"]+/incoming/)')

    forged = {"From": THEIRS, "Body": "Forged", "MessageSid": "SM1"}
    answer = claire.session.post(address, data=forged, timeout=10)

    assert answer.status_code == 403
    assert "403" in claire.open(f"/phones/{phone}/")
    assert "Forged" not in claire.open("/inbox/")


def add_phone(claire: Person, twilio: TwilioPeer) -> str:
    """Add the phone, and let the site set its addresses at the provider."""
    fields = {f"settings-{name}": value for name, value in twilio.settings.items()}
    claire.fill_in("/phones/add/twilio/", "name", name="School office", **fields)
    phone = claire.find(r"/phones/(\d+)/")
    claire.fill_in(f"/phones/{phone}/addresses/", "addresses/set")
    assert "/callbacks/" in twilio.number_record()["sms_url"]
    return phone
