"""The SMPP server of a real Jasmin, with an SMSC behind it, as smpplib's client sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from smpplib import exceptions

from tests.peers.esme import Esme
from tests.peers.jasmin import PASSWORD, SYSTEM_ID, JasminPeer
from tests.peers.smpp import Smsc

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("jasmin")]


@pytest.fixture
def smsc(jasmin_and_smsc: tuple[JasminPeer, Smsc]) -> Smsc:
    # `reset` would give the same ids again, and Jasmin would take one message for another.
    jasmin_and_smsc[1].no_receipts()
    return jasmin_and_smsc[1]


@pytest.fixture
def jasmin(jasmin_and_smsc: tuple[JasminPeer, Smsc]) -> JasminPeer:
    return jasmin_and_smsc[0]


@pytest.fixture
def bind(jasmin: JasminPeer) -> Callable[..., Esme]:
    def bind(system_id: str = SYSTEM_ID, password: str = PASSWORD) -> Esme:
        return Esme(jasmin.port, system_id=system_id, password=password)

    return bind


def test_a_message_goes_through_and_its_receipt_comes_back(
    smsc: Smsc, bind: Callable[..., Esme]
) -> None:
    smsc.receipts("DELIVRD", delay=200)
    with bind() as one:
        one.submit(b"Now")
        taken, receipt = one.read(2)
        one.answer(receipt)

    assert smsc.wait_for_text("Now").fields["destination_addr"] == "33612345678"
    assert receipt.receipted_message_id == taken.message_id
    assert b"stat:DELIVRD" in receipt.short_message


def test_a_receipt_comes_in_a_later_session(smsc: Smsc, bind: Callable[..., Esme]) -> None:
    with bind() as one:
        one.submit(b"Later")
        [taken] = one.read()
    handed = smsc.wait_for_text("Later")
    assert smsc.receipt(handed.number, "UNDELIV") == 0

    with bind() as later:
        [receipt] = later.read()
        later.answer(receipt)

    assert receipt.receipted_message_id == taken.message_id
    assert b"stat:UNDELIV" in receipt.short_message


def test_it_throttles(jasmin: JasminPeer, bind: Callable[..., Esme]) -> None:
    jasmin.add_user("slow", "s3cret", throughput=5)
    with bind("slow", "s3cret") as one:
        for _ in range(10):
            one.submit()
        statuses = {pdu.status for pdu in one.read(10)}

    assert statuses == {0, 0x58}


def test_it_refuses_a_wrong_password_and_too_many_binds(
    jasmin: JasminPeer, bind: Callable[..., Esme]
) -> None:
    jasmin.add_user("single", "s3cret", binds=1)
    with bind("single", "s3cret"):
        for password, status in (("another", 0x0E), ("s3cret", 0x0D)):
            with pytest.raises(exceptions.PDUError) as caught:
                bind("single", password)
            assert caught.value.args[1] == status
