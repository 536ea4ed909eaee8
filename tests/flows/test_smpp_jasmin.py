"""The SMPP phone at a real Jasmin, as a customer of one is bound, with an SMSC behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.models import Workspace
from messaging.models import Message, Report
from phones.base import Misconfigured
from phones.lines import line
from phones.models import Phone
from phones.smpp import statuses, wire
from tests.flows.test_smpp import Bound
from tests.peers.jasmin import PASSWORD, SYSTEM_ID, JasminPeer
from tests.peers.smpp import Smsc

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("jasmin"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def jasmin(jasmin_and_smsc: tuple[JasminPeer, Smsc]) -> JasminPeer:
    return jasmin_and_smsc[0]


@pytest.fixture
def smsc(jasmin_and_smsc: tuple[JasminPeer, Smsc]) -> Smsc:
    # `reset` would give the same ids again, and Jasmin would take one message for another.
    jasmin_and_smsc[1].no_receipts()
    return jasmin_and_smsc[1]


Customer = Callable[..., Phone]


@pytest.fixture
def customer(jasmin: JasminPeer, workspace: Workspace, settings: Any) -> Customer:
    settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]

    def customer(system_id: str = SYSTEM_ID, password: str = PASSWORD) -> Phone:
        stored: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": jasmin.port,
            "system_id": system_id,
            "password": password,
            "source": "ACME",
            "receipts": "1",
            "first_pause": 0.1,
        }
        name = f"Jasmin {Phone.objects.count()}"
        return Phone.objects.create(
            workspace=workspace, type="smpp", name=name, settings=stored, rate=10_000
        )

    return customer


@pytest.fixture
def bind() -> Iterator[Callable[[Phone], Bound]]:
    made: list[Bound] = []

    def bind(phone: Phone) -> Bound:
        made.append(Bound(phone))
        return made[-1]

    yield bind
    for bound in made:
        bound.end()


Bind = Callable[[Phone], Bound]


def words_of(bound: Bound) -> str:
    return bound.seat._session.binds()[0].words


def is_bound(bound: Bound) -> bool:
    return bound.seat._session.binds()[0].state == "bound"


def test_a_test_of_the_connection_says_what_jasmin_answers(customer: Customer) -> None:
    assert "accepts the bind" in line(customer()).check()

    with pytest.raises(Misconfigured, match="nvalid"):
        line(customer(password="another")).check()


def test_a_wrong_password_is_said_and_not_insisted_on(
    customer: Customer, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    connect = wire.connect

    def counted(*given: Any) -> Any:
        tries.append(time.monotonic())
        return connect(*given)

    monkeypatch.setattr(wire, "connect", counted)
    bound = bind(customer(password="another"))

    bound.until(lambda: "nvalid" in words_of(bound), "words")
    # Four times the pause after which any other refusal is tried again.
    bound.until(lambda: time.monotonic() > tries[0] + 0.4)

    assert len(tries) == 1
    assert not is_bound(bound)


@pytest.mark.parametrize("text", ["Plain @ Jasmin", "Ça va 😀, Jasmin ?", "Jasmin, long " * 30])
def test_texts_arrive_whole_behind_it_and_are_delivered(
    text: str, customer: Customer, bind: Bind, smsc: Smsc
) -> None:
    smsc.receipts(delay=50)
    bound = bind(customer())

    bound.write(text)
    bound.until(bound.all_are("delivered"))

    assert smsc.texts().count(text) == 1
    assert not Report.objects.filter(message=None).exists()


def test_its_throttling_loses_nothing_and_is_no_attempt(
    jasmin: JasminPeer,
    customer: Customer,
    bind: Bind,
    smsc: Smsc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statuses, "_REST", {0x58: 0.2, 0x14: 0.2})
    jasmin.add_user("hasty", PASSWORD, throughput=10)
    bound = bind(customer("hasty"))

    bound.write("Throttled", count=8)
    bound.until(bound.all_are("sent"))
    throttled = bound.seat._session.binds()[0].throttled
    smsc.wait_until(lambda: smsc.texts().count("Throttled") >= 8, "all")

    assert throttled
    assert smsc.texts().count("Throttled") == 8
    assert set(Message.objects.values_list("attempts", flat=True)) == {0}


def test_a_receipt_in_a_later_session_finds_its_message(
    customer: Customer, bind: Bind, smsc: Smsc
) -> None:
    phone = customer()
    first = bind(phone)
    first.write("Read me later")
    first.until(first.all_are("sent"))
    first.end()
    submit = smsc.wait_for_text("Read me later")

    assert smsc.receipt(submit.number, "UNDELIV") == 0
    later = bind(phone)

    later.until(later.all_are("failed"))


def test_one_bind_too_many_is_said_and_tried_again(
    jasmin: JasminPeer, customer: Customer, bind: Bind
) -> None:
    jasmin.add_user("lonely", PASSWORD, binds=1)
    first = bind(customer("lonely"))
    first.until(lambda: is_bound(first), "a bind")

    second = bind(customer("lonely"))
    second.until(lambda: bool(words_of(second)), "words")
    refused = words_of(second)
    first.end()
    second.until(lambda: is_bound(second), "a bind")

    assert "Bind Failed" in refused


def test_what_a_person_writes_comes_through_once(
    jasmin: JasminPeer, customer: Customer, bind: Bind, smsc: Smsc
) -> None:
    jasmin.configure(
        *("morouter -a", "type DefaultRoute", f"connector smpps({SYSTEM_ID})", "ok"),
    )
    bound = bind(customer())
    bound.until(lambda: is_bound(bound), "a bind")

    for part in smsc.parts("Oui, à demain"):
        smsc.deliver(part, wait=False)
    inbox = Message.objects.filter(direction="in")
    bound.until(inbox.exists, "what came in")

    assert list(inbox.values_list("text", flat=True)) == ["Oui, à demain"]
