"""The simulator's type by tables; its server is tested in tests/phones/simulator."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import NoAnswer, NotSent
from phones.base import (
    Addresses,
    Attachment,
    BadAnswer,
    BadNumber,
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OptedOut,
    OptOutNotice,
    OutgoingSms,
    PhoneError,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.simulator import SENDER, Simulator
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import Absent, Cases

BASE = "http://simulator.test:9"
ADDRESSES = Addresses("https://sms.example.org/callbacks/t0ken/")
SMS = OutgoingSms("m1", "+33639980000", "Hello")
TAKEN = {"id": "sim-1", "segments": 2, "cost": 100_000}
AT = "2026-11-20T10:00:00+00:00"
TIME = datetime(2026, 11, 20, 10, tzinfo=UTC)


def simulator(http: FakeHttp | None = None, **settings: str) -> Simulator:
    return Simulator({"base_url": BASE, **settings}, http or FakeHttp(), ADDRESSES)


def answering(entry: Entry, **settings: str) -> Simulator:
    return simulator(FakeHttp({"POST /messages": entry}), **settings)


def test_a_message_leaves_with_everything_the_provider_needs() -> None:
    http = FakeHttp({"POST /messages": answer(202, TAKEN)})
    picture = Attachment("https://sms.example.org/m/1.png", "image/png", 9)
    sms = OutgoingSms("m1", "+33639980006", "Grüße 🌞", (picture,), flash=True)

    sent = simulator(http, sender="Tilleuls", key="hunter22").send(sms)

    assert sent == Sent("sim-1", 2, 100_000, "EUR")
    assert http.last.url == f"{BASE}/messages"
    assert http.last.json() == {
        "reference": "m1",
        "to": "+33639980006",
        "from": "Tilleuls",
        "text": "Grüße 🌞",
        "media": ["https://sms.example.org/m/1.png"],
        "flash": True,
        "callbacks": {
            name: f"https://sms.example.org/callbacks/t0ken/{name}/"
            for name in ("status", "incoming", "call", "call_end")
        },
    }


@pytest.mark.parametrize("key", ["", "hunter22", "clé 🔑\r\nX: y"], ids=["none", "plain", "odd"])
def test_no_secret_leaves_as_it_is(key: str) -> None:
    http = FakeHttp({"POST /messages": answer(202, TAKEN)})

    simulator(http, key=key).send(SMS)

    bearer = http.last.headers["authorization"]
    assert len(bearer.removeprefix("Bearer ")) == 64
    assert "hunter22" not in bearer
    assert "t0ken" not in bearer


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after"),
    [
        (400, {}, Rejected, None),
        (401, {}, Misconfigured, None),
        (402, {}, NoCredit, None),
        (410, {}, OptedOut, None),
        (422, {}, BadNumber, None),
        (429, {"Retry_After": "2"}, Throttled, 2),
        (503, {}, Temporary, None),
        (500, {}, BadAnswer, None),
        (302, {}, BadAnswer, None),
    ],
)
def test_each_refusal_has_its_meaning_and_its_words(
    status: int, headers: dict[str, str], error: type[PhoneError], retry_after: float | None
) -> None:
    phone = answering(answer(status, {"code": "c0de", "message": "No."}, **headers))

    with pytest.raises(error) as caught:
        phone.send(SMS)

    assert type(caught.value) is error
    assert (caught.value.words, caught.value.code) == ("No.", "c0de")
    assert getattr(caught.value, "retry_after", None) == retry_after


@pytest.mark.parametrize(
    "entry",
    [answer(202, "taken"), answer(202, []), answer(202, {}), answer(502, "<html>")],
    ids=["text", "list", "no id", "page"],
)
def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(entry: Entry) -> None:
    with pytest.raises(BadAnswer):
        answering(entry).send(SMS)


@pytest.mark.parametrize("error", [NotSent("refused"), NoAnswer("reset")], ids=["not", "unknown"])
def test_transport_errors_pass_through(error: NotSent | NoAnswer) -> None:
    with pytest.raises(type(error)):
        answering(error).send(SMS)


def test_nothing_is_lost_where_no_simulator_runs() -> None:
    phone = Simulator({}, FakeHttp(), ADDRESSES)

    with pytest.raises(Temporary, match="not running"):
        phone.send(SMS)


def test_a_phone_without_settings_has_a_sender() -> None:
    assert Simulator({}, FakeHttp(), ADDRESSES).address() == SENDER


# ---- Callbacks ----------------------------------------------------------------------------------


def callback(body: Any, endpoint: str = "status", **headers: str) -> Callback:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Callback("POST", ADDRESSES.of(endpoint), named, {}, {}, content)


def signed(key: str, url: str, body: bytes) -> str:
    secret = hashlib.sha256(key.encode()).hexdigest().encode()
    return "sha256=" + hmac.new(secret, url.encode() + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("key", ["", "hunter22"], ids=["made from the address", "given"])
def test_a_signed_callback_is_believed(key: str) -> None:
    right = signed(key or ADDRESSES.base, ADDRESSES.of("status"), b"{}")

    simulator(key=key).verify(callback(b"{}", x_simulator_signature=right))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "é",
        signed("another", ADDRESSES.of("status"), b"{}"),
        signed("hunter22", ADDRESSES.of("call"), b"{}"),
        signed("hunter22", ADDRESSES.of("status"), b"{ }"),
    ],
    ids=["missing", "empty", "nonsense", "another key", "another address", "another body"],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        simulator(key="hunter22").verify(callback(b"{}", x_simulator_signature=signature))


STATUS = {"id": "sim-1", "reference": "m1", "at": AT}
REPLY = {"id": "sim-1-reply", "from": "+33639980006", "to": SENDER, "text": "Oui 🌞", "at": AT}
CALL = {"id": "sim-1-call", "from": "+33639980007", "to": SENDER, "at": AT}
OIU = IncomingSms("+33639980006", "Oui 🌞", "sim-1-reply", SENDER, (), TIME)


def report(state: Delivery, **more: str) -> StatusReport:
    return StatusReport(state, "sim-1", "m1", at=TIME, **more)


@pytest.mark.parametrize(
    ("endpoint", "body", "events"),
    [
        ("status", {**STATUS, "status": "sent"}, [report(Delivery.SENT)]),
        ("status", {**STATUS, "status": "delivered"}, [report(Delivery.DELIVERED)]),
        (
            "status",
            {**STATUS, "status": "failed", "code": "unreachable", "message": "Off."},
            [report(Delivery.FAILED, reason=Reason.UNREACHABLE, code="unreachable", words="Off.")],
        ),
        (
            "status",
            {**STATUS, "status": "failed", "code": "new", "message": "New."},
            [report(Delivery.FAILED, reason=Reason.REJECTED, code="new", words="New.")],
        ),
        ("incoming", REPLY, [OIU]),
        (
            "incoming",
            {**REPLY, "text": ""},
            [IncomingSms(OIU.sender, "", OIU.provider_id, SENDER, (), TIME)],
        ),
        ("incoming", {**REPLY, "opt_out": True}, [OIU, OptOutNotice(OIU.sender, "Oui 🌞")]),
        (
            "incoming",
            {**REPLY, "media": [{"url": "/media/1", "type": "image/png"}]},
            [
                IncomingSms(
                    OIU.sender,
                    OIU.text,
                    OIU.provider_id,
                    SENDER,
                    (IncomingMedia("/media/1", "image/png"),),
                    TIME,
                )
            ],
        ),
        ("call", CALL, [IncomingCall("+33639980007", "sim-1-call", at=TIME)]),
        (
            "call_end",
            {**CALL, "seconds": 8, "outcome": "no-answer"},
            [IncomingCall("+33639980007", "sim-1-call", True, 8, "no-answer", TIME)],
        ),
    ],
    ids=["sent", "delivered", "failed", "new code", "reply", "empty", "stop", "mms", "call", "end"],
)
def test_a_callback_is_read(endpoint: str, body: dict[str, Any], events: list[Event]) -> None:
    assert simulator().parse(endpoint, callback(body, endpoint)) == events


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("status", b""),
        ("status", b"\xff"),
        ("status", []),
        ("status", "text"),
        ("status", {}),
        ("status", {**STATUS, "status": "eaten"}),
        ("status", {**STATUS, "status": "sent", "at": "yesterday"}),
        ("status", {**STATUS, "status": "sent", "at": "2026-11-20T10:00:00"}),
        ("status", {**STATUS, "status": "sent", "at": 5}),
        ("incoming", {"id": "sim-1"}),
        ("incoming", {**REPLY, "media": [1]}),
        ("call_end", CALL),
        ("elsewhere", CALL),
    ],
)
def test_a_callback_that_makes_no_sense_is_malformed(endpoint: str, body: Any) -> None:
    with pytest.raises(Malformed):
        simulator().parse(endpoint, callback(body, endpoint))


@pytest.mark.parametrize(
    "place",
    ["@10.0.0.1/", "http://x@10.0.0.1", "1/", ":80/", "//10.0.0.1/a", "", "/a b", "/%0d%0aX: y"],
)
def test_a_picture_never_leads_to_another_host(place: str) -> None:
    http = FakeHttp({"GET /": answer(200), "GET /a": answer(200)})

    with suppress(Rejected):
        simulator(http).fetch(IncomingMedia(place))

    assert {asked.host for asked in http.asked} <= {"simulator.test:9"}


def test_a_balance_that_makes_no_sense_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        simulator(FakeHttp({"GET /balance": answer(200, {"left": 1})})).balance()


# ---- Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ""),
        ("+33 6 39 98 00 00", "+33639980000"),
        ("06.39.98.00.00", "0639980000"),
        ("36180", "36180"),
        (" Tilleuls ", "Tilleuls"),
        ("Chez Anna 2", "Chez Anna 2"),
    ],
)
def test_a_sender_is_kept_in_one_form(written: str, kept: str) -> None:
    form = Simulator.Settings({"sender": written})

    assert form.is_valid()
    assert form.cleaned_data["sender"] == kept


@pytest.mark.parametrize("written", ["Les Tilleuls d’or", "Café", "12", "+33A", "Twelve chars"])
def test_a_sender_that_no_network_takes_is_refused(written: str) -> None:
    assert "sender" in Simulator.Settings({"sender": written}).errors


def test_the_key_never_comes_back_into_the_page() -> None:
    form = Simulator.Settings({"sender": "", "key": "hunter22"})

    assert "hunter22" not in form.as_p()
    assert Simulator.secret_fields() == ["key"]


# ---- The cases of every type --------------------------------------------------------------------

WORDS = {"code": "c0de", "message": "No."}


def said(body: Any, endpoint: str) -> Callback:
    return callback(body, endpoint, content_type="application/json")


def reported(status: str, **more: str) -> Callback:
    return said({**STATUS, "status": status, **more}, "status")


def signed_with(signature: str) -> Callback:
    return callback(b"{}", x_simulator_signature=signature)


CASES = Cases(
    settings={"base_url": BASE, "key": "hunter22"},
    route=f"POST {BASE}/messages",
    accepted=answer(202, TAKEN),
    provider_id="sim-1",
    text_of=lambda asked: str(asked.json()["text"]),
    error_body=Absent("It refuses with the status of its answer."),
    refusals={
        400: (answer(400, WORDS), Rejected),
        401: (answer(401, WORDS), Misconfigured),
        402: (answer(402, WORDS), NoCredit),
        429: (answer(429, WORDS, Retry_After="2"), Throttled),
        500: (answer(500, WORDS), BadAnswer),
    },
    reports={
        "sent": (reported("sent"), Delivery.SENT),
        "delivered": (reported("delivered"), Delivery.DELIVERED),
        "failed": (reported("failed", **WORDS), Delivery.FAILED),
        "unknown status": (reported("eaten"), Malformed),
        "unknown message": (reported("delivered", id="sim-9", reference=""), Delivery.DELIVERED),
    },
    incoming={
        "valid": (
            said({**REPLY, "text": "Yes"}, "incoming"),
            IncomingSms(OIU.sender, "Yes", OIU.provider_id, SENDER, (), TIME),
        ),
        "empty": (
            said({**REPLY, "text": ""}, "incoming"),
            IncomingSms(OIU.sender, "", OIU.provider_id, SENDER, (), TIME),
        ),
        "unicode": (said(REPLY, "incoming"), OIU),
        "no sender": (
            said({name: value for name, value in REPLY.items() if name != "from"}, "incoming"),
            Malformed,
        ),
    },
    signed=(
        signed_with(signed("hunter22", ADDRESSES.of("status"), b"{}")),
        callback(b"{}"),
        signed_with(signed("another", ADDRESSES.of("status"), b"{}")),
    ),
)
