"""Against servers that nobody here wrote: the Twilio emulator and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.http import Guard, Http
from phones.base import (
    Addresses,
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingCall,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    Rejected,
    Sent,
    StatusReport,
)
from phones.types.twilio import Twilio
from tests.peers.twilio import TwilioPeer, start_twilio

pytestmark = pytest.mark.peer

TO = "+33612345678"


@pytest.fixture(scope="module")
def peer() -> Iterator[TwilioPeer]:
    with start_twilio() as running:
        yield running


class Receiver:
    """Our side: takes callbacks as the callback view does, and keeps what they say."""

    def __init__(self) -> None:
        self.phone: Twilio | None = None
        self.callbacks: list[Callback] = []
        self.events: list[Event] = []
        self.refused = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = outer.take(self.path, dict(self.headers.items()), body)
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        assert self.phone is not None
        callback = Callback(
            method="POST",
            url=self.origin + path,
            headers={name.lower(): value for name, value in headers.items()},
            query=parse_qs(urlsplit(path).query),
            form=parse_qs(body.decode(), keep_blank_values=True),
            body=body,
        )
        endpoint = urlsplit(path).path.strip("/").split("/")[-1]
        self.callbacks.append(callback)
        try:
            self.phone.verify(callback)
        except BadSignature:
            self.refused += 1
            return b""
        self.events += self.phone.parse(endpoint, callback)
        return self.phone.reply(endpoint).body.encode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.02,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.fixture
def twilio(peer: TwilioPeer, receiver: Receiver) -> Callable[..., Twilio]:
    def phone(**changes: str) -> Twilio:
        http = Http(guard=Guard(frozenset({"127.0.0.1"})))
        addresses = Addresses(f"{receiver.origin}/callbacks/t0ken/")
        receiver.phone = Twilio({**peer.settings, **changes}, http, addresses)
        return receiver.phone

    return phone


def test_a_message_goes_out_and_its_delivery_comes_back(
    peer: TwilioPeer, receiver: Receiver, twilio: Callable[..., Twilio]
) -> None:
    sent = twilio().send(OutgoingSms("m-1", TO, "Été 🎄 & [ok]"))
    for status in ("sent", "delivered"):
        peer.set_status(sent.provider_id, status)

    newest = peer.messages()[0]
    assert (newest["sid"], newest["to"], newest["body"]) == (sent.provider_id, TO, "Été 🎄 & [ok]")
    assert receiver.refused == 0
    assert receiver.events == [
        StatusReport(state, provider_id=sent.provider_id, reference="m-1")
        for state in (Delivery.SENT, Delivery.DELIVERED)
    ]


def test_what_was_told_in_vain_is_found_by_asking(
    peer: TwilioPeer, receiver: Receiver, twilio: Callable[..., Twilio]
) -> None:
    phone = twilio()
    phone.connect()
    sent = phone.send(OutgoingSms("m-1", TO, "Bonjour"))
    first = phone.poll("", [])
    peer.set_status(sent.provider_id, "delivered")
    missed = peer.simulate_incoming(TO, "Merci 🎄")

    second = phone.poll(first.cursor, [sent.provider_id])
    third = phone.poll(second.cursor, [])

    # Within the same second another test may have had its messages.
    report, sms = (e for e in second.events if e.provider_id in (sent.provider_id, missed))
    assert isinstance(report, StatusReport)
    assert isinstance(sms, IncomingSms)
    assert (report.state, report.provider_id) == (Delivery.DELIVERED, sent.provider_id)
    assert (sms.provider_id, sms.sender, sms.text) == (missed, TO, "Merci 🎄")
    assert third.events == ()


def test_a_callback_with_another_token_is_refused(
    peer: TwilioPeer, receiver: Receiver, twilio: Callable[..., Twilio]
) -> None:
    sent = twilio().send(OutgoingSms("m-1", TO, "Bonjour"))
    twilio(auth_token="another token")
    receiver.refused = 0

    peer.set_status(sent.provider_id, "delivered")

    assert (receiver.refused, receiver.events) == (1, [])


def test_messages_and_calls_arrive_once_the_number_is_connected(
    peer: TwilioPeer, receiver: Receiver, twilio: Callable[..., Twilio]
) -> None:
    twilio().connect()

    message = peer.simulate_incoming(TO, "Oui 👍 à demain")
    call = peer.simulate_call(TO)
    peer.end_call(call)

    assert "/callbacks/t0ken/incoming/" in peer.number_record()["sms_url"]
    assert receiver.refused == 0
    assert receiver.events == [
        IncomingSms(TO, "Oui 👍 à demain", message, to=peer.number),
        IncomingCall(TO, call, outcome="in-progress"),
        IncomingCall(TO, call, ended=True, outcome="completed"),
    ]


def test_a_messaging_service_sends_and_is_connected(
    peer: TwilioPeer, twilio: Callable[..., Twilio]
) -> None:
    phone = twilio(sender=peer.service_sid)

    sent = phone.send(OutgoingSms("m-1", TO, "Bonjour"))

    assert peer.messages()[0]["messaging_service_sid"] == peer.service_sid
    assert sent.provider_id == peer.messages()[0]["sid"]
    assert phone.check().endswith("Messages leave through the Messaging Service “Rappels”.")


def test_an_api_key_sends(peer: TwilioPeer, twilio: Callable[..., Twilio]) -> None:
    sid, secret = peer.api_key

    sent = twilio(api_key_sid=sid, api_key_secret=secret).send(OutgoingSms("m-1", TO, "Bonjour"))

    assert isinstance(sent, Sent)


def test_a_check_names_the_account(twilio: Callable[..., Twilio]) -> None:
    assert twilio().check() == (
        "Twilio knows the account “Les Tilleuls”. The number can send SMS and MMS."
    )


@pytest.mark.parametrize(
    ("changes", "to", "code", "kind"),
    [
        ({"sender": "+15550001111"}, TO, "21606", Misconfigured),
        ({}, "12", "21201", Rejected),
        ({"auth_token": "another token"}, TO, "20003", Misconfigured),
    ],
    ids=["number of another", "no number", "wrong token"],
)
def test_refusals_are_understood(
    twilio: Callable[..., Twilio], changes: dict[str, str], to: str, code: str, kind: type[Rejected]
) -> None:
    with pytest.raises(kind) as caught:
        twilio(**changes).send(OutgoingSms("m-1", to, "Bonjour"))

    assert caught.value.code == code
