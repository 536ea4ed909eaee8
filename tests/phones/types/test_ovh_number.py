"""OVH with a virtual number: what differs from test_ovh_shortcode.py."""

from __future__ import annotations

import pytest

from phones.base import Addresses, BadAnswer, IncomingSms, Misconfigured, StatusReport
from phones.types.ovh_number import OvhNumber
from tests.fakes import Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO
from tests.phones.types.test_ovh_shortcode import (
    ACCOUNT,
    AT,
    NAME,
    REPLY,
    SMS,
    STANDING,
    STOPS,
    TAKEN,
    TIME,
    cases,
    outgoing,
    refused,
)
from tests.phones.types.test_ovh_shortcode import (
    SETTINGS as SHORTCODE,
)

NUMBER = "+33757590000"
SETTINGS = {name: value for name, value in SHORTCODE.items() if name != "sender"} | {
    "number": NUMBER
}
HOME = f"{ACCOUNT}/virtualNumbers/0033757590000"


def ovh(http: FakeHttp) -> OvhNumber:
    return OvhNumber(SETTINGS, http, Addresses(BASE))


def test_a_message_leaves_from_the_number() -> None:
    http = FakeHttp({**TIME, f"POST {HOME}/jobs": answer(200, TAKEN)})

    sent = ovh(http).send(SMS)

    assert sent.provider_id == NAME
    assert not {"sender", "senderForResponse", "noStopClause"} & set(http.last.json())


def test_replies_and_states_are_those_of_the_number() -> None:
    http = FakeHttp(
        {
            **TIME,
            f"GET {HOME}/incoming": answer(200, [501]),
            f"GET {HOME}/incoming/501": answer(200, REPLY),
            f"GET {HOME}/outgoing/{NAME}": outgoing(1, 4),
            STOPS: answer(200, []),
        }
    )

    reply, report = ovh(http).poll("", [NAME]).events

    assert reply == IncomingSms(TO, "Oui 👍", "501", to=NUMBER, at=AT)
    assert isinstance(report, StatusReport)
    assert report.provider_id == NAME


@pytest.mark.parametrize("listed", [NUMBER, "0033757590000"])
def test_a_check_finds_the_number(listed: str) -> None:
    http = FakeHttp(
        {
            **TIME,
            f"GET {ACCOUNT}": answer(200, STANDING),
            f"GET {ACCOUNT}/virtualNumbers": answer(200, [listed]),
        }
    )

    words = ovh(http).check()

    assert words.endswith(f"41.5 credits left. Messages come from {NUMBER}.")
    assert {asked.method for asked in http.asked} == {"GET"}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (answer(200, []), Misconfigured),
        (refused(403), Misconfigured),
        (answer(200, "null"), BadAnswer),
    ],
    ids=["another's", "no right", "no list"],
)
def test_a_check_says_what_is_wrong(entry: Entry, kind: type[Exception]) -> None:
    http = FakeHttp(
        {
            **TIME,
            f"GET {ACCOUNT}": answer(200, STANDING),
            f"GET {ACCOUNT}/virtualNumbers": entry,
        }
    )

    with pytest.raises(kind):
        ovh(http).check()


@pytest.mark.parametrize("written", [NUMBER, "+33 7 57 59 00 00", "+33(0)757-59-00.00"])
def test_a_number_is_stored_in_one_form(written: str) -> None:
    form = OvhNumber.Settings({**SETTINGS, "number": written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["number"] == NUMBER


@pytest.mark.parametrize("written", ["", "0757590000", "Tilleuls", "+33", "36111"])
def test_a_number_that_cannot_work_is_refused(written: str) -> None:
    assert not OvhNumber.Settings({**SETTINGS, "number": written}).is_valid()


CASES = cases(SETTINGS, HOME)
