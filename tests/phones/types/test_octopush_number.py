"""Octopush with a virtual number: what differs from test_octopush_shortcode.py."""

from __future__ import annotations

from typing import Any

import pytest

from phones.base import (
    Addresses,
    BadNumber,
    Callback,
    Delivery,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OptOutNotice,
    OutcomeUnknown,
    Throttled,
)
from phones.types.octopush_number import OctopushNumber
from tests.fakes import FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases
from tests.phones.types.test_octopush_shortcode import (
    AT,
    KEY,
    NAME,
    RECEIPT,
    REPLY,
    SEND,
    SMS,
    TAKEN,
    TICKET,
    callback,
    refused,
)

NUMBER = "+33757590000"
SETTINGS = {"login": "ada@example.org", "api_key": KEY, "number": NUMBER}
FORM = {**SETTINGS, "quality": "sms_premium", "purpose": "alert"}


def octopush(http: FakeHttp, **settings: Any) -> OctopushNumber:
    return OctopushNumber({**SETTINGS, **settings}, http, Addresses(BASE))


def heard(said: Callback) -> list[Any]:
    return octopush(FakeHttp()).parse("incoming", said)


def received(**changes: Any) -> Callback:
    return callback({**REPLY, "sim_card_number": NUMBER}, "incoming", **changes)


def test_a_message_leaves_from_the_number_and_can_be_answered() -> None:
    http = FakeHttp({SEND: answer(201, TAKEN)})

    octopush(http).send(SMS)

    order = http.last.json()
    assert (order["sender"], order["with_replies"]) == (NUMBER, True)
    assert octopush(http).address() == NUMBER


@pytest.mark.parametrize(
    "changes",
    [{"text": "Non"}, {"number": "+33612345679"}, {"reception_date": "2026-07-22 11:46:07"}],
    ids=["text", "number", "second"],
)
def test_two_replies_are_told_apart(changes: dict[str, str]) -> None:
    [first], [second] = heard(received()), heard(received(**changes))

    assert first.provider_id != second.provider_id


def test_a_reply_without_a_date_that_can_be_read_is_received() -> None:
    [sms] = heard(received(reception_date="now"))

    assert (sms.text, sms.at) == (REPLY["text"], None)


def test_a_stop_is_an_opt_out_wherever_it_is_posted() -> None:
    said = {"message_id": TICKET, "number": TO, "text": "STOP", "stop_date": "2026-11-20 11:11:45"}

    assert heard(callback(said, "incoming")) == [OptOutNotice(TO, "STOP")]


@pytest.mark.parametrize("written", [NUMBER, "+33 7 57 59 00 00", "+33(0)757-59-00.00"])
def test_a_number_is_stored_in_one_form(written: str) -> None:
    form = OctopushNumber.Settings({**FORM, "number": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == NUMBER


@pytest.mark.parametrize("written", ["", "0757590000", "Tilleuls", "+33", "36111"])
def test_a_number_that_cannot_work_is_refused(written: str) -> None:
    assert not OctopushNumber.Settings({**FORM, "number": written}).is_valid()


def reply(text: str) -> IncomingSms:
    [sms] = heard(received(text=text))
    return IncomingSms(TO, text, sms.provider_id, to=NUMBER, at=AT)


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
        "not delivered": (callback(RECEIPT, status="NOT_DELIVERED"), Delivery.FAILED),
        "blacklisted": (callback(RECEIPT, status="BLACKLISTED_NUMBER"), Delivery.FAILED),
        "unknown status": (callback(RECEIPT, status="EATEN"), None),
        "unknown message": (callback(RECEIPT, message_id="sms_0"), Delivery.DELIVERED),
    },
    incoming={
        "valid": (received(text="Oui"), reply("Oui")),
        "empty": (received(text=""), reply("")),
        "no text": (received(text=None), reply("")),
        "unicode": (received(), reply("Oui 👍 à demain")),
        "no sender": (received(number=None), Malformed),
        "sender of a strange kind": (received(number=["+33"]), Malformed),
    },
    signed=Absent("Octopush does not sign its callbacks."),
)
