"""The SMSC of the SMPP tests does what it is told, as smpplib's client sees it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from smpplib import consts, exceptions

from tests.peers.esme import Esme
from tests.peers.smpp import FROM, TO, Smsc, start_smsc
from tests.peers.tls import Authority

pytestmark = pytest.mark.peer

RECEIVED = bytes.fromhex("0005000000000000")


@pytest.fixture(scope="module")
def running() -> Iterator[Smsc]:
    with start_smsc() as smsc:
        yield smsc


@pytest.fixture
def smsc(running: Smsc) -> Iterator[Smsc]:
    running.reset()
    yield running
    assert running.errors == []
    running.drop()
    running.wait_until(lambda: not running.binds())


Bind = Callable[..., Esme]


@pytest.fixture
def bind(smsc: Smsc) -> Iterator[Bind]:
    made: list[Esme] = []

    def bind(mode: str = "transceiver", password: str = "s3cret") -> Esme:
        made.append(Esme(smsc.port, mode=mode, password=password))
        return made[-1]

    yield bind
    for one in made:
        one.disconnect()


def test_a_message_is_taken_with_all_that_it_says(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    header = bytes.fromhex("0500032a0201")

    one.submit(header + b"\x1be 5", esm_class=0x40, validity_period="000001000000000R")
    [taken] = one.read()

    [got] = smsc.wait_for_submits(1)
    assert taken.message_id.decode() == got.id == "00000001"
    assert (got.text, got.data, got.part) == ("€ 5", b"\x1be 5", (0x2A, 2, 1))
    assert got.fields["validity_period"] == "000001000000000R"
    assert got.fields["source_addr_ton"] == 5
    assert got.raw[4:8] == b"\0\0\0\4"
    [told] = smsc.told("bind")
    assert (told["mode"], told["fields"]["password"]) == ("bind_transceiver", "s3cret")


def test_what_it_is_told_for_the_next_ones_comes_in_order(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.behave("throttle", times=2)
    smsc.behave(0x0B, times=1)
    smsc.behave("nack", times=1)

    asked = [one.submit() for _ in range(5)]
    said = one.read(5)

    assert [pdu.status for pdu in said] == [0x58, 0x58, 0x0B, 3, 0]
    assert said[3].command == "generic_nack"
    assert [pdu.sequence for pdu in said] == asked
    assert [item.id for item in smsc.submits] == ["", "", "", "", "00000005"]


def test_answers_are_turned_round_and_cut_into_bytes(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.byte_at_a_time()
    smsc.behave("reorder", batch=4)

    asked = [one.submit() for _ in range(4)]

    assert [pdu.sequence for pdu in one.read(4)] == asked[::-1]


def test_several_answers_come_in_one_piece(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.coalesce(50)

    for _ in range(3):
        one.submit()
    smsc.wait_for_submits(3)

    assert len(one._socket.recv(4096)) == 3 * 25


@pytest.mark.parametrize(("kind", "answered"), [("drop", 2), ("mute", 2), ("unbind", 5)])
def test_a_window_is_lost_or_left(smsc: Smsc, bind: Bind, kind: str, answered: int) -> None:
    one = bind()
    smsc.behave(times=2)
    smsc.behave(kind, times=3)

    for _ in range(5):
        one.submit()
    assert len(one.read(answered)) == answered

    smsc.wait_for_submits(5)
    if kind == "mute":
        smsc.drop()
    if kind == "unbind":
        [asked] = one.read()
        one.answer(asked)
        assert smsc.wait_for("unbound")[0]["status"] == 0
    with pytest.raises(exceptions.ConnectionError):
        one.read_pdu()
    assert smsc.wait_for("close")[0]["unanswered"] == 5 - answered


def test_receipts_follow_by_themselves_or_come_first(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.set(ids={"base": 16, "width": 8}, receipt_ids={"base": 10, "width": 10})
    smsc.receipts("DELIVRD", early=True, times=2)

    one.submit()
    first, second, taken = one.read(3)
    for pdu in (first, second):
        one.answer(pdu)

    assert taken.message_id == b"00000001"
    assert first.short_message.startswith(b"id:0000000001 sub:001 dlvrd:001 submit date:")
    assert b"stat:DELIVRD err:000 text:Bonjour" in first.short_message
    assert (first.receipted_message_id, first.message_state) == (b"0000000001", 2)
    smsc.wait_for("response", 2)
    assert smsc.statuses == [0, 0]


def test_a_delivery_comes_again_until_it_is_acknowledged(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    one.submit()
    one.read()

    smsc.receipt(1, "UNDELIV", err="027", wait=False)
    [pdu] = one.read()
    one.answer(pdu, 0x64)
    [again] = one.read()
    one.disconnect()
    another = bind("receiver")
    [at_last] = another.read()
    another.answer(at_last)

    smsc.wait_for("response", 3)
    assert smsc.statuses == [0x64, None, 0]
    assert pdu.short_message == again.short_message == at_last.short_message


def test_a_receipt_may_be_about_nothing_it_took(smsc: Smsc, bind: Bind) -> None:
    one = bind()

    smsc.receipt(0, id="77", source="33600000000", destination="12345", wait=False, nul=False)
    [pdu] = one.read()
    one.answer(pdu)

    assert (pdu.source_addr, pdu.destination_addr) == (b"33600000000", b"12345")
    assert pdu.short_message.startswith(b"id:77 sub:001")
    smsc.wait_for("response")


@pytest.mark.parametrize(
    ("split", "header"),
    [("udh8", "050003"), ("udh16", "060804"), ("sar", ""), ("payload", "")],
)
def test_people_write_long_texts(smsc: Smsc, bind: Bind, split: str, header: str) -> None:
    one = bind()
    text = "Été 🎄 " * 30

    parts = smsc.parts(text, split=split)
    for part in parts:
        smsc.deliver(part, wait=False)
    got = one.read(len(parts))
    for pdu in got:
        one.answer(pdu)

    cut = 0 if split in ("sar", "payload") else int(header[:2]) + 1
    whole = b"".join((pdu.short_message or pdu.message_payload)[cut:] for pdu in got)
    assert whole.decode("utf-16-be") == text
    assert got[0].source_addr.decode() == FROM[1:]
    assert got[0].destination_addr.decode() == TO
    assert bool(got[0].esm_class & 0x40) == bool(header)
    smsc.wait_for("response", len(parts))


def test_a_delivery_may_be_data_sm_with_unknown_tlvs(smsc: Smsc, bind: Bind) -> None:
    one = bind()

    [part] = smsc.parts("Oui", tlvs=[(0x1400, b"\1\2")])
    smsc.deliver(part, by="data_sm", wait=False)
    size = one.read_bytes(4)
    raw = size + one.read_bytes(int.from_bytes(size) - 4)

    assert raw[4:8] == b"\0\0\1\3"
    assert raw.endswith(bytes.fromhex("04240003") + b"Oui" + bytes.fromhex("140000020102"))


def test_wrong_passwords_and_too_many_binds_are_refused(smsc: Smsc, bind: Bind) -> None:
    smsc.set(password="s3cret", max_binds=1)
    bind()

    for password, status in (("another", 0x0E), ("s3cret", 0x0D)):
        with pytest.raises(exceptions.PDUError) as caught:
            bind(password=password)
        assert caught.value.args[1] == status


def test_it_asks_whether_anybody_is_there(smsc: Smsc, bind: Bind) -> None:
    smsc.set(patience=50)
    one = bind()
    smsc.alert()

    assert smsc.enquire() == [None]
    assert [pdu.command for pdu in one.read(2)] == ["alert_notification", "enquire_link"]


def test_more_than_its_rate_is_throttled(smsc: Smsc, bind: Bind) -> None:
    smsc.set(rate=3)
    one = bind()

    for _ in range(5):
        one.submit()

    assert [pdu.status for pdu in one.read(5)] == [0, 0, 0, 0x58, 0x58]


def test_any_bytes_can_be_sent(smsc: Smsc, bind: Bind) -> None:
    one = bind()

    smsc.raw(RECEIVED)

    assert one.read_bytes(8) == RECEIVED


def test_it_refuses_connections_and_takes_them_again(smsc: Smsc, bind: Bind) -> None:
    smsc.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", smsc.port))

    smsc.listen()

    assert bind().state == consts.SMPP_CLIENT_STATE_BOUND_TRX


def test_it_speaks_tls_to_clients_that_show_a_certificate(tmp_path: Any) -> None:
    authority = Authority()
    own = authority.sign("acme")
    (tmp_path / "own.pem").write_text(own.certificate + own.key)
    context = ssl.create_default_context(cadata=authority.certificate)
    with start_smsc(authority=authority, client_certificate=True) as smsc:
        context.load_cert_chain(tmp_path / "own.pem")
        with (
            socket.create_connection(("127.0.0.1", smsc.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            smsc.wait_for("connect")
            smsc.raw(RECEIVED)
            assert secure.recv(8) == RECEIVED
        assert smsc.errors == []
