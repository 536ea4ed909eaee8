"""Kannel, case by case. Answers and callbacks are those of Kannel 1.4.5, recorded 2026-11-20."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.http import Answer, NoAnswer
from phones.base import (
    Addresses,
    BadAnswer,
    Callback,
    Delivery,
    Event,
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
from phones.types.kannel import Kannel
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

PLACE = "http://kannel.lan:13013/cgi-bin/sendsms"
STATUS = "http://kannel.lan:13000/status.xml"
PASSWORD = "gateway & s3cret"
SETTINGS = {
    "base_url": PLACE,
    "username": "smsapp",
    "password": PASSWORD,
    "sender": "12345",
    "smsc": "operator",
    "status_url": "",
    "status_password": "",
}
SMS = OutgoingSms("42", TO, "Bonjour")
AT = datetime(2026, 11, 20, 16, 50, 45, tzinfo=UTC)
ID = "6ada21b4-85bb-4b52-b2ba-51c97fae5097"


def kannel(http: FakeHttp, **changes: str) -> Kannel:
    return Kannel({**SETTINGS, **changes}, http, Addresses(BASE))


def sending(entry: Entry, sms: OutgoingSms = SMS, /, **changes: str) -> tuple[Sent, Asked]:
    http = FakeHttp({f"GET {PLACE}": entry})
    sent = kannel(http, **changes).send(sms)
    assert len(http.asked) == 1
    return sent, http.last


def reported(kind: str, said: str = "", **changes: str) -> Callback:
    query = {
        "message": "42",
        "type": kind,
        "answer": said,
        "id": "",
        "time": "1795193445",
        **changes,
    }
    return callback("status", query=query, method="GET")


def received(body: bytes, **changes: str) -> Callback:
    query = {
        "from": TO,
        "to": "12345",
        "time": "1795193445",
        "id": ID,
        "charset": "UTF-8",
        **changes,
    }
    headers = {"content-type": 'text/plain; charset="UTF-8"', "user-agent": "Kannel/1.4.5"}
    return callback("incoming", query=query, body=body, headers=headers)


CASES = Cases(
    settings=SETTINGS,
    route=f"GET {PLACE}",
    accepted=answer(202, "0: Accepted for delivery"),
    provider_id="",
    text_of=lambda asked: asked.query["text"][0],
    error_body=Absent("Kannel refuses by the status of its answer."),
    refusals={
        400: (answer(400, "Missing receiver number, rejected"), Rejected),
        401: (answer(401, "Who are you?"), Misconfigured),
        402: (answer(402), NoCredit),
        429: (answer(429, "Slower", Retry_After="7"), Throttled),
        500: (answer(500, "Sending failed."), OutcomeUnknown),
    },
    reports={
        "accepted": (reported("8", "ACK/"), Delivery.SENT),
        "buffered": (reported("4"), Delivery.SENT),
        "intermediate": (reported("32"), Delivery.SENT),
        "delivered": (reported("1"), Delivery.DELIVERED),
        "not delivered": (reported("2"), Delivery.FAILED),
        "refused": (reported("16", "NACK/"), Delivery.FAILED),
        "unknown status": (reported("64"), None),
        "unknown message": (reported("1", message="77"), Delivery.DELIVERED),
    },
    incoming={
        "valid": (received(b"Oui"), IncomingSms(TO, "Oui", ID, "12345", at=AT)),
        "empty": (received(b""), IncomingSms(TO, "", ID, "12345", at=AT)),
        "unicode": (
            received("Да 🎉".encode("utf-16-be"), charset="UTF-16BE"),
            IncomingSms(TO, "Да 🎉", ID, "12345", at=AT),
        ),
        "no sender": (received(b"Oui", **{"from": ""}), Malformed),
    },
    signed=Absent("Kannel signs nothing."),
)


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_kannel_wants_it() -> None:
    sent, asked = sending(answer(202, "0: Accepted for delivery"))

    # Kannel names no message: the operator's name for it comes with the reports.
    assert sent == Sent("")
    assert asked.method == "GET"
    assert {name: value for name, [value] in asked.query.items()} == {
        "username": "smsapp",
        "password": PASSWORD,
        "from": "12345",
        "to": TO,
        "text": "Bonjour",
        "charset": "UTF-8",
        "coding": "0",
        "smsc": "operator",
        "dlr-mask": "31",
        "dlr-url": f"{BASE}status/?message=42&type=%d&answer=%A&id=%F&time=%T",
    }


@pytest.mark.parametrize(
    ("text", "coding"),
    [("[10 €] {a|b} é", "0"), ("Привет", "2"), ("ça", "2")],
    ids=["gsm with extension", "cyrillic", "one letter outside gsm"],
)
def test_the_coding_is_ours(text: str, coding: str) -> None:
    _sent, asked = sending(answer(202, "0: Accepted for delivery"), OutgoingSms("42", TO, text))

    assert asked.query["coding"] == [coding]


def test_a_flash_message_has_class_0() -> None:
    flash = OutgoingSms("42", TO, "Fire!", flash=True)

    _sent, asked = sending(answer(202, "0: Accepted for delivery"), flash)

    assert asked.query["mclass"] == ["0"]


def test_what_kannel_sets_itself_is_left_to_it() -> None:
    _sent, asked = sending(answer(202, "0: Accepted for delivery"), sender="", smsc="")

    assert not {"from", "smsc", "mclass"} & set(asked.query)


def test_a_message_that_waits_for_its_link_is_taken() -> None:
    sent, _asked = sending(answer(202, "3: Queued for later delivery"))

    assert sent == Sent("")


def test_a_text_that_kannel_would_cut_off_is_refused() -> None:
    http = FakeHttp()

    with pytest.raises(Rejected):
        kannel(http).send(OutgoingSms("42", TO, "🎉" * 1651))

    assert http.asked == []


def test_the_longest_text_one_can_write_leaves() -> None:
    sending(answer(202, "0: Accepted for delivery"), OutgoingSms("42", TO, "🎉" * 1600))


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (answer(403, "Authorization failed for sendsms"), Misconfigured),
        (answer(400, "Sender missing and no global set, rejected"), Misconfigured),
        (answer(404, "Unknown request."), Misconfigured),
        (answer(302, location="https://elsewhere.example/"), Misconfigured),
        (answer(403, "Not routable. Do not try again."), Rejected),
        (
            answer(400, "Number(s) has/have been denied by white- and/or black-lists."),
            Rejected,
        ),
        (answer(503, "Temporal failure, try again later."), Temporary),
        (answer(502, "<html>Bad gateway"), OutcomeUnknown),
        (answer(202, ""), BadAnswer),
    ],
    ids=[
        "wrong password",
        "no sender",
        "wrong address",
        "redirect",
        "no route",
        "black list",
        "queue full",
        "proxy",
        "no words",
    ],
)
def test_a_refusal_keeps_kannels_words(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(PhoneError) as caught:
        sending(entry)

    said = entry.text.replace("<html>", "")
    assert type(caught.value) is kind
    assert caught.value.words == (said or f"HTTP {entry.status}, without a word")


# ---- Callbacks ----------------------------------------------------------------------------------


def events(endpoint: str, said: Callback) -> list[Event]:
    return kannel(FakeHttp()).parse(endpoint, said)


RECEIPT = (
    "id:7f3 sub:001 dlvrd:000 submit date:2611201650 done date:2611201651 stat:%s err:%s text:"
)


@pytest.mark.parametrize(
    ("kind", "said", "reason", "code"),
    [
        ("2", RECEIPT % ("UNDELIV", "027"), Reason.UNREACHABLE, "UNDELIV 027"),
        ("2", RECEIPT % ("EXPIRED", "000"), Reason.EXPIRED, "EXPIRED 000"),
        ("2", RECEIPT % ("REJECTD", "099"), Reason.REJECTED, "REJECTD 099"),
        ("2", "Absent subscriber", Reason.UNREACHABLE, ""),
        ("16", "NACK/0x0000000b/Invalid Destination Address", Reason.REJECTED, "0x0000000b"),
        ("16", "NACK/", Reason.REJECTED, ""),
    ],
    ids=["undelivered", "expired", "rejected", "other words", "refused", "refused wordless"],
)
def test_a_failure_says_why(kind: str, said: str, reason: Reason, code: str) -> None:
    assert events("status", reported(kind, said, id="7f3")) == [
        StatusReport(Delivery.FAILED, "7f3", "42", reason, code, said, AT)
    ]


def test_good_news_needs_no_words() -> None:
    said = RECEIPT % ("DELIVRD", "000")

    assert events("status", reported("1", said, id="7f3")) == [
        StatusReport(Delivery.DELIVERED, "7f3", "42", at=AT)
    ]


@pytest.mark.parametrize("missing", ["message", "type"])
def test_a_report_that_names_nothing_is_refused(missing: str) -> None:
    with pytest.raises(Malformed, match=missing):
        events("status", reported("1", **{missing: ""}))


def test_a_report_without_a_time_counts() -> None:
    [event] = events("status", reported("1", time="%T"))

    assert isinstance(event, StatusReport)
    assert event.at is None


def test_data_is_kept_byte_by_byte() -> None:
    [event] = events("incoming", received(b"caf\xe9 \x80", charset="8-BIT"))

    assert isinstance(event, IncomingSms)
    assert event.text == "caf\xe9 \x80"


def test_an_unknown_charset_is_malformed() -> None:
    with pytest.raises(Malformed, match="KLINGON"):
        events("incoming", received(b"Oui", charset="KLINGON"))


def test_a_text_in_another_charset_is_read() -> None:
    [event] = events("incoming", received(b"\xa410", charset="ISO-8859-15"))

    assert isinstance(event, IncomingSms)
    assert event.text == "€10"


# ---- The gateway --------------------------------------------------------------------------------

KNOWN = answer(400, "Missing receiver number, rejected")


def page(**links: str) -> Answer:
    rows = "".join(
        f"\t<smsc>\n\t\t<name>SMPP:{name}</name>\n\t\t<admin-id>{name}</admin-id>\n\t\t"
        f"<id>{name}</id>\n\t\t<status>{state}</status>\n\t\t<failed>0</failed>\n\t</smsc>\n"
        for name, state in links.items()
    )
    count = f"<smscs><count>{len(links)}</count>\n{rows}</smscs>"
    return answer(200, f'<?xml version="1.0"?>\n<gateway>\n{count}\n</gateway>\n')


def test_a_check_sends_nothing() -> None:
    http = FakeHttp({f"GET {PLACE}": KNOWN})

    assert kannel(http).check() == "Kannel knows this user."
    assert {"to", "text", "from"} & set(http.last.query) == set()


def test_a_check_names_the_links() -> None:
    http = FakeHttp({f"GET {PLACE}": KNOWN, f"GET {STATUS}": page(operator="online 4s", b="dead")})

    said = kannel(http, status_url=STATUS, status_password="look").check()

    assert said == "Kannel knows this user. Online: operator."
    assert http.last.query == {"password": ["look"]}


@pytest.mark.parametrize(
    ("shown", "kind", "words"),
    [
        (page(operator="re-connecting"), Temporary, "operator: re-connecting"),
        (page(operator="dead", b="online 4s"), Temporary, "operator: dead, b: online 4s"),
        (page(b="online 4s"), Misconfigured, "Kannel has no link “operator”."),
        (
            answer(200, '<?xml version="1.0"?>\n<gateway>\nDenied</gateway>\n'),
            Misconfigured,
            "answered: Denied",
        ),
        (answer(404, ""), Misconfigured, "answered: HTTP 404"),
    ],
    ids=["away", "another is online", "unknown", "password", "wrong address"],
)
def test_a_check_says_what_is_wrong_with_the_link(
    shown: Answer, kind: type[PhoneError], words: str
) -> None:
    http = FakeHttp({f"GET {PLACE}": KNOWN, f"GET {STATUS}": shown})

    with pytest.raises(kind) as caught:
        kannel(http, status_url=STATUS).check()

    assert words in caught.value.words


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (answer(403, "Authorization failed for sendsms"), Misconfigured),
        (answer(400, "<html>Bad request"), Rejected),
        (answer(200, "<html>Welcome"), BadAnswer),
    ],
    ids=["password", "another server", "a web page"],
)
def test_a_check_knows_kannel_from_others(entry: Answer, kind: type[PhoneError]) -> None:
    with pytest.raises(kind):
        kannel(FakeHttp({f"GET {PLACE}": entry})).check()


def test_no_answer_is_told_as_such() -> None:
    with pytest.raises(NoAnswer):
        kannel(FakeHttp({f"GET {PLACE}": NoAnswer("timed out")})).check()


# ---- What is pasted into Kannel -----------------------------------------------------------------


def test_the_groups_hold_real_addresses_and_no_password() -> None:
    text = kannel(FakeHttp()).groups()

    post_url = next(line for line in text.splitlines() if line.startswith("post-url"))
    url = post_url.partition(" = ")[2].strip('"')
    assert url.startswith(f"{BASE}incoming/?")
    assert parse_qs(urlsplit(url.replace("%", "_")).query) == {
        "from": ["_p"], "to": ["_P"], "time": ["_T"], "id": ["_I"], "charset": ["_C"],
    }  # fmt: skip
    for line in (
        "username = smsapp",
        "smsc-id = operator",
        "accepted-smsc = operator",
        "#   allowed-smsc-id = operator",
        "#   smsbox-id = smsapp",
    ):
        assert line in text.splitlines()
    assert PASSWORD not in text


def test_the_groups_of_a_gateway_with_one_link_accept_all_links() -> None:
    text = kannel(FakeHttp(), smsc="").groups()

    assert "accepted-smsc" not in text
    assert "smsc-id = the-id-of-your-link" in text


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written", "stored"),
    [
        ("base_url", "http://kannel:13013", "http://kannel:13013/cgi-bin/sendsms"),
        ("base_url", "10.8.0.2:13013/", "http://10.8.0.2:13013/cgi-bin/sendsms"),
        ("base_url", "https://[fd00::2]/send", "https://[fd00::2]/send"),
        ("status_url", "http://kannel:13000", "http://kannel:13000/status.xml"),
        ("status_url", "", ""),
        ("sender", "+33 7 57 59 00 00", "+33757590000"),
        ("sender", " 12345 ", "12345"),
        ("sender", "Les  Tilleul", "Les Tilleul"),
        ("sender", "", ""),
    ],
)
def test_settings_are_stored_in_one_form(name: str, written: str, stored: str) -> None:
    form = Kannel.Settings({**SETTINGS, name: written})

    assert form.is_valid(), form.errors
    assert form.cleaned_data[name] == stored


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "ftp://kannel.lan"},
        {"base_url": "http://user:pass@kannel.lan"},
        {"base_url": "http://kannel.lan/?a=b"},
        {"base_url": "http://kan nel"},
        {"base_url": ""},
        {"username": "a b"},
        {"username": 'a"\nb'},
        {"username": "a\nb"},
        {"password": "abc"},
        {"smsc": "a;b"},
        {"smsc": "a\nb"},
        {"sender": "A name that is too long"},
        {"sender": "!?"},
    ],
    ids=repr,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str]) -> None:
    assert not Kannel.Settings({**SETTINGS, **changes}).is_valid()


def test_both_passwords_are_secrets() -> None:
    assert set(Kannel.secret_fields()) == {"password", "status_password"}
