"""textbee, case by case. Payloads are those of its documentation and sources, read 2026-11."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer, NoAnswer
from phones.base import (
    Addresses,
    BadAnswer,
    Callback,
    Delivery,
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
from phones.types.textbee import TextBee
from tests.fakes import Asked, FakeHttp, answer
from tests.phones.cases import BASE, TO, Cases, callback

API = "https://api.textbee.dev/api/v1"
DEVICE = "69b04ce4317c82f2166e1692"
HANDSET = f"{API}/gateway/devices/{DEVICE}"
SEND = f"POST {HANDSET}/send-sms"
BATCH = "66f7c1e2a4d5e6f7a8b9c0d1"
SECRET = "a-signing-secret-nobody-should-read"
SETTINGS = {
    "api_key": "api-k3y-nobody-should-read",
    "device_id": DEVICE,
    "signing_secret": SECRET,
}
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
WRITTEN = "2026-11-20T12:00:00.000Z"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def taken(**changes: Any) -> Answer:
    data = {
        "success": True,
        "message": "SMS added to queue for processing",
        "smsBatchId": BATCH,
        "recipientCount": 1,
        **changes,
    }
    return answer(201, {"data": data})


def refused(status: int, words: str = "Refused", **headers: str) -> Answer:
    return answer(status, {"success": False, "error": words}, **headers)


def told(event: str, endpoint: str = "status", **payload: Any) -> Callback:
    body = {
        "smsId": "s-1",
        "message": "Bonjour",
        "deviceId": DEVICE,
        "webhookSubscriptionId": "w-1",
        "webhookEvent": event,
        "idempotencyKey": "8f7e6d5c",
        **payload,
    }
    return signed(endpoint, json.dumps(body, separators=(",", ":")).encode())


def signed(endpoint: str, body: bytes, secret: str | None = SECRET) -> Callback:
    headers = {"content-type": "application/json"}
    if secret is not None:
        headers["x-signature"] = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return callback(endpoint, body=body, headers=headers)


def report(event: str, status: str, **payload: Any) -> Callback:
    return told(event, smsBatchId=BATCH, status=status, recipient=TO, **payload)


def received(**payload: Any) -> Callback:
    return told("MESSAGE_RECEIVED", "incoming", **{"receivedAt": WRITTEN, **payload})


def incoming(text: str) -> IncomingSms:
    return IncomingSms(TO, text, "s-1", at=NOON)


CASES = Cases(
    settings=SETTINGS,
    route=SEND,
    accepted=taken(),
    provider_id=BATCH,
    text_of=lambda asked: str(asked.json()["message"]),
    refusals={
        400: (refused(400, "Message cannot be blank"), Rejected),
        401: (answer(401, {"error": "Unauthorized"}), Misconfigured),
        402: (refused(402, "Payment required"), NoCredit),
        429: (refused(429, "Too many requests", Retry_After="7"), Throttled),
        500: (refused(500, "Failed to add SMS to queue"), OutcomeUnknown),
    },
    error_body=(taken(success=False, message="Invalid recipients"), Rejected),
    reports={
        "sent": (report("MESSAGE_SENT", "sent", sentAt=WRITTEN), Delivery.SENT),
        "delivered": (
            report("MESSAGE_DELIVERED", "delivered", deliveredAt=WRITTEN),
            Delivery.DELIVERED,
        ),
        "failed": (report("MESSAGE_FAILED", "failed", failedAt=WRITTEN), Delivery.FAILED),
        "updated": (report("SMS_STATUS_UPDATED", "DELIVERED"), Delivery.DELIVERED),
        "unknown state": (report("UNKNOWN_STATE", "unknown"), None),
        "unknown status": (report("SMS_STATUS_UPDATED", "dreaming"), None),
        "unknown message": (report("MESSAGE_SENT", "sent", smsId="not-ours"), Delivery.SENT),
        "another handset": (report("MESSAGE_SENT", "sent", deviceId="another"), None),
    },
    incoming={
        "valid": (received(sender=TO, message="Oui, merci"), incoming("Oui, merci")),
        "empty": (received(sender=TO, message=""), incoming("")),
        "unicode": (received(sender=TO, message="Привет 🎉"), incoming("Привет 🎉")),
        "no sender": (received(message="Oui"), Malformed),
        "another handset": (received(sender=TO, deviceId="another"), None),
    },
    signed=(
        report("MESSAGE_SENT", "sent"),
        signed("status", b"{}", None),
        signed("status", b"{}", "another"),
    ),
)


def textbee(http: FakeHttp, **changes: Any) -> TextBee:
    return TextBee({**SETTINGS, **changes}, http, Addresses(BASE))


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_alone() -> None:
    http = FakeHttp({SEND: taken()})

    sent = textbee(http).send(SMS)

    assert sent == Sent(BATCH)
    assert http.last.headers["x-api-key"] == SETTINGS["api_key"]
    assert http.last.json() == {"message": "Bonjour", "recipients": [TO]}


@pytest.mark.parametrize("sim", [0, 3])
def test_the_sim_card_is_said(sim: int) -> None:
    http = FakeHttp({SEND: taken()})

    textbee(http, sim=sim).send(SMS)

    assert http.last.json()["simSubscriptionId"] == sim


def test_a_server_of_ones_own_is_asked() -> None:
    place = f"POST https://bee.example.org/api/v1/gateway/devices/{DEVICE}/send-sms"
    http = FakeHttp({place: taken()})

    assert textbee(http, base_url="https://bee.example.org/api/v1").send(SMS) == Sent(BATCH)


def test_a_server_without_a_queue_does_not_name_the_message() -> None:
    pushed = answer(201, {"data": {"successCount": 1, "failureCount": 0, "responses": []}})

    assert textbee(FakeHttp({SEND: pushed})).send(SMS) == Sent("")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(400, "Device does not exist or is not enabled"), Misconfigured),
        (answer(400, {"message": "Please verify your email to continue"}), Misconfigured),
        (answer(400, {"statusCode": 400, "message": ["a is wrong", "b too"]}), Rejected),
        (refused(400, "Failed to create SMS batch"), Temporary),
        (refused(400, "Failed to send SMS"), OutcomeUnknown),
        (answer(403, {"error": "Forbidden"}), Misconfigured),
        (answer(404, "not found"), Misconfigured),
        (answer(301, "", location="https://elsewhere.example"), Misconfigured),
        (answer(503, "<html>"), OutcomeUnknown),
        (answer(408, ""), OutcomeUnknown),
        (taken(smsBatchId=None), BadAnswer),
        (answer(201, {"data": {"successCount": 0}}), BadAnswer),
        (answer(201, {"data": []}), BadAnswer),
    ],
)
def test_each_refusal_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        textbee(FakeHttp({SEND: entry})).send(SMS)

    assert type(caught.value) is kind
    assert caught.value.words


def test_a_plan_that_is_used_up_waits_for_an_hour() -> None:
    words = "You have reached your daily limit, you only have 0 remaining"
    used_up = answer(429, {"message": words, "hasReachedLimit": True})

    with pytest.raises(Throttled, match="daily limit") as caught:
        textbee(FakeHttp({SEND: used_up})).send(SMS)

    assert caught.value.retry_after == 3600


def test_what_may_have_left_is_never_tried_again_by_itself() -> None:
    with pytest.raises(NoAnswer):
        textbee(FakeHttp({SEND: NoAnswer("timed out")})).send(SMS)


# ---- News ---------------------------------------------------------------------------------------


def test_a_failure_says_why() -> None:
    said = report(
        "MESSAGE_FAILED",
        "failed",
        failedAt=WRITTEN,
        errorCode="RESULT_ERROR_NO_SERVICE",
        errorMessage="No service",
    )

    [event] = textbee(FakeHttp()).parse("status", said)

    code = "RESULT_ERROR_NO_SERVICE"
    assert event == StatusReport(
        Delivery.FAILED, BATCH, reason=Reason.REJECTED, code=code, words="No service", at=NOON
    )


def test_a_report_that_names_no_message_is_malformed() -> None:
    with pytest.raises(Malformed):
        textbee(FakeHttp()).parse("status", told("MESSAGE_SENT", status="sent"))


RECEIVED = f"GET {HANDSET}/get-received-sms"


def listed(*items: dict[str, Any]) -> Answer:
    return answer(200, {"meta": {"page": 1, "limit": 100}, "data": list(items)})


def stored(name: str, at: str, **changes: Any) -> dict[str, Any]:
    return {
        "_id": name,
        "sender": TO,
        "message": "Oui",
        "receivedAt": WRITTEN,
        "createdAt": at,
        **changes,
    }


def batch(status: str, **changes: Any) -> Answer:
    message = {"status": status, "recipient": TO, **changes}
    return answer(200, {"data": {"batch": {"_id": BATCH}, "messages": [message]}})


def test_what_became_of_messages_can_be_asked() -> None:
    http = FakeHttp(
        {
            RECEIVED: listed(),
            f"GET {HANDSET}/sms-batch/a": batch("delivered", deliveredAt=WRITTEN),
            f"GET {HANDSET}/sms-batch/b": batch("failed", failedAt=WRITTEN, errorMessage="No"),
            f"GET {HANDSET}/sms-batch/c": batch("pending"),
            f"GET {HANDSET}/sms-batch/d": refused(404),
        }
    )

    polled = textbee(http).poll("", ["d", "c", "b", "a"])

    assert polled.events == (
        StatusReport(Delivery.DELIVERED, "a", at=NOON),
        StatusReport(Delivery.FAILED, "b", reason=Reason.REJECTED, words="No", at=NOON),
    )


def test_the_first_look_only_notes_where_it_begins() -> None:
    http = FakeHttp({RECEIVED: listed(stored("old", WRITTEN))})

    polled = textbee(http).poll("", [])

    assert (polled.events, polled.cursor) == ((), NOON.isoformat())


def test_what_a_webhook_missed_is_found_under_the_same_id() -> None:
    http = FakeHttp(
        {
            RECEIVED: listed(
                stored("s-1", "2026-11-20T12:10:00.000Z"),
                stored("hidden", "2026-11-20T12:09:00.000Z", sender=""),
                stored("old", "2026-11-20T11:00:00.000Z"),
            )
        }
    )
    phone = textbee(http)

    polled = phone.poll(NOON.isoformat(), [])

    assert polled.events == (incoming("Oui"),)
    assert list(polled.events) == phone.parse("incoming", received(sender=TO, message="Oui"))
    assert polled.cursor == "2026-11-20T12:10:00+00:00"


def test_the_first_message_of_all_is_found() -> None:
    phone = textbee(FakeHttp({RECEIVED: [listed(), listed(stored("new", WRITTEN))]}))

    second = phone.poll(phone.poll("", []).cursor, [])

    assert len(second.events) == 1


def test_many_messages_are_turned_page_by_page() -> None:
    def pages(asked: Asked) -> Answer:
        first = (int(asked.query["page"][0]) - 1) * 100
        return listed(*(stored(f"s-{n}", WRITTEN) for n in range(first, min(first + 100, 130))))

    polled = textbee(FakeHttp({RECEIVED: pages})).poll(NOON.isoformat(), [])

    assert len(polled.events) == 130


def test_a_look_asks_about_fifty_and_the_next_goes_on() -> None:
    http = FakeHttp({RECEIVED: listed()})
    names = [f"m{number:02}" for number in range(60)]
    for name in names:
        http.on(f"GET {HANDSET}/sms-batch/{name}", batch("pending"))
    phone = textbee(http)

    first = phone.poll("", names)
    phone.poll(first.cursor, names)

    asked = [asked.path.rpartition("/")[2] for asked in http.asked]
    assert [name for name in asked if name in names][:60] == names


# ---- The account --------------------------------------------------------------------------------

DEVICES = f"GET {API}/gateway/devices"


def device(name: str = DEVICE, **changes: Any) -> dict[str, Any]:
    return {"_id": name, "brand": "Google", "model": "Pixel 7", "enabled": True, **changes}


@pytest.mark.parametrize(
    ("handset", "words"),
    [
        (
            device() | {"name": "Bureau", "lastHeartbeat": WRITTEN},
            "textbee knows the handset “Bureau”. It was last online 2026-11-20 12:00 UTC.",
        ),
        (device(), "textbee knows the handset “Google Pixel 7”."),
    ],
    ids=["online", "older server"],
)
def test_a_check_tells_of_the_handset_and_sends_nothing(
    handset: dict[str, Any], words: str
) -> None:
    http = FakeHttp({DEVICES: listed(device("another"), handset)})

    assert textbee(http).check() == words
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (listed(device("another")), Misconfigured),
        (listed(device(enabled=False)), Misconfigured),
        (answer(401, {"error": "Unauthorized"}), Misconfigured),
        (refused(500), Temporary),
        (answer(200, "<html>"), BadAnswer),
        (answer(200, {"data": {}}), BadAnswer),
    ],
    ids=["handset", "switched off", "key", "broken", "html", "no list"],
)
def test_a_check_says_what_is_wrong(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        textbee(FakeHttp({DEVICES: entry})).check()

    assert type(caught.value) is kind


HOOKS = f"{API}/webhooks"
HOOK = {
    "name": f"smsapp {DEVICE}",
    "deliveryUrl": f"{BASE}incoming/",
    "signingSecret": SECRET,
    "events": ["MESSAGE_RECEIVED", "MESSAGE_SENT", "MESSAGE_DELIVERED", "MESSAGE_FAILED"],
}


def test_one_webhook_is_made_for_everything() -> None:
    http = FakeHttp({f"GET {HOOKS}": listed(), f"POST {HOOKS}": answer(201, {"data": {}})})

    textbee(http).connect()

    assert http.last.json() == HOOK


@pytest.mark.parametrize(
    "ours",
    [
        {"name": HOOK["name"], "deliveryUrl": BASE.replace("t0ken", "old") + "incoming/"},
        {"deliveryUrl": HOOK["deliveryUrl"]},
    ],
    ids=["after new addresses", "made by hand"],
)
def test_our_old_webhook_is_replaced_and_others_are_left_alone(ours: dict[str, Any]) -> None:
    url = BASE.replace("t0ken", "sister") + "incoming/"
    sister = {"_id": "sister", "name": "smsapp another", "deliveryUrl": url}
    stranger = {"_id": "stranger", "name": HOOK["name"], "deliveryUrl": "https://x.example/"}
    http = FakeHttp(
        {
            f"GET {HOOKS}": listed(stranger, sister, {"_id": "ours", **ours}),
            f"PATCH {HOOKS}/ours": answer(200, {"data": {}}),
        }
    )

    textbee(http).connect()

    assert http.last.json() == {**HOOK, "isActive": True}


def test_a_webhook_that_is_refused_is_told() -> None:
    words = "You can create at most 5 webhook subscriptions"
    http = FakeHttp(
        {f"GET {HOOKS}": listed(), f"POST {HOOKS}": answer(400, {"message": words})},
    )

    with pytest.raises(Rejected, match="at most 5"):
        textbee(http).connect()


# ---- The form -----------------------------------------------------------------------------------


def test_settings_are_stored_in_one_form() -> None:
    written = {
        "number": "+33 (0)7 57 59 00 00",
        "base_url": "https://bee.example.org/api/v1/",
        "sim": "2",
    }
    form = TextBee.Settings({**SETTINGS, **written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == "+33757590000"
    assert form.cleaned_data["base_url"] == "https://bee.example.org/api/v1"
    assert form.cleaned_data["sim"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": ""},
        {"device_id": "two words"},
        {"device_id": "../stranger"},
        {"number": "0757590000"},
        {"signing_secret": "short"},
        {"sim": "-1"},
        {"base_url": "bee.example.org"},
        {"base_url": "https://user:pass@bee.example.org"},
        {"base_url": "https://bee.example.org/?a=b"},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not TextBee.Settings({**SETTINGS, **changes}).is_valid()


def test_the_number_of_the_sim_card_is_the_sender() -> None:
    assert textbee(FakeHttp(), number="+33757590000").address() == "+33757590000"
