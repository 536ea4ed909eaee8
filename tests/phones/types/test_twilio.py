"""Twilio, case by case. Payloads are those of its documentation, read 2026-11."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from lib.http import Answer, Guard, Http, NoAnswer, NotSent, Trace
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
    PhoneError,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.twilio import Twilio
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import Cases, LookUps

ACCOUNT = "AC" + "0123456789abcdef" * 2
SERVICE = "MG" + "0123456789abcdef" * 2
KEY = "SK" + "0123456789abcdef" * 2
TOKEN = "a-token-nobody-should-read"
NUMBER = "+33757590000"
TO = "+33612345678"
SID = "SM" + "a" * 32
BASE = "https://sms.example.org/callbacks/t0ken/"
HOME = f"/2010-04-01/Accounts/{ACCOUNT}"
MESSAGES = f"POST https://api.twilio.com{HOME}/Messages.json"
SETTINGS = {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": NUMBER}
SMS = OutgoingSms("m-42", TO, "Bonjour")


def message(**changes: Any) -> dict[str, Any]:
    return {
        "sid": SID,
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Bonjour",
        "date_created": "Fri, 20 Nov 2026 15:42:00 +0000",
        "date_sent": None,
        "date_updated": "Fri, 20 Nov 2026 15:42:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": NUMBER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "status": "queued",
        "to": TO,
        "uri": f"{HOME}/Messages/{SID}.json",
        **changes,
    }


def refusal(status: int, code: int, **headers: str) -> Answer:
    words = {"code": code, "message": f"Words of {code}", "status": status}
    return answer(status, words, **headers)


def twilio(http: Http, **settings: str) -> Twilio:
    return Twilio({**SETTINGS, **settings}, http, Addresses(BASE))


def sending(entry: Entry, sms: OutgoingSms = SMS, /, **settings: str) -> tuple[Sent, Asked]:
    http = FakeHttp({"POST /Messages.json": entry})
    sent = twilio(http, **settings).send(sms)
    assert len(http.asked) == 1
    return sent, http.last


def failing(entry: Entry) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        sending(entry)
    return caught.value


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_twilio_wants_it() -> None:
    sent, asked = sending(answer(201, message()))

    assert sent == Sent(SID, segments=1)
    assert asked.url == f"https://api.twilio.com{HOME}/Messages.json"
    assert asked.auth == (ACCOUNT, TOKEN)
    assert asked.form == {
        "To": [TO],
        "From": [NUMBER],
        "Body": ["Bonjour"],
        "StatusCallback": [f"{BASE}status/?message=m-42"],
    }


@pytest.mark.parametrize(
    "text",
    ["Été à Noël 🎄 你好", "x" * 1600, "[a] {b} €~\\|^", "100% & = + ?\nsecond line"],
    ids=["unicode", "long", "gsm extension", "reserved characters"],
)
def test_a_text_leaves_unchanged(text: str) -> None:
    _sent, asked = sending(answer(201, message()), OutgoingSms("m-42", TO, text))

    assert asked.form["Body"] == [text]


def test_pictures_leave_as_addresses_and_need_no_text() -> None:
    media = tuple(Attachment(f"https://sms.example.org/m/{n}", "image/png", 9) for n in (1, 2))

    _sent, asked = sending(answer(201, message()), OutgoingSms("m-42", TO, "", media))

    assert asked.form["MediaUrl"] == ["https://sms.example.org/m/1", "https://sms.example.org/m/2"]
    assert "Body" not in asked.form


def test_a_messaging_service_takes_the_place_of_the_number() -> None:
    _sent, asked = sending(answer(201, message(num_segments="0")), sender=SERVICE)

    assert asked.form["MessagingServiceSid"] == [SERVICE]
    assert "From" not in asked.form


def test_a_name_is_the_sender() -> None:
    _sent, asked = sending(answer(201, message()), sender="Les Tilleul")

    assert asked.form["From"] == ["Les Tilleul"]


def test_an_api_key_takes_the_place_of_the_token() -> None:
    _sent, asked = sending(answer(201, message()), api_key_sid=KEY, api_key_secret="s3cret")

    assert asked.auth == (KEY, "s3cret")
    assert HOME in asked.url


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"edge": "dublin", "region": "ie1"}, "https://api.dublin.ie1.twilio.com"),
        ({"region": "ie1"}, "https://api.ie1.twilio.com"),
        ({"base_url": "https://sms.example.net/api/laml"}, "https://sms.example.net/api/laml"),
        ({"base_url": "http://127.0.0.1:4013/"}, "http://127.0.0.1:4013"),
    ],
    ids=["edge and region", "region", "compatible server", "emulator"],
)
def test_requests_go_where_the_settings_say(changes: dict[str, str], url: str) -> None:
    _sent, asked = sending(answer(201, message()), **changes)

    assert asked.url == f"{url}{HOME}/Messages.json"


def test_the_environment_does_not_decide_where_credentials_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "EDGE", "REGION"):
        monkeypatch.setenv(f"TWILIO_{name}", "elsewhere")

    _sent, asked = sending(answer(201, message()))

    assert asked.host == "api.twilio.com"
    assert asked.auth == (ACCOUNT, TOKEN)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"num_segments": "3"}, Sent(SID, segments=3)),
        ({"num_segments": "0", "status": "accepted"}, Sent(SID)),
        ({"price": "-0.00750"}, Sent(SID, segments=1, cost=7500, currency="USD")),
        ({"price": "a lot"}, Sent(SID, segments=1)),
        ({"error_code": 0, "error_message": ""}, Sent(SID, segments=1)),
        ({"tomorrow": {"new": "field"}}, Sent(SID, segments=1)),
    ],
    ids=["segments", "service", "price", "unreadable price", "no error", "unknown field"],
)
def test_what_twilio_says_of_a_message_is_kept(changes: dict[str, Any], sent: Sent) -> None:
    assert sending(answer(201, message(**changes)))[0] == sent


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(400, 21211), BadNumber),
        (refusal(400, 21614), BadNumber),
        (refusal(400, 21635), BadNumber),
        (refusal(400, 21610), OptedOut),
        (refusal(400, 21408), Rejected),
        (refusal(400, 21608), Rejected),
        (refusal(400, 21612), Rejected),
        (refusal(400, 21602), Rejected),
        (refusal(400, 21617), Rejected),
        (refusal(400, 21620), Rejected),
        (refusal(400, 99999), Rejected),
        (refusal(400, 21606), Misconfigured),
        (refusal(400, 21603), Misconfigured),
        (refusal(400, 21609), Misconfigured),
        (refusal(400, 21703), Misconfigured),
        (refusal(403, 20003), Misconfigured),
        (refusal(401, 20003), Misconfigured),
        (refusal(404, 20404), Misconfigured),
        (refusal(402, 99999), NoCredit),
        (refusal(429, 20429), Throttled),
        (refusal(429, 21611), Throttled),
        (refusal(429, 99999), Throttled),
        (refusal(400, 14107), Throttled),
        (refusal(400, 30023), Temporary),
        (refusal(503, 20503), Temporary),
        (answer(503, "<html>Busy</html>"), Temporary),
        (refusal(500, 20500), OutcomeUnknown),
        (answer(500, ""), OutcomeUnknown),
        (answer(502, "<html>Bad gateway</html>"), OutcomeUnknown),
        (answer(504, "null"), OutcomeUnknown),
        (answer(408, ""), OutcomeUnknown),
        (answer(301, "", location="https://elsewhere.example"), Misconfigured),
        (answer(201, "<html>"), BadAnswer),
        (answer(201, ""), BadAnswer),
        (answer(201, "[]"), BadAnswer),
        (answer(201, {}), BadAnswer),
        (answer(201, message(sid=None)), BadAnswer),
        (answer(201, message(date_created=7)), BadAnswer),
    ],
    ids=lambda value: (
        f"{value.status} {value.body[:24]!r}" if isinstance(value, Answer) else value.__name__
    ),
)
def test_each_refusal_has_its_class(entry: Entry, kind: type[PhoneError]) -> None:
    assert type(failing(entry)) is kind


def test_a_refusal_keeps_twilios_words_and_code() -> None:
    error = failing(refusal(400, 21211))

    assert (error.words, error.code) == ("Words of 21211", "21211")


def test_problem_details_are_understood() -> None:
    """Twilio's newer services answer so (RFC 9457)."""
    problem = {"type": "about:blank", "title": "Bad", "status": 400, "code": 21211, "detail": "Why"}

    error = failing(answer(400, problem))

    assert (type(error), error.words, error.code) == (BadNumber, "Why", "21211")


@pytest.mark.parametrize("body", ["", "null", "<html>", '"text"', "{}"])
def test_a_refusal_without_words_says_so(body: str) -> None:
    assert failing(answer(400, body)).words == "Twilio answered HTTP 400, without a word."


def test_twilio_says_how_long_to_wait() -> None:
    error = failing(refusal(429, 20429, Retry_After="7"))

    assert isinstance(error, Throttled)
    assert error.retry_after == 7


def test_a_daily_limit_waits_for_hours() -> None:
    error = failing(refusal(400, 30027))

    assert isinstance(error, Temporary)
    assert (error.retry_after or 0) > 3600


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"error_code": 21610, "error_message": "STOP"}, OptedOut),
        ({"error_code": 30006}, BadNumber),
        ({"error_code": 99999}, Rejected),
        ({}, Rejected),
    ],
)
def test_a_message_that_failed_at_once_is_not_sent(
    changes: dict[str, Any], kind: type[PhoneError]
) -> None:
    assert type(failing(answer(201, message(status="failed", **changes)))) is kind


@pytest.mark.parametrize("error", [NotSent("No route."), NoAnswer("Read timed out.")])
def test_errors_of_the_way_pass_through(error: NotSent | NoAnswer) -> None:
    with pytest.raises(type(error)):
        sending(error)


# ---- Callbacks ----------------------------------------------------------------------------------


def callback(
    endpoint: str = "status",
    form: Mapping[str, str] | None = None,
    *,
    query: str = "",
    token: str | None = TOKEN,
    signed: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Callback:
    """A POST as Twilio makes it, signed by Twilio's own library."""
    form = form or {}
    url = f"{BASE}{endpoint}/{query}"
    if token is not None:
        signature = RequestValidator(token).compute_signature(url, signed or form)
        headers = {"x-twilio-signature": signature, **(headers or {})}
    return Callback(
        method="POST",
        url=url,
        headers=headers or {},
        query=parse_qs(query.removeprefix("?")),
        form={name: [value] for name, value in form.items()},
        body=urlencode(form).encode(),
    )


@pytest.fixture
def phone() -> Twilio:
    return twilio(FakeHttp())


def test_twilios_signature_is_accepted(phone: Twilio) -> None:
    phone.verify(callback(form={"MessageSid": SID, "Body": "Été 🎄"}, query="?message=m-42"))


def test_the_signature_of_twilios_manual_is_accepted() -> None:
    """https://www.twilio.com/docs/usage/security, read 2026-11."""
    form = {
        "Digits": "1234",
        "To": "+18005551212",
        "From": "+14158675310",
        "Caller": "+14158675310",
        "CallSid": "CA1234567890ABCDE",
    }
    call = Callback(
        method="POST",
        url="https://example.com/myapp.php?foo=1&bar=2",
        headers={"x-twilio-signature": "L/OH5YylLD5NRKLltdqwSvS0BnU="},
        query={"foo": ["1"], "bar": ["2"]},
        form={name: [value] for name, value in form.items()},
        body=urlencode(form).encode(),
    )

    twilio(FakeHttp(), auth_token="12345").verify(call)


@pytest.mark.parametrize(
    "wrong",
    [
        callback(token=None),
        callback(token="another token"),
        callback(form={"MessageStatus": "delivered"}, signed={"MessageStatus": "sent"}),
        callback(token=None, headers={"x-twilio-signature": ""}),
        callback(token=None, headers={"x-twilio-signature": "ééé"}),
        callback(headers={"x-twilio-webhooks-signature-settings": "algorithm=ROT13"}),
    ],
    ids=["none", "other token", "changed form", "empty", "not ASCII", "unknown algorithm"],
)
def test_other_signatures_are_refused(phone: Twilio, wrong: Callback) -> None:
    with pytest.raises(BadSignature):
        phone.verify(wrong)


def test_a_signature_for_one_address_does_not_serve_another(phone: Twilio) -> None:
    status = callback("status", {"MessageSid": SID}, query="?message=m-42")
    other = Callback(
        status.method, f"{BASE}status/?message=m-43", status.headers, {}, status.form, b""
    )

    with pytest.raises(BadSignature):
        phone.verify(other)


def test_a_get_is_verified_by_its_address(phone: Twilio) -> None:
    url = f"{BASE}incoming/?From=%2B33612345678&MessageSid={SID}&Body=Oui"
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    query = parse_qs(urlsplit(url).query)
    call = Callback("GET", url, {"x-twilio-signature": signature}, query, {}, b"")

    phone.verify(call)

    assert phone.parse("incoming", call) == [IncomingSms(TO, "Oui", SID)]


def test_repeated_names_are_part_of_the_signature(phone: Twilio) -> None:
    url = f"{BASE}incoming/"
    signed = callback("incoming", {"Tag": "b"})
    doubled = Callback("POST", url, signed.headers, {}, {"Tag": ["b", "c"]}, b"Tag=b&Tag=c")

    with pytest.raises(BadSignature):
        phone.verify(doubled)


def test_servers_that_sign_the_fragment_are_understood(phone: Twilio) -> None:
    form = {"MessageSid": SID}
    url = f"{BASE}incoming/#rc=3&rp=ct,rt,5xx"
    signature = RequestValidator(TOKEN).compute_signature(url, form)

    phone.verify(callback("incoming", form, token=None, headers={"x-twilio-signature": signature}))


def test_a_shared_key_signs_with_sha256() -> None:
    form, url = {"MessageSid": SID}, f"{BASE}status/"
    signature = RequestValidator("shared").compute_signature(url, form, "HMAC_SHA256")
    headers = {
        "x-twilio-signature": signature,
        "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    call = callback(form=form, token=None, headers=headers)

    twilio(FakeHttp(), webhook_secret="shared").verify(call)

    with pytest.raises(BadSignature):
        twilio(FakeHttp()).verify(call)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("sent", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("read", Delivery.DELIVERED),
        ("undelivered", Delivery.FAILED),
        ("failed", Delivery.FAILED),
        ("canceled", Delivery.FAILED),
    ],
)
def test_each_status_is_understood(phone: Twilio, status: str, state: Delivery) -> None:
    form = {"MessageSid": SID, "MessageStatus": status, "SmsSid": SID, "SmsStatus": status}

    [report] = phone.parse("status", callback(form=form, query="?message=m-42"))

    assert isinstance(report, StatusReport)
    assert (report.state, report.provider_id, report.reference) == (state, SID, "m-42")


@pytest.mark.parametrize(
    "status", ["accepted", "scheduled", "queued", "sending", "receiving", "of tomorrow"]
)
def test_statuses_that_tell_nothing_new_are_ignored(phone: Twilio, status: str) -> None:
    form = {"MessageSid": SID, "MessageStatus": status}

    assert phone.parse("status", callback(form=form, query="?message=m-42")) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("30003", Reason.UNREACHABLE),
        ("30004", Reason.BLOCKED),
        ("30005", Reason.BAD_NUMBER),
        ("30006", Reason.BAD_NUMBER),
        ("30007", Reason.BLOCKED),
        ("30008", Reason.NONE),
        ("30036", Reason.EXPIRED),
        ("21610", Reason.OPTED_OUT),
        ("99999", Reason.REJECTED),
        ("", Reason.NONE),
    ],
)
def test_a_failure_says_why(phone: Twilio, code: str, reason: Reason) -> None:
    form = {"MessageSid": SID, "MessageStatus": "undelivered", "ErrorCode": code}

    [report] = phone.parse("status", callback(form=form))

    assert isinstance(report, StatusReport)
    assert (report.reason, report.code, report.words) == (reason, code, "undelivered")


@pytest.mark.parametrize("form", [{}, {"MessageStatus": "sent"}, {"MessageSid": SID}])
def test_a_report_without_what_it_needs_is_malformed(phone: Twilio, form: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        phone.parse("status", callback(form=form))


INCOMING = {
    "MessageSid": SID,
    "SmsSid": SID,
    "SmsMessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": TO,
    "To": NUMBER,
    "Body": "Oui 👍 à demain",
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsStatus": "received",
    "ApiVersion": "2010-04-01",
    "FromCountry": "FR",
}


def test_a_message_is_received(phone: Twilio) -> None:
    sms = IncomingSms(TO, "Oui 👍 à demain", SID, to=NUMBER)

    assert phone.parse("incoming", callback("incoming", INCOMING)) == [sms]


def test_a_repeated_callback_gives_the_same_id(phone: Twilio) -> None:
    first, second = (phone.parse("incoming", callback("incoming", INCOMING)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("body", [{"Body": ""}, {}], ids=["empty", "absent"])
def test_a_message_without_text_is_received(phone: Twilio, body: dict[str, str]) -> None:
    form = {name: value for name, value in INCOMING.items() if name != "Body"} | body

    assert phone.parse("incoming", callback("incoming", form)) == [IncomingSms(TO, "", SID, NUMBER)]


@pytest.mark.parametrize("missing", [{"From"}, {"MessageSid", "SmsSid"}])
def test_a_message_without_sender_or_id_is_malformed(phone: Twilio, missing: set[str]) -> None:
    form = {name: value for name, value in INCOMING.items() if name not in missing}

    with pytest.raises(Malformed):
        phone.parse("incoming", callback("incoming", form))


def test_pictures_are_received(phone: Twilio) -> None:
    form = {
        **INCOMING,
        "NumMedia": "2",
        "MediaUrl0": "https://api.twilio.com/0",
        "MediaContentType0": "image/jpeg",
        "MediaUrl1": "https://api.twilio.com/1",
    }

    [sms] = phone.parse("incoming", callback("incoming", form))

    assert isinstance(sms, IncomingSms)
    assert sms.media == (
        IncomingMedia("https://api.twilio.com/0", "image/jpeg"),
        IncomingMedia("https://api.twilio.com/1"),
    )


@pytest.mark.parametrize(
    ("asked", "notices"),
    [
        ("STOP", [OptOutNotice(TO, "Arrêt")]),
        ("START", [OptOutNotice(TO, "Arrêt", again=True)]),
        ("HELP", []),
    ],
)
def test_opt_outs_come_beside_the_message(
    phone: Twilio, asked: str, notices: list[OptOutNotice]
) -> None:
    form = {**INCOMING, "Body": "Arrêt", "OptOutType": asked}

    events = phone.parse("incoming", callback("incoming", form))

    assert events == [IncomingSms(TO, "Arrêt", SID, to=NUMBER), *notices]


CALL = {
    "CallSid": "CA" + "b" * 32,
    "AccountSid": ACCOUNT,
    "From": TO,
    "To": NUMBER,
    "CallStatus": "ringing",
    "Direction": "inbound",
}


def test_a_call_that_rings_is_told(phone: Twilio) -> None:
    ringing = IncomingCall(TO, CALL["CallSid"], outcome="ringing")

    assert phone.parse("call", callback("call", CALL)) == [ringing]


def test_the_end_of_a_call_is_told(phone: Twilio) -> None:
    form = {
        **CALL,
        "CallStatus": "completed",
        "CallDuration": "61",
        "Timestamp": "Fri, 20 Nov 2026 15:42:00 +0000",
    }

    [call] = phone.parse("call_end", callback("call_end", form))

    at = datetime(2026, 11, 20, 15, 42, tzinfo=UTC)
    assert call == IncomingCall(TO, CALL["CallSid"], True, 61, "completed", at)


def test_calls_that_we_made_are_not_incoming(phone: Twilio) -> None:
    form = {**CALL, "Direction": "outbound-api"}

    assert phone.parse("call_end", callback("call_end", form)) == []


def test_who_hides_the_number_still_rang(phone: Twilio) -> None:
    [call] = phone.parse("call", callback("call", {**CALL, "From": ""}))

    assert isinstance(call, IncomingCall)
    assert call.caller == "anonymous"


@pytest.mark.parametrize(
    ("endpoint", "kind", "body"),
    [
        ("status", "text/plain", ""),
        ("call_end", "text/plain", ""),
        ("incoming", "text/xml", "<Response/>"),
        ("call", "text/xml", '<Response><Reject reason="busy"/></Response>'),
    ],
)
def test_twilio_reads_what_it_expects(phone: Twilio, endpoint: str, kind: str, body: str) -> None:
    reply = phone.reply(endpoint)

    assert (reply.status, reply.content_type) == (200, kind)
    assert reply.body.endswith(body)


# ---- Pictures -----------------------------------------------------------------------------------

PICTURE = f"https://api.twilio.com{HOME}/Messages/MM1/Media/ME1"
STORE = "https://media.example.net/store/1"


def test_a_picture_is_fetched_without_showing_the_store_our_credentials() -> None:
    http = FakeHttp(
        {
            f"GET {PICTURE}": answer(307, location=STORE),
            f"GET {STORE}": answer(200, b"PNG", content_type="image/png"),
        }
    )

    fetched = twilio(http).fetch(IncomingMedia(PICTURE))

    assert (fetched.content, fetched.content_type) == (b"PNG", "image/png")
    assert [asked.auth for asked in http.asked] == [(ACCOUNT, TOKEN), None]


def test_credentials_do_not_come_back_on_the_second_redirect() -> None:
    http = FakeHttp(
        {
            f"GET {PICTURE}": answer(302, location=STORE),
            f"GET {STORE}": answer(302, location=f"{PICTURE}/again"),
            f"GET {PICTURE}/again": answer(200, b"PNG"),
        }
    )

    twilio(http).fetch(IncomingMedia(PICTURE, "image/png"))

    assert [asked.auth for asked in http.asked] == [(ACCOUNT, TOKEN), None, None]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/2010-04-01/Accounts/x/Messages/MM1/Media/ME1",
        f"https://api.twilio.com.evil.example{HOME}/Messages/MM1/Media/ME1",
        f"https://api.twilio.com@evil.example{HOME}/Messages/MM1/Media/ME1",
        f"http://api.twilio.com{HOME}/Messages/MM1/Media/ME1",
        "https://api.twilio.com/2010-04-01/Accounts/ACother/Messages/MM1/Media/ME1",
        f"https://api.twilio.com{HOME}/Messages/../../ACother/Messages/MM1/Media/ME1",
        f"https://api.twilio.com{HOME}/Messages/MM1/Media/ME1?x=1",
        "file:///etc/passwd",
        "",
    ],
)
def test_credentials_only_go_to_our_own_pictures(url: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        twilio(http).fetch(IncomingMedia(url))

    assert http.asked == []


def test_a_picture_of_a_compatible_server_is_fetched_there() -> None:
    place = f"http://127.0.0.1:4013{HOME}/Messages/MM1/Media/ME1"
    http = FakeHttp({f"GET {place}": answer(200, b"PNG")})

    twilio(http, base_url="http://127.0.0.1:4013").fetch(IncomingMedia(place))

    with pytest.raises(Rejected):
        twilio(http, base_url="http://127.0.0.1:4013").fetch(IncomingMedia(PICTURE))


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(401, 20003), Misconfigured),
        (answer(404), Rejected),
        (answer(500), Temporary),
        (answer(302, location=PICTURE), BadAnswer),
    ],
)
def test_a_picture_that_cannot_be_had(entry: Entry, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        twilio(FakeHttp({f"GET {PICTURE}": entry})).fetch(IncomingMedia(PICTURE))

    assert type(caught.value) is kind


# ---- The account --------------------------------------------------------------------------------

PRICES = "GET https://pricing.twilio.com/v1/Messaging/Countries/FR"


def test_the_price_to_a_country_is_the_dearest_of_its_networks_and_our_kinds_of_number() -> None:
    said = {
        "country": "France",
        "iso_country": "FR",
        "price_unit": "usd",
        "outbound_sms_prices": [
            {"carrier": "Orange", "mcc": "208", "mnc": "01", "prices": [
                {"number_type": "mobile", "base_price": "0.09", "current_price": "0.0798"},
                {"number_type": "local", "base_price": "0.09", "current_price": "0.0700"},
            ]},
            {"carrier": "SFR", "mcc": "208", "mnc": "10", "prices": [
                {"number_type": "mobile", "base_price": "0.08", "current_price": "0.0750"},
            ]},
        ],
    }  # fmt: skip
    http = FakeHttp({PRICES: answer(200, said)})

    assert twilio(http).price_to("FR") == Money(79_800, "USD")


@pytest.mark.parametrize("prices", [None, [], [{"carrier": "Orange", "prices": None}]])
def test_a_country_without_a_price_is_refused(prices: object) -> None:
    http = FakeHttp({PRICES: answer(200, {"price_unit": "usd", "outbound_sms_prices": prices})})

    with pytest.raises(Rejected):
        twilio(http).price_to("FR")


NUMBERS = "GET /IncomingPhoneNumbers.json"


def owned(**abilities: bool) -> Answer:
    number = {"sid": "PN1", "phone_number": NUMBER, "capabilities": abilities}
    return answer(200, {"incoming_phone_numbers": [number], "page": 0, "page_size": 1})


def account(**changes: str) -> dict[str, Entry]:
    who = {"sid": ACCOUNT, "friendly_name": "Les Tilleuls", "status": "active", **changes}
    return {
        f"GET {HOME}.json": answer(200, who),
        "GET /Balance.json": answer(200, {"balance": "12.34", "currency": "EUR"}),
        NUMBERS: owned(sms=True, mms=True, voice=True),
        f"GET https://messaging.twilio.com/v1/Services/{SERVICE}": answer(
            200, {"sid": SERVICE, "friendly_name": "Rappels"}
        ),
    }


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        (NUMBER, "The number can send SMS and MMS."),
        (SERVICE, "Messages leave through the Messaging Service “Rappels”."),
        ("Tilleuls", "Messages show the name Tilleuls."),
    ],
    ids=["number", "service", "name"],
)
def test_a_check_says_what_twilio_knows_and_sends_nothing(sender: str, words: str) -> None:
    http = FakeHttp(account())

    said = twilio(http, sender=sender).check()

    assert said == f"Twilio knows the account “Les Tilleuls”, balance 12.34 EUR. {words}"
    assert {asked.method for asked in http.asked} == {"GET"}


def test_a_check_tries_the_token_and_the_key() -> None:
    http = FakeHttp(account())

    twilio(http, api_key_sid=KEY, api_key_secret="s3cret").check()

    assert http.asked[0].auth == (ACCOUNT, TOKEN)
    assert http.last.auth == (KEY, "s3cret")


def test_an_account_without_a_balance_of_its_own_passes() -> None:
    http = FakeHttp({**account(), "GET /Balance.json": refusal(404, 20404)})

    assert twilio(http).check().startswith("Twilio knows the account “Les Tilleuls”. The number")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (account(status="suspended"), "Twilio says that this account is suspended."),
        ({**account(), f"GET {HOME}.json": refusal(401, 20003)}, "Words of 20003"),
        (
            {**account(), NUMBERS: answer(200, {"incoming_phone_numbers": []})},
            f"The account does not own the number {NUMBER}.",
        ),
        (
            {**account(), NUMBERS: owned(sms=False, voice=True)},
            "This number cannot send SMS. Choose another at Twilio.",
        ),
    ],
    ids=["suspended", "credentials", "not owned", "no SMS"],
)
def test_a_check_says_what_is_wrong(table: dict[str, Entry], words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        twilio(FakeHttp(table)).check()

    assert caught.value.words == words


@pytest.mark.parametrize("status", [500, 503])
def test_asking_may_be_repeated_when_sending_may_not(status: int) -> None:
    with pytest.raises(Temporary):
        twilio(FakeHttp({"GET /Balance.json": answer(status)})).balance()


def test_the_balance_is_told() -> None:
    http = FakeHttp({"GET /Balance.json": answer(200, {"balance": "12.345", "currency": "EUR"})})

    assert twilio(http).balance() == Balance(12_345_000, "EUR")


def test_an_account_that_owes_says_so() -> None:
    http = FakeHttp({"GET /Balance.json": answer(200, {"balance": "-1.5", "currency": "EUR"})})

    assert twilio(http).balance() == Balance(-1_500_000, "EUR")


def test_a_number_is_connected() -> None:
    http = FakeHttp(
        {
            NUMBERS: owned(sms=True),
            "POST /IncomingPhoneNumbers/PN1.json": answer(200, {"sid": "PN1"}),
        }
    )

    words = twilio(http).connect()

    assert words == f"Twilio now sends the messages and calls of {NUMBER} here."
    form = {name: value for name, [value] in http.last.form.items()}
    assert form["SmsUrl"] == f"{BASE}incoming/#rc=3&rp=ct,rt,5xx"
    assert form["VoiceUrl"] == f"{BASE}call/#rc=3&rp=ct,rt,5xx"
    assert form["StatusCallback"] == f"{BASE}call_end/#rc=3&rp=ct,rt,5xx"
    assert {form["SmsMethod"], form["VoiceMethod"], form["StatusCallbackMethod"]} == {"POST"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, "https://messaging.twilio.com/v1/Services/"),
        ({"base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1/messaging/v1/Services/"),
    ],
)
def test_a_messaging_service_is_connected(changes: dict[str, str], place: str) -> None:
    http = FakeHttp({f"POST {place}{SERVICE}": answer(200, {"sid": SERVICE})})

    twilio(http, sender=SERVICE, **changes).connect()

    assert http.last.form["InboundRequestUrl"] == [f"{BASE}incoming/#rc=3&rp=ct,rt,5xx"]


def test_a_name_has_nothing_to_connect() -> None:
    with pytest.raises(Rejected):
        twilio(FakeHttp(), sender="Tilleuls").connect()


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+33 7 57 59 00 00", NUMBER),
        ("+33(0)757-59-00.00", NUMBER),
        ("Les Tilleul", "Les Tilleul"),
        (SERVICE, SERVICE),
    ],
)
def test_a_sender_is_stored_in_one_form(written: str, stored: str) -> None:
    form = Twilio.Settings({**SETTINGS, "sender": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["sender"] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "0757590000"},
        {"sender": "Les Tilleuls de Nantes"},
        {"sender": "Tilleul!"},
        {"sender": "+33"},
        {"account_sid": "AC123"},
        {"auth_token": ""},
        {"api_key_sid": KEY},
        {"api_key_secret": "s3cret"},
        {"api_key_sid": "AC123", "api_key_secret": "s3cret"},
        {"base_url": "ftp://example.org"},
        {"base_url": "https://user:pass@example.org"},
        {"base_url": "https://example.org/?a=b"},
        {"edge": "evil.example/"},
        {"region": "IE 1"},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Twilio.Settings({**SETTINGS, **changes}).is_valid()


def test_a_compatible_server_names_accounts_as_it_likes() -> None:
    form = Twilio.Settings(
        {**SETTINGS, "account_sid": "1f2e-uuid", "base_url": "http://127.0.0.1:4013/"}
    )

    assert form.is_valid(), form.errors
    assert form.cleaned_data["base_url"] == "http://127.0.0.1:4013"


def test_secrets_are_known_as_secrets() -> None:
    assert set(Twilio.secret_fields()) == {"auth_token", "api_key_secret", "webhook_secret"}


# ---- What is written down -----------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Callable[[int, bytes], str]]:
    """A server on loopback; `server(status, body)` gives its address."""
    said: tuple[int, bytes] = (200, b"")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(said[0])
            self.end_headers()
            self.wfile.write(said[1])

        def log_message(self, *_args: Any) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def serve(status: int, body: bytes) -> str:
        nonlocal said
        said = (status, body)
        return f"http://127.0.0.1:{listening.server_port}"

    yield serve
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_no_secret_is_written_down(server: Callable[[int, bytes], str]) -> None:
    traces: list[Trace] = []
    secrets = [TOKEN, "key-s3cret"]
    http = Http(guard=Guard(frozenset({"127.0.0.1"})), secrets=secrets, record=traces.append)
    base_url = server(401, f'{{"code": 20003, "message": "Not {TOKEN}"}}'.encode())

    for key in ({}, {"api_key_sid": KEY, "api_key_secret": "key-s3cret"}):
        with pytest.raises(Misconfigured):
            twilio(http, base_url=base_url, **key).send(SMS)

    assert [trace.status for trace in traces] == [401, 401]
    assert "Body=Bonjour" in traces[0].sent
    for secret in secrets:
        assert secret not in repr(traces)


# ---- The cases of every type --------------------------------------------------------------------


def reported(status: str, sid: str = SID, *, query: str = "?message=m-42") -> Callback:
    return callback(form={"MessageSid": sid, "MessageStatus": status}, query=query)


def received(**changes: str) -> Callback:
    return callback("incoming", {**INCOMING, **changes})


CASES = Cases(
    settings=SETTINGS,
    route=MESSAGES,
    accepted=answer(201, message()),
    provider_id=SID,
    text_of=lambda asked: asked.form["Body"][0],
    error_body=(answer(201, message(status="failed", error_code=21610)), OptedOut),
    refusals={
        400: (refusal(400, 21211), BadNumber),
        401: (refusal(401, 20003), Misconfigured),
        402: (refusal(402, 99999), NoCredit),
        429: (refusal(429, 20429, Retry_After="7"), Throttled),
        500: (refusal(500, 20500), OutcomeUnknown),
    },
    reports={
        "sent": (reported("sent"), Delivery.SENT),
        "delivered": (reported("delivered"), Delivery.DELIVERED),
        "undelivered": (reported("undelivered"), Delivery.FAILED),
        "failed": (reported("failed"), Delivery.FAILED),
        "still queued": (reported("queued"), None),
        "unknown status": (reported("of tomorrow"), None),
        "unknown message": (reported("delivered", "SM0", query=""), Delivery.DELIVERED),
    },
    incoming={
        "valid": (received(Body="Oui"), IncomingSms(TO, "Oui", SID, NUMBER)),
        "empty": (received(Body=""), IncomingSms(TO, "", SID, NUMBER)),
        "unicode": (received(), IncomingSms(TO, "Oui 👍 à demain", SID, NUMBER)),
        "no sender": (received(From=""), Malformed),
    },
    signed=(
        reported("sent"),
        callback(form={"MessageSid": SID}, token=None),
        callback(form={"MessageSid": SID}, token="another token"),
    ),
)


# ---- Asking for what we missed ------------------------------------------------------------------

LIST = f"GET https://api.twilio.com{HOME}/Messages.json"


def fetched(sid: str, **changes: Any) -> tuple[str, Entry]:
    return f"GET {HOME}/Messages/{sid}.json", answer(200, message(sid=sid, **changes))


def wrote(sid: str, at: str, **changes: Any) -> dict[str, Any]:
    """A message that came in, as the list shows it, sent at `at` on one evening."""
    sides = {"from": TO, "to": NUMBER, "direction": "inbound", "status": "received"}
    return message(
        sid=sid, body=f"Text of {sid}", date_sent=f"Fri, 20 Nov 2026 {at} +0000", **sides, **changes
    )


def page(*messages: dict[str, Any], after: str | None = None) -> Answer:
    return answer(200, {"messages": list(messages), "page_size": 200, "next_page_uri": after})


def test_twilio_is_asked_what_became_of_messages() -> None:
    rows = [
        fetched("SM1", status="delivered", price="-0.0075", num_segments="2"),
        fetched("SM2", status="undelivered", error_code=30005, error_message=None),
        fetched("SM3", status="sent"),
        fetched("SM4", status="queued"),
        (f"GET {HOME}/Messages/SM5.json", refusal(404, 20404)),
    ]
    http = FakeHttp(dict(rows))

    polled = twilio(http, sender="Tilleuls").poll("", ["SM5", "SM4", "SM3", "SM2", "SM1"])

    assert polled.events == (
        StatusReport(Delivery.DELIVERED, "SM1", segments=2, cost=7500, currency="USD"),
        StatusReport(
            Delivery.FAILED,
            "SM2",
            reason=Reason.BAD_NUMBER,
            code="30005",
            words="undelivered",
            segments=1,
        ),
    )


def test_a_look_asks_about_twenty_and_the_next_goes_on() -> None:
    http = FakeHttp()
    names = [f"SM{number:02}" for number in range(25)]
    for name in names:
        http.on(*fetched(name))
    phone = twilio(http, sender="Tilleuls")

    cursor = phone.poll("", names).cursor
    phone.poll(cursor, names)

    asked = [one.path.rpartition("/")[2].removesuffix(".json") for one in http.asked]
    assert asked == names[:20] + names[20:] + names[:15]


def test_nothing_is_asked_where_nothing_can_be_missed() -> None:
    http = FakeHttp()

    twilio(http, sender="Tilleuls").poll("", [])

    assert http.asked == []


def test_what_came_before_the_phone_is_left_alone() -> None:
    http = FakeHttp({LIST: page(wrote("SM1", "15:00:00"))})

    polled = twilio(http).poll("", [])

    assert polled.events == ()
    assert http.last.query["To"] == [NUMBER]


def test_what_came_while_we_were_away_is_brought_once_and_in_its_order() -> None:
    old, seen = wrote("SM1", "15:00:00"), wrote("SM2", "16:00:00")
    missed, newest = wrote("SM3", "17:00:00"), wrote("SM4", "17:01:00")
    ours = {**wrote("SM5", "17:02:00"), "direction": "outbound-api"}
    lists = [page(seen), page(ours, newest, missed, seen, old), page(newest, missed, seen)]
    http = FakeHttp({LIST: lists})
    phone = twilio(http)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])
    third = phone.poll(second.cursor, [])

    assert [event.provider_id for event in second.events] == ["SM2", "SM3", "SM4"]
    assert third.events == ()
    at = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    assert second.events[1] == IncomingSms(TO, "Text of SM3", "SM3", to=NUMBER, at=at)
    assert http.last.query["DateSent>"] == ["2026-11-20T16:51:00Z"]


def test_the_first_message_to_a_new_number_is_brought() -> None:
    http = FakeHttp({LIST: [page(), page(wrote("SM1", "15:00:00"))]})
    phone = twilio(http)

    polled = phone.poll(phone.poll("", []).cursor, [])

    assert [event.text for event in polled.events] == ["Text of SM1"]


def test_a_long_list_is_read_page_by_page_only_as_far_as_it_is_new() -> None:
    more = f"{HOME}/Messages.json?To=%2B33757590000&Page=1&PageToken=PASM2"
    lists = [
        page(wrote("SM1", "15:00:00")),
        page(wrote("SM3", "17:00:00"), after=more),
        page(wrote("SM2", "16:00:00"), wrote("SM1", "15:00:00"), after=more),
        page(wrote("SM0", "12:00:00"), after=more),
    ]
    local = {"base_url": "http://127.0.0.1:4013"}
    http = FakeHttp({f"GET {HOME}/Messages.json": lists})
    phone = twilio(http, **local)

    polled = phone.poll(phone.poll("", []).cursor, [])

    assert [event.provider_id for event in polled.events] == ["SM1", "SM2", "SM3"]
    assert len(http.asked) == 4
    assert http.asked[2].query["PageToken"] == ["PASM2"]


def test_a_missed_picture_is_found() -> None:
    media = {"uri": f"{HOME}/Messages/SM1/Media/ME1.json", "content_type": "image/png"}
    lists = [page(), page(wrote("SM1", "15:00:00", num_media="1"))]
    http = FakeHttp(
        {LIST: lists, f"GET {HOME}/Messages/SM1/Media.json": answer(200, {"media_list": [media]})}
    )
    phone = twilio(http)

    [sms] = phone.poll(phone.poll("", []).cursor, []).events

    assert sms.media == (
        IncomingMedia(f"https://api.twilio.com{HOME}/Messages/SM1/Media/ME1", "image/png"),
    )


def test_each_number_of_a_messaging_service_is_asked() -> None:
    pool = {"phone_numbers": [{"phone_number": NUMBER}, {"phone_number": "+33757590001"}]}
    numbers = f"GET https://messaging.twilio.com/v1/Services/{SERVICE}/PhoneNumbers"
    http = FakeHttp(
        {numbers: answer(200, {**pool, "meta": {"key": "phone_numbers"}}), LIST: page()}
    )

    twilio(http, sender=SERVICE).poll("", [])

    assert [asked.query["To"][0] for asked in http.asked[1:]] == [NUMBER, "+33757590001"]


@pytest.mark.parametrize("odd", [page({}), answer(200, {}), answer(200, "x"), answer(503)])
def test_a_list_that_cannot_be_read_is_an_error_of_theirs(odd: Answer) -> None:
    with pytest.raises(PhoneError):
        twilio(FakeHttp({LIST: odd})).poll("", [])


def looked_up(kind: str, name: str | None, **more: Any) -> Answer:
    known = {"mobile_country_code": "208", "mobile_network_code": "01", "error_code": None}
    line = {"type": kind, "carrier_name": name, **known, **more}
    number = {"phone_number": TO, "country_code": "FR", "valid": True, "validation_errors": []}
    return answer(200, number | {"line_type_intelligence": line})


LOOKED_UP = f"https://lookups.twilio.com/v2/PhoneNumbers/{TO}"
LOOK_UPS = LookUps(
    route=f"GET {LOOKED_UP}",
    says=TO,
    outcomes={
        "mobile": (
            looked_up("mobile", "Orange France"),
            LookedUp("Orange France", Line.MOBILE, "FR", "208-01"),
        ),
        "landline": (
            looked_up("landline", "Orange France", mobile_network_code=None),
            LookedUp("Orange France", Line.LANDLINE, "FR"),
        ),
        "no such number": (
            answer(200, {"phone_number": TO, "valid": False, "validation_errors": ["TOO_SHORT"]}),
            BadNumber,
        ),
        "no carrier": (
            looked_up("personal", None, mobile_country_code=None),
            LookedUp("", Line.UNKNOWN, "FR"),
        ),
        "wrong account": (refusal(401, 20003), Misconfigured),
        "too fast": (refusal(429, 20429), Throttled),
        "down": (answer(503, ""), Temporary),
        "nonsense": (answer(200, "<html>"), BadAnswer),
    },
)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refusal(404, 20404), BadNumber),
        (answer(404, "not here"), Misconfigured),
        (looked_up("mobile", None, error_code=60601), Rejected),
        (answer(200, {"valid": True, "line_type_intelligence": None}), BadAnswer),
    ],
    ids=["a number without a page", "a wrong address", "Canada without leave", "nothing bought"],
)
def test_a_look_up_that_fails_says_whose_fault_it_is(said: Answer, error: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        twilio(FakeHttp({f"GET {LOOKED_UP}": said})).look_up(TO)

    assert type(caught.value) is error


def test_only_the_carrier_is_bought() -> None:
    http = FakeHttp({f"GET {LOOKED_UP}": looked_up("nonFixedVoip", "Twilio")})

    assert twilio(http).look_up(TO).line == Line.VOIP
    assert http.last.query == {"Fields": ["line_type_intelligence"]}
