"""Octopush with a name or a short code: what both of its types share is tested here.

Payloads are those of dev.octopush.com and octopush-api.readme.io, read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer, NoAnswer, NotSent
from phones.base import (
    Addresses,
    BadAnswer,
    BadNumber,
    Balance,
    Callback,
    Delivery,
    IncomingSms,
    Malformed,
    Misconfigured,
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
from phones.types.octopush_shortcode import OctopushShortcode
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases
from tests.phones.cases import callback as called

SEND = "POST https://api.octopush.com/v1/public/sms-campaign/send"
BALANCE = "GET https://api.octopush.com/v1/public/wallet/check-balance"
KEY = "a-key-nobody-should-read"
SETTINGS = {"login": "ada@example.org", "api_key": KEY, "sender": "Tilleuls"}
TICKET = "sms_5fec89fe97109"
TAKEN = {
    "sms_ticket": TICKET,
    "number_of_contacts": 1,
    "total_cost": 0.0333,
    "number_of_sms_needed": 1,
    "residual_credit": 99.5,
}
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
NAME = f"{TICKET}/33612345678"
REPEATED = {"code": 120, "message": "A SMS with the same request_id has already been sent."}


def octopush(http: FakeHttp, **settings: Any) -> OctopushShortcode:
    return OctopushShortcode({**SETTINGS, **settings}, http, Addresses(BASE))


def sending(*entries: Entry, sms: OutgoingSms = SMS, **settings: Any) -> tuple[Sent, list[Asked]]:
    http = FakeHttp({SEND: list(entries)})
    return octopush(http, **settings).send(sms), http.asked


def refused(status: int, code: int | str, words: str = "", **headers: str) -> Answer:
    return answer(status, {"code": code, "message": words or f"Words of {code}"}, **headers)


def failing(*entries: Entry) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        sending(*entries)
    return caught.value


def batch(*numbers: str) -> list[OutgoingSms]:
    return [OutgoingSms(str(n), to, "Bonjour", key=f"k-{n}") for n, to in enumerate(numbers)]


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_octopush_wants_it() -> None:
    sent, [asked] = sending(answer(201, TAKEN))

    assert sent == Sent(NAME, segments=1, cost=33_300, currency="EUR")
    assert asked.headers["api-login"] == "ada@example.org"
    assert asked.headers["api-key"] == KEY
    order = asked.json()
    assert order.pop("request_id")
    assert order == {
        "recipients": [{"phone_number": TO}],
        "text": "Bonjour",
        "type": "sms_premium",
        "purpose": "alert",
        "auto_optimize_text": False,
        "sender": "Tilleuls",
    }


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"quality": "sms_low_cost"}, "type", "sms_low_cost"),
        ({"purpose": "wholesale"}, "purpose", "wholesale"),
        ({"simulation": True}, "simulation_mode", True),
        ({"simulation": False}, "simulation_mode", None),
        ({"sender": ""}, "sender", None),
    ],
    ids=["low cost", "marketing", "simulated", "not simulated", "short code"],
)
def test_settings_decide_how_it_travels(changes: dict[str, Any], field: str, value: Any) -> None:
    _sent, [asked] = sending(answer(200, TAKEN), **changes)

    assert asked.json().get(field) == value


@pytest.mark.parametrize(
    ("changes", "text", "left"),
    [
        ({}, "Soldes !", "Soldes !\nSTOP au XXXXX"),
        ({"quality": "sms_low_cost"}, "Soldes !", "Soldes !\nno PUB=STOP"),
        ({"stop_mention": "STOP 36180"}, "Soldes !", "Soldes !\nSTOP 36180"),
        ({}, "Soldes ! STOP au XXXXX", "Soldes ! STOP au XXXXX"),
    ],
    ids=["premium", "low cost", "own words", "already there"],
)
def test_marketing_carries_the_stop_mention_once(
    changes: dict[str, Any], text: str, left: str
) -> None:
    sms = OutgoingSms("42", TO, text, key="k-42")

    _sent, [asked] = sending(answer(200, TAKEN), sms=sms, purpose="wholesale", **changes)

    assert asked.json()["text"] == left


def test_each_message_has_its_own_request_id() -> None:
    ids = {
        sending(answer(200, TAKEN), sms=OutgoingSms("42", TO, "Bonjour", key=key))[1][0].json()[
            "request_id"
        ]
        for key in ("k-1", "k-1", "k-2")
    }

    assert len(ids) == 2


@pytest.mark.parametrize(
    "unclear",
    [NoAnswer("timed out"), answer(500, ""), answer(502, "<html>"), answer(200, "<html>")],
    ids=["time-out", "500", "502", "unreadable"],
)
def test_an_unclear_answer_is_asked_for_once_more_with_the_same_id(unclear: Entry) -> None:
    sent, asked = sending(unclear, answer(200, TAKEN))

    assert sent.provider_id == NAME
    assert len(asked) == 2
    assert asked[0].body == asked[1].body


@pytest.mark.parametrize(
    "again",
    [
        answer(422, REPEATED),
        answer(200, REPEATED),
        answer(422, {"message": "The request id has already been taken."}),
        answer(
            422, {"message": "Invalid.", "errors": {"request_id": ["request_id: already used"]}}
        ),
    ],
    ids=["code", "code in a success", "words", "field"],
)
def test_a_message_that_octopush_already_has_was_sent(again: Answer) -> None:
    sent, _asked = sending(NoAnswer("timed out"), again)

    assert sent == Sent("")


@pytest.mark.parametrize(
    "again",
    [
        NotSent("refused"),
        NoAnswer("again"),
        answer(503, ""),
        refused(401, 101),
        refused(402, 104),
        refused(429, ""),
        refused(400, 117),
    ],
    ids=["not sent", "no answer", "503", "401", "402", "429", "400"],
)
def test_what_stays_unclear_is_never_sent_again(again: Entry) -> None:
    """Neither queued again, nor paused and queued again: the first request may have been taken."""
    with pytest.raises((NoAnswer, OutcomeUnknown)):
        sending(NoAnswer("timed out"), again)


def test_without_a_key_nothing_is_asked_twice() -> None:
    http = FakeHttp({SEND: NoAnswer("timed out")})

    with pytest.raises(NoAnswer):
        octopush(http).send(OutgoingSms("42", TO, "Bonjour"))

    assert len(http.asked) == 1
    assert "request_id" not in http.last.json()


def test_what_did_not_leave_is_not_asked_again_at_once() -> None:
    http = FakeHttp({SEND: NotSent("refused")})

    with pytest.raises(NotSent):
        octopush(http).send(SMS)

    assert len(http.asked) == 1


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(400, 101), Misconfigured),
        (refused(400, 106), Misconfigured),
        (refused(400, 114), Misconfigured),
        (refused(400, 121), Misconfigured),
        (refused(400, 104), NoCredit),
        (refused(400, 105), NoCredit),
        (refused(400, 117), BadNumber),
        (refused(400, 150), Rejected),
        (refused(422, 107), Rejected),
        (refused(400, 153), Temporary),
        (refused(403, ""), Misconfigured),
        (refused(402, ""), NoCredit),
        (refused(429, ""), Throttled),
        (refused(200, 104), NoCredit),
        (answer(400, "<html>"), Rejected),
        (answer(302, ""), BadAnswer),
        (answer(200, "[]"), BadAnswer),
        (answer(200, {"sms_ticket": ""}), BadAnswer),
        (answer(503, ""), OutcomeUnknown),
        (refused(500, 104), OutcomeUnknown),
    ],
    ids=lambda value: (
        f"{value.status} {value.body[:24]!r}" if isinstance(value, Answer) else value.__name__
    ),
)
def test_each_refusal_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    assert type(failing(entry)) is kind


def test_a_refusal_keeps_the_words_and_the_code() -> None:
    error = failing(refused(400, 117, "Your recipient list contains no correct numbers."))

    assert error.words == "Your recipient list contains no correct numbers."
    assert error.code == "117"


def test_what_octopush_says_of_a_field_is_shown() -> None:
    said = {"message": "Invalid.", "errors": {"sender": ["Too long."]}}

    assert failing(answer(422, said)).words == "Invalid. Too long."


def test_a_refusal_without_words_says_so() -> None:
    assert failing(answer(404, "")).words == "Octopush answered HTTP 404, without a word."


# ---- Many at once -------------------------------------------------------------------------------

PEOPLE = ("+33612345678", "+33612345679", "+33612345680", "+33612345681")


def test_many_leave_in_one_request() -> None:
    taken = {**TAKEN, "number_of_contacts": 4, "total_cost": 0.2, "number_of_sms_needed": 4}
    http = FakeHttp({SEND: answer(201, taken)})

    outcomes = octopush(http).send_many(batch(*PEOPLE))

    assert [item["phone_number"] for item in http.last.json()["recipients"]] == [*PEOPLE]
    assert outcomes == [
        Sent(f"{TICKET}/{number[1:]}", cost=50_000, currency="EUR") for number in PEOPLE
    ]
    assert len(http.asked) == 1


def picky(*bad: str) -> FakeHttp:
    """Octopush that refuses every request with one of these numbers."""

    def judge(asked: Asked) -> Answer:
        numbers = {item["phone_number"] for item in asked.json()["recipients"]}
        return refused(400, 150) if numbers & set(bad) else answer(201, TAKEN)

    return FakeHttp({SEND: judge})


def test_one_bad_number_does_not_spoil_the_others() -> None:
    outcomes = octopush(picky(PEOPLE[2])).send_many(batch(*PEOPLE))

    assert [type(outcome) for outcome in outcomes] == [Sent, Sent, Rejected, Sent]


def test_nobody_is_asked_for_twice_in_one_batch() -> None:
    http = picky(PEOPLE[0])

    octopush(http).send_many(batch(*PEOPLE))

    taken = [asked for asked in http.asked if PEOPLE[0] not in asked.body.decode()]
    numbers = [item["phone_number"] for asked in taken for item in asked.json()["recipients"]]
    assert sorted(numbers) == [*PEOPLE[1:]]
    assert len({asked.json()["request_id"] for asked in http.asked}) == len(http.asked)


def test_a_search_among_many_ends() -> None:
    numbers = [f"+336{n:08}" for n in range(500)]
    http = picky(*numbers)

    outcomes = octopush(http).send_many(batch(*numbers))

    assert len(http.asked) <= 40
    assert {type(outcome) for outcome in outcomes} == {Rejected, Temporary}
    assert len(outcomes) == 500


def test_a_failure_amid_a_search_says_of_each_what_is_known() -> None:
    http = FakeHttp(
        {SEND: [refused(400, 150), answer(201, TAKEN), NoAnswer("1"), NoAnswer("2")]},
    )

    outcomes = octopush(http).send_many(batch(*PEOPLE))

    assert [type(outcome) for outcome in outcomes] == [Sent, Sent, OutcomeUnknown, OutcomeUnknown]


def test_nothing_leaves_after_a_failure_amid_a_search() -> None:
    http = FakeHttp({SEND: [refused(400, 150), refused(402, 104)]})

    outcomes = octopush(http).send_many(batch(*PEOPLE))

    assert [type(outcome) for outcome in outcomes] == [NoCredit, NoCredit, Temporary, Temporary]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(401, 101), Misconfigured),
        (refused(429, ""), Throttled),
        (refused(400, 107), Rejected),
        (NoAnswer("timed out"), NoAnswer),
        (answer(500, ""), OutcomeUnknown),
    ],
    ids=["credentials", "too fast", "text", "time-out", "500"],
)
def test_a_refusal_of_the_whole_request_is_raised(entry: Entry, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        octopush(FakeHttp({SEND: entry})).send_many(batch(*PEOPLE))


# ---- Callbacks ----------------------------------------------------------------------------------

RECEIPT = {
    "channel": "sms",
    "message_id": TICKET,
    "list_name": "",
    "number": TO,
    "status": "DELIVERED",
    "unit_price": 0.05,
    "delivery_date": "2026-07-22 11:46:06",
    "meta_data": {},
}
# The clock of Paris in summer.
AT = datetime(2026, 7, 22, 9, 46, 6, tzinfo=UTC)
REPLY = {
    "message_id": TICKET,
    "number": TO,
    "text": "Oui 👍 à demain",
    "sim_card_number": "36111",
    "reception_date": "2026-07-22 11:46:06",
}


def callback(said: Mapping[str, Any], endpoint: str = "status", /, **changes: Any) -> Callback:
    whole = {name: value for name, value in {**said, **changes}.items() if value is not ...}
    return called(
        endpoint,
        body=json.dumps(whole).encode(),
        headers={"content-type": "application/json"},
    )


def heard(said: Callback) -> list[Any]:
    return octopush(FakeHttp()).parse("status", said)


@pytest.mark.parametrize("number", [TO, "33612345678", 33612345678])
def test_a_receipt_names_the_message_of_its_number(number: str | int) -> None:
    assert heard(callback(RECEIPT, number=number)) == [
        StatusReport(Delivery.DELIVERED, provider_id=NAME, at=AT)
    ]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("NOT_DELIVERED", Reason.UNREACHABLE),
        ("NOT_ALLOWED", Reason.BLOCKED),
        ("BAD_DESTINATION", Reason.BAD_NUMBER),
    ],
)
def test_a_failure_says_why(status: str, reason: Reason) -> None:
    [report] = heard(callback(RECEIPT, status=status))

    assert (report.state, report.reason, report.code) == (Delivery.FAILED, reason, status)


def test_a_blacklisted_number_asked_for_no_more() -> None:
    report, notice = heard(callback(RECEIPT, status="BLACKLISTED_NUMBER"))

    assert (report.state, report.reason) == (Delivery.FAILED, Reason.OPTED_OUT)
    assert notice == OptOutNotice(TO, "BLACKLISTED_NUMBER")


def test_a_date_that_cannot_be_read_harms_nothing() -> None:
    [report] = heard(callback(RECEIPT, delivery_date="yesterday"))

    assert (report.state, report.at) == (Delivery.DELIVERED, None)


def test_an_opt_out_is_told() -> None:
    said = {"message_id": TICKET, "number": TO, "text": "stop", "stop_date": "2026-11-20 11:11:45"}

    assert heard(callback(said)) == [OptOutNotice(TO, "stop")]


@pytest.mark.parametrize("name", ["message_id", "number", "status"])
def test_a_receipt_that_lacks_a_field_is_malformed(name: str) -> None:
    with pytest.raises(Malformed, match=name):
        heard(callback(RECEIPT, **{name: ...}))


def test_octopush_reads_an_empty_page() -> None:
    reply = octopush(FakeHttp()).reply("status")

    assert (reply.status, reply.body) == (200, "")


# ---- The account --------------------------------------------------------------------------------


def test_a_check_sends_nothing() -> None:
    http = FakeHttp({BALANCE: answer(200, {"amount": 12.54, "unit": "euros"})})

    words = octopush(http).check()

    assert words == "Octopush knows the account ada@example.org, balance 12.54 EUR."
    assert [asked.method for asked in http.asked] == ["GET"]


def test_a_check_says_that_nothing_reaches_anybody() -> None:
    http = FakeHttp({BALANCE: answer(200, {"amount": 12.54, "unit": "euros"})})

    assert octopush(http, simulation=True).check().endswith("messages reach nobody.")


@pytest.mark.parametrize(
    ("said", "balance"),
    [
        ({"amount": 12.54, "unit": "euros"}, Balance(12_540_000, "EUR")),
        ({"amount": "0", "unit": "euros"}, Balance(0, "EUR")),
        ({"amount": 204, "unit": "sms_premium"}, Balance(204_000_000, "sms_premium")),
    ],
)
def test_the_balance_is_told(said: dict[str, Any], balance: Balance) -> None:
    assert octopush(FakeHttp({BALANCE: answer(200, said)})).balance() == balance


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(401, 101), Misconfigured),
        (answer(500, ""), Temporary),
        (answer(200, "<html>"), BadAnswer),
        (answer(200, {"amount": "NaN"}), BadAnswer),
    ],
    ids=["credentials", "500", "unreadable", "no amount"],
)
def test_a_check_says_what_is_wrong(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        octopush(FakeHttp({BALANCE: entry})).check()

    assert type(caught.value) is kind


# ---- The form -----------------------------------------------------------------------------------

FORM = {**SETTINGS, "quality": "sms_premium", "purpose": "alert"}


@pytest.mark.parametrize(
    ("written", "stored"),
    [("Tilleuls", "Tilleuls"), (" Les  Tilleul ", "Les Tilleul"), ("", "")],
    ids=["name", "spaces", "none"],
)
def test_a_sender_is_stored_in_one_form(written: str, stored: str) -> None:
    form = OctopushShortcode.Settings({**FORM, "sender": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["sender"] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "Ti"},
        {"sender": "Les Tilleuls de Nantes"},
        {"sender": "Église"},
        {"sender": "A-B-C"},
        {"login": "ada"},
        {"api_key": ""},
        {"quality": "sms_gold"},
        {"purpose": ""},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not OctopushShortcode.Settings({**FORM, **changes}).is_valid()


def test_the_key_is_known_as_a_secret() -> None:
    assert OctopushShortcode.secret_fields() == ["api_key"]


# ---- The cases of every type --------------------------------------------------------------------

CASES = Cases(
    settings=SETTINGS,
    route=SEND,
    accepted=answer(201, TAKEN),
    provider_id=NAME,
    text_of=lambda asked: str(asked.json()["text"]),
    error_body=(refused(200, 104), NoCredit),
    refusals={
        400: (refused(400, 117), BadNumber),
        401: (refused(401, 101), Misconfigured),
        402: (refused(402, 104), NoCredit),
        429: (refused(429, "", Retry_After="3"), Throttled),
        500: (refused(500, ""), OutcomeUnknown),
    },
    reports={
        "sent": (callback(RECEIPT, status="ACK"), Delivery.SENT),
        "delivered": (callback(RECEIPT), Delivery.DELIVERED),
        "read": (callback(RECEIPT, status="READ"), Delivery.DELIVERED),
        "not delivered": (callback(RECEIPT, status="NOT_DELIVERED"), Delivery.FAILED),
        "not allowed": (callback(RECEIPT, status="NOT_ALLOWED"), Delivery.FAILED),
        "bad destination": (callback(RECEIPT, status="BAD_DESTINATION"), Delivery.FAILED),
        "blacklisted": (callback(RECEIPT, status="BLACKLISTED_NUMBER"), Delivery.FAILED),
        "not known": (callback(RECEIPT, status="UNKNOWN_DELIVERY"), None),
        "undefined": (callback(RECEIPT, status="UNDEFINED"), None),
        "unknown status": (callback(RECEIPT, status="EATEN"), None),
        "unknown message": (callback(RECEIPT, message_id="sms_0"), Delivery.DELIVERED),
    },
    incoming=Absent("It has no number that could receive."),
    signed=Absent("Octopush does not sign its callbacks."),
)


def test_a_reply_that_comes_all_the_same_is_not_lost() -> None:
    [sms] = heard(callback(REPLY))

    assert isinstance(sms, IncomingSms)
    assert sms.text == "Oui 👍 à demain"
