"""httpSMS, case by case. Payloads are those of its sources, read 2026-11."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer, NoAnswer
from phones.base import (
    Addresses,
    Attachment,
    BadAnswer,
    BadNumber,
    BadSignature,
    Callback,
    Delivery,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.httpsms import HttpSms
from tests.fakes import Asked, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

API = "https://api.httpsms.com"
SEND = f"POST {API}/v1/messages/send"
KEY = "a-signing-key-nobody-should-read"
NUMBER = "+33757590000"
ID = "32343a19-da5e-4b1b-a767-3298a73703cb"
SETTINGS = {"api_key": "api-k3y-nobody-should-read", "number": NUMBER, "signing_key": KEY}
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
WRITTEN = "2026-11-20T12:00:00.527976Z"
NOON = datetime(2026, 11, 20, 12, 0, 0, 527976, tzinfo=UTC)


def good(data: Any, message: str = "done") -> Answer:
    return answer(200, {"status": "success", "message": message, "data": data})


def refused(status: int, words: str = "Refused", data: Any = None, **headers: str) -> Answer:
    return answer(status, {"status": "error", "message": words, "data": data}, **headers)


def message(name: str = ID, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "request_id": "42",
        "owner": NUMBER,
        "user_id": "WB7DRDWrJZRGbYrv2CKGkqbzvqdC",
        "contact": TO,
        "content": "Bonjour",
        "type": "mobile-terminated",
        "status": "pending",
        "sim": "DEFAULT",
        "order_timestamp": WRITTEN,
        "created_at": WRITTEN,
        "failure_reason": None,
        **changes,
    }


def part(said: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def token(url: Any, key: str = KEY, alg: str = "HS256") -> str:
    """A token as httpSMS makes it (golang-jwt, StandardClaims)."""
    claims = {"aud": url, "exp": 1795176600, "iss": "api.httpsms.com", "sub": "WB7DRDW"}
    signed = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims)}"
    mac = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def told(kind: str, endpoint: str = "status", *, auth: str | None = "", **data: Any) -> Callback:
    event = {
        "specversion": "1.0",
        "id": "c1",
        "source": "/v1/messages",
        "type": kind,
        "datacontenttype": "application/json",
        "time": WRITTEN,
        "data": {"owner": NUMBER, "contact": TO, "timestamp": WRITTEN, "sim": "SIM1", **data},
    }
    bearer = token(f"{BASE}{endpoint}/") if auth == "" else auth
    headers = {"content-type": "application/json", "x-event-type": kind}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    return callback(endpoint, body=json.dumps(event).encode(), headers=headers)


def received(**data: Any) -> Callback:
    return told("message.phone.received", "incoming", message_id=ID, **data)


def incoming(text: str) -> IncomingSms:
    return IncomingSms(TO, text, ID, to=NUMBER, at=NOON)


CASES = Cases(
    settings=SETTINGS,
    route=SEND,
    accepted=good(message(), "message added to queue"),
    provider_id=ID,
    text_of=lambda asked: str(asked.json()["content"]),
    refusals={
        400: (refused(400, "The request isn't properly formed"), Rejected),
        401: (refused(401, "You are not authorized"), Misconfigured),
        402: (refused(402, "You have reached your plan's limit"), NoCredit),
        429: (refused(429, "Too many requests", Retry_After="7"), Throttled),
        500: (refused(500, "We ran into an internal error"), OutcomeUnknown),
    },
    error_body=Absent("It says by the status of the answer whether it took the message."),
    reports={
        "sent": (told("message.phone.sent", id=ID), Delivery.SENT),
        "delivered": (told("message.phone.delivered", id=ID), Delivery.DELIVERED),
        "failed": (told("message.send.failed", id=ID, error_message="NO_SERVICE"), Delivery.FAILED),
        "expired": (told("message.send.expired", message_id=ID), Delivery.FAILED),
        "expired, to be tried again": (
            told("message.send.expired", message_id=ID, is_final=False),
            None,
        ),
        "unknown status": (told("message.phone.dreaming", id=ID), None),
        "unknown message": (told("message.phone.delivered", id="not-ours"), Delivery.DELIVERED),
        "heartbeat": (told("phone.heartbeat.offline"), None),
    },
    incoming={
        "valid": (received(content="Oui, merci"), incoming("Oui, merci")),
        "empty": (received(content=""), incoming("")),
        "unicode": (received(content="Привет 🎉"), incoming("Привет 🎉")),
        "no sender": (received(content="Oui", contact=""), Malformed),
        "another handset": (received(content="Oui", owner="+33757590099"), None),
    },
    signed=(
        told("message.phone.sent", "incoming", id=ID),
        told("message.phone.sent", "incoming", id=ID, auth=None),
        told("message.phone.sent", "incoming", id=ID, auth=token(f"{BASE}incoming/", "another")),
    ),
)


def httpsms(http: FakeHttp, **changes: Any) -> HttpSms:
    return HttpSms({**SETTINGS, **changes}, http, Addresses(BASE))


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_with_our_reference() -> None:
    http = FakeHttp({SEND: good(message())})

    sent = httpsms(http).send(SMS)

    assert sent == Sent(ID)
    assert http.last.headers["x-api-key"] == SETTINGS["api_key"]
    assert http.last.json() == {
        "from": NUMBER,
        "to": TO,
        "content": "Bonjour",
        "request_id": "42",
    }


def test_pictures_leave_as_addresses() -> None:
    http = FakeHttp({SEND: good(message())})
    picture = Attachment("https://sms.example.org/media/1/", "image/png", 9)

    httpsms(http).send(OutgoingSms("42", TO, "Regarde", (picture,)))

    assert http.last.json()["attachments"] == ["https://sms.example.org/media/1/"]


def test_a_server_of_ones_own_is_asked() -> None:
    http = FakeHttp({"POST https://httpsms.example.org/v1/messages/send": good(message())})

    assert httpsms(http, base_url="https://httpsms.example.org").send(SMS) == Sent(ID)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(422, "validation errors", {"to": ["The to field is invalid"]}), BadNumber),
        (refused(422, "validation errors", {"from": ["no phone found"]}), Misconfigured),
        (refused(422, "validation errors", {"content": ["max:2048"]}), Rejected),
        (
            refused(
                422, "validation errors", {"from": ["could not check, please try again later"]}
            ),
            Temporary,
        ),
        (refused(403), Misconfigured),
        (answer(404, "not found"), Misconfigured),
        (answer(301, "", location="https://elsewhere.example"), Misconfigured),
        (answer(503, "<html>"), OutcomeUnknown),
        (answer(408, ""), OutcomeUnknown),
        (good({}), BadAnswer),
        (answer(200, {"status": "success"}), BadAnswer),
    ],
)
def test_each_refusal_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        httpsms(FakeHttp({SEND: entry})).send(SMS)

    assert type(caught.value) is kind
    assert caught.value.words


def test_the_words_about_single_fields_are_shown() -> None:
    entry = refused(422, "validation errors", {"to": ["The to field is invalid"]})

    with pytest.raises(BadNumber, match=r"validation errors The to field is invalid"):
        httpsms(FakeHttp({SEND: entry})).send(SMS)


def test_what_may_have_left_is_never_tried_again_by_itself() -> None:
    with pytest.raises(NoAnswer):
        httpsms(FakeHttp({SEND: NoAnswer("timed out")})).send(SMS)


# ---- News ---------------------------------------------------------------------------------------


def test_a_report_is_found_by_our_reference_too() -> None:
    said = told("message.send.failed", id=ID, request_id="42", error_message="NO_SERVICE")

    events = httpsms(FakeHttp()).parse("status", said)

    report = StatusReport(Delivery.FAILED, ID, "42", Reason.REJECTED, "", "NO_SERVICE", NOON)
    assert events == [report]


def test_a_message_that_the_handset_never_took_is_late() -> None:
    [report] = httpsms(FakeHttp()).parse("status", told("message.send.expired", message_id=ID))

    assert isinstance(report, StatusReport)
    assert (report.provider_id, report.reason) == (ID, Reason.EXPIRED)


@pytest.mark.parametrize(("contact", "caller"), [(TO, TO), ("", "anonymous")])
def test_a_missed_call_is_told(contact: str, caller: str) -> None:
    said = told("message.call.missed", "incoming", message_id=ID, contact=contact)

    events = httpsms(FakeHttp()).parse("incoming", said)

    assert events == [IncomingCall(caller, ID, ended=True, outcome="missed", at=NOON)]


PICTURE = f"{API}/v1/attachments/WB7DRDW/{ID}/0/photo.jpg"


def test_a_picture_is_received_and_fetched_without_our_key() -> None:
    http = FakeHttp({f"GET {PICTURE}": answer(200, b"JPG", content_type="image/jpeg")})
    phone = httpsms(http)

    [sms] = phone.parse("incoming", received(content="", attachments=[PICTURE]))
    assert isinstance(sms, IncomingSms)
    fetched = phone.fetch(sms.media[0])

    assert (fetched.content, fetched.content_type) == (b"JPG", "image/jpeg")
    assert "x-api-key" not in http.last.headers


@pytest.mark.parametrize(
    "url", ["https://evil.example/v1/attachments/1", "https://api.httpsms.com.evil.example/1", ""]
)
def test_pictures_come_from_httpsms_only(url: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        httpsms(http).fetch(IncomingMedia(url))

    assert http.asked == []


@pytest.mark.parametrize(
    "auth",
    [
        token(f"{BASE}incoming/"),
        token("https://elsewhere.example/"),
        token(None),
        token(f"{BASE}status/", alg="none"),
        token(f"{BASE}status/").rpartition(".")[0] + ".",
        "",
        "a.b",
        "a.b.c",
        "é.è.à",
    ],
    ids=[
        "other endpoint",
        "other site",
        "nobody",
        "none",
        "cut",
        "empty",
        "two",
        "junk",
        "accents",
    ],
)
def test_a_token_that_does_not_fit_is_refused(auth: str) -> None:
    said = callback("status", body=b"{}", headers={"authorization": f"Bearer {auth}"})

    with pytest.raises(BadSignature):
        httpsms(FakeHttp()).verify(said)


def test_a_token_may_name_several_addresses() -> None:
    said = told("message.phone.sent", auth=token([f"{BASE}status/"]))

    httpsms(FakeHttp()).verify(said)


THREADS = f"GET {API}/v1/message-threads"
MESSAGES = f"GET {API}/v1/messages"
FIRST = "2026-11-20T11:50:00+00:00"


def thread(at: str, contact: str = TO) -> dict[str, Any]:
    return {"owner": NUMBER, "contact": contact, "updated_at": at, "order_timestamp": at}


def test_what_became_of_messages_can_be_asked() -> None:
    failed = message("b", status="failed", failed_at=WRITTEN, failure_reason="NO_SERVICE")
    http = FakeHttp(
        {
            THREADS: good([]),
            f"{MESSAGES}/a": good(message("a", status="delivered", delivered_at=WRITTEN)),
            f"{MESSAGES}/b": good(failed),
            f"{MESSAGES}/c": good(message("c", status="sending")),
            f"{MESSAGES}/d": refused(404),
        }
    )

    polled = httpsms(http).poll("", ["d", "c", "b", "a"])

    assert polled.events == (
        StatusReport(Delivery.DELIVERED, "a", "42", at=NOON),
        StatusReport(Delivery.FAILED, "b", "42", Reason.REJECTED, "", "NO_SERVICE", NOON),
    )


def test_the_first_look_only_notes_where_it_begins() -> None:
    http = FakeHttp({THREADS: good([thread(FIRST), thread("2026-11-19T11:50:00Z")])})

    polled = httpsms(http).poll("", [])

    assert (polled.events, polled.cursor) == ((), FIRST)


def test_what_a_webhook_missed_is_found() -> None:
    listed = [
        message("new", type="mobile-originated", content="Oui", received_at=WRITTEN),
        message("rang", type="call/missed"),
        message("ours"),
        message("old", type="mobile-originated", created_at="2026-11-20T11:00:00Z"),
    ]
    http = FakeHttp({THREADS: good([thread(WRITTEN)]), MESSAGES: good(listed)})

    polled = httpsms(http).poll(FIRST, [])

    assert polled.events == (
        IncomingSms(TO, "Oui", "new", to=NUMBER, at=NOON),
        IncomingCall(TO, "rang", ended=True, outcome="missed", at=NOON),
    )
    assert polled.cursor == NOON.isoformat()
    assert http.last.query["contact"] == [TO]


def test_the_first_message_of_all_is_found() -> None:
    listed = [message("new", type="mobile-originated", content="Oui", received_at=WRITTEN)]
    http = FakeHttp({THREADS: [good([]), good([thread(WRITTEN)])], MESSAGES: good(listed)})
    phone = httpsms(http)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])

    assert [event for event in second.events if isinstance(event, IncomingSms)]


def test_many_conversations_are_turned_page_by_page() -> None:
    def pages(asked: Asked) -> Answer:
        skip = int(asked.query["skip"][0])
        whom = [f"+336123456{number:02}" for number in range(25)]
        return good([thread(WRITTEN, contact) for contact in whom[skip : skip + 20]])

    http = FakeHttp({THREADS: pages, MESSAGES: good([])})

    httpsms(http).poll(FIRST, [])

    assert len([asked for asked in http.asked if asked.path == "/v1/messages"]) == 25


def test_a_look_asks_about_fifty_and_the_next_goes_on() -> None:
    http = FakeHttp({THREADS: good([])})
    names = [f"m{number:02}" for number in range(60)]
    for name in names:
        http.on(f"{MESSAGES}/{name}", good(message(name)))
    phone = httpsms(http)

    first = phone.poll("", names)
    phone.poll(first.cursor, names)

    asked = [asked.path.rpartition("/")[2] for asked in http.asked]
    assert [name for name in asked if name in names][:60] == names


# ---- The account --------------------------------------------------------------------------------

PHONES = f"GET {API}/v1/phones"
BEATS = f"GET {API}/v1/heartbeats"


@pytest.mark.parametrize(
    ("beats", "words"),
    [
        (
            [{"timestamp": WRITTEN}],
            "httpSMS knows the handset. It was last online 2026-11-20 12:00 UTC.",
        ),
        ([], "httpSMS knows the handset, but it was never online. Open the app there."),
    ],
    ids=["online", "never"],
)
def test_a_check_tells_of_the_handset_and_sends_nothing(beats: list[Any], words: str) -> None:
    http = FakeHttp({PHONES: good([{"phone_number": NUMBER}]), BEATS: good(beats)})

    assert httpsms(http).check() == words
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (good([{"phone_number": "+33757590099"}]), Misconfigured),
        (refused(401), Misconfigured),
        (refused(500), Temporary),
        (answer(200, "<html>"), BadAnswer),
        (good({}), BadAnswer),
    ],
    ids=["number", "key", "broken", "html", "no list"],
)
def test_a_check_says_what_is_wrong(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        httpsms(FakeHttp({PHONES: entry})).check()

    assert type(caught.value) is kind


HOOKS = f"{API}/v1/webhooks"


def test_one_webhook_is_made_for_everything() -> None:
    http = FakeHttp({f"GET {HOOKS}": good([]), f"POST {HOOKS}": answer(201, {"data": {}})})

    httpsms(http).connect()

    assert http.last.json() == {
        "url": f"{BASE}incoming/",
        "signing_key": KEY,
        "phone_numbers": [NUMBER],
        "events": [
            "message.phone.received",
            "message.phone.sent",
            "message.phone.delivered",
            "message.send.failed",
            "message.send.expired",
            "message.call.missed",
        ],
    }


def test_our_old_webhook_is_replaced_and_others_are_left_alone() -> None:
    ours = {
        "id": "ours",
        "url": BASE.replace("t0ken", "old") + "incoming/",
        "phone_numbers": [NUMBER],
    }
    sister = {"id": "sister", "url": ours["url"], "phone_numbers": ["+33757590099"]}
    stranger = {"id": "stranger", "url": "https://x.example/", "phone_numbers": [NUMBER]}
    http = FakeHttp({f"GET {HOOKS}": good([stranger, sister, ours]), f"PUT {HOOKS}/ours": good({})})

    httpsms(http).connect()

    assert http.last.json()["url"] == f"{BASE}incoming/"


def test_an_account_with_two_webhooks_says_so() -> None:
    words = "You can't create more than 2 webhooks"
    http = FakeHttp({f"GET {HOOKS}": good([]), f"POST {HOOKS}": refused(402, words)})

    with pytest.raises(Rejected, match="more than 2 webhooks"):
        httpsms(http).connect()


# ---- The form -----------------------------------------------------------------------------------


def test_settings_are_stored_in_one_form() -> None:
    written = {"number": "+33 (0)7 57 59 00 00", "base_url": "https://httpsms.example.org/"}
    form = HttpSms.Settings({**SETTINGS, **written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == NUMBER
    assert form.cleaned_data["base_url"] == "https://httpsms.example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": ""},
        {"number": "0757590000"},
        {"signing_key": "short"},
        {"base_url": "httpsms.example.org"},
        {"base_url": "https://user:pass@httpsms.example.org"},
        {"base_url": "https://httpsms.example.org/v1"},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not HttpSms.Settings({**SETTINGS, **changes}).is_valid()
