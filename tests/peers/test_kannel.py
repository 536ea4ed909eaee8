"""Our phone type against a real Kannel."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lib import gsm
from lib.http import Guard, Http
from phones.base import (
    Addresses,
    Callback,
    Delivery,
    Event,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
)
from phones.types.kannel import Kannel
from tests.peers.kannel import LINK, PATIENCE, KannelPeer, start_kannel
from tests.peers.smscs import Cimd2Smsc, EmiSmsc, SmppSmsc, Smsc
from tests.phones.cases import TEXTS

pytestmark = pytest.mark.peer

TO = "+33612345678"
BLANK = {"username": "smsapp", "smsc": LINK, "sender": "12345"}


class Receiver:
    """Our side: takes callbacks as the callback view does, and keeps what they say."""

    def __init__(self) -> None:
        self.phone: Kannel | None = None
        self.events: list[Event] = []
        self.ills = 0  # how many callbacks to answer with 503
        self._news = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(outer.take(self.command, self.path, headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.addresses = Addresses(f"{self.origin}/callbacks/t0ken/")

    def take(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        assert self.phone is not None
        with self._news:
            if self.ills:
                self.ills -= 1
                return 503
            endpoint = urlsplit(path).path.strip("/").split("/")[-1]
            query = parse_qs(urlsplit(path).query, keep_blank_values=True)
            said = Callback(method, self.origin + path, headers, query, {}, body)
            self.phone.verify(said)
            self.events += self.phone.parse(endpoint, said)
            self._news.notify_all()
        return 200

    def reports(self, reference: str, count: int) -> list[StatusReport]:
        """Give the reports about a message once there are `count`; others may still come in."""
        found: list[StatusReport] = []

        def enough() -> bool:
            found[:] = [
                event
                for event in self.events
                if isinstance(event, StatusReport) and event.reference == reference
            ]
            return len(found) >= count

        self._wait(enough)
        return found

    def message(self) -> IncomingSms:
        """Give the message that comes in."""
        found: list[IncomingSms] = []

        def enough() -> bool:
            found[:] = [event for event in self.events if isinstance(event, IncomingSms)]
            return bool(found)

        self._wait(enough)
        [message] = found
        return message

    def _wait(self, enough: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(enough, PATIENCE[1]), f"Only this came: {self.events}"


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.02,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.fixture(scope="module")
def peer(server: Receiver) -> Iterator[KannelPeer]:
    groups = Kannel(BLANK, Http(), server.addresses).groups()
    with start_kannel(groups) as running:
        yield running


@pytest.fixture
def kannel(peer: KannelPeer, server: Receiver) -> Callable[..., Kannel]:
    def phone(**changes: str) -> Kannel:
        http = Http(guard=Guard(frozenset({"127.0.0.1"})))
        server.phone = Kannel({**peer.settings, **changes}, http, server.addresses)
        return server.phone

    return phone


@pytest.fixture
def receiver(server: Receiver) -> Iterator[Receiver]:
    server.events.clear()
    yield server
    server.events.clear()


def test_a_message_goes_out_and_its_delivery_comes_back(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel]
) -> None:
    with peer.operator() as operator:
        sent = kannel().send(OutgoingSms("42", TO, "Bonjour"))

        [handed] = operator.wait_for(1)
        reports = receiver.reports("42", 2)

    assert sent == Sent("")
    assert (handed.sender, handed.to, handed.data) == ("12345", TO, b"Bonjour")
    assert {report.state for report in reports} == {Delivery.SENT, Delivery.DELIVERED}
    for report in reports:
        assert report.at is not None
        assert abs(datetime.now(UTC) - report.at) < timedelta(minutes=1)


@pytest.mark.parametrize("text", [*TEXTS.values(), "🎉" * 1600], ids=[*TEXTS, "longest"])
def test_any_text_arrives_whole(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel], text: str
) -> None:
    with peer.operator() as operator:
        reference = str(1000 + len(text))
        kannel().send(OutgoingSms(reference, TO, text))

        first = operator.wait_for(1)[0]
        handed = operator.wait_for(first.parts)
        # A long message is one message: it is reported once.
        reports = receiver.reports(reference, 2)

    handed.sort(key=lambda item: item.part)
    charset = "utf-8" if gsm.encoding_of(text) == "gsm7" else "utf-16-be"
    assert b"".join(item.data for item in handed).decode(charset) == text
    assert len(reports) == 2


def test_a_message_waits_for_the_link(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel]
) -> None:
    assert kannel().send(OutgoingSms("44", TO, "Later")) == Sent("")

    with peer.operator() as operator:
        assert [item.data for item in operator.wait_for(1)] == [b"Later"]
        receiver.reports("44", 2)


@pytest.mark.parametrize("text", ["Oui,  merci + 100%", "Да 🎉", "STOP"])
def test_what_people_write_arrives(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel], text: str
) -> None:
    kannel()
    with peer.operator() as operator:
        operator.write(TO, "12345", text)

        message = receiver.message()

    assert (message.sender, message.to, message.text) == (TO, "12345", text)
    assert len(message.provider_id) == 36
    assert message.at is not None


def test_kannel_insists_until_it_is_heard(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel]
) -> None:
    phone = kannel()
    receiver.ills = 3
    with peer.operator() as operator:
        operator.write(TO, "12345", "Is anybody there?")
        receiver.message()

        receiver.ills = 3
        phone.send(OutgoingSms("45", TO, "Yes"))
        reports = receiver.reports("45", 2)

    assert {report.state for report in reports} == {Delivery.SENT, Delivery.DELIVERED}


def test_a_check_names_the_link_and_sends_nothing(
    peer: KannelPeer, receiver: Receiver, kannel: Callable[..., Kannel]
) -> None:
    with peer.operator():
        peer.wait_for_links(LINK)
        assert kannel().check() == f"Kannel knows this user. Online: {LINK}."

    # Wait a moment: nothing may come.
    time.sleep(0.2)
    assert receiver.events == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "another one"}, "Authorization failed for sendsms"),
        ({"smsc": "nowhere"}, "Kannel has no link “nowhere”."),
        ({"status_password": "another one"}, "Denied"),
    ],
    ids=["password", "link", "status password"],
)
def test_a_check_says_what_is_wrong(
    kannel: Callable[..., Kannel], changes: dict[str, str], words: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        kannel(**changes).check()

    assert words in caught.value.words


def test_a_check_says_that_the_link_is_away(kannel: Callable[..., Kannel]) -> None:
    with pytest.raises(Temporary, match=LINK):
        kannel().check()


def test_a_wrong_password_pauses_the_phone(kannel: Callable[..., Kannel]) -> None:
    with pytest.raises(Misconfigured):
        kannel(password="another one").send(OutgoingSms("46", TO, "Bonjour"))


def test_a_message_for_no_link_fails(receiver: Receiver, kannel: Callable[..., Kannel]) -> None:
    with pytest.raises(Rejected, match="Not routable"):
        kannel(smsc="nowhere").send(OutgoingSms("47", TO, "Bonjour"))

    [report] = receiver.reports("47", 1)
    assert report.state is Delivery.FAILED


# ---- Links to operators, as docs/phones/kannel.md shows them ------------------------------------

PAGE = (Path(__file__).parents[2] / "docs/phones/kannel.md").read_text()
CORE, *EXAMPLES = re.findall(r"```kannel\n(.*?)```", PAGE, re.DOTALL)
SMSCS = {"smpp": SmppSmsc, "emi": EmiSmsc, "cimd2": Cimd2Smsc}


def written(example: str, name: str) -> str:
    found = re.search(rf"(?m)^{name} = (.*)$", example)
    assert found, f"The example has no {name}:\n{example}"
    return found[1]


@pytest.fixture(scope="module")
def smscs() -> Iterator[dict[str, Smsc]]:
    """A tiny SMSC behind each of the page's examples, by its smsc-id."""
    with ExitStack() as stack:
        yield {
            written(example, "smsc-id"): stack.enter_context(SMSCS[written(example, "smsc")]())
            for example in EXAMPLES
        }


@pytest.fixture
def smpp(smscs: dict[str, Smsc]) -> Iterator[SmppSmsc]:
    smsc = smscs["operator-smpp"]
    assert isinstance(smsc, SmppSmsc)
    yield smsc
    smsc.refusal, smsc.receipt = SmppSmsc.refusal, SmppSmsc.receipt


@pytest.fixture(scope="module")
def linked(server: Receiver, smscs: dict[str, Smsc]) -> Iterator[KannelPeer]:
    """The page's whole configuration, with its links led to these SMSCs."""
    links = ""
    for example in EXAMPLES:
        port = smscs[written(example, "smsc-id")].port
        here = re.sub(r"(?m)^host = .*$", "host = 127.0.0.1", example)
        links += re.sub(r"(?m)^port = .*$", f"port = {port}", here) + "\n"
    groups = Kannel({**BLANK, "smsc": ""}, Http(), server.addresses).groups()
    with start_kannel(groups, links=links, base=CORE) as running:
        running.wait_for_links(*smscs)
        yield running


def test_the_page_shows_all_three_protocols() -> None:
    assert [written(example, "smsc") for example in EXAMPLES] == list(SMSCS)


@pytest.mark.parametrize("example", EXAMPLES, ids=list(SMSCS))
def test_a_link_of_the_page_carries_a_message(
    linked: KannelPeer, smscs: dict[str, Smsc], receiver: Receiver, example: str
) -> None:
    link = written(example, "smsc-id")
    http = Http(guard=Guard(frozenset({"127.0.0.1"})))
    phone = Kannel({**linked.settings, "smsc": link}, http, receiver.addresses)
    receiver.phone = phone

    assert link in phone.check()
    phone.send(OutgoingSms(str(smscs[link].port), TO, "Bonjour"))

    taken = smscs[link].wait_for(1)[-1]
    assert (taken.sender, taken.to.lstrip("+0"), taken.text) == ("12345", TO[1:], "Bonjour")
    assert smscs[link].logins == [
        (written(example, "smsc-username"), written(example, "smsc-password"))
    ]
    # What the operator took and what became of it are two calls, which may overtake each other.
    first = receiver.reports(str(smscs[link].port), 1)[0]
    assert first.state in (Delivery.SENT, Delivery.DELIVERED)


@pytest.mark.parametrize(
    ("reference", "refusal", "receipt", "report"),
    [
        ("61", 0, ("DELIVRD", "000"), (Delivery.DELIVERED, "", "")),
        ("62", 0, ("UNDELIV", "027"), (Delivery.FAILED, Reason.UNREACHABLE, "UNDELIV 027")),
        ("63", 0, ("EXPIRED", "000"), (Delivery.FAILED, Reason.EXPIRED, "EXPIRED 000")),
        ("64", 11, ("", ""), (Delivery.FAILED, Reason.REJECTED, "0x0000000b")),
    ],
    ids=["delivered", "undelivered", "expired", "refused"],
)
def test_what_the_operator_says_is_understood(
    linked: KannelPeer,
    smpp: SmppSmsc,
    receiver: Receiver,
    reference: str,
    refusal: int,
    receipt: tuple[str, str],
    report: tuple[Delivery, str, str],
) -> None:
    smpp.refusal, smpp.receipt = refusal, receipt
    http = Http(guard=Guard(frozenset({"127.0.0.1"})))
    settings = {**linked.settings, "smsc": "operator-smpp"}
    receiver.phone = Kannel(settings, http, receiver.addresses)

    receiver.phone.send(OutgoingSms(reference, TO, "Bonjour"))

    reports = receiver.reports(reference, 1 if refusal else 2)
    [last] = [item for item in reports if item.state is not Delivery.SENT]
    assert (last.state, last.reason, last.code) == report
    # What the operator calls the message, where it took it.
    assert last.provider_id == "m7f3" or refusal
