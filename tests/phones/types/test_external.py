"""Any HTTP service, case by case: what leaves, what its answers mean, how it calls us."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from lib.http import Answer, NotSent
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
from phones.types.external import External
from phones.types.external.settings import BODY
from tests.fakes import Asked, Entry, FakeHttp, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

PLACE = "https://sms.example.net/send"
SECRET = "Bearer nobody-should-read-this"
SETTINGS = {
    "sender": "+33757590000",
    "url": PLACE,
    "method": "POST",
    "content_type": "json",
    "body": '{"to": {{to}}, "text": {{text}}, "id": {{id}}}',
    "authorization": SECRET,
    "auth_header": "Authorization",
    "headers": "",
    "success_status": "",
    "success_text": "",
    "success_path": "status = ok",
    "id_path": "messages[0].id",
    "from_field": "",
    "text_field": "",
    "date_field": "",
    "id_field": "",
    "status_field": "",
    "reply": "",
}
# What a phone moved over from RapidPro says: its defaults.
RAPIDPRO = {**SETTINGS, "content_type": "form", "body": BODY, "success_path": "", "id_path": ""}
TAKEN = {"status": "ok", "messages": [{"id": "m7f3"}]}
SMS = OutgoingSms("42", TO, "Bonjour")
AT = datetime(2026, 11, 20, 16, 50, 45, tzinfo=UTC)


def external(http: FakeHttp, **changes: str) -> External:
    return External({**SETTINGS, **changes}, http, Addresses(BASE))


def sending(entry: Entry, sms: OutgoingSms = SMS, /, **changes: str) -> tuple[Sent, Asked]:
    http = FakeHttp({f"POST {PLACE}": entry, f"GET {PLACE}": entry, f"PUT {PLACE}": entry})
    sent = external(http, **changes).send(sms)
    assert len(http.asked) == 1
    return sent, http.last


def as_json(endpoint: str, said: Any) -> Callback:
    body = json.dumps(said).encode()
    return callback(endpoint, body=body, headers={"content-type": "application/json"})


def events(endpoint: str, said: Callback, **changes: str) -> list[Event]:
    return External({**RAPIDPRO, **changes}, FakeHttp(), Addresses(BASE)).parse(endpoint, said)


def received(**changes: str) -> Callback:
    said = {"from": TO, "text": "Oui", "date": "2026-11-20T16:50:45Z", "id": "in-1", **changes}
    return callback("incoming", form={name: value for name, value in said.items() if value})


CASES = Cases(
    settings=SETTINGS,
    route=f"POST {PLACE}",
    accepted=answer(200, TAKEN),
    provider_id="m7f3",
    text_of=lambda asked: asked.json()["text"],
    error_body=(answer(200, {"status": "refused", "why": "No such number"}), Rejected),
    refusals={
        400: (answer(400, {"error": "Bad number"}), Rejected),
        401: (answer(401, "Who are you?"), Misconfigured),
        402: (answer(402, "Pay first"), NoCredit),
        429: (answer(429, "Slower", Retry_After="7"), Throttled),
        500: (answer(500, "Oops"), OutcomeUnknown),
    },
    reports={
        "sent": (as_json("status", {"id": "m7f3", "status": "sent"}), Delivery.SENT),
        "delivered": (as_json("status", {"id": "m7f3", "status": "DELIVRD"}), Delivery.DELIVERED),
        "failed": (as_json("status", {"id": "m7f3", "status": "failed"}), Delivery.FAILED),
        "form": (
            callback("status", form={"id": "m7f3", "status": "delivered"}),
            Delivery.DELIVERED,
        ),
        "address": (
            callback("status", query={"id": "m7f3", "status": "failed"}, method="GET"),
            Delivery.FAILED,
        ),
        "unknown status": (as_json("status", {"id": "m7f3", "status": "dreaming"}), None),
        "unknown message": (
            as_json("status", {"id": "not-ours", "status": "delivered"}),
            Delivery.DELIVERED,
        ),
        "no id": (as_json("status", {"status": "sent"}), Malformed),
        "no status": (as_json("status", {"id": "m7f3"}), Malformed),
    },
    incoming={
        "valid": (received(), IncomingSms(TO, "Oui", "in-1", at=AT)),
        "empty": (received(text=""), IncomingSms(TO, "", "in-1", at=AT)),
        "unicode": (received(text="Да 🎉"), IncomingSms(TO, "Да 🎉", "in-1", at=AT)),
        "no sender": (received(**{"from": ""}), Malformed),
    },
    signed=Absent("There is no common way to sign."),
)


# ---- Sending ------------------------------------------------------------------------------------


def test_a_message_leaves_as_the_template_says() -> None:
    sent, asked = sending(answer(200, TAKEN))

    assert sent == Sent("m7f3")
    assert (asked.method, asked.url) == ("POST", PLACE)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == SECRET
    assert asked.json() == {"to": TO, "text": "Bonjour", "id": "42"}


def test_a_phone_of_rapidpro_sends_what_it_sent_there() -> None:
    sent, asked = sending(answer(200, "Accepted"), **RAPIDPRO)

    assert sent == Sent("")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert {name: value for name, [value] in asked.form.items()} == {
        "id": "42",
        "text": "Bonjour",
        "to": TO,
        "to_no_plus": TO[1:],
        "from": "+33757590000",
        "from_no_plus": "33757590000",
        "channel": "t0ken",
    }


NASTY = 'a "b" <c> & d=e + \\ {{to}} {{secret}} %s é 🎉\nnew line'


@pytest.mark.parametrize(
    ("kind", "body", "left"),
    [
        ("form", "t={{text}}&x=1", urlencode({"t": NASTY}) + "&x=1"),
        ("json", '{"t": {{ text }}}', json.dumps({"t": NASTY}, ensure_ascii=False)),
        (
            "xml",
            '<m t="{{text}}"/>',
            '<m t="a &quot;b&quot; &lt;c&gt; &amp; d=e + \\ {{to}} {{secret}} %s é 🎉\nnew line"/>',
        ),
        ("plain", "{{to}}: {{text}}", f"{TO}: {NASTY}"),
    ],
    ids=["form", "json", "xml", "plain"],
)
def test_a_value_is_encoded_once_and_never_read_as_template(
    kind: str, body: str, left: str
) -> None:
    _sent, asked = sending(
        answer(200, TAKEN),
        OutgoingSms("42", TO, NASTY),
        content_type=kind,
        body=f"{body}",
    )

    assert asked.body.decode() == left
    assert SECRET not in asked.body.decode()


def test_a_get_has_all_in_its_address() -> None:
    url = f"{PLACE}?to={{{{to}}}}&text={{{{text}}}}&report={{{{status_url}}}}&key={{{{secret}}}}"

    _sent, asked = sending(
        answer(200, TAKEN),
        OutgoingSms("42", TO, "a&b=c +d é"),
        url=url,
        method="GET",
        auth_header="",
    )

    assert asked.body == b""
    assert asked.query == {
        "to": [TO],
        "text": ["a&b=c +d é"],
        "report": [f"{BASE}status/?reference=42"],
        "key": [SECRET],
    }
    assert "authorization" not in asked.headers


def test_headers_are_added_and_may_replace_ours() -> None:
    _sent, asked = sending(
        answer(200, TAKEN),
        auth_header="X-Api-Key",
        headers="X-Team: Tilleuls\ncontent-type: application/vnd.api+json",
        method="PUT",
    )

    assert asked.method == "PUT"
    assert asked.headers["x-api-key"] == SECRET
    assert asked.headers["x-team"] == "Tilleuls"
    assert asked.headers["content-type"] == "application/vnd.api+json"


def test_without_a_secret_no_header_leaves() -> None:
    _sent, asked = sending(answer(200, TAKEN), authorization="")

    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("rules", "entry", "good"),
    [
        ({}, answer(200, "whatever"), True),
        ({}, answer(204), True),
        ({"success_status": "200 202"}, answer(202), True),
        ({"success_status": "200"}, answer(202), False),
        ({"success_text": "OK"}, answer(200, "OK 7f3"), True),
        ({"success_text": "OK"}, answer(200, "ERR 7"), False),
        ({"success_path": "data.id"}, answer(200, {"data": {"id": 7}}), True),
        ({"success_path": "data.id"}, answer(200, {"data": {}}), False),
        ({"success_path": "$.sms[1].ok=true"}, answer(200, {"sms": [{}, {"ok": True}]}), True),
        ({"success_path": "sms.1.ok = true"}, answer(200, {"sms": [{}, {"ok": False}]}), False),
        ({"success_path": "sms[5]"}, answer(200, {"sms": []}), False),
        ({"success_path": "code = 0"}, answer(200, {"code": 0}), True),
        ({"success_path": "id", "success_text": "OK"}, answer(200, {"id": 1}), False),
    ],
    ids=repr,
)
def test_the_rules_of_a_good_answer(rules: dict[str, str], entry: Answer, good: bool) -> None:
    settings = {"success_path": "", "id_path": "", **rules}

    if good:
        assert sending(entry, **settings)[0] == Sent("")
        return
    with pytest.raises(PhoneError) as caught:
        sending(entry, **settings)
    assert type(caught.value) is Rejected
    assert caught.value.words


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"messages": [{"id": 7}]}, "7"),
        ({"messages": []}, ""),
        ({"messages": [{"id": {"deep": 1}}]}, ""),
        ({"messages": [{"id": None}]}, ""),
    ],
    ids=["number", "none", "no name", "null"],
)
def test_a_message_that_was_taken_stays_taken_whatever_its_name(said: Any, name: str) -> None:
    sent, _asked = sending(answer(200, said), success_path="")

    assert sent == Sent(name)


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        (answer(403, "No"), Misconfigured, "No"),
        (answer(404, "<h1>Not found</h1>"), Misconfigured, "Not found"),
        (answer(301, location=PLACE), Misconfigured, "HTTP 301, without a word"),
        (answer(503, "Closed"), OutcomeUnknown, "Closed"),
        (answer(503, "Back soon", Retry_After="30"), Temporary, "Back soon"),
        (answer(504, ""), OutcomeUnknown, "HTTP 504, without a word"),
        (answer(200, "<p>OK</p>"), BadAnswer, "OK"),
    ],
    ids=["forbidden", "no page", "redirect", "503", "503 with a time", "504", "no json"],
)
def test_an_answer_keeps_its_words(entry: Answer, kind: type[PhoneError], words: str) -> None:
    with pytest.raises(PhoneError) as caught:
        sending(entry)

    assert type(caught.value) is kind
    assert caught.value.words == words


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"content_type": "form", "body": BODY},
        {"method": "GET", "url": f"{PLACE}?a={{{{to}}}}&b={{{{text}}}}&c=%C3%A9"},
        {"content_type": "xml", "body": "<m>{{text}}</m>", "headers": "X-Team: Tilleuls"},
    ],
    ids=["json", "form", "get", "xml"],
)
def test_the_preview_is_what_leaves(changes: dict[str, str]) -> None:
    sms = OutgoingSms("42", TO, NASTY)
    _sent, asked = sending(answer(200, TAKEN), sms, **changes)

    shown = external(FakeHttp(), **changes).preview(sms)

    head, _, body = shown.partition("\n\n")
    first, *headers = head.split("\n")
    assert first == f"{asked.method} {asked.url}"
    assert body == asked.body.decode()
    for line in headers:
        name, _, value = line.partition(": ")
        assert value in (asked.headers[name.lower()], "•••")


def test_the_preview_hides_the_secret_wherever_it_stands() -> None:
    changes = {
        "url": f"{PLACE}?key={{{{secret}}}}",
        "content_type": "form",
        "body": "k={{secret}}&to={{to}}&text={{text}}",
        "auth_header": "X-Key",
    }

    shown = external(FakeHttp(), **changes).preview(SMS)

    assert shown.count("•••") == 3
    assert "nobody" not in shown


# ---- Callbacks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "state"),
    [("sent", Delivery.SENT), ("delivered", Delivery.DELIVERED), ("failed", Delivery.FAILED)],
)
@pytest.mark.parametrize("name", ["id", "uuid"])
@pytest.mark.parametrize("way", ["form", "query", "json"])
def test_rapidpros_actions_report(action: str, state: Delivery, name: str, way: str) -> None:
    said = {
        "form": callback(action, form={name: "42"}),
        "query": callback(action, query={name: "42"}, method="GET"),
        "json": as_json(action, {name: 42}),
    }[way]

    [event] = events(action, said)

    assert isinstance(event, StatusReport)
    assert (event.state, event.reference, event.provider_id) == (state, "42", "")


def test_rapidpros_actions_bring_messages_and_opt_outs() -> None:
    said = callback("receive", form={"sender": TO, "text": "Oui", "time": "2026-11-20T16:50:45Z"})

    [message] = events("receive", said)

    assert isinstance(message, IncomingSms)
    assert (message.sender, message.text, message.at) == (TO, "Oui", AT)
    assert events("stopped", callback("stopped", form={"from": TO})) == [OptOutNotice(TO)]
    assert events("optout", callback("optout", form={"from": TO})) == [OptOutNotice(TO)]


def test_a_report_at_our_own_address_needs_no_id() -> None:
    said = callback("status", query={"reference": "42", "status": "delivered"}, method="GET")

    [event] = events("status", said)

    assert isinstance(event, StatusReport)
    assert (event.state, event.reference) == (Delivery.DELIVERED, "42")


def test_a_service_that_names_messages_does_not_speak_of_ours() -> None:
    # Its 42 is not our 42.
    [event] = events("delivered", callback("delivered", form={"id": "42"}), id_path="id")

    assert isinstance(event, StatusReport)
    assert (event.provider_id, event.reference) == ("42", "")


def test_a_failure_says_why() -> None:
    said = {
        "id": "42",
        "status": "expired",
        "code": 9,
        "error": "Too late",
        "date": "2026-11-20T16:50:45Z",
    }

    assert events("status", as_json("status", said)) == [
        StatusReport(Delivery.FAILED, "", "42", Reason.EXPIRED, "9", "Too late", AT)
    ]


def test_names_of_a_service_are_found_inside_its_json() -> None:
    said = as_json(
        "incoming",
        {"sms": [{"msisdn": TO, "body": "Oui", "at": "2026-11-20T17:50:45+01:00", "no": 7}]},
    )

    [message] = events(
        "incoming",
        said,
        from_field="sms[0].msisdn",
        text_field="sms[0].body",
        date_field="sms[0].at",
        id_field="sms[0].no",
    )

    assert message == IncomingSms(TO, "Oui", "7", at=AT)


def test_a_plus_that_nobody_encoded_is_found_again() -> None:
    query = parse_qs(f"from={TO}&text=1+2&date=2026-11-20T17:50:45+01:00")
    said = Callback("GET", f"{BASE}incoming/", {}, query, {}, b"")

    [message] = events("incoming", said)

    assert isinstance(message, IncomingSms)
    assert (message.sender, message.text, message.at) == (TO, "1 2", AT)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-20T16:50:45", AT),
        ("2026-11-20 16:50:45", AT),
        ("2026-11-20T16:50:45.000Z", AT),
        ("2026-11-20T18:50:45+02:00", AT.astimezone(timezone(timedelta(hours=2)))),
        ("yesterday", None),
    ],
)
def test_times_are_read(written: str, at: datetime | None) -> None:
    [message] = events("incoming", received(date=written))

    assert isinstance(message, IncomingSms)
    assert message.at == at


def test_a_message_without_a_name_is_known_by_its_time() -> None:
    first, again, other = (
        events("incoming", received(id="", date=f"2026-11-20T16:50:{second}Z"))[0]
        for second in ("45", "45", "46")
    )

    assert isinstance(first, IncomingSms)
    assert isinstance(other, IncomingSms)
    assert first == again
    assert first.provider_id != other.provider_id


def test_two_messages_that_nothing_tells_apart_are_both_kept() -> None:
    [message] = events("incoming", received(id="", date=""))

    assert isinstance(message, IncomingSms)
    # Without a name nothing is taken for a repetition.
    assert message.provider_id == ""


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("OK", "text/plain"),
        ('{"ok": true}', "application/json"),
        ("<ok/>", "text/xml"),
    ],
)
def test_the_service_reads_what_it_wants(written: str, kind: str) -> None:
    reply = external(FakeHttp(), reply=written).reply("incoming")

    assert (reply.status, reply.content_type, reply.body) == (200, kind, written)
    assert external(FakeHttp(), reply=written).reply("status").body == '{"status": "ok"}'


# ---- The service --------------------------------------------------------------------------------


def test_a_check_tells_the_service_nothing() -> None:
    http = FakeHttp({"HEAD https://sms.example.net/": answer(405)})

    said = external(http, url=f"{PLACE}?key=1").check()

    assert said == "sms.example.net answers. Only a message shows whether it takes messages."
    assert http.last.url == "https://sms.example.net/"
    assert "authorization" not in http.last.headers
    assert http.last.body == b""


def test_a_check_says_that_nobody_answers() -> None:
    with pytest.raises(NotSent):
        external(FakeHttp({"HEAD https://sms.example.net/": NotSent("refused")})).check()


# ---- The form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        RAPIDPRO,
        {"url": "http://kannel:8080/a/{{to_no_plus}}?t={{text}}", "method": "GET", "body": ""},
        {"headers": "X-Team: Tilleuls\r\n\r\nX-Other:  a:b "},
        {"content_type": "plain", "body": "{{to}} {{text}}"},
        {"content_type": "xml", "body": '<m to="{{ to }}">{{ text }}</m>'},
        {"authorization": "", "auth_header": ""},
        {"success_status": "200 202", "success_path": "$.messages[0].status=queued"},
    ],
    ids=repr,
)
def test_settings_that_work_are_taken(changes: dict[str, str]) -> None:
    form = External.Settings({**SETTINGS, **changes})

    assert form.is_valid(), form.errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "https://{{to}}.example.net/{{text}}"}, "url"),
        ({"url": "https://user:pass@sms.example.net/"}, "url"),
        ({"url": "https://sms.example.net/a b"}, "url"),
        ({"url": "https://sms.example.net/é"}, "url"),
        ({"url": "https://sms.example.net/#{{text}}"}, "url"),
        ({"url": "ftp://sms.example.net/"}, "url"),
        ({"url": "https://sms.example.net/{{tex}}"}, "url"),
        ({"method": "GET"}, "url"),
        ({"method": "DELETE"}, "method"),
        ({"body": '{"text": "{{text}}", "to": {{to}}}'}, "body"),
        ({"body": '{"text": {{text}}, "to": {{to}}'}, "body"),
        ({"body": '{"text": {{text}}}'}, "body"),
        ({"body": '{"to": {{to}}}'}, "body"),
        ({"body": '{"to": {{to}}, "text": {{text}}, "q": {{quick_replies}}}'}, "body"),
        ({"headers": "no colon"}, "headers"),
        ({"headers": "Bad name: x"}, "headers"),
        ({"headers": "X-A: é"}, "headers"),
        ({"auth_header": "Bad name"}, "auth_header"),
        ({"authorization": "a\nb: c"}, "authorization"),
        ({"authorization": "abc"}, "authorization"),
        (
            {"authorization": 'a"bcd', "body": '{"t": {{text}}, "a": {{to}}, "k": {{secret}}}'},
            "authorization",
        ),
        ({"success_status": "ok"}, "success_status"),
        ({"success_path": "= ok"}, "success_path"),
        ({"id_path": "a b"}, "id_path"),
    ],
    ids=repr,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str], field: str) -> None:
    form = External.Settings({**SETTINGS, **changes})

    assert not form.is_valid()
    assert set(form.errors) == {field}


def test_the_untouched_form_is_rapidpros() -> None:
    fields = External.Settings.base_fields

    assert fields["body"].initial == BODY
    assert External.secret_fields() == ["authorization"]


def test_the_addresses_that_rapidpro_had_are_shown() -> None:
    shown = "\n".join(text for _heading, text in external(FakeHttp()).sheets())

    for action in ("receive", "sent", "delivered", "failed", "stopped"):
        assert f"https://sms.example.org/c/ex/t0ken/{action}" in shown.split()
