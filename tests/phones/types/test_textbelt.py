"""Textbelt, case by case. Answers are those of its documentation and its source, read 2026-11."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.http import Answer
from phones.base import (
    Addresses,
    BadAnswer,
    BadNumber,
    BadSignature,
    Balance,
    Callback,
    Delivery,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OptedOut,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Polled,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.textbelt import Textbelt
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import BASE, Absent, Cases, callback

PLACE = "https://textbelt.com/text"
KEY = "a-key-nobody-should-read"
SETTINGS = {"key": KEY, "sender": "", "base_url": "", "region": "text"}
OWN = {"key": "", "base_url": "http://textbelt.lan:9090"}
TO = "+15555555555"
SMS = OutgoingSms("42", TO, "Hello")
TAKEN = {"success": True, "quotaRemaining": 40, "textId": "12345"}
STAMP = "1795193445"
AT = datetime(2026, 11, 20, 16, 50, 45, tzinfo=UTC)


def textbelt(http: FakeHttp, **changes: str) -> Textbelt:
    return Textbelt({**SETTINGS, **changes}, http, Addresses(BASE))


def sending(entry: Entry, sms: OutgoingSms = SMS, /, **changes: str) -> tuple[Sent, Asked]:
    http = FakeHttp({"POST /text": entry, "POST /canada": entry, "POST /intl": entry})
    sent = textbelt(http, **changes).send(sms)
    assert len(http.asked) == 1
    return sent, http.last


def refused(words: str) -> Answer:
    return answer(200, {"success": False, "error": words, "quotaRemaining": 0})


def replied(key: str = KEY, stamp: str = STAMP, /, **changes: Any) -> Callback:
    said = {"textId": "12345", "fromNumber": TO, "text": "Yes", "data": "", **changes}
    body = json.dumps(said, ensure_ascii=False).encode()
    signature = hmac.new(key.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-textbelt-timestamp": stamp,
        "x-textbelt-signature": signature,
    }
    return callback("incoming", body=body, headers=headers)


def name(said: Callback) -> str:
    """Give the name that we give a reply: Textbelt has none."""
    return hashlib.sha256(STAMP.encode() + said.body).hexdigest()


def message(text: str) -> IncomingSms:
    return IncomingSms(TO, text, name(replied(text=text)), at=AT)


CASES = Cases(
    settings=SETTINGS,
    route=f"POST {PLACE}",
    accepted=answer(200, TAKEN),
    provider_id="12345",
    text_of=lambda asked: asked.form["message"][0],
    error_body=(refused("Out of quota"), NoCredit),
    refusals={
        400: (answer(400, "Bad request"), Rejected),
        401: (answer(401, "Unauthorized"), Misconfigured),
        402: (answer(402, ""), NoCredit),
        429: (answer(429, "Too many requests", Retry_After="7"), Throttled),
        500: (answer(500, "Internal error"), OutcomeUnknown),
    },
    reports=Absent("Textbelt tells delivery only when asked."),
    incoming={
        "valid": (replied(), message("Yes")),
        "empty": (replied(text=""), message("")),
        "unicode": (replied(text="Да 🎉"), message("Да 🎉")),
        "no sender": (replied(fromNumber=""), Malformed),
    },
    signed=(
        replied(),
        callback("incoming", body=replied().body),
        replied("another key"),
    ),
)


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_textbelt_wants_it() -> None:
    sent, asked = sending(answer(200, TAKEN))

    assert sent == Sent("12345")
    assert asked.url == PLACE
    assert {name: value for name, [value] in asked.form.items()} == {
        "phone": TO,
        "message": "Hello",
        "key": KEY,
        "replyWebhookUrl": f"{BASE}incoming/",
    }


def test_an_organisation_is_told() -> None:
    _sent, asked = sending(answer(200, TAKEN), sender="Les Tilleuls")

    assert asked.form["sender"] == ["Les Tilleuls"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Out of quota", NoCredit),
        ("Only one test text message is allowed per day.", NoCredit),
        ("Invalid phone number", BadNumber),
        ("This number has opted out of messages.", OptedOut),
        ("Incomplete request", Misconfigured),
        ("Invalid API key", Misconfigured),
        ("Too many requests to this number", Throttled),
        ("Ability to send URLs via text is restricted for this key.", Rejected),
        ("Something nobody has seen before", Rejected),
    ],
)
def test_a_refusal_is_known_by_its_words(words: str, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        sending(refused(words))

    assert type(caught.value) is kind
    assert caught.value.words == words


@pytest.mark.parametrize(
    "entry",
    [
        answer(200, {"success": True, "quotaRemaining": 4}),
        answer(200, {"success": False}),
        answer(200, {"success": "yes"}),
        answer(200, []),
        answer(200, ""),
    ],
    ids=["no name", "no words", "neither", "a list", "empty"],
)
def test_an_answer_without_sense_leaves_the_outcome_open(entry: Answer) -> None:
    with pytest.raises(BadAnswer):
        sending(entry)


# ---- Delivery -----------------------------------------------------------------------------------


def looking(*pending: str, cursor: str = "", **states: str) -> tuple[Polled, FakeHttp]:
    http = FakeHttp(
        {
            f"GET https://textbelt.com/status/{item}": answer(
                200, {"success": True, "status": states.get(item, "SENDING")}
            )
            for item in pending
        }
    )
    return textbelt(http).poll(cursor, pending), http


def test_a_look_brings_what_is_final() -> None:
    polled, _http = looking(
        "a", "b", "c", "d", "e", a="DELIVERED", b="FAILED", c="SENT", d="UNKNOWN"
    )

    assert polled.events == (
        StatusReport(Delivery.DELIVERED, "a"),
        StatusReport(Delivery.FAILED, "b", reason=Reason.UNREACHABLE, code="FAILED"),
    )


def test_every_message_has_its_turn() -> None:
    pending = [str(number) for number in range(120)]
    asked = []
    cursor = ""

    for _look in range(3):
        polled, http = looking(*pending, cursor=cursor)
        cursor = polled.cursor
        asked += [item.path.rpartition("/")[2] for item in http.asked]

    assert len(asked) == 150
    assert set(asked) == set(pending)


def test_nothing_to_ask_asks_nothing() -> None:
    polled, http = looking()

    assert (polled, http.asked) == (Polled(), [])


@pytest.mark.parametrize("entry", [answer(404, "Not found"), answer(500, "")], ids=["404", "500"])
def test_one_message_nobody_knows_stops_no_other(entry: Answer) -> None:
    http = FakeHttp(
        {
            "GET https://textbelt.com/status/a": entry,
            "GET https://textbelt.com/status/b": answer(200, {"status": "DELIVERED"}),
        }
    )

    assert textbelt(http).poll("", ["a", "b"]).events == (StatusReport(Delivery.DELIVERED, "b"),)


# ---- Replies ------------------------------------------------------------------------------------


def test_two_replies_to_one_message_are_two() -> None:
    first, second = replied(), replied(KEY, "1795193446")

    [one], [two] = (textbelt(FakeHttp()).parse("incoming", said) for said in (first, second))

    assert isinstance(one, IncomingSms)
    assert isinstance(two, IncomingSms)
    assert one.provider_id != two.provider_id


@pytest.mark.parametrize(
    "changes", [{"x-textbelt-timestamp": "1795193446"}, {"x-textbelt-timestamp": ""}], ids=repr
)
def test_a_signature_is_of_its_time(changes: dict[str, str]) -> None:
    said = replied()
    moved = callback("incoming", body=said.body, headers={**said.headers, **changes})

    with pytest.raises(BadSignature):
        textbelt(FakeHttp()).verify(moved)


def test_a_phone_without_a_key_believes_nobody() -> None:
    with pytest.raises(BadSignature):
        textbelt(FakeHttp(), **OWN).verify(replied(""))


def test_a_trial_key_signs_with_or_without_its_ending() -> None:
    for key in (KEY, f"{KEY}_test"):
        textbelt(FakeHttp(), key=f"{KEY}_test").verify(replied(key))


# ---- The key ------------------------------------------------------------------------------------


def quota(entry: Entry) -> FakeHttp:
    return FakeHttp({f"GET https://textbelt.com/quota/{KEY}": entry})


@pytest.mark.parametrize(
    ("key", "left", "words"),
    [(KEY, 98, "98 messages"), (KEY, 1, "1 message"), (f"{KEY}_test", 2, "2 messages")],
    ids=["key", "last message", "trial"],
)
def test_a_check_counts_messages_and_sends_none(key: str, left: int, words: str) -> None:
    http = quota(answer(200, {"success": True, "quotaRemaining": left}))

    assert textbelt(http, key=key).check() == f"Textbelt knows this key; it has {words} left."
    assert [asked.method for asked in http.asked] == ["GET"]


def test_the_balance_is_in_messages() -> None:
    http = quota(answer(200, {"success": True, "quotaRemaining": 98}))

    assert textbelt(http).balance() == Balance(98_000_000, "messages")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (answer(200, {"success": True, "quotaRemaining": 0}), NoCredit),
        (refused("Invalid API key"), Misconfigured),
        (answer(500, "Oops"), Temporary),
        (answer(200, {"success": True}), BadAnswer),
        (answer(200, "<html>"), BadAnswer),
    ],
    ids=["empty", "wrong key", "trouble", "no number", "web page"],
)
def test_a_check_says_what_is_wrong(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        textbelt(quota(entry)).check()

    assert type(caught.value) is kind


# ---- A server of one's own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "to", "number"),
    [
        ("text", TO, "5555555555"),
        ("canada", TO, "5555555555"),
        ("intl", "+33612345678", "33612345678"),
    ],
)
def test_ones_own_server_wants_other_names(region: str, to: str, number: str) -> None:
    sms = OutgoingSms("42", to, "Hello")

    sent, asked = sending(answer(200, {"success": True}), sms, **OWN, region=region)

    assert sent == Sent("")
    assert asked.url == f"http://textbelt.lan:9090/{region}"
    assert asked.form == {"number": [number], "message": ["Hello"]}


def test_ones_own_server_of_the_us_takes_no_other_number() -> None:
    http = FakeHttp()

    with pytest.raises(BadNumber):
        textbelt(http, **OWN).send(OutgoingSms("42", "+33612345678", "Hello"))

    assert http.asked == []


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Invalid phone number.", BadNumber),
        ("Communication with SMS gateway failed.", OutcomeUnknown),
        ("Number and message parameters are required.", Rejected),
    ],
)
def test_ones_own_server_has_its_own_words(words: str, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        sending(answer(200, {"success": False, "message": words}), **OWN)

    assert type(caught.value) is kind
    assert caught.value.words == words


def test_ones_own_server_is_only_asked_whether_it_is_there() -> None:
    http = FakeHttp({"GET http://textbelt.lan:9090/": answer(200, "I'm online!")})
    phone = textbelt(http, **OWN)

    assert phone.check() == "Your server answers: I'm online!"
    assert phone.poll("", ["a"]) == Polled()
    with pytest.raises(Rejected):
        phone.balance()
    assert len(http.asked) == 1


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, OWN, {**OWN, "base_url": "http://10.0.0.5:9090/"}, {"region": ""}],
    ids=["key", "own server", "address", "untouched"],
)
def test_settings_that_work_are_taken(changes: dict[str, str]) -> None:
    form = Textbelt.Settings({**SETTINGS, **changes})

    assert form.is_valid(), form.errors
    assert not form.cleaned_data["base_url"].endswith("/")


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""},
        {"key": "abc"},
        {"base_url": "ftp://textbelt.lan"},
        {"base_url": "http://user:pass@textbelt.lan"},
        {"base_url": "http://textbelt.lan/?a=b"},
        {"region": "mars"},
    ],
    ids=repr,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Textbelt.Settings({**SETTINGS, **changes}).is_valid()


def test_the_key_is_a_secret() -> None:
    assert Textbelt.secret_fields() == ["key"]
