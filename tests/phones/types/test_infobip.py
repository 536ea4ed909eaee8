"""Infobip, case by case. Payloads are those of its documentation, read 2026-11."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer, NoAnswer, NotSent
from phones.base import (
    Addresses,
    Attachment,
    BadAnswer,
    BadNumber,
    Balance,
    Callback,
    Delivery,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Misconfigured,
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
from phones.types.infobip import Infobip
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

API = "https://abc12.api.infobip.com"
KEY = "a-key-nobody-should-read"
NUMBER = "+33757590000"
SETTINGS = {"base_url": API, "api_key": KEY, "sender": NUMBER}
MESSAGES = f"POST {API}/sms/3/messages"
PICTURES = f"POST {API}/mms/2/messages"
LOGS = f"GET {API}/sms/3/logs"
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
PICTURE = Attachment("https://sms.example.org/m/1.png", "image/png", 9)
MMS = OutgoingSms("42", TO, "Regarde", (PICTURE,), key="k-42")
OTHERS = [OutgoingSms(str(n), f"+3361234567{n}", "Bonjour", key=f"k-{n}") for n in range(3)]

PENDING = {
    "groupId": 1,
    "groupName": "PENDING",
    "id": 26,
    "name": "PENDING_ACCEPTED",
    "description": "Message accepted, pending for delivery.",
}


def rejected(number: int, name: str = "REJECTED_SO") -> dict[str, Any]:
    words = {"groupId": 5, "groupName": "REJECTED", "id": number, "name": name}
    return {**words, "description": f"Words of {number}"}


DUPLICATE = rejected(23, "REJECTED_DUPLICATE_MESSAGE_ID")


def item(name: str = "k-42", status: Any = PENDING, **more: Any) -> dict[str, Any]:
    return {"messageId": name, "status": status, "destination": "33612345678", **more}


def taken(*items: dict[str, Any]) -> Answer:
    return answer(200, {"bulkId": "b-1", "messages": list(items)})


def log(name: str, status: dict[str, Any]) -> Answer:
    return answer(200, {"results": [{"messageId": "k-0", "status": PENDING}, item(name, status)]})


def refusal(status: int, **headers: str) -> Answer:
    body = {
        "errorCode": f"E{status}",
        "description": f"Words of {status}.",
        "action": "Do something.",
        "violations": [{"property": "messages[0].sender", "violation": "is long"}],
        "resources": [],
    }
    return answer(status, body, **headers)


def infobip(http: FakeHttp | None = None, **settings: str) -> Infobip:
    return Infobip({**SETTINGS, **settings}, http or FakeHttp(), Addresses(BASE))


def failing(entry: Entry, sms: OutgoingSms = SMS) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        infobip(FakeHttp({MESSAGES: entry, PICTURES: entry})).send(sms)
    return caught.value


def names(http: FakeHttp) -> list[str]:
    """The ids that messages left under, in order."""
    orders = [asked.json() for asked in http.asked if asked.method == "POST"]
    return [order["messages"][0]["destinations"][0]["messageId"] for order in orders]


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_infobip_wants_it() -> None:
    http = FakeHttp({MESSAGES: taken(item(details={"messageCount": 2}))})

    sent = infobip(http).send(SMS)

    assert sent == Sent("k-42", segments=2)
    assert http.last.headers["authorization"] == f"App {KEY}"
    assert http.last.json() == {
        "messages": [
            {
                "sender": "33757590000",
                "destinations": [{"to": "33612345678", "messageId": "k-42"}],
                "content": {"text": "Bonjour"},
                "webhooks": {
                    "delivery": {"url": f"{BASE}status/"},
                    "contentType": "application/json",
                    "callbackData": "42",
                },
            }
        ],
        "options": {"includeSmsCountInResponse": True},
    }


def test_a_flash_message_says_so() -> None:
    http = FakeHttp({MESSAGES: taken(item())})

    infobip(http).send(OutgoingSms("42", TO, "Now", flash=True, key="k-42"))

    assert http.last.json()["messages"][0]["options"] == {"flash": True}


def test_pictures_leave_as_addresses() -> None:
    http = FakeHttp({PICTURES: taken(item())})

    assert infobip(http).send(MMS) == Sent("k-42")
    assert http.last.json()["messages"][0]["content"] == {
        "messageSegments": [
            {"type": "TEXT", "text": "Regarde"},
            {"type": "LINK", "contentUrl": PICTURE.url, "contentType": "image/png"},
        ]
    }


def test_a_name_is_the_sender() -> None:
    http = FakeHttp({MESSAGES: taken(item())})

    infobip(http, sender="Les Tilleul").send(SMS)

    assert http.last.json()["messages"][0]["sender"] == "Les Tilleul"


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refusal(400), Rejected),
        (refusal(401), Misconfigured),
        (refusal(402), NoCredit),
        (refusal(403), Misconfigured),
        (refusal(404), Misconfigured),
        (answer(302, "", location="https://elsewhere.example"), Misconfigured),
        (refusal(429), Throttled),
        (refusal(500), Temporary),
        (answer(502, "<html>"), Temporary),
        (NoAnswer("timed out"), Temporary),
        (answer(200, "<html>"), BadAnswer),
        (answer(200, {"messages": []}), BadAnswer),
        (answer(200, {"messages": "none"}), BadAnswer),
        (taken({}), BadAnswer),
        (taken(item(status="PENDING")), BadAnswer),
        (taken(item(status=rejected(52))), BadNumber),
        (taken(item(status=rejected(8))), BadNumber),
        (taken(item(status=rejected(12))), NoCredit),
        (taken(item(status=rejected(17))), NoCredit),
        (taken(item(status=rejected(11))), Misconfigured),
        (taken(item(status=rejected(13))), Misconfigured),
        (taken(item(status=rejected(14))), OptedOut),
        (taken(item(status=rejected(21))), Temporary),
        (taken(item(status=rejected(6))), Rejected),
        (taken(item(status=rejected(9999))), Rejected),
    ],
)
def test_each_refusal_has_its_class(entry: Entry, kind: type[PhoneError]) -> None:
    assert type(failing(entry)) is kind


@pytest.mark.parametrize("entry", [refusal(500), answer(502, "<html>")])
def test_a_picture_is_not_sent_again_by_itself(entry: Entry) -> None:
    """Nothing is known of MMS and repeated ids."""
    assert type(failing(entry, MMS)) is OutcomeUnknown


def test_a_picture_without_an_answer_is_unknown() -> None:
    with pytest.raises(NoAnswer):
        infobip(FakeHttp({PICTURES: NoAnswer("timed out")})).send(MMS)


def test_a_message_without_an_id_of_ours_is_not_safe_either() -> None:
    error = failing(refusal(500), OutgoingSms("42", TO, "Bonjour"))

    assert type(error) is OutcomeUnknown


def test_infobips_own_words_are_kept() -> None:
    error = failing(refusal(400))

    assert error.words == "Words of 400. messages[0].sender: is long"
    assert error.code == "E400"


def test_the_older_form_of_errors_is_understood() -> None:
    old = {"requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "No login"}}}

    error = failing(answer(401, old))

    assert (type(error), error.words, error.code) == (Misconfigured, "No login", "UNAUTHORIZED")


def test_a_refused_message_keeps_infobips_words() -> None:
    error = failing(taken(item(status=rejected(52, "REJECTED_DESTINATION"))))

    assert (error.words, error.code) == ("Words of 52", "REJECTED_DESTINATION")


# ---- Never twice --------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [0, 1, 2, 3, 4])
def test_a_message_it_has_taken_already_is_sent(group: int) -> None:
    status = {**PENDING, "groupId": group}
    http = FakeHttp({MESSAGES: taken(item(status=DUPLICATE)), LOGS: log("k-42", status)})

    assert infobip(http).send(SMS) == Sent("k-42")
    assert names(http) == ["k-42"]
    assert http.last.query == {"messageId": ["k-42"]}


def test_a_message_it_refused_before_leaves_under_another_id() -> None:
    """The account was empty at the first try, and is not now."""
    http = FakeHttp(
        {
            MESSAGES: [taken(item(status=DUPLICATE)), taken(item("k-42-2"))],
            LOGS: log("k-42", rejected(12)),
        }
    )

    assert infobip(http).send(SMS) == Sent("k-42-2")
    assert names(http) == ["k-42", "k-42-2"]


def test_a_message_it_refused_twice_leaves_under_a_third_id() -> None:
    again = taken(item(status=DUPLICATE))
    http = FakeHttp(
        {
            MESSAGES: [again, again, taken(item("k-42-3"))],
            LOGS: [log("k-42", rejected(12)), log("k-42-2", rejected(12))],
        }
    )

    assert infobip(http).send(SMS) == Sent("k-42-3")
    assert names(http) == ["k-42", "k-42-2", "k-42-3"]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (answer(200, {"results": []}), OutcomeUnknown),
        (answer(200, {"results": [{"messageId": "k-42"}]}), OutcomeUnknown),
        (log("another", rejected(12)), OutcomeUnknown),
        (refusal(403), OutcomeUnknown),
        (refusal(400), OutcomeUnknown),
        (refusal(503), Temporary),
        (refusal(429), Throttled),
        (NoAnswer("timed out"), Temporary),
        (NotSent("refused"), Temporary),
    ],
    ids=["nothing", "no status", "another", "may not", "what", "later", "fast", "none", "not"],
)
def test_without_its_log_nobody_knows(found: Entry, kind: type[PhoneError]) -> None:
    http = FakeHttp({MESSAGES: taken(item(status=DUPLICATE)), LOGS: found})

    with pytest.raises(PhoneError) as caught:
        infobip(http).send(SMS)

    assert type(caught.value) is kind
    assert names(http) == ["k-42"]


def test_a_message_refused_again_and_again_is_given_up() -> None:
    def always_refused(asked: Any) -> Answer:
        return log(asked.query["messageId"][0], rejected(12))

    http = FakeHttp({MESSAGES: taken(item(status=DUPLICATE)), LOGS: always_refused})

    with pytest.raises(OutcomeUnknown):
        infobip(http).send(SMS)

    assert len(names(http)) == len(set(names(http))) == 9


def test_a_repeated_picture_is_unknown() -> None:
    assert type(failing(taken(item(status=DUPLICATE)), MMS)) is OutcomeUnknown


# ---- Many in one request ------------------------------------------------------------------------


def test_many_leave_in_one_request_and_each_has_its_outcome() -> None:
    answers = taken(item("k-2"), item("k-0"), item("k-1", rejected(52)))
    http = FakeHttp({MESSAGES: answers})

    first, second, third = infobip(http).send_many(OTHERS)

    assert (first, third) == (Sent("k-0"), Sent("k-2"))
    assert isinstance(second, BadNumber)
    assert len(http.asked) == 1
    assert [order["webhooks"]["callbackData"] for order in http.last.json()["messages"]] == [
        "0",
        "1",
        "2",
    ]


def test_answers_without_ids_are_in_order() -> None:
    unnamed = [{"status": PENDING}, {"status": rejected(52)}, {"status": PENDING}]

    first, second, third = infobip(FakeHttp({MESSAGES: taken(*unnamed)})).send_many(OTHERS)

    assert (first, third) == (Sent("k-0"), Sent("k-2"))
    assert isinstance(second, BadNumber)


def test_a_repeated_one_among_many_does_not_hide_the_others() -> None:
    items = [item("k-0"), item("k-1", DUPLICATE), item("k-2")]
    http = FakeHttp({MESSAGES: taken(*items), LOGS: NoAnswer("timed out")})

    first, second, third = infobip(http).send_many(OTHERS)

    assert (first, third) == (Sent("k-0"), Sent("k-2"))
    assert isinstance(second, OutcomeUnknown | Temporary)


def test_a_refusal_of_all_does_not_fail_the_innocent() -> None:
    http = FakeHttp(
        {MESSAGES: [refusal(400), taken(item("k-0")), refusal(400), NotSent("refused")]}
    )

    first, second, third = infobip(http).send_many(OTHERS)

    assert first == Sent("k-0")
    assert type(second) is Rejected
    assert type(third) is Temporary


def test_too_few_answers_leave_the_outcome_unknown() -> None:
    with pytest.raises(BadAnswer):
        infobip(FakeHttp({MESSAGES: taken(item("k-0"))})).send_many(OTHERS)


# ---- Callbacks ----------------------------------------------------------------------------------

AT = "2026-11-20T15:42:00.000+0000"
TIME = datetime(2026, 11, 20, 15, 42, tzinfo=UTC)
NO_ERROR = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "permanent": False}
DELIVERED = {"groupId": 3, "id": 5, "name": "DELIVERED_TO_HANDSET", "description": "Delivered"}
UNDELIVERABLE = {"groupId": 2, "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED", "description": "No"}


def result(status: Any, error: Any = NO_ERROR, **changes: Any) -> dict[str, Any]:
    return {
        "bulkId": "b-1",
        "messageId": "k-42",
        "to": "33612345678",
        "sentAt": AT,
        "doneAt": AT,
        "messageCount": 1,
        "mccMnc": "20801",
        "callbackData": "42",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": status,
        "error": error,
        **changes,
    }


def posted(endpoint: str, *results: Any) -> Callback:
    return callback(endpoint, body=json.dumps({"results": results}).encode())


def reports(*results: Any) -> list[Any]:
    return infobip().parse("status", posted("status", *results))


def test_a_report_is_read_whole() -> None:
    assert reports(result(DELIVERED)) == [
        StatusReport(
            Delivery.DELIVERED, "k-42", "42", Reason.NONE, at=TIME,
            segments=1, cost=10_000, currency="EUR",
        )
    ]  # fmt: skip


def test_the_price_of_a_report_is_that_of_one_segment() -> None:
    [report] = reports(result(DELIVERED) | {"messageCount": 3})

    assert isinstance(report, StatusReport)
    assert (report.segments, report.cost, report.currency) == (3, 30_000, "EUR")


@pytest.mark.parametrize("price", [None, "free", {}, {"pricePerMessage": "much"}, [1]])
def test_a_report_without_a_price_tells_no_cost(price: object) -> None:
    [report] = reports(result(DELIVERED) | {"price": price})

    assert isinstance(report, StatusReport)
    assert (report.state, report.cost) == (Delivery.DELIVERED, None)


@pytest.mark.parametrize(
    ("group", "number", "state"),
    [
        (1, 26, None),
        (1, 7, Delivery.SENT),
        (1, 3, Delivery.SENT),
        (3, 2, Delivery.SENT),
        (3, 5, Delivery.DELIVERED),
        (2, 4, Delivery.FAILED),
        (4, 15, Delivery.FAILED),
        (5, 6, Delivery.FAILED),
        (77, 77, None),
    ],
)
def test_each_status_is_understood(group: int, number: int, state: Delivery | None) -> None:
    events = reports(result({"groupId": group, "id": number, "name": "SO"}))

    assert [event.state for event in events if isinstance(event, StatusReport)] == (
        [state] if state else []
    )


@pytest.mark.parametrize(
    ("status", "error", "reason", "code"),
    [
        (9, 1, Reason.BAD_NUMBER, "EC_1"),
        (9, 27, Reason.UNREACHABLE, "EC_27"),
        (9, 9, Reason.BLOCKED, "EC_9"),
        (9, 9999, Reason.UNREACHABLE, "EC_9999"),
        (9, 0, Reason.UNREACHABLE, "STATUS_9"),
        (52, 0, Reason.BAD_NUMBER, "STATUS_52"),
        (15, 0, Reason.EXPIRED, "STATUS_15"),
        (9999, 0, Reason.REJECTED, "STATUS_9999"),
    ],
)
def test_a_failure_says_why(status: int, error: int, reason: Reason, code: str) -> None:
    said = {"groupId": 2, "id": status, "name": f"STATUS_{status}", "description": "It failed"}
    why = {"id": error, "name": f"EC_{error}", "description": "Because"}

    [news] = reports(result(said, why))

    assert (news.reason, news.code) == (reason, code)
    assert news.words == ("Because" if error else "It failed")


@pytest.mark.parametrize(
    ("status", "error"),
    [(rejected(14), NO_ERROR), (UNDELIVERABLE, {"id": 573, "name": "EC_SC_BLOCKED_BY_END_USER"})],
    ids=["block list", "blocked by the person"],
)
def test_an_opt_out_is_told(status: dict[str, Any], error: dict[str, Any]) -> None:
    news, notice = reports(result(status, error))

    assert news.reason == Reason.OPTED_OUT
    assert notice == OptOutNotice(TO, words=news.words)


def test_several_reports_come_in_one_callback() -> None:
    events = reports(result(DELIVERED), result(DELIVERED, messageId="k-43", callbackData="43"))

    assert [event.reference for event in events] == ["42", "43"]


def test_one_bad_result_does_not_hold_up_the_others() -> None:
    assert len(reports("nonsense", result(DELIVERED), result("nonsense"))) == 1


@pytest.mark.parametrize("bad", [result("so"), result(DELIVERED, messageId=None), None, 5])
def test_a_report_without_what_it_needs_is_malformed(bad: Any) -> None:
    with pytest.raises(Malformed):
        reports(bad)


@pytest.mark.parametrize("written", [None, "yesterday", "2026-11-20T15:42:00"])
def test_a_time_without_a_zone_is_no_time(written: Any) -> None:
    [news] = reports(result(DELIVERED, doneAt=written))

    assert news.at is None


REPLY = {
    "messageId": "in-1",
    "from": "33612345678",
    "to": "33757590000",
    "text": "Oui 👍 à demain",
    "cleanText": "👍 à demain",
    "keyword": "OUI",
    "receivedAt": AT,
    "smsCount": 1,
    "price": {"pricePerMessage": 0, "currency": "EUR"},
    "callbackData": "",
}


def received(**changes: Any) -> Callback:
    return posted("incoming", {**REPLY, **changes})


def reply(text: str) -> IncomingSms:
    return IncomingSms(TO, text, "in-1", NUMBER, (), TIME)


def test_a_message_with_pictures_is_received() -> None:
    parts = [
        {"contentType": "application/smil", "value": "<smil/>"},
        {"contentType": "text/plain", "value": "Regarde"},
        {"contentType": "image/jpeg", "url": f"{API}/mms/1/a.jpg"},
    ]

    [sms] = infobip().parse("incoming", received(text=None, message=parts))

    assert isinstance(sms, IncomingSms)
    assert sms.text == "Regarde"
    assert sms.media == (IncomingMedia(f"{API}/mms/1/a.jpg", "image/jpeg"),)


@pytest.mark.parametrize(("written", "sender"), [("36180", "36180"), ("BANQUE", "BANQUE")])
def test_short_codes_and_names_stay(written: str, sender: str) -> None:
    [sms] = infobip().parse("incoming", received(**{"from": written}))

    assert isinstance(sms, IncomingSms)
    assert sms.sender == sender


# ---- Pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [f"{API}/a.jpg", "https://mms.media.infobip.com/a.jpg"])
def test_a_picture_is_fetched(url: str) -> None:
    http = FakeHttp({f"GET {url}": answer(200, b"\xff\xd8", content_type="image/jpeg")})

    fetched = infobip(http).fetch(IncomingMedia(url))

    assert (fetched.content, fetched.content_type) == (b"\xff\xd8", "image/jpeg")
    assert http.last.headers["authorization"] == f"App {KEY}"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.jpg",
        "http://abc12.api.infobip.com/a.jpg",
        "https://infobip.com.evil.example/a.jpg",
        "https://evilinfobip.com/a.jpg",
        "https://abc12.api.infobip.com@evil.example/a.jpg",
    ],
)
def test_the_key_goes_to_infobip_only(url: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        infobip(http).fetch(IncomingMedia(url))

    assert http.asked == []


def test_a_picture_may_come_later() -> None:
    with pytest.raises(Temporary):
        infobip(FakeHttp({"GET /a.jpg": answer(503)})).fetch(IncomingMedia(f"{API}/a.jpg"))


# ---- The account --------------------------------------------------------------------------------

BALANCE = f"GET {API}/account/1/balance"


def test_a_check_sends_nothing() -> None:
    http = FakeHttp({BALANCE: answer(200, {"balance": 47.79134, "currency": "EUR"})})

    assert infobip(http).check() == "Infobip knows the API key; 47.79 EUR is left."
    assert [asked.method for asked in http.asked] == ["GET"]


def test_the_balance_is_told() -> None:
    http = FakeHttp({BALANCE: answer(200, {"balance": 47.79134, "currency": "EUR"})})

    assert infobip(http).balance() == Balance(47_791_340, "EUR")


@pytest.mark.parametrize("body", [{"currency": "EUR"}, {"balance": "much"}, {"balance": None}])
def test_a_balance_that_is_none_is_a_bad_answer(body: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        infobip(FakeHttp({BALANCE: answer(200, body)})).balance()


def test_a_wrong_key_is_told() -> None:
    with pytest.raises(Misconfigured):
        infobip(FakeHttp({BALANCE: refusal(401)})).check()


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written", "stored"),
    [
        ("base_url", "abc12.api.infobip.com", API),
        ("base_url", f"{API}/", API),
        ("base_url", "http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("sender", "+33 7 57 59 00 00", NUMBER),
        ("sender", "33757590000", NUMBER),
        ("sender", "361 80", "36180"),
        ("sender", " Les  Tilleul ", "Les Tilleul"),
    ],
)
def test_settings_are_stored_in_one_form(name: str, written: str, stored: str) -> None:
    form = Infobip.Settings({**SETTINGS, name: written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data[name] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "ftp://example.org"},
        {"base_url": "https://user:pass@example.org"},
        {"base_url": f"{API}/sms/3/messages"},
        {"base_url": f"{API}?a=b"},
        {"api_key": ""},
        {"sender": "0757590000"},
        {"sender": "Les Tilleuls de Nantes"},
        {"sender": "Tilleul!"},
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Infobip.Settings({**SETTINGS, **changes}).is_valid()


# ---- The cases of every type --------------------------------------------------------------------

CASES = Cases(
    settings=SETTINGS,
    route=MESSAGES,
    accepted=taken(item()),
    provider_id="k-42",
    text_of=lambda asked: str(asked.json()["messages"][0]["content"]["text"]),
    error_body=(taken(item(status=rejected(52))), BadNumber),
    refusals={
        400: (refusal(400), Rejected),
        401: (refusal(401), Misconfigured),
        402: (refusal(402), NoCredit),
        429: (refusal(429, Retry_After="5"), Throttled),
        500: (refusal(500), Temporary),
    },
    reports={
        "delivered": (posted("status", result(DELIVERED)), Delivery.DELIVERED),
        "undeliverable": (posted("status", result(UNDELIVERABLE)), Delivery.FAILED),
        "expired": (posted("status", result({"groupId": 4, "id": 15})), Delivery.FAILED),
        "rejected": (posted("status", result(rejected(6))), Delivery.FAILED),
        "pending": (posted("status", result(PENDING)), None),
        "on its way": (posted("status", result({**PENDING, "id": 7})), Delivery.SENT),
        "unknown status": (posted("status", result({"groupId": 77, "id": 77})), None),
        "unknown message": (
            posted("status", result(DELIVERED, messageId="k-9", callbackData=None)),
            Delivery.DELIVERED,
        ),
    },
    incoming={
        "valid": (received(text="Oui"), reply("Oui")),
        "empty": (received(text=""), reply("")),
        "unicode": (received(), reply("Oui 👍 à demain")),
        "no sender": (received(**{"from": None}), Malformed),
        "no id": (received(messageId=None), Malformed),
    },
    signed=Absent("It signs nothing that goes to an address of a message."),
)
