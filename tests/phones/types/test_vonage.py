"""Vonage, case by case, by both of its APIs. Payloads are those of its documentation, read 2026-11."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from lib.http import Answer, NoAnswer, NotSent
from phones.base import (
    Addresses,
    Attachment,
    BadAnswer,
    BadNumber,
    BadSignature,
    Balance,
    Callback,
    Delivery,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Line,
    LookedUp,
    Malformed,
    Misconfigured,
    Money,
    NoCredit,
    OptedOut,
    OptOutNotice,
    OutcomeUnknown,
    OutgoingSms,
    Part,
    PhoneError,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.vonage import Vonage
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import BASE, TEXTS, TO, Cases, LookUps, callback

SECRET = "a-secret-nobody-should-read"
# RFC 7518 §3.2: as long as the hash at least.
SIGNING = "a-signature-secret-that-is-long-enough"
NUMBER = "+33757590000"
SETTINGS = {
    "account": "abcd1234",
    "api_secret": SECRET,
    "sender": NUMBER,
    "api": "messages",
    "signature_secret": SIGNING,
    "signature_method": "md5hash",
}
MESSAGES = "POST https://api.nexmo.com/v1/messages"
SMS_API = "POST https://rest.nexmo.com/sms/json"
UUID = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"
SMS = OutgoingSms("42", TO, "Bonjour")
ERRORS = "https://developer.vonage.com/api-errors/messages"
PICTURE = Attachment("https://sms.example.org/m/1.png", "image/png", 9)


def vonage(http: FakeHttp | None = None, **settings: str) -> Vonage:
    return Vonage({**SETTINGS, **settings}, http or FakeHttp(), Addresses(BASE))


def refusal(status: int, code: str = "1020", /, body: Any = None, **headers: str) -> Answer:
    problem = {"type": f"{ERRORS}#{code}", "title": "Title", "detail": "Why", "instance": "i-1"}
    return answer(status, problem | (body or {}), **headers)


TAKEN = answer(202, {"message_uuid": UUID})


def failing(entry: Entry, api: str = "messages", sms: OutgoingSms = SMS) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        vonage(FakeHttp({MESSAGES: entry, SMS_API: entry}), api=api).send(sms)
    return caught.value


# ---- Sending by the Messages API ----------------------------------------------------------------


def test_a_message_leaves_as_the_messages_api_wants_it() -> None:
    http = FakeHttp({MESSAGES: TAKEN})

    sent = vonage(http).send(SMS)

    assert sent == Sent(UUID)
    assert http.last.auth == ("abcd1234", SECRET)
    assert http.last.json() == {
        "channel": "sms",
        "message_type": "text",
        "from": "33757590000",
        "to": "33612345678",
        "text": "Bonjour",
        "sms": {"encoding_type": "auto"},
        "client_ref": "42",
        "webhook_url": f"{BASE}status/",
        "webhook_version": "v1",
    }


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("image/png", "image"),
        ("video/mp4", "video"),
        ("audio/mpeg", "audio"),
        ("text/vcard", "vcard"),
        ("application/pdf", "file"),
    ],
)
def test_a_picture_leaves_with_its_text(content_type: str, kind: str) -> None:
    http = FakeHttp({MESSAGES: TAKEN})

    vonage(http).send(OutgoingSms("42", TO, "Look", (Attachment(PICTURE.url, content_type, 9),)))

    assert http.last.json()["channel"] == "mms"
    assert http.last.json()["message_type"] == kind
    assert http.last.json()[kind] == {"url": PICTURE.url, "caption": "Look"}


def test_several_pictures_leave_together() -> None:
    http = FakeHttp({MESSAGES: TAKEN})

    vonage(http).send(OutgoingSms("42", TO, "Look", (PICTURE, PICTURE)))

    assert http.last.json()["content"] == [
        {"type": "image", "url": PICTURE.url, "caption": "Look"},
        {"type": "image", "url": PICTURE.url},
    ]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(422), Rejected),
        (refusal(422, body={"invalid_parameters": [{"name": "to", "reason": "no"}]}), BadNumber),
        (refusal(422, body={"invalid_parameters": [{"name": "text", "reason": "no"}]}), Rejected),
        (refusal(422, body={"invalid_parameters": "to"}), Rejected),
        (refusal(422, "1170"), BadNumber),
        (refusal(422, "1240"), OptedOut),
        (refusal(422, "1120"), Misconfigured),
        (refusal(401), Misconfigured),
        (refusal(403), Misconfigured),
        (refusal(403, "out-of-credit"), NoCredit),
        (refusal(402, "1070"), NoCredit),
        (refusal(402, "another"), NoCredit),
        (refusal(404), Misconfigured),
        (refusal(429), Throttled),
        (refusal(403, "1000"), Throttled),
        (refusal(500, "1030"), OutcomeUnknown),
        (refusal(500, "1000"), OutcomeUnknown),
        (refusal(500, "1100"), Temporary),
        (refusal(408), OutcomeUnknown),
        (answer(502, "<html>"), OutcomeUnknown),
        (answer(301, "", location="https://elsewhere.example"), BadAnswer),
        (answer(202, "<html>"), BadAnswer),
        (answer(202, "[]"), BadAnswer),
        (answer(202, {"title": "Odd"}), BadAnswer),
    ],
)
def test_each_refusal_of_the_messages_api_has_its_class(
    entry: Answer, kind: type[PhoneError]
) -> None:
    assert type(failing(entry)) is kind


def test_vonages_own_words_are_kept() -> None:
    error = failing(refusal(422, body={"invalid_parameters": [{"name": "to", "reason": "short"}]}))

    assert (error.words, error.code) == ("Title – Why – to: short", "1020")


@pytest.mark.parametrize("body", ["", "null", "<html>", "{}"])
def test_a_refusal_without_words_says_so(body: str) -> None:
    assert failing(answer(400, body)).words == "Vonage answered HTTP 400, without a word."


def test_the_messages_api_sends_no_flash() -> None:
    error = failing(TAKEN, sms=OutgoingSms("42", TO, "Now", flash=True))

    assert type(error) is Rejected
    assert "SMS API" in error.words


# ---- Sending by the SMS API ---------------------------------------------------------------------


def segment(status: str = "0", **changes: str) -> dict[str, str]:
    return {
        "to": "33612345678",
        "message-id": "0A0000000123ABCD1",
        "status": status,
        "remaining-balance": "3.14159265",
        "message-price": "0.03330000",
        "network": "20801",
        "client-ref": "42",
        **changes,
    }


def segments(*items: dict[str, str]) -> Answer:
    return answer(200, {"message-count": str(len(items)), "messages": list(items)})


def refused(status: str, words: str = "Words") -> Answer:
    return segments({"status": status, "error-text": words})


def test_a_message_leaves_as_the_sms_api_wants_it() -> None:
    http = FakeHttp({SMS_API: segments(segment())})

    sent = vonage(http, api="sms").send(SMS)

    assert sent == Sent("0A0000000123ABCD1", 1, 33_300, "EUR")
    assert {name: value for name, [value] in http.last.form.items()} == {
        "api_key": "abcd1234",
        "api_secret": SECRET,
        "from": "33757590000",
        "to": "33612345678",
        "text": "Bonjour",
        "type": "text",
        "status-report-req": "true",
        "client-ref": "42",
        "callback": f"{BASE}status/",
    }


@pytest.mark.parametrize("name", list(TEXTS))
def test_any_text_leaves_whole_by_the_sms_api(name: str) -> None:
    http = FakeHttp({SMS_API: segments(segment())})

    vonage(http, api="sms").send(OutgoingSms("42", TO, TEXTS[name]))

    assert http.last.form["text"] == [TEXTS[name]]
    assert http.last.form["type"] == ["unicode" if name == "unicode" else "text"]


def test_a_flash_message_says_so() -> None:
    http = FakeHttp({SMS_API: segments(segment())})

    vonage(http, api="sms").send(OutgoingSms("42", TO, "Now", flash=True))

    assert http.last.form["message-class"] == ["0"]


def test_an_address_that_is_too_long_for_it_is_left_out() -> None:
    """Vonage would refuse the message; the account's own address serves then."""
    http = FakeHttp({SMS_API: segments(segment())})
    addresses = Addresses(
        f"https://{'x' * 60}.example.org/callbacks/0123456789abcdef0123456789abcdef/"
    )

    Vonage({**SETTINGS, "api": "sms"}, http, addresses).send(SMS)

    assert "callback" not in http.last.form


def test_the_cost_is_that_of_all_segments() -> None:
    parts = segments(segment(), segment(**{"message-id": "0B"}))

    sent = vonage(FakeHttp({SMS_API: parts}), api="sms").send(SMS)

    assert sent == Sent("0A0000000123ABCD1", 2, 66_600, "EUR")


def test_a_price_that_is_none_is_not_told() -> None:
    part = segments(segment(**{"message-price": ""}))

    sent = vonage(FakeHttp({SMS_API: part}), api="sms").send(SMS)

    assert sent == Sent("0A0000000123ABCD1", 1)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused("1"), Throttled),
        (refused("5"), Temporary),
        (refused("10"), Temporary),
        (refused("2"), Rejected),
        (refused("6"), Rejected),
        (refused("7"), BadNumber),
        (refused("12"), Rejected),
        (refused("29"), Rejected),
        (refused("4"), Misconfigured),
        (refused("8"), Misconfigured),
        (refused("14"), Misconfigured),
        (refused("15"), Misconfigured),
        (refused("9"), NoCredit),
        (refused("33"), BadNumber),
        (refused("101"), OptedOut),
        (refused("9999"), Rejected),
        (segments(segment(), segment("5")), OutcomeUnknown),
        (segments({}), BadAnswer),
        (segments(segment(**{"message-id": ""})), BadAnswer),
        (segments(), BadAnswer),
        (answer(200, {"messages": ["x"]}), BadAnswer),
        (answer(200, "<html>"), BadAnswer),
        (answer(429, "", retry_after="2"), Throttled),
        (answer(401, ""), Misconfigured),
        (answer(500, ""), OutcomeUnknown),
    ],
)
def test_each_refusal_of_the_sms_api_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    assert type(failing(entry, "sms")) is kind


def test_the_sms_api_says_in_words_how_long_to_wait() -> None:
    words = "Throughput Rate Exceeded - please wait [ 250 ] and retry"

    error = failing(refused("1", words), "sms")

    assert isinstance(error, Throttled)
    assert (error.retry_after, error.words, error.code) == (0.25, words, "1")


def test_the_sms_api_sends_no_pictures() -> None:
    error = failing(segments(segment()), "sms", OutgoingSms("42", TO, "Look", (PICTURE,)))

    assert type(error) is Rejected
    assert "Messages API" in error.words


@pytest.mark.parametrize("api", ["messages", "sms"])
@pytest.mark.parametrize("error", [NotSent("refused"), NoAnswer("reset")], ids=["not", "unknown"])
def test_errors_of_the_way_pass_through(api: str, error: NotSent | NoAnswer) -> None:
    with pytest.raises(type(error)):
        vonage(FakeHttp({MESSAGES: error, SMS_API: error}), api=api).send(SMS)


# ---- Signatures ---------------------------------------------------------------------------------


def bearer(body: bytes, secret: str = SIGNING, algorithm: str = "HS256", **changes: Any) -> str:
    """A token as Vonage makes it, made by PyJWT."""
    claims = {
        "iat": 1_795_000_000,
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "api_key": "abcd1234",
        **changes,
    }
    return "Bearer " + jwt.encode(claims, secret, algorithm)


def posted(endpoint: str, said: Any, authorization: str | None = None) -> Callback:
    """A callback of the Messages API, signed unless told otherwise."""
    body = json.dumps(said).encode()
    token = bearer(body) if authorization is None else authorization
    headers = {"content-type": "application/json"} | ({"authorization": token} if token else {})
    return callback(endpoint, body=body, headers=headers)


BODY = json.dumps({"a": 1}).encode()


def test_a_signed_callback_is_believed() -> None:
    vonage().verify(posted("status", {"a": 1}))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer ",
        "Bearer a.b.c",
        "Bearer é.é.é",
        "Bearer a.b.c.d",
        "Basic YTpi",
        bearer(BODY, "another-secret-that-is-long-enough-too"),
        bearer(b"another body"),
        bearer(BODY, payload_hash=""),
        bearer(BODY, "", "none"),
        bearer(BODY, SIGNING * 2, "HS512"),
        bearer(BODY) + "A",
        bearer(BODY).replace(".", ".!"),
    ],
)
def test_other_tokens_are_refused(authorization: str) -> None:
    with pytest.raises(BadSignature):
        vonage().verify(posted("status", {"a": 1}, authorization))


def test_a_token_of_another_method_is_refused_even_with_the_right_key() -> None:
    with pytest.raises(BadSignature):
        vonage().verify(posted("status", {"a": 1}, bearer(BODY, SIGNING * 2, "HS512")))


def test_a_call_without_a_body_needs_no_hash_of_it() -> None:
    token = bearer(b"", payload_hash=None)

    vonage().verify(callback("call", headers={"authorization": token}, method="GET"))


def test_without_a_secret_no_token_is_believed() -> None:
    body = json.dumps({"a": 1}).encode()
    head, _, _ = bearer(body).removeprefix("Bearer ").rpartition(".")
    empty = jwt.utils.base64url_encode(hmac.new(b"", head.encode(), hashlib.sha256).digest())
    said = posted("status", {"a": 1}, f"Bearer {head}.{empty.decode()}")

    with pytest.raises(BadSignature):
        vonage(signature_secret="").verify(said)


def sig(fields: Mapping[str, str], method: str = "md5hash", secret: str = SIGNING) -> str:
    text = "".join(
        f"&{name}={fields[name].replace('&', '_').replace('=', '_')}" for name in sorted(fields)
    )
    if method == "md5hash":
        return hashlib.md5((text + secret).encode(), usedforsecurity=False).hexdigest()
    return hmac.new(secret.encode(), text.encode(), method).hexdigest().upper()


FIELDS = {"msisdn": "33612345678", "messageId": "0A", "text": "a&b=c é", "timestamp": "1795000000"}


@pytest.mark.parametrize("method", ["md5hash", "md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("way", ["form", "query", "json"])
def test_signed_fields_are_believed(method: str, way: str) -> None:
    fields = {**FIELDS, "sig": sig(FIELDS, method)}
    ways = {
        "form": callback("incoming", form=fields, body=b"form"),
        "query": callback("incoming", query=fields, method="GET"),
        "json": callback("incoming", body=json.dumps(fields).encode()),
    }

    vonage(api="sms", signature_method=method).verify(ways[way])


@pytest.mark.parametrize(
    "fields",
    [
        FIELDS,
        {**FIELDS, "sig": ""},
        {**FIELDS, "sig": "é"},
        {**FIELDS, "sig": sig(FIELDS, "sha256")},
        {**FIELDS, "sig": sig(FIELDS, secret="another")},
        {**FIELDS, "sig": sig(FIELDS), "text": "changed"},
        {**FIELDS, "sig": sig(FIELDS), "more": ""},
    ],
    ids=["none", "empty", "not ASCII", "other method", "other secret", "changed", "more"],
)
def test_other_fields_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        vonage(api="sms").verify(callback("incoming", form=fields))


def test_nonsense_is_not_believed() -> None:
    with pytest.raises(BadSignature):
        vonage(api="sms").verify(callback("incoming", body=b"{"))


def test_unsigned_callbacks_are_believed_only_where_the_sms_api_does_not_sign() -> None:
    said = callback("incoming", form=FIELDS)

    vonage(api="sms", signature_secret="").verify(said)

    with pytest.raises(BadSignature):
        vonage(api="messages", signature_secret="").verify(said)


def test_fields_do_not_take_the_place_of_a_token() -> None:
    """MD5 must not open what SHA-256 guards."""
    with pytest.raises(BadSignature):
        vonage().verify(callback("incoming", form={**FIELDS, "sig": sig(FIELDS)}))


def test_calls_are_signed_with_a_token_whatever_sends_the_sms() -> None:
    vonage(api="sms").verify(posted("call", {"uuid": "c-1"}))


# ---- Reports ------------------------------------------------------------------------------------

AT = "2026-11-20T15:42:00.000Z"
TIME = datetime(2026, 11, 20, 15, 42, tzinfo=UTC)


def report(status: str, **changes: Any) -> Callback:
    said = {
        "message_uuid": UUID,
        "to": "33612345678",
        "from": "33757590000",
        "timestamp": AT,
        "status": status,
        "usage": {"currency": "EUR", "price": "0.0333"},
        "client_ref": "42",
        "channel": "sms",
        "sms": {"count_total": "1"},
        **changes,
    }
    return posted("status", said)


def receipt(status: str, **changes: str) -> Callback:
    said = {
        "msisdn": "33612345678",
        "to": "33757590000",
        "network-code": "20801",
        "messageId": "0A0000000123ABCD1",
        "price": "0.03330000",
        "status": status,
        "scts": "2611201542",
        "err-code": "0",
        "api-key": "abcd1234",
        "client-ref": "42",
        "message-timestamp": "2026-11-20 15:42:00",
        "timestamp": "1795000000",
        **changes,
    }
    return callback("status", form=said)


def test_a_report_is_read_whole() -> None:
    assert vonage().parse("status", report("delivered")) == [
        StatusReport(
            Delivery.DELIVERED, UUID, "42", at=TIME, segments=1, cost=33_300, currency="EUR"
        )
    ]
    # The price of a receipt is that of one segment; the answer has told the sum of all.
    assert vonage().parse("status", receipt("delivered")) == [
        StatusReport(Delivery.DELIVERED, "0A0000000123ABCD1", "42", at=TIME)
    ]


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-20 15:42:00", TIME),
        ("2026-11-20 15:42:00 +0000", TIME),
        ("2026-11-20T15:42:00Z", TIME),
        ("2026-13-20 15:42:00", None),
        ("1795000000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_read_as_utc(written: str, at: datetime | None) -> None:
    [news] = vonage().parse("status", receipt("delivered", **{"message-timestamp": written}))

    assert isinstance(news, StatusReport)
    assert news.at == at


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("accepted", Delivery.SENT),
        ("buffered", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("expired", Delivery.FAILED),
        ("failed", Delivery.FAILED),
        ("rejected", Delivery.FAILED),
        ("unknown", None),
    ],
)
def test_each_status_of_the_sms_api_is_understood(status: str, state: Delivery | None) -> None:
    events = vonage().parse("status", receipt(status))

    assert [event.state for event in events if isinstance(event, StatusReport)] == (
        [state] if state else []
    )


@pytest.mark.parametrize(
    ("said", "reason", "code", "words"),
    [
        (receipt("failed", **{"err-code": "3"}), Reason.BAD_NUMBER, "3", "failed"),
        (receipt("failed", **{"err-code": "2"}), Reason.UNREACHABLE, "2", "failed"),
        (receipt("rejected", **{"err-code": "6"}), Reason.BLOCKED, "6", "rejected"),
        (receipt("failed", **{"err-code": "99"}), Reason.REJECTED, "99", "failed"),
        (receipt("expired"), Reason.EXPIRED, "0", "expired"),
        (
            report("rejected", error={"type": f"{ERRORS}#1190", "title": 1190, "detail": "Gone"}),
            Reason.BAD_NUMBER,
            "1190",
            "Gone",
        ),
        (report("undeliverable"), Reason.REJECTED, "", "undeliverable"),
        (report("rejected", error="odd"), Reason.REJECTED, "", "rejected"),
    ],
)
def test_a_failure_says_why(said: Callback, reason: Reason, code: str, words: str) -> None:
    [news] = vonage().parse("status", said)

    assert isinstance(news, StatusReport)
    assert (news.reason, news.code, news.words) == (reason, code, words)


@pytest.mark.parametrize(
    "said",
    [
        receipt("rejected", **{"err-code": "9"}),
        report("rejected", error={"type": f"{ERRORS}#1240", "detail": "STOP"}),
    ],
    ids=["SMS API", "Messages API"],
)
def test_an_opt_out_is_told(said: Callback) -> None:
    news, notice = vonage().parse("status", said)

    assert isinstance(news, StatusReport)
    assert news.reason == Reason.OPTED_OUT
    assert notice == OptOutNotice(TO, words=news.words)


# ---- Incoming -----------------------------------------------------------------------------------


def received(**changes: Any) -> Callback:
    said = {
        "message_uuid": UUID,
        "to": "33757590000",
        "from": "33612345678",
        "timestamp": AT,
        "channel": "sms",
        "message_type": "text",
        "text": "Oui 👍 à demain",
        "sms": {"num_messages": "1", "keyword": "OUI"},
        "usage": {"currency": "EUR", "price": "0"},
        **changes,
    }
    return posted("incoming", said)


def reply(text: str, *media: IncomingMedia) -> IncomingSms:
    return IncomingSms(TO, text, UUID, NUMBER, media, TIME)


IMAGE = {"url": "https://api-us.nexmo.com/v3/media/1", "name": "1.jpg", "caption": "Regarde"}
FETCHED = IncomingMedia(IMAGE["url"])


@pytest.mark.parametrize(
    ("changes", "sms"),
    [
        ({"message_type": "image", "image": IMAGE}, reply("Regarde", FETCHED)),
        ({"message_type": "vcard", "vcard": {"url": IMAGE["url"]}}, reply("", FETCHED)),
        (
            {
                "message_type": "content",
                "content": [
                    {"type": "text", "text": "Deux"},
                    {"type": "image", "url": IMAGE["url"]},
                    {"type": "image", "url": IMAGE["url"]},
                    "nonsense",
                ],
            },
            reply("Deux", FETCHED, FETCHED),
        ),
    ],
    ids=["picture", "card", "several"],
)
def test_pictures_are_received(changes: dict[str, Any], sms: IncomingSms) -> None:
    said = received(text=None, channel="mms", **changes)

    assert vonage().parse("incoming", said) == [sms]


IN_SMS = {
    "api-key": "abcd1234",
    "msisdn": "33612345678",
    "to": "33757590000",
    "messageId": "0A0000000123ABCD1",
    "text": "Oui",
    "type": "text",
    "keyword": "OUI",
    "message-timestamp": "2026-11-20 15:42:00",
}


@pytest.mark.parametrize("way", ["form", "query", "json"])
def test_a_message_of_the_sms_api_is_received_each_way(way: str) -> None:
    ways = {
        "form": callback("incoming", form=IN_SMS, body=b"form"),
        "query": callback("incoming", query=IN_SMS, method="GET"),
        "json": callback("incoming", body=json.dumps(IN_SMS).encode()),
    }

    events = vonage(api="sms").parse("incoming", ways[way])

    assert events == [IncomingSms(TO, "Oui", "0A0000000123ABCD1", NUMBER, (), TIME)]


IN_PARTS = {**IN_SMS, "concat": "true", "concat-ref": "7", "concat-total": "3", "concat-part": "2"}


def test_a_part_of_a_long_message_says_where_it_belongs() -> None:
    [sms] = vonage(api="sms").parse("incoming", callback("incoming", form=IN_PARTS))

    assert isinstance(sms, IncomingSms)
    assert (sms.text, sms.part) == ("Oui", Part("7", 2, 3))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({**IN_PARTS, "concat-part": "²"}, "Oui"),
        ({**IN_PARTS, "concat-total": ""}, "Oui"),
        ({**IN_SMS, "type": "binary", "text": "", "data": "0a0b", "udh": "06"}, "0a0b"),
    ],
    ids=["odd number", "no total", "binary"],
)
def test_what_the_sms_api_says_oddly_is_not_lost(fields: dict[str, str], text: str) -> None:
    [sms] = vonage(api="sms").parse("incoming", callback("incoming", form=fields))

    assert isinstance(sms, IncomingSms)
    assert (sms.text, sms.part) == (text, None)


@pytest.mark.parametrize("missing", ["msisdn", "messageId"])
def test_a_message_without_sender_or_id_is_malformed(missing: str) -> None:
    with pytest.raises(Malformed):
        vonage().parse("incoming", callback("incoming", form={**IN_SMS, missing: ""}))


# ---- Calls --------------------------------------------------------------------------------------

CALL = {"uuid": "c-1", "conversation_uuid": "CON-1", "from": "33612345678", "to": "33757590000"}


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_a_call_that_rings_is_told_and_not_taken(way: str) -> None:
    said = callback("call", query=CALL, method="GET") if way == "GET" else posted("call", CALL)

    assert vonage().parse("call", said) == [IncomingCall(TO, "c-1")]
    assert vonage().reply("call").body == "[]"
    assert vonage().reply("call").content_type == "application/json"


def test_the_end_of_a_call_is_told() -> None:
    ended = {**CALL, "status": "completed", "direction": "inbound", "duration": "61"}

    events = vonage().parse("call_end", posted("call_end", {**ended, "end_time": AT}))

    assert events == [IncomingCall(TO, "c-1", True, 61, "completed", TIME)]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "started"},
        {"status": "ringing"},
        {"status": "completed", "direction": "outbound"},
    ],
    ids=["started", "ringing", "our own"],
)
def test_other_events_of_calls_are_no_news(changes: dict[str, str]) -> None:
    assert vonage().parse("call_end", posted("call_end", {**CALL, **changes})) == []


def test_who_hides_the_number_still_rang() -> None:
    [call] = vonage().parse("call", posted("call", {**CALL, "from": ""}))

    assert isinstance(call, IncomingCall)
    assert call.caller == "anonymous"


# ---- Pictures and the account -------------------------------------------------------------------


def test_a_picture_is_fetched_without_credentials() -> None:
    http = FakeHttp({f"GET {IMAGE['url']}": answer(200, b"\xff\xd8", content_type="image/jpeg")})

    fetched = vonage(http).fetch(FETCHED)

    assert (fetched.content, fetched.content_type) == (b"\xff\xd8", "image/jpeg")
    assert http.last.auth is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/1",
        "http://api.nexmo.com/1",
        "https://evilnexmo.com/1",
        "https://api.nexmo.com.evil.example/1",
        "https://api.nexmo.com@evil.example/1",
    ],
)
def test_pictures_are_fetched_at_vonage_only(url: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        vonage(http).fetch(IncomingMedia(url))

    assert http.asked == []


def test_a_picture_may_come_later() -> None:
    with pytest.raises(Temporary):
        vonage(FakeHttp({f"GET {IMAGE['url']}": answer(503)})).fetch(FETCHED)


BALANCE = "GET https://rest.nexmo.com/account/get-balance"


def test_a_check_sends_nothing() -> None:
    http = FakeHttp({BALANCE: answer(200, {"value": 10.28, "autoReload": False})})

    assert vonage(http).check() == "Vonage knows the account; 10.28 EUR is left."
    assert [asked.method for asked in http.asked] == ["GET"]
    assert SECRET not in http.last.url


PRICES = "GET https://rest.nexmo.com/account/get-pricing/outbound/sms"


def network(kind: str, price: str) -> dict[str, str]:
    return {"type": kind, "price": price, "currency": "EUR", "mcc": "208", "mnc": "01"}


def test_the_price_to_a_country_is_that_of_its_dearest_mobile_network() -> None:
    networks = [
        network("mobile", "0.0650"),
        network("mobile", "0.0722"),
        network("landline", "0.9"),
    ]
    said = {"countryCode": "FR", "currency": "EUR", "defaultPrice": "0.05", "networks": networks}
    http = FakeHttp({PRICES: answer(200, said)})

    assert vonage(http).price_to("FR") == Money(72_200, "EUR")
    assert http.last.query == {"country": ["FR"]}
    assert http.last.auth


def test_a_country_without_networks_has_its_usual_price() -> None:
    http = FakeHttp({PRICES: answer(200, {"defaultPrice": "0.0500", "currency": "EUR"})})

    assert vonage(http).price_to("FR") == Money(50_000, "EUR")


@pytest.mark.parametrize("said", [{}, {"networks": 1, "defaultPrice": None}])
def test_a_country_without_a_price_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        vonage(FakeHttp({PRICES: answer(200, said)})).price_to("XX")


def test_a_report_counts_the_segments_of_the_whole_message() -> None:
    [told] = vonage().parse("status", report("submitted", sms={"count_total": "3"}))

    assert isinstance(told, StatusReport)
    assert told.segments == 3


def test_the_balance_is_told() -> None:
    http = FakeHttp({BALANCE: answer(200, {"value": 10.28})})

    assert vonage(http).balance() == Balance(10_280_000, "EUR")


@pytest.mark.parametrize("body", [{}, {"value": "much"}, {"value": None}])
def test_a_balance_that_is_none_is_a_bad_answer(body: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        vonage(FakeHttp({BALANCE: answer(200, body)})).balance()


def test_wrong_credentials_are_told() -> None:
    with pytest.raises(Misconfigured):
        vonage(FakeHttp({BALANCE: refusal(401)})).check()


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+33 7 57 59 00 00", NUMBER),
        ("33757590000", NUMBER),
        ("361 80", "36180"),
        (" Les  Tilleul ", "Les Tilleul"),
    ],
)
def test_a_sender_is_stored_in_one_form(written: str, stored: str) -> None:
    form = Vonage.Settings({**SETTINGS, "sender": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["sender"] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "abcd 1234"},
        {"api_secret": ""},
        {"sender": "0757590000"},
        {"sender": "Les Tilleuls de Nantes"},
        {"api": "pigeon"},
        {"signature_secret": ""},
        {"signature_method": "rot13"},
    ],
    ids="-".join,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Vonage.Settings({**SETTINGS, **changes}).is_valid()


def test_the_sms_api_needs_no_signature_secret() -> None:
    form = Vonage.Settings({**SETTINGS, "api": "sms", "signature_secret": ""})

    assert form.is_valid(), form.errors


# ---- The cases of every type --------------------------------------------------------------------

CASES = Cases(
    settings=SETTINGS,
    route=MESSAGES,
    accepted=TAKEN,
    provider_id=UUID,
    text_of=lambda asked: str(asked.json()["text"]),
    error_body=(answer(202, {"title": "Odd", "detail": "Nothing was made"}), BadAnswer),
    refusals={
        400: (refusal(400), Rejected),
        401: (refusal(401), Misconfigured),
        402: (refusal(402, "1070"), NoCredit),
        429: (refusal(429, "1000", Retry_After="4"), Throttled),
        500: (refusal(500, "1030"), OutcomeUnknown),
    },
    reports={
        "submitted": (report("submitted"), Delivery.SENT),
        "delivered": (report("delivered"), Delivery.DELIVERED),
        "read": (report("read"), Delivery.DELIVERED),
        "rejected": (report("rejected"), Delivery.FAILED),
        "undeliverable": (report("undeliverable"), Delivery.FAILED),
        "unknown status": (report("of tomorrow"), None),
        "no status": (report(""), Malformed),
        "no id": (report("delivered", message_uuid=None), Malformed),
        "unknown message": (
            report("delivered", message_uuid="u-9", client_ref=None),
            Delivery.DELIVERED,
        ),
    },
    incoming={
        "valid": (received(text="Oui"), reply("Oui")),
        "empty": (received(text=""), reply("")),
        "unicode": (received(), reply("Oui 👍 à demain")),
        "no sender": (received(**{"from": None}), Malformed),
        "of the SMS API": (
            callback("incoming", form=IN_SMS),
            IncomingSms(TO, "Oui", "0A0000000123ABCD1", NUMBER, (), TIME),
        ),
    },
    signed=(
        posted("status", {"a": 1}),
        posted("status", {"a": 1}, ""),
        posted("status", {"a": 1}, bearer(BODY, "another-secret-that-is-long-enough-too")),
    ),
)


def insight(status: object = 0, **carrier: object) -> Answer:
    known = {"network_code": "20801", "name": "Orange France", "country": "FR"}
    said = {"status": status, "status_message": "Words", "country_code": "FR"}
    return answer(200, said | {"current_carrier": {**known, "network_type": "mobile", **carrier}})


INSIGHT = "GET https://api.nexmo.com/ni/standard/json"
LOOK_UPS = LookUps(
    route=INSIGHT,
    says=f"number={TO.removeprefix('+')}",
    outcomes={
        "mobile": (insight(), LookedUp("Orange France", Line.MOBILE, "FR", "208-01")),
        "landline": (
            insight(network_type="landline", network_code="FR-FIXED"),
            LookedUp("Orange France", Line.LANDLINE, "FR"),
        ),
        "no such number": (insight(3), BadNumber),
        "no carrier": (
            insight(network_type="unknown", name=None, network_code=None, country=None),
            LookedUp("", Line.UNKNOWN, "FR"),
        ),
        "wrong account": (refusal(401), Misconfigured),
        "too fast": (refusal(429, Retry_After="3"), Throttled),
        "down": (answer(503, ""), Temporary),
        "nonsense": (answer(200, "<html>"), BadAnswer),
    },
)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (1, Throttled),
        (4, Misconfigured),
        (5, Temporary),
        (9, NoCredit),
        (19, Misconfigured),
        (999, BadAnswer),
        ("0", BadAnswer),
        ([], BadAnswer),
        (None, BadAnswer),
    ],
)
def test_number_insight_says_in_a_status_what_happened(
    status: object, error: type[PhoneError]
) -> None:
    with pytest.raises(PhoneError) as caught:
        vonage(FakeHttp({INSIGHT: insight(status)})).look_up(TO)

    assert type(caught.value) is error
    assert caught.value.words == "Words"


@pytest.mark.parametrize("status", [43, 44, 45])
def test_what_the_numbering_plan_says_counts_where_the_network_was_silent(status: int) -> None:
    assert vonage(FakeHttp({INSIGHT: insight(status)})).look_up(TO).carrier == "Orange France"
