"""From a form to a provider nobody here wrote and back: real workers and Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import site
from tests.flows.person import Person, set_up, until
from tests.peers.twilio import TwilioPeer, start_twilio

pytestmark = pytest.mark.peer

THEIRS = "+33612345678"


@pytest.fixture
def twilio() -> Iterator[TwilioPeer]:
    with start_twilio() as peer:
        yield peer


@pytest.fixture
def running(tmp_path: Path) -> Iterator[site.Site]:
    env = {"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
    with site.start(tmp_path / "site", env=env) as running:
        yield running


def test_a_message_is_sent_delivered_and_answered(running: site.Site, twilio: TwilioPeer) -> None:
    claire = set_up(running.url, running.setup_code)
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
    until(lambda: "Merci, à demain" in claire.open("/inbox/"))
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
