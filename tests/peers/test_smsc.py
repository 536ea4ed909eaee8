"""The SMSC of the SMPP tests does what it is told, as smpplib's client sees it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from smpplib import client, consts, exceptions, smpp

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


Bind = Callable[..., client.Client]


@pytest.fixture
def bind(smsc: Smsc) -> Iterator[Bind]:
    made: list[client.Client] = []

    def bind(mode: str = "transceiver", password: str = "secret", **given: Any) -> client.Client:
        made.append(_client(smsc.port, **given))
        made[-1].connect()
        getattr(made[-1], f"bind_{mode}")(system_id="acme", password=password)
        return made[-1]

    yield bind
    for one in made:
        one.disconnect()


def _client(port: int, **given: Any) -> client.Client:
    return client.Client(
        "127.0.0.1",
        port,
        logger_name="smpplib-test",
        allow_unknown_opt_params=True,
        timeout=5,
        **given,
    )


def submit(one: client.Client, text: bytes = b"Bonjour", **fields: Any) -> smpp.pdu.PDU:
    fields = {"registered_delivery": 1, "short_message": text, **fields}
    fields = {"source_addr": "acme", "source_addr_ton": 5, **fields}
    return one.send_message(dest_addr_ton=1, destination_addr="33612345678", **fields)


def read(one: client.Client, count: int = 1) -> list[smpp.pdu.PDU]:
    return [one.read_pdu() for _ in range(count)]


def answer(one: client.Client, pdu: smpp.pdu.PDU, status: int = 0) -> None:
    made = smpp.make_pdu(f"{pdu.command}_resp", client=one, status=status)
    made.sequence = pdu.sequence
    one.send_pdu(made)


def test_a_message_is_taken_with_all_that_it_says(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    header = bytes.fromhex("0500032a0201")

    submit(one, header + b"\x1be 5", esm_class=0x40, validity_period="000001000000000R")
    [taken] = read(one)

    [got] = smsc.wait_for_submits(1)
    assert taken.message_id.decode() == got.id == "00000001"
    assert (got.text, got.data, got.part) == ("€ 5", b"\x1be 5", (0x2A, 2, 1))
    assert got.fields["validity_period"] == "000001000000000R"
    assert got.fields["source_addr_ton"] == 5
    assert got.raw[4:8] == b"\0\0\0\4"
    [told] = smsc.told("bind")
    assert (told["mode"], told["fields"]["password"]) == ("bind_transceiver", "secret")


def test_what_it_is_told_for_the_next_ones_comes_in_order(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.behave("throttle", times=2)
    smsc.behave(0x0B, times=1)
    smsc.behave("nack", times=1)

    asked = [submit(one) for _ in range(5)]
    said = read(one, 5)

    assert [pdu.status for pdu in said] == [0x58, 0x58, 0x0B, 3, 0]
    assert said[3].command == "generic_nack"
    assert [pdu.sequence for pdu in said] == [pdu.sequence for pdu in asked]
    assert [item.id for item in smsc.submits] == ["", "", "", "", "00000005"]


def test_answers_are_turned_round_and_cut_into_bytes(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.byte_at_a_time()
    smsc.behave("reorder", batch=4)

    asked = [submit(one).sequence for _ in range(4)]

    assert [pdu.sequence for pdu in read(one, 4)] == asked[::-1]


def test_several_answers_come_in_one_piece(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.coalesce(50)

    for _ in range(3):
        submit(one)
    smsc.wait_for_submits(3)

    assert len(one._socket.recv(4096)) == 3 * 25


@pytest.mark.parametrize(("kind", "answered"), [("drop", 2), ("mute", 2), ("unbind", 5)])
def test_a_window_is_lost_or_left(smsc: Smsc, bind: Bind, kind: str, answered: int) -> None:
    one = bind()
    smsc.behave(times=2)
    smsc.behave(kind, times=3)

    for _ in range(5):
        submit(one)
    assert len(read(one, answered)) == answered

    smsc.wait_for_submits(5)
    if kind == "mute":
        smsc.drop()
    if kind == "unbind":
        [asked] = read(one)
        answer(one, asked)
        assert smsc.wait_for("unbound")[0]["status"] == 0
    with pytest.raises(exceptions.ConnectionError):
        one.read_pdu()
    assert smsc.wait_for("close")[0]["unanswered"] == 5 - answered


def test_receipts_follow_by_themselves_or_come_first(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    smsc.set(ids={"base": 16, "width": 8}, receipt_ids={"base": 10, "width": 10})
    smsc.receipts("DELIVRD", early=True, times=2)

    submit(one)
    first, second, taken = read(one, 3)
    for pdu in (first, second):
        answer(one, pdu)

    assert taken.message_id == b"00000001"
    assert first.short_message.startswith(b"id:0000000001 sub:001 dlvrd:001 submit date:")
    assert b"stat:DELIVRD err:000 text:Bonjour" in first.short_message
    assert (first.receipted_message_id, first.message_state) == (b"0000000001", 2)
    smsc.wait_for("response", 2)
    assert smsc.statuses == [0, 0]


def test_a_delivery_comes_again_until_it_is_acknowledged(smsc: Smsc, bind: Bind) -> None:
    one = bind()
    submit(one)
    read(one)

    smsc.receipt(1, "UNDELIV", err="027", wait=False)
    [pdu] = read(one)
    answer(one, pdu, 0x64)
    [again] = read(one)
    one.disconnect()
    another = bind("receiver")
    [at_last] = read(another)
    answer(another, at_last)

    smsc.wait_for("response", 3)
    assert smsc.statuses == [0x64, None, 0]
    assert pdu.short_message == again.short_message == at_last.short_message


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
    got = read(one, len(parts))
    for pdu in got:
        answer(one, pdu)

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
    raw = one._recv_exact(4)
    raw += one._recv_exact(int.from_bytes(raw) - 4)

    assert raw[4:8] == b"\0\0\1\3"
    assert raw.endswith(bytes.fromhex("04240003") + b"Oui" + bytes.fromhex("140000020102"))


def test_wrong_passwords_and_too_many_binds_are_refused(smsc: Smsc, bind: Bind) -> None:
    smsc.set(password="secret", max_binds=1)
    bind()

    for password, status in (("another", 0x0E), ("secret", 0x0D)):
        with pytest.raises(exceptions.PDUError) as caught:
            bind(password=password)
        assert caught.value.args[1] == status


def test_it_asks_whether_anybody_is_there(smsc: Smsc, bind: Bind) -> None:
    smsc.set(patience=50)
    one = bind()
    smsc.alert()

    assert smsc.enquire() == [None]
    assert [pdu.command for pdu in read(one, 2)] == ["alert_notification", "enquire_link"]


def test_more_than_its_rate_is_throttled(smsc: Smsc, bind: Bind) -> None:
    smsc.set(rate=3)
    one = bind()

    for _ in range(5):
        submit(one)

    assert [pdu.status for pdu in read(one, 5)] == [0, 0, 0, 0x58, 0x58]


def test_any_bytes_can_be_sent(smsc: Smsc, bind: Bind) -> None:
    one = bind()

    smsc.raw(RECEIVED)

    assert one._recv_exact(8) == RECEIVED


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
