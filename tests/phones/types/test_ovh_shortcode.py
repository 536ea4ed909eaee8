"""OVH with a name or its short code: what both of its types share is tested here.

Payloads are those of OVH's guides and of its schema /sms.json, read 2026-11.
"""

from __future__ import annotations

import hashlib
import json
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
from phones.types.ovh_shortcode import OvhShortcode
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases
from tests.phones.cases import callback as called

API = "https://eu.api.ovh.com/1.0"
ACCOUNT = f"{API}/sms/sms-ab12345-1"
JOBS = f"POST {ACCOUNT}/jobs"
OUTGOING = f"GET {ACCOUNT}/outgoing"
INCOMING = f"GET {ACCOUNT}/incoming"
STOPS = f"GET {ACCOUNT}/blacklists"
CLOCK = f"GET {API}/auth/time"
SETTINGS = {
    "service_name": "sms-ab12345-1",
    "app_key": "app-key-of-ada",
    "app_secret": "app-secret-of-ada",
    "consumer_key": "consumer-key-of-ada",
    "sender": "Tilleuls",
}
TIME = {CLOCK: answer(200, "1763653320")}
SMS = OutgoingSms("42", TO, "Bonjour", key="k-42")
TAKEN = {
    "totalCreditsRemoved": 1,
    "invalidReceivers": [],
    "ids": [27814656],
    "validReceivers": [TO],
}
NAME = "27814656"


def ovh(http: FakeHttp, **changes: Any) -> OvhShortcode:
    return OvhShortcode({**SETTINGS, **changes}, http, Addresses(BASE))


def sending(entry: Entry, sms: OutgoingSms = SMS, /, **changes: Any) -> tuple[Sent, Asked]:
    http = FakeHttp({**TIME, JOBS: entry, OUTGOING: answer(200, [])})
    sent = ovh(http, **changes).send(sms)
    return sent, http.last


def failing(entry: Entry) -> PhoneError:
    with pytest.raises(PhoneError) as caught:
        sending(entry)
    return caught.value


def refused(status: int, words: str = "No.", code: str = "", **headers: str) -> Answer:
    return answer(status, {"message": words, "errorCode": code}, **headers)


# ---- Requests -----------------------------------------------------------------------------------


def signature(asked: Asked) -> str:
    """Sign a request as OVH's guide says, from what left."""
    parts = [
        SETTINGS["app_secret"],
        SETTINGS["consumer_key"],
        asked.method,
        asked.url,
        asked.body.decode(),
        asked.headers["x-ovh-timestamp"],
    ]
    return "$1$" + hashlib.sha1("+".join(parts).encode()).hexdigest()


def test_every_request_is_signed() -> None:
    http = FakeHttp(
        {**TIME, JOBS: answer(200, TAKEN), INCOMING: answer(200, []), STOPS: answer(200, [])}
    )
    phone = ovh(http)

    phone.send(OutgoingSms("42", TO, "Été 🎉", key="k-42"))
    phone.poll("", [])

    signed = [asked for asked in http.asked if not asked.url.endswith("/auth/time")]
    assert [asked.method for asked in signed] == ["POST", "GET", "GET"]
    for asked in signed:
        assert asked.headers["x-ovh-signature"] == signature(asked)
        assert asked.headers["x-ovh-application"] == SETTINGS["app_key"]
        assert asked.headers["x-ovh-consumer"] == SETTINGS["consumer_key"]


def test_the_time_is_that_of_ovh_and_asked_for_once() -> None:
    http = FakeHttp({**TIME, JOBS: answer(200, TAKEN)})
    phone = ovh(http)

    phone.send(SMS)
    phone.send(SMS)

    assert [asked.path for asked in http.asked].count("/1.0/auth/time") == 1
    assert 1763653320 <= int(http.last.headers["x-ovh-timestamp"]) < 1763653380


@pytest.mark.parametrize(
    "entry",
    [NoAnswer("timed out"), answer(500, ""), answer(200, "<html>"), answer(200, "null")],
    ids=["time-out", "500", "unreadable", "nothing"],
)
def test_without_the_time_nothing_leaves_and_it_is_tried_again(entry: Entry) -> None:
    http = FakeHttp({CLOCK: entry})

    with pytest.raises(Temporary):
        ovh(http).send(SMS)

    assert [asked.method for asked in http.asked] == ["GET"]


@pytest.mark.parametrize(
    ("region", "host"),
    [("", "eu.api.ovh.com"), ("ovh-ca", "ca.api.ovh.com"), ("ovh-us", "api.us.ovhcloud.com")],
)
def test_requests_go_to_the_region(region: str, host: str) -> None:
    http = FakeHttp({"GET /auth/time": answer(200, "1763653320"), "POST /jobs": answer(200, TAKEN)})

    ovh(http, region=region).send(SMS)

    assert {asked.host for asked in http.asked} == {host}


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_ovh_wants_it() -> None:
    sent, asked = sending(answer(200, TAKEN))

    assert sent == Sent(NAME)
    job = asked.json()
    assert len(job.pop("tag")) == 20
    assert job == {
        "message": "Bonjour",
        "receivers": [TO],
        "charset": "UTF-8",
        "coding": "7bit",
        "class": "phoneDisplay",
        "priority": "high",
        "validityPeriod": 2880,
        "sender": "Tilleuls",
        "noStopClause": True,
    }


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"sender": ""}, {"senderForResponse": True, "sender": None}),
        ({"marketing": True}, {"noStopClause": False}),
    ],
    ids=["short code", "marketing"],
)
def test_settings_decide_how_it_travels(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    _sent, asked = sending(answer(200, TAKEN), **changes)

    assert {name: asked.json().get(name) for name in fields} == fields


@pytest.mark.parametrize(
    ("sms", "field", "value"),
    [
        (OutgoingSms("42", TO, "[10 €] é", key="k"), "coding", "7bit"),
        (OutgoingSms("42", TO, "Привет", key="k"), "coding", "8bit"),
        (OutgoingSms("42", TO, "Bonjour", flash=True, key="k"), "class", "flash"),
        (OutgoingSms("42", TO, "Bonjour"), "tag", None),
    ],
    ids=["GSM", "unicode", "flash", "no key"],
)
def test_the_message_decides_the_rest(sms: OutgoingSms, field: str, value: str | None) -> None:
    _sent, asked = sending(answer(200, TAKEN), sms)

    assert asked.json().get(field) == value


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({"credit_price": "0.065"}, (130_000, "EUR")),
        ({"credit_price": "0.065", "currency": "CAD"}, (130_000, "CAD")),
        ({}, (None, "")),
    ],
    ids=["euros", "dollars", "no price"],
)
def test_credits_become_money_where_they_have_a_price(
    changes: dict[str, str], cost: tuple[int | None, str]
) -> None:
    sent, _asked = sending(answer(200, {**TAKEN, "totalCreditsRemoved": 2}), **changes)

    assert (sent.cost, sent.currency) == cost


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(400, "Message is empty"), Rejected),
        (refused(400, "Not enough credits"), NoCredit),
        (refused(403, "You have no credit left"), NoCredit),
        (refused(400, "Sender Tilleuls does not exist"), Misconfigured),
        (refused(401, "Invalid key", "INVALID_CREDENTIAL"), Misconfigured),
        (refused(403, "This call has not been granted", "NOT_GRANTED_CALL"), Misconfigured),
        (refused(460, "This service is expired"), Misconfigured),
        (refused(402), NoCredit),
        (refused(409), Temporary),
        (refused(429), Throttled),
        (refused(422), Rejected),
        (refused(302), BadAnswer),
        (refused(408), OutcomeUnknown),
        (refused(500), OutcomeUnknown),
        (refused(503), OutcomeUnknown),
        (answer(502, "<html>"), OutcomeUnknown),
        (answer(200, "[]"), BadAnswer),
        (answer(200, "null"), BadAnswer),
        (answer(200, {"ids": []}), BadAnswer),
        (answer(200, {**TAKEN, "ids": None}), BadAnswer),
        (answer(200, {**TAKEN, "ids": [], "validReceivers": []}), BadAnswer),
        (
            answer(200, {**TAKEN, "ids": [], "validReceivers": [], "invalidReceivers": [TO]}),
            BadNumber,
        ),
    ],
    ids=lambda value: (
        f"{value.status} {value.body[:40]!r}" if isinstance(value, Answer) else value.__name__
    ),
)
def test_each_refusal_has_its_class(entry: Answer, kind: type[PhoneError]) -> None:
    assert type(failing(entry)) is kind


def test_an_account_that_ovh_does_not_know_pauses_the_phone() -> None:
    assert isinstance(failing(refused(404, "This service does not exist")), Misconfigured)


def test_a_refusal_keeps_the_words_and_the_code() -> None:
    error = failing(refused(403, "This call has not been granted", "NOT_GRANTED_CALL"))

    assert (error.words, error.code) == ("This call has not been granted", "NOT_GRANTED_CALL")


def test_a_refusal_without_words_says_so() -> None:
    assert failing(answer(400, "")).words == "OVH answered HTTP 400, without a word."


@pytest.mark.parametrize(
    "unclear", [NoAnswer("timed out"), answer(500, ""), answer(200, "<html>")], ids=str
)
def test_after_an_unclear_answer_ovh_is_asked_whether_it_took_it(unclear: Entry) -> None:
    http = FakeHttp({**TIME, JOBS: unclear, OUTGOING: answer(200, [27814656])})

    sent = ovh(http).send(SMS)

    job = next(asked for asked in http.asked if asked.method == "POST").json()
    assert sent == Sent(NAME)
    assert http.last.query == {"tag": [job["tag"]]}


@pytest.mark.parametrize(
    "found",
    [
        answer(200, []),
        answer(200, [1, 2]),
        answer(500, ""),
        refused(403),
        NoAnswer("2"),
        NotSent("2"),
    ],
    ids=["none", "two", "500", "403", "no answer", "not sent"],
)
def test_what_ovh_does_not_show_stays_unknown(found: Entry) -> None:
    http = FakeHttp({**TIME, JOBS: NoAnswer("timed out"), OUTGOING: found})

    with pytest.raises(NoAnswer):
        ovh(http).send(SMS)

    assert [asked.method for asked in http.asked].count("POST") == 1


def test_what_did_not_leave_is_not_asked_for() -> None:
    http = FakeHttp({**TIME, JOBS: NotSent("refused")})

    with pytest.raises(NotSent):
        ovh(http).send(SMS)


def test_two_messages_have_two_tags() -> None:
    tags = {
        sending(answer(200, TAKEN), OutgoingSms("42", TO, "Bonjour", key=key))[1].json()["tag"]
        for key in ("k-1", "k-1", "k-2")
    }

    assert len(tags) == 2


# ---- Many at once -------------------------------------------------------------------------------

PEOPLE = ("+33612345678", "+33612345679", "+33612345680")
BATCH = [OutgoingSms(str(n), to, "Bonjour", key=f"k-{n}") for n, to in enumerate(PEOPLE)]
ALL = {"totalCreditsRemoved": 3, "invalidReceivers": [], "ids": [1, 2, 3], "validReceivers": PEOPLE}


def sending_all(said: dict[str, Any], last: Answer, **changes: Any) -> tuple[list[Any], FakeHttp]:
    said = {
        name: list(value) if name != "totalCreditsRemoved" else value
        for name, value in said.items()
    }
    http = FakeHttp(
        {**TIME, JOBS: answer(200, said), "GET /jobs/3": last, "GET /outgoing/3": refused(404)}
    )
    return ovh(http, **changes).send_many(BATCH), http


@pytest.mark.parametrize(
    "last",
    [answer(200, {"id": 3, "receiver": PEOPLE[2]}), refused(404), answer(500, "")],
    ids=["as said", "not there yet", "500"],
)
def test_many_leave_in_one_request(last: Answer) -> None:
    outcomes, http = sending_all(ALL, last, credit_price="0.1")

    assert outcomes == [Sent(name, cost=100_000, currency="EUR") for name in ("1", "2", "3")]
    [posted] = [asked for asked in http.asked if asked.method == "POST"]
    assert posted.json()["receivers"] == [*PEOPLE]


def test_ids_in_another_order_are_not_believed() -> None:
    outcomes, _http = sending_all(ALL, answer(200, {"id": 3, "receiver": PEOPLE[0]}))

    assert outcomes == [Sent("")] * 3


def test_the_outcome_of_each_is_told() -> None:
    said = {
        **ALL,
        "ids": [1, 3],
        "validReceivers": [PEOPLE[2], "0033612345678"],
        "invalidReceivers": [PEOPLE[1]],
    }
    outcomes, _http = sending_all(said, answer(200, {"id": 3, "receiver": "0033612345678"}))

    assert outcomes[0] == Sent("3")
    assert isinstance(outcomes[1], BadNumber)
    assert outcomes[2] == Sent("1")


def test_a_number_that_ovh_does_not_mention_is_unknown() -> None:
    said = {**ALL, "ids": [1, 2], "validReceivers": PEOPLE[:2]}

    outcomes, _http = sending_all({**said, "ids": [1, 3]}, refused(404))

    assert [type(outcome) for outcome in outcomes] == [Sent, Sent, BadAnswer]


def test_fewer_ids_than_numbers_name_nobody() -> None:
    outcomes, _http = sending_all({**ALL, "ids": [1, 3]}, refused(404))

    assert outcomes == [Sent("")] * 3


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(401), Misconfigured),
        (refused(429), Throttled),
        (NoAnswer("timed out"), NoAnswer),
        (refused(500), OutcomeUnknown),
    ],
    ids=["credentials", "too fast", "time-out", "500"],
)
def test_a_refusal_of_the_whole_request_is_raised(entry: Entry, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ovh(FakeHttp({**TIME, JOBS: entry})).send_many(BATCH)


# ---- Callbacks ----------------------------------------------------------------------------------

CHANGE = {
    "id": NAME,
    "ptt": "4",
    "date": "2026-07-22 11:46:06",
    "description": "1",
    "descriptionDlr": "success",
}
# The clock of Paris in summer.
AT = datetime(2026, 7, 22, 9, 46, 6, tzinfo=UTC)


def changed(**changes: str | None) -> Callback:
    whole = {name: value for name, value in {**CHANGE, **changes}.items() if value is not None}
    return called("status", query=whole, method="GET")


def heard(said: Callback) -> list[Any]:
    return ovh(FakeHttp()).parse("status", said)


def test_a_change_of_state_is_told() -> None:
    assert heard(changed()) == [StatusReport(Delivery.DELIVERED, provider_id=NAME, at=AT)]


@pytest.mark.parametrize(
    ("ptt", "reason"),
    [
        ("8", Reason.EXPIRED),
        ("20", Reason.UNREACHABLE),
        ("23", Reason.BAD_NUMBER),
        ("28", Reason.BLOCKED),
        ("999", Reason.NONE),
    ],
)
def test_a_failure_says_why(ptt: str, reason: Reason) -> None:
    [report] = heard(changed(description="2", ptt=ptt, descriptionDlr="failed"))

    assert (report.state, report.reason) == (Delivery.FAILED, reason)
    assert (report.code, report.words) == (ptt, "failed")


def test_the_other_name_of_the_receipt_is_understood() -> None:
    [report] = heard(changed(description=None, dlr="2"))

    assert report.state is Delivery.FAILED


@pytest.mark.parametrize(
    ("ptt", "state"),
    [("3", Delivery.SENT), ("4", Delivery.DELIVERED), ("8", Delivery.FAILED)],
)
def test_without_a_receipt_the_other_code_tells(ptt: str, state: Delivery) -> None:
    [report] = heard(changed(description="words", ptt=ptt))

    assert report.state is state


def test_a_date_that_cannot_be_read_harms_nothing() -> None:
    [report] = heard(changed(date="22/07"))

    assert (report.state, report.at) == (Delivery.DELIVERED, None)


def test_a_change_of_nothing_is_malformed() -> None:
    with pytest.raises(Malformed, match="id"):
        heard(changed(id=None))


# ---- Asking for news ----------------------------------------------------------------------------

REPLY = {
    "id": 501,
    "sender": TO,
    "message": "Oui 👍",
    "creationDatetime": "2026-07-22T11:46:06+02:00",
    "credits": 1,
    "tag": "",
}


def replied(number: int, **changes: Any) -> dict[str, Entry]:
    return {f"GET /incoming/{number}": answer(200, {**REPLY, "id": number, **changes})}


def quiet() -> dict[str, Any]:
    """OVH with nothing new."""
    return {**TIME, INCOMING: answer(200, []), STOPS: answer(200, [])}


def outgoing(receipt: int, ptt: int) -> Answer:
    return answer(200, {"id": 1, "deliveryReceipt": receipt, "ptt": ptt, "receiver": TO})


def test_a_reply_is_fetched() -> None:
    http = FakeHttp({**quiet(), INCOMING: answer(200, [501]), **replied(501)})

    polled = ovh(http).poll("", [])

    assert polled.events == (IncomingSms(TO, "Oui 👍", "501", to="Tilleuls", at=AT),)


def test_a_sender_is_told_in_one_form() -> None:
    http = FakeHttp(
        {**quiet(), INCOMING: answer(200, [501]), **replied(501, sender="0033612345678")}
    )

    [sms] = ovh(http).poll("", []).events

    assert isinstance(sms, IncomingSms)
    assert sms.sender == TO


def test_the_first_look_goes_back_a_day_and_the_next_an_hour() -> None:
    http = FakeHttp(quiet())
    phone = ovh(http)

    cursor = phone.poll("", []).cursor
    phone.poll(cursor, [])

    first, second = (
        datetime.fromisoformat(asked.query["creationDatetime.from"][0])
        for asked in http.asked
        if asked.path.endswith("/incoming")
    )
    now = datetime.fromtimestamp(1763653320, UTC)
    assert (now - first).total_seconds() == pytest.approx(86_400, abs=60)
    assert (now - second).total_seconds() == pytest.approx(3600, abs=60)


def test_a_reply_is_fetched_once_while_it_is_listed() -> None:
    http = FakeHttp({**quiet(), INCOMING: answer(200, [501]), **replied(501)})
    phone = ovh(http)

    cursor = phone.poll("", []).cursor
    http.on(INCOMING, answer(200, [502, 501]))
    http.on("GET /incoming/502", answer(200, {**REPLY, "id": 502}))
    second = phone.poll(cursor, [])

    assert [event.provider_id for event in second.events if isinstance(event, IncomingSms)] == [
        "502"
    ]


def test_ids_that_are_no_longer_listed_are_forgotten() -> None:
    http = FakeHttp({**quiet(), INCOMING: answer(200, [501]), **replied(501)})
    phone = ovh(http)

    cursor = phone.poll("", []).cursor
    http.on(INCOMING, answer(200, []))

    assert json.loads(phone.poll(cursor, []).cursor)["seen"] == []


def test_what_was_found_before_a_failure_is_kept_and_the_rest_comes_later() -> None:
    http = FakeHttp(
        {
            **quiet(),
            INCOMING: answer(200, [501, 502]),
            **replied(501),
            "GET /incoming/502": [refused(500), answer(200, {**REPLY, "id": 502})],
        }
    )
    phone = ovh(http)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])

    names = [
        event.provider_id
        for event in (*first.events, *second.events)
        if isinstance(event, IncomingSms)
    ]
    assert names == ["501", "502"]
    assert json.loads(first.cursor)["since"] < json.loads(second.cursor)["since"]


def test_more_replies_than_one_look_takes_come_with_the_next() -> None:
    def reply(asked: Asked) -> Answer:
        return answer(200, {**REPLY, "id": int(asked.path.rsplit("/", 1)[1])})

    names = [*range(1000, 1120)]
    http = FakeHttp(
        {
            **quiet(),
            INCOMING: answer(200, names),
            **{f"GET /incoming/{name}": reply for name in names},
        }
    )
    phone = ovh(http)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])

    assert (len(first.events), len(second.events)) == (100, 20)
    assert phone.poll(second.cursor, []).events == ()


def test_a_reply_deleted_meanwhile_stops_nothing() -> None:
    http = FakeHttp(
        {
            **quiet(),
            INCOMING: answer(200, [500, 501]),
            "GET /incoming/500": refused(404),
            **replied(501),
        }
    )

    assert len(ovh(http).poll("", []).events) == 1


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (refused(403, "Not granted"), Misconfigured),
        (refused(500), Temporary),
        (answer(200, "{}"), BadAnswer),
        (NoAnswer("timed out"), NoAnswer),
    ],
    ids=["no right", "500", "no list", "time-out"],
)
def test_a_look_that_finds_nothing_says_what_is_wrong(entry: Entry, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ovh(FakeHttp({**quiet(), INCOMING: entry})).poll("", [])


@pytest.mark.parametrize(
    ("receipt", "ptt", "states"),
    [
        (1, 4, [Delivery.DELIVERED]),
        (2, 20, [Delivery.FAILED]),
        (16, 28, [Delivery.FAILED]),
        (4, 1, []),
        (0, 0, []),
        (99, 99, []),
    ],
    ids=["delivered", "failed", "refused", "waits", "new", "unknown"],
)
def test_what_became_of_a_message_is_asked_for(
    receipt: int, ptt: int, states: list[Delivery]
) -> None:
    words = {"comment": "Words of the code.", "description": "d", "duration": "permanent"}
    http = FakeHttp(
        {**quiet(), "GET /outgoing/1": outgoing(receipt, ptt), "GET /sms/ptts": answer(200, words)}
    )

    events = ovh(http).poll("", ["1"]).events

    assert [event.state for event in events if isinstance(event, StatusReport)] == states
    assert {e.words for e in events if isinstance(e, StatusReport)} <= {"", "Words of the code."}


def test_a_failure_has_the_words_of_ovh_asked_for_once() -> None:
    http = FakeHttp(
        {
            **quiet(),
            "GET /outgoing/1": outgoing(2, 20),
            "GET /outgoing/2": outgoing(2, 20),
            "GET /sms/ptts": answer(200, {"comment": "Undeliverable"}),
        }
    )

    one, two = ovh(http).poll("", ["1", "2"]).events

    assert isinstance(one, StatusReport)
    assert isinstance(two, StatusReport)
    assert (one.words, one.code, one.reason) == ("Undeliverable", "20", Reason.UNREACHABLE)
    assert two.words == "Undeliverable"
    assert [asked.path for asked in http.asked].count("/1.0/sms/ptts") == 1


def test_a_failure_without_words_is_told_all_the_same() -> None:
    http = FakeHttp({**quiet(), "GET /outgoing/1": outgoing(2, 20), "GET /sms/ptts": refused(403)})

    [report] = ovh(http).poll("", ["1"]).events

    assert isinstance(report, StatusReport)
    assert (report.state, report.words) == (Delivery.FAILED, "")


def test_a_message_that_still_waits_to_leave_is_no_news() -> None:
    http = FakeHttp({**quiet(), "GET /outgoing/1": refused(404), "GET /outgoing/2": outgoing(1, 4)})

    [report] = ovh(http).poll("", ["1", "2"]).events

    assert isinstance(report, StatusReport)
    assert report.provider_id == "2"


def test_everybody_is_asked_about_in_turn() -> None:
    names = [str(name) for name in range(1, 121)]
    http = FakeHttp({**quiet(), **{f"GET /outgoing/{name}": refused(404) for name in names}})
    phone = ovh(http)

    cursor = ""
    for _look in range(3):
        cursor = phone.poll(cursor, names).cursor

    asked = [asked.path.rsplit("/", 1)[1] for asked in http.asked if "/outgoing/" in asked.path]
    assert asked == [*names, *names[:30]]


def test_who_is_on_the_stop_list_is_told_when_it_changes() -> None:
    http = FakeHttp({**quiet(), STOPS: answer(200, ["0033612345678"])})
    phone = ovh(http)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])
    http.on(STOPS, answer(200, ["+33612345678", "+33612345679"]))
    third = phone.poll(second.cursor, [])

    assert first.events == (OptOutNotice(TO),)
    assert second.events == ()
    assert third.events == (OptOutNotice(TO), OptOutNotice("+33612345679"))


def test_an_empty_stop_list_is_no_news() -> None:
    assert ovh(FakeHttp(quiet())).poll("", []).events == ()


def test_a_look_changes_nothing_at_ovh() -> None:
    http = FakeHttp({**quiet(), INCOMING: answer(200, [501]), **replied(501)})

    ovh(http).poll("", [])

    assert {asked.method for asked in http.asked} == {"GET"}


# ---- The account --------------------------------------------------------------------------------

STANDING = {"name": "sms-ab12345-1", "creditsLeft": 41.5, "status": "enable", "callBack": ""}


RATES = f"GET {API}/sms/rates/destinations"
RATE = {
    "country": "Belgium",
    "countryCode": "be",
    "credit": 1.5,
    "price": {"currencyCode": "EUR", "text": "0.09 €", "value": 0.09},
}


def test_the_price_to_a_country_is_that_of_the_price_list() -> None:
    http = FakeHttp({**TIME, RATES: answer(200, RATE)})

    assert ovh(http).price_to("BE") == Money(90_000, "EUR")
    assert http.last.query == {"country": ["be"]}


def test_the_price_to_a_country_is_counted_in_credits_where_their_price_is_known() -> None:
    http = FakeHttp({**TIME, RATES: answer(200, RATE)})

    assert ovh(http, credit_price="0.05", currency="EUR").price_to("BE") == Money(75_000, "EUR")


@pytest.mark.parametrize("said", [[], {}, {"price": None}, {"price": {"value": "much"}}])
def test_a_country_without_a_price_is_refused(said: object) -> None:
    with pytest.raises(Rejected):
        ovh(FakeHttp({**TIME, RATES: answer(200, said)})).price_to("XX")


def account(**changes: Any) -> dict[str, Any]:
    return {
        **TIME,
        f"GET {ACCOUNT}": answer(200, {**STANDING, **changes}),
        f"GET {ACCOUNT}/senders/Tilleuls": answer(200, {"sender": "Tilleuls", "status": "enable"}),
    }


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        ("Tilleuls", "Messages show the name Tilleuls."),
        ("", "Messages come from a short code."),
    ],
    ids=["name", "short code"],
)
def test_a_check_says_what_ovh_knows_and_changes_nothing(sender: str, words: str) -> None:
    http = FakeHttp(account())

    said = ovh(http, sender=sender).check()

    assert said == f"OVH knows the account sms-ab12345-1, 41.5 credits left. {words}"
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({f"GET {ACCOUNT}": refused(403, "Not granted")}, "Not granted"),
        ({f"GET {ACCOUNT}": refused(404, "Does not exist")}, "Does not exist"),
        (account(status="disable"), "OVH says that this SMS account is disabled."),
        (
            {f"GET {ACCOUNT}/senders/Tilleuls": refused(404)},
            "OVH does not know the sender Tilleuls. Add it under Senders at OVH.",
        ),
        (
            {f"GET {ACCOUNT}/senders/Tilleuls": answer(200, {"status": "waitingValidation"})},
            "OVH has not validated the sender Tilleuls: waitingValidation.",
        ),
    ],
    ids=["keys", "account", "disabled", "sender", "not validated"],
)
def test_a_check_says_what_is_wrong(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        ovh(FakeHttp({**account(), **changes})).check()

    assert caught.value.words == words


def test_a_name_with_a_space_is_asked_for() -> None:
    here = {f"GET {ACCOUNT}/senders/Les%20Til": answer(200, {"status": "enable"})}
    http = FakeHttp({**account(), **here})

    assert ovh(http, sender="Les Til").check().endswith("Les Til.")
    assert http.last.headers["x-ovh-signature"] == signature(http.last)


@pytest.mark.parametrize(
    ("changes", "balance"),
    [
        ({}, Balance(41_500_000, "credits")),
        ({"credit_price": "0.1", "currency": "CAD"}, Balance(4_150_000, "CAD")),
    ],
    ids=["credits", "money"],
)
def test_the_balance_is_told(changes: dict[str, str], balance: Balance) -> None:
    assert ovh(FakeHttp(account()), **changes).balance() == balance


def test_asking_may_be_repeated_when_sending_may_not() -> None:
    with pytest.raises(Temporary):
        ovh(FakeHttp({**TIME, f"GET {ACCOUNT}": refused(500)})).balance()


@pytest.mark.parametrize("said", ["null", "[]", "{}", '{"creditsLeft": "many"}'])
def test_an_account_that_cannot_be_read_is_our_fault(said: str) -> None:
    with pytest.raises(BadAnswer):
        ovh(FakeHttp({**TIME, f"GET {ACCOUNT}": answer(200, said)})).balance()


@pytest.mark.parametrize("body", ["", "null"])
def test_the_address_is_set_at_ovh(body: str) -> None:
    http = FakeHttp({**TIME, f"PUT {ACCOUNT}": answer(200, body)})

    words = ovh(http).connect()

    assert words == "OVH now reports the delivery of all messages of sms-ab12345-1 here."
    assert http.last.json() == {"callBack": f"{BASE}status/"}


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "written", "stored"),
    [
        ("sender", " Les  Tilleul ", "Les Tilleul"),
        ("sender", "", ""),
        ("credit_price", "0,065", "0.065"),
        ("currency", "cad", "CAD"),
    ],
)
def test_settings_are_stored_in_one_form(field: str, written: str, stored: str) -> None:
    form = OvhShortcode.Settings({**SETTINGS, field: written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data[field] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"service_name": "../me"},
        {"service_name": "sms-ab12345"},
        {"service_name": ""},
        {"app_secret": ""},
        {"sender": "Les Tilleuls de Nantes"},
        {"sender": "Église"},
        {"sender": "36111"},
        {"region": "https://evil.example"},
        {"credit_price": "cheap"},
        {"credit_price": "-1"},
        {"credit_price": "NaN"},
        {"currency": "E1"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not OvhShortcode.Settings({**SETTINGS, **changes}).is_valid()


def test_the_keys_are_known_as_secrets() -> None:
    assert set(OvhShortcode.secret_fields()) == {"app_key", "app_secret", "consumer_key"}


# ---- The cases of every type --------------------------------------------------------------------


def cases(settings: dict[str, Any], home: str) -> Cases:
    """Give the cases of a type of OVH whose messages leave by the path `home`."""
    invalid = {**TAKEN, "ids": [], "validReceivers": [], "invalidReceivers": [TO]}
    return Cases(
        settings=settings,
        route=f"POST {home}/jobs",
        others={CLOCK: answer(200, "1763653320"), f"GET {home}/outgoing": answer(200, [])},
        accepted=answer(200, TAKEN),
        provider_id=NAME,
        text_of=lambda asked: str(asked.json()["message"]),
        error_body=(answer(200, invalid), BadNumber),
        refusals={
            400: (refused(400, "Not enough credits"), NoCredit),
            401: (refused(401), Misconfigured),
            402: (refused(402), NoCredit),
            429: (refused(429, Retry_After="3"), Throttled),
            500: (refused(500), OutcomeUnknown),
        },
        reports={
            "delivered": (changed(), Delivery.DELIVERED),
            "failed": (changed(description="2", ptt="5"), Delivery.FAILED),
            "refused": (changed(description="16", ptt="28"), Delivery.FAILED),
            "waiting": (changed(description="4", ptt="1"), Delivery.SENT),
            "buffered": (changed(description="8", ptt="3"), Delivery.SENT),
            "new": (changed(description="0", ptt="0"), None),
            "unknown status": (changed(description="99", ptt="99"), None),
            "unknown message": (changed(id="1"), Delivery.DELIVERED),
            "no message": (changed(id=None), Malformed),
        },
        incoming=Absent("Replies are asked for: see the tests of `poll`."),
        signed=Absent("OVH does not sign its callbacks."),
    )


CASES = cases(SETTINGS, ACCOUNT)
