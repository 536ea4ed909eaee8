"""Our phone type against a real Gammu SMSD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from accounts.models import User, Workspace
from messaging import composing, polling
from messaging.models import Message
from messaging.routing import Route
from phones.base import (
    Addresses,
    Delivery,
    Event,
    IncomingSms,
    OutgoingSms,
    Reason,
    StatusReport,
)
from phones.models import Phone
from phones.types.gammu import Gammu
from tests.fakes import FakeHttp
from tests.peers.gammu import SmsdPeer, start_smsd, start_smsd_sql, tables
from tests.peers.postgres import start_postgres
from tests.phones.cases import BASE, TEXTS, TO

pytestmark = pytest.mark.peer


def phone_of(peer: SmsdPeer) -> Gammu:
    return Gammu(peer.settings, FakeHttp(), Addresses(BASE))


def sms(text: str = "Hello", *, number: int = 1, flash: bool = False) -> OutgoingSms:
    return OutgoingSms(str(number), TO, text, flash=flash, key=f"k-{number}")


def shown(phone: Gammu) -> str:
    """Give the lines of [smsd] that the page of the phone shows."""
    return phone.sheets()[0][1].partition("[smsd]\n")[2].replace("LogFile = syslog\n", "")


class Looks:
    """Look again and again, as the tick does, each time with what the last look gave."""

    def __init__(self, phone: Gammu) -> None:
        self.phone, self.cursor, self.events = phone, "", list[Event]()

    def look(self, pending: list[str] | None = None) -> list[Event]:
        polled = self.phone.poll(self.cursor, pending or [])
        self.cursor = polled.cursor
        self.events += polled.events
        return list(polled.events)

    def found(self, count: int, pending: list[str] | None = None) -> Callable[[], bool]:
        def ready() -> bool:
            self.look(pending)
            return len(self.events) >= count

        return ready


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[SmsdPeer]:
    spool = {"place": "spool modem", "spools": {"modem": str(tmp_path / "spool")}}
    lines = shown(Gammu(spool, FakeHttp(), Addresses(BASE)))
    with start_smsd(tmp_path, lines) as peer:
        yield peer


def test_smsd_sends_each_text_whole(peer: SmsdPeer) -> None:
    phone = phone_of(peer)

    names = [phone.send(sms(text, number=n)).provider_id for n, text in enumerate(TEXTS.values())]
    peer.wait(lambda: len(peer.names("sent")) == len(TEXTS))

    assert peer.names("sent") == names
    assert [peer.sent(name)["text"] for name in names] == list(TEXTS.values())
    assert {peer.sent(name)["number"] for name in names} == {TO}
    assert [peer.sent(name)["parts"] for name in names] == [1, 1, 3, 1]


def test_a_message_that_smsd_has_is_not_given_again(peer: SmsdPeer) -> None:
    phone = phone_of(peer)
    first = phone.send(sms())
    peer.wait(lambda: peer.names("sent"))

    assert phone.send(sms()) == first
    assert peer.names("outbox") == []


def test_a_flash_message_is_of_class_0(peer: SmsdPeer) -> None:
    name = phone_of(peer).send(sms(flash=True)).provider_id
    peer.wait(lambda: peer.names("sent"))

    assert peer.sent(name)["class"] == 0
    assert "fls: 0" in (peer.folder / "log").read_text(errors="replace")


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_what_comes_in_is_told_once(peer: SmsdPeer, text: str) -> None:
    looks = Looks(phone_of(peer))
    peer.receive("+33698765432", text)

    peer.wait(looks.found(1))
    again = looks.look()

    [came] = looks.events
    assert isinstance(came, IncomingSms)
    assert (came.sender, came.text) == ("+33698765432", text)
    assert again == []
    assert (peer.names("inbox"), len(peer.names("read"))) == ([], 1)


@pytest.mark.parametrize(
    ("words", "status", "state", "reason"),
    [
        ("Delivered", 0x00, Delivery.DELIVERED, ""),
        ("Failed", 0x46, Delivery.FAILED, Reason.EXPIRED),
    ],
)
def test_delivery_reports_find_their_message(
    peer: SmsdPeer, words: str, status: int, state: Delivery, reason: str
) -> None:
    looks = Looks(phone_of(peer))
    name = looks.phone.send(sms(TEXTS["long"])).provider_id
    peer.wait(lambda: peer.names("sent"))

    peer.report(TO, words, status)
    peer.wait(looks.found(1, [name]))

    [report] = looks.events
    assert isinstance(report, StatusReport)
    assert (report.provider_id, report.state, report.reason) == (name, state, reason)


@pytest.mark.django_db(transaction=True)
def test_a_message_goes_out_and_its_answer_comes_in(
    peer: SmsdPeer, workspace: Workspace, bob: User, jobs: Callable[[], None], settings: Any
) -> None:
    settings.PHONE_SETTINGS = {"gammu": {"spools": peer.settings["spools"]}}
    phone = Phone.objects.create(
        workspace=workspace, type="gammu", name="Modem", settings={"place": "spool modem"}, rate=99
    )

    def looked() -> set[tuple[str, str, str]]:
        Phone.objects.update(polled_at=None)
        polling.poll(phone.pk)
        return set(Message.objects.values_list("direction", "status", "text"))

    composing.create(
        workspace=workspace,
        route=Route(phone),
        numbers=[TO],
        text="Coming?",
        by=bob,
        submission=uuid4(),
    )
    jobs()
    peer.wait(lambda: peer.names("sent"))
    peer.report(TO, "Delivered", 0)
    peer.receive(TO, "Oui 🎉")

    expected = {("out", "delivered", "Coming?"), ("in", "received", "Oui 🎉")}
    peer.wait(lambda: looked() == expected)
    # What is stored is put away, and found again by nobody.
    assert looked() == expected
    assert (peer.names("inbox"), len(peer.names("read"))) == ([], 2)
    assert Message.objects.count() == 2


# ---- Over PostgreSQL ----------------------------------------------------------------------------


@pytest.fixture
def sql_peer(tmp_path: Path) -> Iterator[SmsdPeer]:
    statements = tables()
    with start_postgres() as postgres:
        url = postgres.database_url
        with psycopg.connect(url) as db:
            db.execute(statements)
        settings = {"place": "database modem", "databases": {"modem": url}}
        lines = shown(Gammu(settings, FakeHttp(), Addresses(BASE)))
        with start_smsd_sql(tmp_path, url, lines) as peer:
            yield peer


def test_smsd_does_all_of_it_over_a_database(sql_peer: SmsdPeer) -> None:
    looks = Looks(phone_of(sql_peer))
    phone = looks.phone
    names = [phone.send(sms(text, number=n)).provider_id for n, text in enumerate(TEXTS.values())]
    again = phone.send(sms(TEXTS["plain"], number=0)).provider_id
    sql_peer.wait(lambda: len(_sent(sql_peer)) == 6)

    sql_peer.receive("+33698765432", TEXTS["long"])
    sql_peer.receive("+33698765432", TEXTS["unicode"])
    sql_peer.report(TO, "Delivered", 0)
    sql_peer.wait(looks.found(3, names))

    assert again == names[0]
    assert "".join(text for _id, text in _sent(sql_peer)) == "".join(TEXTS.values())
    texts = [event.text for event in looks.events if isinstance(event, IncomingSms)]
    assert sorted(texts) == sorted([TEXTS["long"], TEXTS["unicode"]])
    assert [e.state for e in looks.events if isinstance(e, StatusReport)] == [Delivery.DELIVERED]
    sql_peer.wait(lambda: "Signal: 42 %." in phone.check())


def _sent(peer: SmsdPeer) -> list[tuple[int, str]]:
    with psycopg.connect(peer.settings["databases"]["modem"]) as db:
        rows = db.execute(
            'SELECT "ID", "TextDecoded" FROM sentitems ORDER BY "ID", "SequencePosition"'
        )
        return rows.fetchall()
