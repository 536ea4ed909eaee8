"""Every type of the registry, shown with the cases that its test module fills in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from urllib.parse import unquote, urlsplit

import pytest

from lib.http import Answer, Guard, Http, NoAnswer, NotSent, Trace
from phones import registry
from phones.base import (
    Addresses,
    BadSignature,
    Delivery,
    IncomingSms,
    LookedUp,
    Malformed,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    StatusReport,
    Temporary,
    Throttled,
)
from tests.fakes import FakeHttp, FakeMail
from tests.phones.cases import BASE, LOOK_UPS, TEXTS, TO, Absent, Cases, LookUps, callback


def shown(slug: str) -> object:
    return getattr(import_module(f"tests.phones.types.test_{slug}"), "CASES", None)


# A type without HTTP says so (`CASES = Absent("…")`) and shows the same promises in its own module.
every_type = pytest.mark.parametrize(
    "slug", [slug for slug in registry.all_types() if not isinstance(shown(slug), Absent)]
)


def cases_of(slug: str) -> Cases:
    cases = shown(slug)
    assert isinstance(cases, Cases), f"test_{slug}.py has no CASES."
    return cases


def phone(slug: str, http: Http) -> PhoneType:
    kind = registry.get(slug)(cases_of(slug).settings, http, Addresses(BASE))
    if isinstance(http, FakeHttp):
        kind.mail = FakeMail(http)
    return kind


def fake(cases: Cases, *entries: Answer | NotSent | NoAnswer) -> FakeHttp:
    return FakeHttp({**cases.others, cases.route: list(entries)})


def sms(text: str = "Hello") -> OutgoingSms:
    return OutgoingSms(reference="42", to=TO, text=text, key="k-42")


@every_type
@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_any_text_is_handed_over_whole(slug: str, text: str) -> None:
    cases = cases_of(slug)
    http = fake(cases, cases.accepted)

    sent = phone(slug, http).send(sms(text))

    assert sent.provider_id == cases.provider_id
    left = [asked for asked in http.asked if asked.path == urlsplit(cases.route.split(" ")[1]).path]
    assert cases.text_of(left[-1]) == text


@every_type
def test_each_refusal_is_classed(slug: str) -> None:
    cases = cases_of(slug)
    assert set(cases.required) <= set(cases.refusals)
    for status, (answer, kind) in cases.refusals.items():
        assert answer.status == status

        with pytest.raises(PhoneError) as caught:
            phone(slug, fake(cases, answer)).send(sms())

        assert type(caught.value) is kind, status
        assert caught.value.words, status


@every_type
def test_too_fast_says_for_how_long(slug: str) -> None:
    cases = cases_of(slug)
    if isinstance(cases.too_fast, Absent):
        return
    answer, _ = cases.refusals[cases.too_fast]
    assert answer.retry_after

    with pytest.raises(Throttled) as caught:
        phone(slug, fake(cases, answer)).send(sms())

    assert caught.value.retry_after == answer.retry_after


@every_type
def test_an_error_inside_a_success_is_an_error(slug: str) -> None:
    cases = cases_of(slug)
    if isinstance(cases.error_body, Absent):
        return
    answer, kind = cases.error_body

    with pytest.raises(PhoneError) as caught:
        phone(slug, fake(cases, answer)).send(sms())

    assert 200 <= answer.status < 300
    assert type(caught.value) is kind


@every_type
def test_nonsense_inside_a_success_is_no_success(slug: str) -> None:
    cases = cases_of(slug)

    with pytest.raises(OutcomeUnknown):
        phone(slug, fake(cases, Answer(200, {}, b"<html>maintenance"))).send(sms())


@every_type
@pytest.mark.parametrize(
    "error", [NotSent("refused"), NoAnswer("timed out")], ids=["before", "after"]
)
def test_a_time_out_says_whether_anything_left(slug: str, error: NotSent | NoAnswer) -> None:
    cases = cases_of(slug)
    meant = (NotSent, Temporary) if isinstance(error, NotSent) else (NoAnswer, OutcomeUnknown)
    if registry.get(slug).can.safe_retry:
        meant = (*meant, Temporary)

    with pytest.raises(meant):
        phone(slug, fake(cases, error)).send(sms())


@every_type
def test_each_report_is_read(slug: str) -> None:
    cases = cases_of(slug)
    if isinstance(cases.reports, Absent):
        assert not registry.get(slug).can.delivery or registry.get(slug).can.polling
        return
    assert {"delivered", "unknown status", "unknown message"} <= set(cases.reports)
    # What a provider can tell of a message, it is shown telling; "unknown" only networks do (SMPP).
    told = {state for _said, state in cases.reports.values()}
    assert told >= set(Delivery) - {Delivery.UNKNOWN}
    for name, (said, state) in cases.reports.items():
        if isinstance(state, type):
            with pytest.raises(state):
                phone(slug, FakeHttp()).parse("status", said)
            continue
        events = phone(slug, FakeHttp()).parse("status", said)
        states = [event.state for event in events if isinstance(event, StatusReport)]
        assert states == ([state] if state else []), name


@every_type
def test_each_incoming_message_is_read(slug: str) -> None:
    cases = cases_of(slug)
    if isinstance(cases.incoming, Absent):
        assert not registry.get(slug).can.receive or registry.get(slug).can.polling
        return
    assert {"valid", "empty", "unicode", "no sender"} <= set(cases.incoming)
    for name, (said, expected) in cases.incoming.items():
        line = phone(slug, FakeHttp())
        if isinstance(expected, type):
            with pytest.raises(expected):
                line.parse("incoming", said)
            continue
        first = [e for e in line.parse("incoming", said) if isinstance(e, IncomingSms)]
        again = [e for e in line.parse("incoming", said) if isinstance(e, IncomingSms)]
        assert first == ([expected] if expected else []), name
        # The same callback twice must be recognisable as one message.
        assert [e.provider_id for e in first] == [e.provider_id for e in again], name
        assert all(e.provider_id for e in first), name


@every_type
@pytest.mark.parametrize("endpoint", ["status", "incoming"])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"{", b"[]", b"null", b'{"a": [1, {}]}', b"a=%zz&&="]
)
def test_nonsense_is_malformed_and_nothing_worse(slug: str, endpoint: str, body: bytes) -> None:
    kind = registry.get(slug)
    if endpoint not in [item.name for item in kind.endpoints]:
        return
    said = callback(endpoint, body=body, headers={"content-type": "application/json"})

    with suppress(Malformed):
        phone(slug, FakeHttp()).parse(endpoint, said)


@every_type
def test_signatures_are_checked(slug: str) -> None:
    cases, kind = cases_of(slug), registry.get(slug)
    if isinstance(cases.signed, Absent):
        assert kind.unsigned
        return
    signed, unsigned, forged = cases.signed
    line = phone(slug, FakeHttp())

    line.verify(signed)

    for said in (unsigned, forged):
        with pytest.raises(BadSignature):
            line.verify(said)


class _Echo(BaseHTTPRequestHandler):
    """Answer with everything that was asked, headers included: the worst that a provider can do."""

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(dict(self.headers)).encode() + self.rfile.read(size) + self.path.encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@every_type
def test_no_secret_is_in_what_is_recorded(slug: str) -> None:
    cases, kind = cases_of(slug), registry.get(slug)
    if cases.recorded:
        return
    secrets = [
        str(cases.settings[name]) for name in kind.secret_fields() if cases.settings.get(name)
    ]
    traces: list[Trace] = []
    with echo() as host:
        http = Http(guard=Guard(frozenset({"127.0.0.1"})), secrets=secrets, record=traces.append)
        sending = _rerouted(http, host)
        with suppress(PhoneError, NotSent, NoAnswer):
            phone(slug, sending).send(sms())

    written = repr(traces)
    assert traces
    assert not [secret for secret in secrets if secret in written]


def _rerouted(http: Http, host: str) -> Http:
    """Send every request to `host` instead: types with a fixed address are tried too."""
    real = http.request

    def request(method: str, url: str, **options):  # type: ignore[no-untyped-def]
        parts = urlsplit(url)
        return real(method, parts._replace(scheme="http", netloc=host).geturl(), **options)

    http.request = request  # type: ignore[method-assign]
    return http


# ---- Looking up ---------------------------------------------------------------------------------


def look_ups_of(slug: str) -> LookUps:
    found = getattr(import_module(f"tests.phones.types.test_{slug}"), "LOOK_UPS", None)
    assert isinstance(found, LookUps), f"test_{slug}.py has no LOOK_UPS."
    return found


every_asker = pytest.mark.parametrize(
    "slug", [slug for slug, kind in registry.all_types().items() if kind.can.look_up]
)


@every_asker
@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_look_up_ends_as_the_provider_says_and_costs_one_request(slug: str, name: str) -> None:
    cases = look_ups_of(slug)
    said, expected = cases.outcomes[name]
    http = FakeHttp({cases.route: said})
    line = phone(slug, http)

    if isinstance(expected, LookedUp):
        assert line.look_up(TO) == expected
    else:
        with pytest.raises(PhoneError) as caught:
            line.look_up(TO)
        assert type(caught.value) is expected

    [asked] = http.asked
    assert cases.says in unquote(asked.url)
