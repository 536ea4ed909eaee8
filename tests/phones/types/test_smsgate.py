"""SMSGate, case by case. Payloads are those of its documentation, read 2026-11."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer, NoAnswer, NotSent
from phones.base import (
    Addresses,
    BadNumber,
    Callback,
    Delivery,
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
from phones.types.smsgate import SmsGate
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

API = "https://api.sms-gate.app/3rdparty/v1"
MESSAGES = f"POST {API}/messages"
KEY = "signing-k3y-nobody-should-read"
DEVICE = "PyDmBQZZXYmyxMwED8Fzy"
EVENT = "Ey6ECgOkVVFjz3CL48B8C"
SETTINGS = {
    "where": "cloud",
    "username": "A1B2C3",
    "password": "p4ssword-nobody-should-read",
    "signing_key": KEY,
}
LOCAL = {"where": "local", "base_url": "http://192.168.1.20:8080"}
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WRITTEN = "2026-11-20T19:00:00.000+07:00"


def taken(name: str = "k-42", state: str = "Pending", **changes: Any) -> Answer:
    recipient = {"phoneNumber": TO, "state": state, **changes}
    return answer(
        202,
        {
            "id": name,
            "deviceId": DEVICE,
            "state": state,
            "isHashed": False,
            "isEncrypted": False,
            "recipients": [recipient],
            "states": {state: WRITTEN},
        },
    )


def refused(status: int, words: str = "Refused", **headers: str) -> Answer:
    return answer(status, {"message": words}, **headers)


def told(event: str, endpoint: str = "status", **payload: Any) -> Callback:
    body = {
        "deviceId": DEVICE,
        "event": event,
        "id": EVENT,
        "webhookId": "w-1",
        "payload": {"messageId": "k-42", "simNumber": 1, **payload},
    }
    return signed(endpoint, json.dumps(body).encode())


def signed(endpoint: str, body: bytes, key: str | None = KEY) -> Callback:
    """A callback as the app makes it (PayloadSigningPlugin of the app, 2026-08)."""
    headers = {"content-type": "application/json"}
    if key is not None:
        at = "1795176000"
        mac = hmac.new(key.encode(), body + at.encode(), hashlib.sha256)
        headers |= {"x-timestamp": at, "x-signature": mac.hexdigest()}
    return callback(endpoint, body=body, headers=headers)


def received(**payload: Any) -> Callback:
    return told("sms:received", "incoming", receivedAt=WRITTEN, **payload)


def incoming(text: str) -> IncomingSms:
    return IncomingSms(TO, text, EVENT, to="+33757590000", at=NOON)


SIDES = {"sender": TO, "recipient": "+33757590000"}

CASES = Cases(
    settings=SETTINGS,
    route=MESSAGES,
    accepted=taken(),
    provider_id="k-42",
    text_of=lambda asked: str(asked.json()["textMessage"]["text"]),
    refusals={
        400: (refused(400, "Text message is empty"), Rejected),
        401: (refused(401, "Unauthorized"), Misconfigured),
        402: (refused(402), NoCredit),
        429: (refused(429, "Too many requests", Retry_After="7"), Throttled),
        500: (refused(500, "failed to handle request"), OutcomeUnknown),
    },
    error_body=Absent("It says by the status of the answer whether it took the message."),
    reports={
        "sent": (told("sms:sent", sentAt=WRITTEN, **SIDES), Delivery.SENT),
        "delivered": (told("sms:delivered", deliveredAt=WRITTEN, **SIDES), Delivery.DELIVERED),
        "failed": (told("sms:failed", failedAt=WRITTEN, reason="timeout"), Delivery.FAILED),
        "cancelled": (told("sms:cancelled", cancelledAt=WRITTEN), Delivery.FAILED),
        "unknown status": (told("sms:queued"), None),
        "unknown message": (told("sms:delivered", messageId="not-ours"), Delivery.DELIVERED),
        "system": (told("system:ping"), None),
    },
    incoming={
        "valid": (received(message="Oui, merci", **SIDES), incoming("Oui, merci")),
        "empty": (received(message="", **SIDES), incoming("")),
        "unicode": (received(message="Привет 🎉", **SIDES), incoming("Привет 🎉")),
        "no sender": (received(message="Oui"), Malformed),
        "older app": (
            received(message="Oui", phoneNumber=TO),
            IncomingSms(TO, "Oui", EVENT, at=NOON),
        ),
        "data": (told("sms:data-received", "incoming", data="AQID", **SIDES), None),
    },
    signed=(
        told("sms:sent"),
        signed("status", b"{}", key=None),
        signed("status", b"{}", key="another"),
    ),
)


def smsgate(http: FakeHttp, **changes: Any) -> SmsGate:
    return SmsGate({**SETTINGS, **changes}, http, Addresses(BASE))


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_with_our_own_id() -> None:
    http = FakeHttp({MESSAGES: taken()})

    sent = smsgate(http).send(SMS)

    assert sent == Sent("k-42")
    assert http.last.auth == ("A1B2C3", SETTINGS["password"])
    # The server's own look at numbers refuses what is no mobile to it.
    assert http.last.query == {"skipPhoneValidation": ["true"]}
    assert http.last.json() == {
        "id": "k-42",
        "textMessage": {"text": "Bonjour"},
        "phoneNumbers": [TO],
        "withDeliveryReport": True,
    }


def test_handset_sim_and_patience_are_said() -> None:
    http = FakeHttp({MESSAGES: taken()})

    smsgate(http, device_id=DEVICE, sim="2", hours=12).send(SMS)

    order = http.last.json()
    assert (order["deviceId"], order["simNumber"], order["ttl"]) == (DEVICE, 2, 43_200)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, f"{API}/messages"),
        (
            {"where": "private", "base_url": "https://gate.example.org"},
            "https://gate.example.org/api/3rdparty/v1/messages",
        ),
        (
            {"where": "private", "base_url": "https://example.org/gate/3rdparty/v1"},
            "https://example.org/gate/3rdparty/v1/messages",
        ),
        (LOCAL, "http://192.168.1.20:8080/messages"),
    ],
    ids=["cloud", "private server", "private server elsewhere", "local server"],
)
def test_requests_go_where_the_settings_say(changes: dict[str, str], url: str) -> None:
    http = FakeHttp({"POST /messages": taken()})

    smsgate(http, **changes).send(SMS)

    assert http.last.url == f"{url}?skipPhoneValidation=true"


@pytest.mark.parametrize(
    "key", ["x" * 37, "a|b", "workspace:1/42", "clé"], ids=["long", "bar", "path", "accent"]
)
def test_an_id_is_always_one_that_the_app_takes(key: str) -> None:
    http = FakeHttp({MESSAGES: taken("whatever")})
    phone = smsgate(http)

    for _ in range(2):
        phone.send(OutgoingSms("42", TO, "Bonjour", key=key))

    first, second = (asked.json()["id"] for asked in http.asked)
    assert first == second
    assert len(first) == 36
    assert first.isalnum()


@pytest.mark.parametrize(
    "repeated",
    [refused(409, "duplicate id"), refused(500, "Message already exists: k-42"), taken()],
    ids=["server", "app", "older app"],
)
def test_a_message_it_has_taken_already_is_not_sent_twice(repeated: Answer) -> None:
    http = FakeHttp({"POST /messages": [NoAnswer("timed out"), repeated]})
    phone = smsgate(http, **LOCAL)

    with pytest.raises(Temporary):
        phone.send(SMS)
    sent = phone.send(SMS)

    assert sent == Sent("k-42")
    assert len({asked.json()["id"] for asked in http.asked}) == 1


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (NoAnswer("timed out"), Temporary),
        (refused(500), Temporary),
        (refused(504), Temporary),
        (refused(503, "queue limits exceeded"), Temporary),
        (NotSent("refused"), NotSent),
    ],
)
@pytest.mark.parametrize("changes", [{"device_id": DEVICE}, LOCAL], ids=["handset", "local"])
def test_one_handset_recognises_a_repetition(
    entry: Entry, kind: type[Exception], changes: dict[str, str]
) -> None:
    with pytest.raises(kind):
        smsgate(FakeHttp({"POST /messages": entry}), **changes).send(SMS)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (NoAnswer("timed out"), NoAnswer),
        (refused(500), OutcomeUnknown),
        (refused(504), OutcomeUnknown),
        (refused(408), OutcomeUnknown),
    ],
)
def test_without_a_named_handset_a_second_one_might_send_it_again(
    entry: Entry, kind: type[Exception]
) -> None:
    """Servers compare ids per handset, and choose any handset where none is named."""
    with pytest.raises(kind):
        smsgate(FakeHttp({MESSAGES: entry})).send(SMS)


def test_a_handset_does_not_make_a_message_without_id_safe() -> None:
    sms = OutgoingSms("42", TO, "Bonjour")

    with pytest.raises(NoAnswer):
        smsgate(FakeHttp({MESSAGES: NoAnswer("timed out")}), device_id=DEVICE).send(sms)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(400, "No devices registered"), Misconfigured),
        (refused(400, "failed to select device: not found"), Misconfigured),
        (refused(400, "invalid phone number"), BadNumber),
        (refused(403, "Forbidden"), Misconfigured),
        (answer(404, "not found"), Misconfigured),
        (answer(302, "", location="https://elsewhere.example"), Misconfigured),
        (refused(503, "queue limits exceeded"), Temporary),
    ],
)
def test_each_refusal_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        smsgate(FakeHttp({MESSAGES: entry})).send(SMS)

    assert type(caught.value) is kind
    assert caught.value.words


# ---- News ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("TTL expired", "", Reason.EXPIRED),
        (
            "Send result: RESULT_ERROR_GENERIC_FAILURE",
            "RESULT_ERROR_GENERIC_FAILURE",
            Reason.REJECTED,
        ),
        (
            "Send result: RESULT_ERROR_FDN_CHECK_FAILURE",
            "RESULT_ERROR_FDN_CHECK_FAILURE",
            Reason.BLOCKED,
        ),
        ("Delivery result from SC +33609001390: 70", "70", Reason.EXPIRED),
        ("Delivery result from SC +33609001390: 97", "97", Reason.UNREACHABLE),
        ("Delivery result from SC null: 65", "65", Reason.REJECTED),
    ],
)
def test_a_failure_says_why(words: str, code: str, reason: Reason) -> None:
    said = told("sms:failed", failedAt=WRITTEN, reason=words)

    events = smsgate(FakeHttp()).parse("status", said)

    report = StatusReport(Delivery.FAILED, "k-42", "", reason, code, words, NOON)
    assert events == [report]


def test_a_picture_message_leaves_a_note_in_the_inbox() -> None:
    said = told(
        "mms:received",
        "incoming",
        sender=f"{TO}/TYPE=PLMN",
        subject="Photo",
        size=125_684,
        receivedAt=WRITTEN,
    )

    [sms] = smsgate(FakeHttp()).parse("incoming", said)

    words = "Photo (A picture message. It follows, or it stays on the handset.)"
    assert sms == IncomingSms(TO, words, EVENT, at=NOON)


JPEG = b"\xff\xd8\xff picture"
PHOTO = {
    "partId": 7,
    "contentType": "image/jpeg",
    "name": "IMG_1.jpg",
    "size": len(JPEG),
    "data": base64.b64encode(JPEG).decode(),
}
SMIL = {**PHOTO, "contentType": "application/smil", "data": "PHNtaWw+PC9zbWlsPg=="}


def downloaded(**changes: Any) -> Callback:
    """A picture message as the app tells it (MmsDownloadedPayload of the app, 2026-08)."""
    said = {"body": "Voilà", "subject": "Photo", "attachments": [SMIL, PHOTO], **changes}
    return told("mms:downloaded", "incoming", receivedAt=WRITTEN, **SIDES, **said)


def test_a_picture_comes_with_its_message() -> None:
    [sms] = smsgate(FakeHttp()).parse("incoming", downloaded())

    photo = IncomingMedia(content_type="image/jpeg", content=JPEG)
    assert sms == IncomingSms(TO, "Photo\nVoilà", EVENT, "+33757590000", (photo,), NOON)


@pytest.mark.parametrize("data", [None, "", "A", 7])
def test_a_picture_that_stayed_on_the_handset_is_told(data: Any) -> None:
    said = downloaded(body=None, subject=None, attachments=[PHOTO, {**PHOTO, "data": data}])

    [sms] = smsgate(FakeHttp()).parse("incoming", said)

    assert isinstance(sms, IncomingSms)
    assert (sms.text, len(sms.media)) == ("(A file of this message stayed on the handset.)", 1)


@pytest.mark.parametrize("attachments", [None, {}, "x", [None, 7, "x", {}]])
def test_odd_attachments_break_nothing(attachments: Any) -> None:
    [sms] = smsgate(FakeHttp()).parse("incoming", downloaded(attachments=attachments))

    assert isinstance(sms, IncomingSms)
    assert sms.text.startswith("Photo\nVoilà")


@pytest.mark.parametrize(
    ("changes", "count"),
    [({}, 1), ({"device_id": DEVICE}, 1), ({"device_id": "another"}, 0), (LOCAL, 1)],
    ids=["any", "ours", "another", "local"],
)
def test_what_another_handset_tells_is_left_out(changes: dict[str, str], count: int) -> None:
    events = smsgate(FakeHttp(), **changes).parse("incoming", received(message="Oui", **SIDES))

    assert len(events) == count


def test_what_became_of_messages_can_be_asked() -> None:
    http = FakeHttp(
        {
            f"GET {API}/messages/a": taken("a", "Delivered"),
            f"GET {API}/messages/b": taken("b", "Failed", error="TTL expired"),
            f"GET {API}/messages/c": taken("c", "Processed"),
            f"GET {API}/messages/d": answer(404),
        }
    )

    polled = smsgate(http).poll("", ["d", "c", "b", "a"])

    assert polled.events == (
        StatusReport(Delivery.DELIVERED, "a", at=NOON),
        StatusReport(Delivery.FAILED, "b", "", Reason.EXPIRED, "", "TTL expired", NOON),
    )


def test_a_look_asks_about_fifty_and_the_next_goes_on() -> None:
    http = FakeHttp()
    names = [f"m{number:02}" for number in range(60)]
    for name in names:
        http.on(f"GET {API}/messages/{name}", taken(name))
    phone = smsgate(http)

    first = phone.poll("", names)
    phone.poll(first.cursor, names)

    asked = [asked.path.rpartition("/")[2] for asked in http.asked]
    assert asked[:60] == names


# ---- The account --------------------------------------------------------------------------------


def devices(*names: str) -> Answer:
    seen = "2026-11-20T12:00:00Z"
    listed = [{"id": f"id-{name}", "name": name, "lastSeen": seen} for name in names]
    return answer(200, listed)


@pytest.mark.parametrize(
    ("changes", "entry", "words"),
    [
        (
            {"device_id": "id-Pixel"},
            devices("Pixel", "Galaxy"),
            "SMSGate knows the handset “Pixel”. It was last online 2026-11-20 12:00 UTC.",
        ),
        (
            {},
            devices("Pixel"),
            "The account has one handset: Pixel (id-Pixel). Write its ID, in brackets, into the "
            "settings: then nothing can be sent twice.",
        ),
        (
            {},
            devices("Pixel", "Galaxy"),
            "The account has 2 handsets: Pixel (id-Pixel), Galaxy (id-Galaxy). Messages leave by "
            "any of them until you write one's ID, in brackets, into the settings.",
        ),
    ],
    ids=["named", "one", "several"],
)
def test_a_check_tells_of_the_handset_and_sends_nothing(
    changes: dict[str, str], entry: Answer, words: str
) -> None:
    http = FakeHttp({f"GET {API}/devices": entry})

    assert smsgate(http, **changes).check() == words
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize("status", [200, 500], ids=["well", "unwell"])
def test_a_check_of_the_local_server_tells_its_battery(status: int) -> None:
    health = {"status": "fail", "checks": {"battery:level": {"observedValue": 9}}}
    http = FakeHttp(
        {"GET /device": devices("Google/panther"), "GET /health": answer(status, health)}
    )

    words = smsgate(http, **LOCAL).check()

    assert words == "The handset “Google/panther” answers. Its battery is at 9 %."


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(401, "Unauthorized"), Misconfigured),
        (devices(), Misconfigured),
        (devices("Galaxy"), Misconfigured),
        (refused(500), Temporary),
    ],
    ids=["credentials", "no handset", "another handset", "broken"],
)
def test_a_check_says_what_is_wrong(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        smsgate(FakeHttp({f"GET {API}/devices": entry}), device_id="id-Pixel").check()

    assert type(caught.value) is kind


def registered(http: FakeHttp) -> dict[str, dict[str, str]]:
    return {asked.json()["event"]: asked.json() for asked in http.asked}


def test_the_webhooks_are_registered() -> None:
    http = FakeHttp({f"POST {API}/webhooks": answer(201, {})})

    smsgate(http, device_id=DEVICE).connect()

    hooks = registered(http)
    assert {event: hook["url"] for event, hook in hooks.items()} == {
        "sms:received": f"{BASE}incoming/",
        "mms:received": f"{BASE}incoming/",
        "mms:downloaded": f"{BASE}incoming/",
        "sms:sent": f"{BASE}status/",
        "sms:delivered": f"{BASE}status/",
        "sms:failed": f"{BASE}status/",
        "sms:cancelled": f"{BASE}status/",
    }
    assert {hook["deviceId"] for hook in hooks.values()} == {DEVICE}
    assert len({hook["id"] for hook in hooks.values()}) == 7
    assert max(len(hook["id"]) for hook in hooks.values()) <= 36


def test_new_addresses_replace_the_old_webhooks() -> None:
    http = FakeHttp({f"POST {API}/webhooks": answer(201, {})})
    renewed = SmsGate(SETTINGS, http, Addresses(BASE.replace("t0ken", "another")))

    smsgate(http).connect()
    renewed.connect()

    assert len({asked.json()["id"] for asked in http.asked}) == 7
    assert len({asked.json()["url"] for asked in http.asked}) == 4


def test_two_handsets_of_one_account_keep_their_webhooks_apart() -> None:
    http = FakeHttp({f"POST {API}/webhooks": answer(201, {})})

    for device in ("first", "second"):
        smsgate(http, device_id=device).connect()

    assert len({asked.json()["id"] for asked in http.asked}) == 14


def test_the_local_server_is_not_told_the_id_that_the_cloud_gave() -> None:
    http = FakeHttp({"POST /webhooks": answer(201, {})})

    smsgate(http, **LOCAL, device_id=DEVICE).connect()

    assert not [hook for hook in registered(http).values() if "deviceId" in hook]


def test_an_older_app_is_connected_without_what_it_does_not_know() -> None:
    def known(asked: Any) -> Answer:
        event = asked.json()["event"]
        return (
            refused(400)
            if event in ("mms:received", "mms:downloaded", "sms:cancelled")
            else answer(201, {})
        )

    assert smsgate(FakeHttp({f"POST {API}/webhooks": known})).connect()


def test_a_webhook_that_is_refused_is_told() -> None:
    with pytest.raises(Rejected):
        smsgate(FakeHttp({f"POST {API}/webhooks": refused(400, "invalid event")})).connect()


def test_an_address_that_the_app_would_not_call_is_told_at_once() -> None:
    http = FakeHttp()

    with pytest.raises(Misconfigured, match="https"):
        SmsGate(SETTINGS, http, Addresses("http://sms.lan/callbacks/t0ken/")).connect()

    assert http.asked == []


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"where": "private", "base_url": "https://gate.example.org/"},
        {"where": "local", "base_url": "http://192.168.1.20:8080"},
        {"device_id": DEVICE, "sim": "2", "hours": "12", "number": "+33 (0)7 57 59 00 00"},
    ],
    ids=["cloud", "private", "local", "everything"],
)
def test_settings_that_can_work_are_taken(changes: dict[str, str]) -> None:
    form = SmsGate.Settings({**SETTINGS, **changes})

    assert form.is_valid(), form.errors
    assert not form.cleaned_data["base_url"].endswith("/")
    assert form.cleaned_data["number"] in ("", "+33757590000")


@pytest.mark.parametrize(
    "changes",
    [
        {"where": "local"},
        {"where": "private"},
        {"where": "cloud", "base_url": "https://gate.example.org"},
        {"where": "local", "base_url": "192.168.1.20:8080"},
        {"where": "local", "base_url": "http://user:pass@192.168.1.20"},
        {"where": "moon"},
        {"signing_key": ""},
        {"device_id": "two words"},
        {"number": "0757590000"},
        {"sim": "4"},
        {"hours": "0"},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not SmsGate.Settings({**SETTINGS, **changes}).is_valid()


def test_the_number_of_the_sim_card_is_the_sender() -> None:
    assert smsgate(FakeHttp(), number="+33757590000").address() == "+33757590000"
