"""Plivo, case by case. Payloads are those of its documentation, read 2026-11."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest

from lib.http import Answer, NoAnswer
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
from phones.types.plivo import Plivo
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Cases, LookUps

ACCOUNT = "MA" + "X0123456789ABCDEFG"
TOKEN = "a-token-nobody-should-read"
NUMBER = "+33757590000"
POWERPACK = "5b1e2a3c-0d4f-4a6b-8c7d-9e0f1a2b3c4d"
SETTINGS = {"auth_id": ACCOUNT, "auth_token": TOKEN, "sender": NUMBER}
HOME = f"https://api.plivo.com/v1/Account/{ACCOUNT}/"
MESSAGES = f"POST {HOME}Message/"
UUID = "db3ce55a-7f1d-11e1-8ea7-1231380bc196"
SMS = OutgoingSms("42", TO, "Bonjour")
OTHERS = [OutgoingSms(str(n), f"+3361234567{n}", "Bonjour") for n in range(3)]


def taken(*uuids: str, **more: Any) -> Answer:
    body = {"api_id": "a-1", "message": "message(s) queued", "message_uuid": list(uuids), **more}
    return answer(202, body)


def refusal(status: int, **headers: str) -> Answer:
    return answer(status, {"api_id": "a-1", "error": f"Words of {status}"}, **headers)


def plivo(http: FakeHttp | None = None, **settings: str) -> Plivo:
    return Plivo({**SETTINGS, **settings}, http or FakeHttp(), Addresses(BASE))


def failing(entry: Entry) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        plivo(FakeHttp({MESSAGES: entry})).send(SMS)
    return caught.value


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_plivo_wants_it() -> None:
    http = FakeHttp({MESSAGES: taken(UUID)})

    sent = plivo(http).send(SMS)

    assert sent == Sent(UUID)
    assert http.last.auth == (ACCOUNT, TOKEN)
    assert http.last.json() == {
        "src": "33757590000",
        "dst": "33612345678",
        "type": "sms",
        "text": "Bonjour",
        "url": f"{BASE}status/?message=42",
        "method": "POST",
    }


def test_pictures_leave_as_addresses_and_need_no_text() -> None:
    http = FakeHttp({MESSAGES: taken(UUID)})
    picture = Attachment("https://sms.example.org/m/1.png", "image/png", 9)

    plivo(http).send(OutgoingSms("42", TO, "", (picture,)))

    assert http.last.json()["type"] == "mms"
    assert http.last.json()["media_urls"] == ["https://sms.example.org/m/1.png"]
    assert "text" not in http.last.json()


@pytest.mark.parametrize(
    ("sender", "field"),
    [(POWERPACK, "powerpack_uuid"), ("Tilleuls", "src"), ("36180", "src")],
    ids=["powerpack", "name", "short code"],
)
def test_each_sender_has_its_field(sender: str, field: str) -> None:
    http = FakeHttp({MESSAGES: taken(UUID)})

    plivo(http, sender=sender).send(SMS)

    assert http.last.json()[field] == sender
    assert len({"src", "powerpack_uuid"} & set(http.last.json())) == 1


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(400), Rejected),
        (refusal(401), Misconfigured),
        (refusal(402), NoCredit),
        (refusal(403), Rejected),
        (refusal(404), Misconfigured),
        (refusal(422), Rejected),
        (refusal(429), Throttled),
        (refusal(408), OutcomeUnknown),
        (refusal(500), OutcomeUnknown),
        (answer(502, "<html>Bad gateway</html>"), OutcomeUnknown),
        (refusal(503), OutcomeUnknown),
        (answer(301, "", location="https://elsewhere.example"), BadAnswer),
        (answer(202, "<html>"), BadAnswer),
        (answer(202, "[]"), BadAnswer),
        (answer(202, {"error": "Later"}), BadAnswer),
        (taken(), BadAnswer),
        (taken("one", "two"), BadAnswer),
        (taken(invalid_number=["33612345678"]), BadNumber),
    ],
)
def test_each_refusal_has_its_class(entry: Entry, kind: type[PhoneError]) -> None:
    assert type(failing(entry)) is kind


def test_plivos_own_words_are_kept() -> None:
    error = failing(refusal(400))

    assert (error.words, error.code) == ("Words of 400", "400")


@pytest.mark.parametrize("body", ["", "null", "<html>", "{}"])
def test_a_refusal_without_words_says_so(body: str) -> None:
    assert failing(answer(400, body)).words == "Plivo answered HTTP 400."


# ---- Many in one request ------------------------------------------------------------------------


def test_many_leave_in_one_request() -> None:
    http = FakeHttp({MESSAGES: taken("u0", "u1", "u2")})

    outcomes = plivo(http).send_many(OTHERS)

    assert outcomes == [Sent("u0"), Sent("u1"), Sent("u2")]
    assert len(http.asked) == 1
    assert http.last.json()["dst"] == "33612345670<33612345671<33612345672"
    assert http.last.json()["url"] == f"{BASE}status/"


def test_a_number_that_is_none_does_not_shift_the_ids() -> None:
    http = FakeHttp({MESSAGES: taken("u0", "u2", invalid_number=["33612345671"])})

    first, second, third = plivo(http).send_many(OTHERS)

    assert (first, third) == (Sent("u0"), Sent("u2"))
    assert isinstance(second, BadNumber)


def test_ids_that_fit_no_messages_leave_the_outcome_unknown() -> None:
    with pytest.raises(BadAnswer):
        plivo(FakeHttp({MESSAGES: taken("u0", "u1")})).send_many(OTHERS)


def test_a_refusal_of_all_does_not_fail_the_innocent() -> None:
    """Plivo refuses the whole request for one number, and does not say for which."""
    http = FakeHttp({MESSAGES: [refusal(400), taken("u0"), refusal(400), NoAnswer("timed out")]})

    first, second, third = plivo(http).send_many(OTHERS)

    assert first == Sent("u0")
    assert type(second) is Rejected
    assert type(third) is OutcomeUnknown
    assert [asked.json()["url"][-1] for asked in http.asked[1:]] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(401), Misconfigured),
        (refusal(429, Retry_After="3"), Throttled),
        (refusal(500), OutcomeUnknown),
        (NoAnswer("timed out"), NoAnswer),
    ],
    ids=["credentials", "too fast", "server", "no answer"],
)
def test_what_concerns_all_is_asked_once(entry: Entry, kind: type[Exception]) -> None:
    http = FakeHttp({MESSAGES: entry})

    with pytest.raises(kind):
        plivo(http).send_many(OTHERS)

    assert len(http.asked) == 1


def test_two_messages_to_one_number_leave_apart() -> None:
    """Plivo gives one id for each number."""
    http = FakeHttp({MESSAGES: [taken("u0"), taken("u1")]})

    assert plivo(http).send_many([SMS, SMS]) == [Sent("u0"), Sent("u1")]


# ---- Callbacks ----------------------------------------------------------------------------------


def signature(text: str, token: str = TOKEN) -> str:
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def callback(
    endpoint: str = "status",
    form: Mapping[str, str] | None = None,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Callback:
    """A callback as Plivo makes it, signed in version 2 unless `headers` say otherwise."""
    right = {
        "x-plivo-signature-v2": signature(f"{BASE}{endpoint}/12345"),
        "x-plivo-signature-v2-nonce": "12345",
    }
    return Callback(
        method=method,
        url=f"{BASE}{endpoint}/{query}",
        headers=right if headers is None else headers,
        query=parse_qs(query.removeprefix("?")),
        form={name: [value] for name, value in (form or {}).items()},
        body=urlencode(form or {}).encode(),
    )


def test_the_signature_of_plivos_own_library_is_accepted() -> None:
    """Computed with plivo 4.63, version 2."""
    said = Callback(
        "POST",
        "https://answer.url",
        {
            "x-plivo-signature-v2": "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=",
            "x-plivo-signature-v2-nonce": "12345",
        },
        {},
        {},
        b"",
    )

    plivo(auth_token="my_auth_token").verify(said)


CALL = {
    "CallUUID": "c-1",
    "From": "33612345678",
    "To": "33757590000",
    "CallStatus": "ringing",
    "Direction": "inbound",
}


@pytest.mark.parametrize(
    ("method", "query", "form", "right"),
    [
        ("POST", "", CALL, "ecDzDoOFk8emMD/E4SEZWGS4bCElY7SKo61Xy86ddHA="),
        ("POST", "?b=2&a=1", CALL, "ZG4zAOWsh6+lGqI+LS0IsFNn21D0Y//Jqwa0/mYpMrk="),
        ("GET", f"?{urlencode(CALL)}", {}, "1u8884vN7JgwpgZ6fmT2RgT1etHKrcikInxkVk+LY/c="),
        ("POST", "", {}, "6/n1TILgU5t6fCYyOU2xlFR7R745VQ5dx1fteD2vOyo="),
    ],
    ids=["form", "form and query", "query", "empty"],
)
def test_calls_are_signed_in_version_3(
    method: str, query: str, form: dict[str, str], right: str
) -> None:
    """Computed once with the algorithm that plivo-python publishes."""
    headers = {
        "x-plivo-signature-v3": f"another=,{right}",
        "x-plivo-signature-v3-nonce": "nonce-1",
    }
    said = callback("call", form, query=query, headers=headers, method=method)

    plivo().verify(said)

    changed = callback("call", {**form, "x": "y"}, query="?x=y", headers=headers, method=method)
    with pytest.raises(BadSignature):
        plivo().verify(changed)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-plivo-signature-v2": "", "x-plivo-signature-v2-nonce": "12345"},
        {"x-plivo-signature-v2": "ééé", "x-plivo-signature-v2-nonce": "é"},
        {"x-plivo-signature-v2": signature(f"{BASE}status/12345")},
        {
            "x-plivo-signature-v2": signature(f"{BASE}call/12345"),
            "x-plivo-signature-v2-nonce": "12345",
        },
        {
            "x-plivo-signature-v2": signature(f"{BASE}status/12345", "another"),
            "x-plivo-signature-v2-nonce": "12345",
        },
    ],
    ids=["none", "empty", "not ASCII", "no nonce", "another address", "another token"],
)
def test_other_signatures_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        plivo().verify(callback(headers=headers))


def report(status: str, **changes: str) -> Callback:
    form = {
        "MessageUUID": UUID,
        "From": "33757590000",
        "To": "33612345678",
        "Type": "sms",
        "Status": status,
        "Units": "1",
        "TotalRate": "0.00650",
        "TotalAmount": "0.00650",
        "MCC": "208",
        "MNC": "01",
        "ErrorCode": "000",
        "Sequence": "2",
        **changes,
    }
    return callback("status", form, query="?message=42")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("sent", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("read", Delivery.DELIVERED),
        ("undelivered", Delivery.FAILED),
        ("failed", Delivery.FAILED),
        ("rejected", Delivery.FAILED),
    ],
)
def test_each_status_is_understood(status: str, state: Delivery) -> None:
    [news] = plivo().parse("status", report(status))

    assert isinstance(news, StatusReport)
    assert (news.state, news.provider_id, news.reference) == (state, UUID, "42")


def test_a_report_says_when_it_happened() -> None:
    said = report("delivered", DeliveryReportTime="2026-11-20 15:42:00.5+00:00")

    [news] = plivo().parse("status", said)

    assert isinstance(news, StatusReport)
    assert news.at == datetime(2026, 11, 20, 15, 42, 0, 500_000, UTC)


@pytest.mark.parametrize("written", ["", "yesterday", "2026-11-20 15:42:00"])
def test_a_time_without_a_zone_is_no_time(written: str) -> None:
    [news] = plivo().parse("status", report("delivered", DeliveryReportTime=written))

    assert isinstance(news, StatusReport)
    assert news.at is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("50", Reason.BAD_NUMBER),
        ("70", Reason.BAD_NUMBER),
        ("80", Reason.UNREACHABLE),
        ("30", Reason.BLOCKED),
        ("420", Reason.EXPIRED),
        ("1000", Reason.REJECTED),
        ("", Reason.NONE),
    ],
)
def test_a_failure_says_why(code: str, reason: Reason) -> None:
    [news] = plivo().parse("status", report("undelivered", ErrorCode=code))

    assert isinstance(news, StatusReport)
    assert (news.reason, news.code, news.words) == (reason, code, "undelivered")


def test_a_failure_because_of_stop_is_an_opt_out() -> None:
    news, notice = plivo().parse("status", report("undelivered", ErrorCode="200"))

    assert isinstance(news, StatusReport)
    assert news.reason == Reason.OPTED_OUT
    assert notice == OptOutNotice(TO)


@pytest.mark.parametrize("missing", [{"Status": ""}, {"MessageUUID": ""}])
def test_a_report_without_what_it_needs_is_malformed(missing: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        plivo().parse("status", report("sent", **missing))


INCOMING = {
    "MessageUUID": UUID,
    "From": "33612345678",
    "To": "33757590000",
    "Text": "Oui 👍 à demain",
    "Type": "sms",
    "Units": "1",
    "MessageIntent": "",
}


def received(**changes: str) -> Callback:
    return callback("incoming", {**INCOMING, **changes})


@pytest.mark.parametrize(
    ("written", "sender"),
    [("33612345678", TO), ("+33612345678", TO), ("36180", "36180"), ("BANQUE", "BANQUE")],
)
def test_a_sender_is_read_in_one_form(written: str, sender: str) -> None:
    [sms] = plivo().parse("incoming", received(From=written))

    assert isinstance(sms, IncomingSms)
    assert sms.sender == sender


@pytest.mark.parametrize("first", [0, 1])
def test_pictures_are_received_in_order(first: int) -> None:
    urls = [f"https://media.plivo.com/{n}" for n in range(11)]
    media = {f"Media{first + n}": url for n, url in enumerate(urls)}
    said = received(Type="mms", Text="", Body="Regarde", MediaCount="11", **media)

    [sms] = plivo().parse("incoming", said)

    assert isinstance(sms, IncomingSms)
    assert sms.text == "Regarde"
    assert sms.media == tuple(IncomingMedia(url) for url in urls)


@pytest.mark.parametrize(
    ("intent", "notices"),
    [
        ("optout", [OptOutNotice(TO, "Stop")]),
        ("optin", [OptOutNotice(TO, "Stop", again=True)]),
        ("help", []),
        ("", []),
    ],
)
def test_opt_outs_come_beside_the_message(intent: str, notices: list[OptOutNotice]) -> None:
    sms, *others = plivo().parse("incoming", received(Text="Stop", MessageIntent=intent))

    assert isinstance(sms, IncomingSms)
    assert others == notices


def test_a_call_that_rings_is_told() -> None:
    assert plivo().parse("call", callback("call", CALL)) == [
        IncomingCall(TO, "c-1", outcome="ringing")
    ]


def test_the_end_of_a_call_is_told() -> None:
    form = {**CALL, "CallStatus": "completed", "Duration": "61"}

    assert plivo().parse("call_end", callback("call_end", form)) == [
        IncomingCall(TO, "c-1", True, 61, "completed")
    ]


def test_who_hides_the_number_still_rang() -> None:
    [call] = plivo().parse("call", callback("call", {**CALL, "From": ""}))

    assert isinstance(call, IncomingCall)
    assert call.caller == "anonymous"


def test_calls_that_we_made_are_not_incoming() -> None:
    assert plivo().parse("call", callback("call", {**CALL, "Direction": "outbound"})) == []


@pytest.mark.parametrize(
    ("endpoint", "kind", "body"),
    [
        ("status", "text/plain", ""),
        ("call_end", "text/plain", ""),
        ("incoming", "text/xml", "<Response/>"),
        ("call", "text/xml", '<Response><Hangup reason="busy"/></Response>'),
    ],
)
def test_plivo_reads_what_it_expects(endpoint: str, kind: str, body: str) -> None:
    reply = plivo().reply(endpoint)

    assert (reply.status, reply.content_type, reply.body) == (200, kind, body)


# ---- Pictures -----------------------------------------------------------------------------------

PICTURE = "https://media.plivo.com/Account/1/Message/2/Media/3"


def test_a_picture_is_fetched_and_its_store_gets_no_credentials() -> None:
    store = "https://store.example/3"
    http = FakeHttp(
        {
            f"GET {PICTURE}": answer(302, "", location=store),
            f"GET {store}": answer(200, b"\x89PNG", content_type="image/png"),
        }
    )

    fetched = plivo(http).fetch(IncomingMedia(PICTURE))

    assert (fetched.content, fetched.content_type) == (b"\x89PNG", "image/png")
    assert [asked.auth for asked in http.asked] == [(ACCOUNT, TOKEN), None]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/1",
        "http://media.plivo.com/1",
        "https://media.plivo.com.evil.example/1",
        "https://media.plivo.com@evil.example/1",
        "https://evil.example/.plivo.com",
    ],
)
def test_credentials_go_to_plivo_only(url: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        plivo(http).fetch(IncomingMedia(url))

    assert http.asked == []


def test_a_picture_that_never_ends_is_given_up() -> None:
    http = FakeHttp({f"GET {PICTURE}": answer(302, "", location=PICTURE)})

    with pytest.raises(BadAnswer):
        plivo(http).fetch(IncomingMedia(PICTURE))


def test_a_picture_may_come_later() -> None:
    with pytest.raises(Temporary):
        plivo(FakeHttp({f"GET {PICTURE}": answer(503)})).fetch(IncomingMedia(PICTURE))


# ---- The account --------------------------------------------------------------------------------

OWNER = answer(200, {"name": "Les Tilleuls", "cash_credits": "12.34000", "api_id": "a-1"})


@pytest.mark.parametrize(
    ("sender", "table", "words"),
    [
        (NUMBER, {f"GET {HOME}Number/33757590000/": {"sms_enabled": True}}, "can send SMS"),
        (POWERPACK, {f"GET {HOME}Powerpack/{POWERPACK}/": {"name": "Club"}}, "“Club”"),
        ("Tilleuls", {}, "Messages come from Tilleuls."),
    ],
    ids=["number", "powerpack", "name"],
)
def test_a_check_sends_nothing(sender: str, table: dict[str, Any], words: str) -> None:
    answers = {place: answer(200, body) for place, body in table.items()}
    http = FakeHttp({f"GET {HOME}": OWNER, **answers})

    said = plivo(http, sender=sender).check()

    assert said.startswith("Plivo knows the account “Les Tilleuls”, balance 12.34 USD.")
    assert words in said
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (answer(404, {"error": "not found"}), "does not own"),
        (answer(200, {"sms_enabled": False}), "cannot send SMS"),
    ],
    ids=["not ours", "no SMS"],
)
def test_a_number_that_cannot_send_is_told(number: Answer, words: str) -> None:
    http = FakeHttp({f"GET {HOME}": OWNER, f"GET {HOME}Number/33757590000/": number})

    with pytest.raises(Misconfigured, match=words):
        plivo(http).check()


def test_a_subaccount_has_no_balance_of_its_own() -> None:
    http = FakeHttp({f"GET {HOME}": answer(200, {"name": "Club"})})

    assert plivo(http, sender="Club").check().startswith("Plivo knows the account “Club”. ")
    with pytest.raises(BadAnswer):
        plivo(http).balance()


PRICES = f"GET {HOME}Pricing/"


def test_a_report_tells_what_all_units_cost_together() -> None:
    [told] = plivo().parse("status", report("delivered", Units="2", TotalAmount="0.01300"))

    assert isinstance(told, StatusReport)
    assert (told.segments, told.cost, told.currency) == (2, 13_000, "USD")


@pytest.mark.parametrize("written", ["", "free", "NaN"])
def test_a_report_without_an_amount_tells_no_cost(written: str) -> None:
    [told] = plivo().parse("status", report("delivered", TotalAmount=written, Units=written))

    assert isinstance(told, StatusReport)
    assert (told.segments, told.cost, told.currency) == (None, None, "")


def test_the_price_to_a_country_is_that_of_its_dearest_network() -> None:
    said = {
        "country_iso": "FR",
        "message": {
            "outbound": {"rate": "0.06000"},
            "outbound_networks_list": [
                {"group_name": "Orange", "rate": "0.07220"},
                {"group_name": "SFR", "rate": "0.06500"},
            ],
        },
    }
    http = FakeHttp({PRICES: answer(200, said)})

    assert plivo(http).price_to("FR") == Money(72_200, "USD")
    assert http.last.query == {"country_iso": ["FR"]}


@pytest.mark.parametrize("message", [None, [], {"outbound": {}}, {"outbound_networks_list": "x"}])
def test_a_country_without_a_price_is_refused(message: object) -> None:
    http = FakeHttp({PRICES: answer(200, {"api_id": "a-1", "message": message})})

    with pytest.raises(Rejected):
        plivo(http).price_to("XX")


def test_the_balance_is_told() -> None:
    assert plivo(FakeHttp({f"GET {HOME}": OWNER})).balance() == Balance(12_340_000, "USD")


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+33 7 57 59 00 00", NUMBER),
        ("33757590000", NUMBER),
        ("361 80", "36180"),
        (" Les Tilleul ", "Les Tilleul"),
        (POWERPACK.upper(), POWERPACK),
    ],
)
def test_a_sender_is_stored_in_one_form(written: str, stored: str) -> None:
    form = Plivo.Settings({**SETTINGS, "sender": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["sender"] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "0757590000"},
        {"sender": "Les Tilleuls de Nantes"},
        {"sender": "Tilleul!"},
        {"auth_id": "MA1"},
        {"auth_id": ACCOUNT + "/x"},
        {"auth_token": ""},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Plivo.Settings({**SETTINGS, **changes}).is_valid()


# ---- The cases of every type --------------------------------------------------------------------

CASES = Cases(
    settings=SETTINGS,
    route=MESSAGES,
    accepted=taken(UUID),
    provider_id=UUID,
    text_of=lambda asked: str(asked.json()["text"]),
    error_body=(taken(invalid_number=["33612345678"]), BadNumber),
    refusals={
        400: (refusal(400), Rejected),
        401: (refusal(401), Misconfigured),
        402: (refusal(402), NoCredit),
        429: (refusal(429, Retry_After="3"), Throttled),
        500: (refusal(500), OutcomeUnknown),
    },
    reports={
        "sent": (report("sent"), Delivery.SENT),
        "delivered": (report("delivered"), Delivery.DELIVERED),
        "undelivered": (report("undelivered", ErrorCode="80"), Delivery.FAILED),
        "failed": (report("failed", ErrorCode="300"), Delivery.FAILED),
        "still queued": (report("queued"), None),
        "unknown status": (report("of tomorrow"), None),
        "unknown message": (
            callback("status", {"MessageUUID": "u-9", "Status": "delivered"}),
            Delivery.DELIVERED,
        ),
    },
    incoming={
        "valid": (received(Text="Oui"), IncomingSms(TO, "Oui", UUID, NUMBER)),
        "empty": (received(Text=""), IncomingSms(TO, "", UUID, NUMBER)),
        "unicode": (received(), IncomingSms(TO, "Oui 👍 à demain", UUID, NUMBER)),
        "no sender": (received(From=""), Malformed),
        "no id": (received(MessageUUID=""), Malformed),
    },
    signed=(
        report("sent"),
        callback(headers={}),
        callback(
            headers={
                "x-plivo-signature-v2": signature(f"{BASE}status/12345", "another"),
                "x-plivo-signature-v2-nonce": "12345",
            }
        ),
    ),
)


def carrier(kind: str, name: str | None = "Orange France", **more: Any) -> Answer:
    network = {"mobile_country_code": "208", "mobile_network_code": "01", "ported": "no"}
    country = {"name": "France", "code_iso2": "FR", "code_iso3": "FRA"}
    known = {"name": name, "type": kind, **network, **more}
    return answer(200, {"api_id": "a-1", "phone_number": TO, "country": country, "carrier": known})


LOOK_UPS = LookUps(
    route=f"GET https://lookup.plivo.com/v1/Number/{quote(TO)}",
    says=TO,
    outcomes={
        "mobile": (carrier("mobile"), LookedUp("Orange France", Line.MOBILE, "FR", "208-01")),
        "landline": (
            carrier("fixed", mobile_network_code=""),
            LookedUp("Orange France", Line.LANDLINE, "FR"),
        ),
        "no such number": (answer(404, {"error_code": 404, "message": "Not found"}), BadNumber),
        "no carrier": (
            carrier("", None, mobile_country_code=None),
            LookedUp("", Line.UNKNOWN, "FR"),
        ),
        "wrong account": (refusal(401), Misconfigured),
        "too fast": (refusal(429), Throttled),
        "down": (answer(503, ""), Temporary),
        "nonsense": (answer(200, {"carrier": "Orange"}), BadAnswer),
    },
)


def test_plivo_s_words_about_a_look_up_are_told() -> None:
    http = FakeHttp({LOOK_UPS.route: answer(400, {"error_code": 400, "message": "Not this one"})})

    with pytest.raises(Rejected, match="Not this one"):
        plivo(http).look_up(TO)
    assert http.last.query == {"type": ["carrier"]}
