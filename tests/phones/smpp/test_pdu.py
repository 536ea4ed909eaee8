"""PDUs leave as smpplib would write them, and are read as it reads them, but for its traps."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import command_codes, smpp
from smpplib.command import Command, factory

from phones.smpp import pdu
from phones.smpp.pdu import Delivered, Frame, Frames


class Counted:
    """What smpplib asks for a sequence number."""

    allow_unknown_opt_params = True

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def next_sequence(self) -> int:
        return self.sequence


def library(name: str, number: int, *, status: int = 0, **fields: Any) -> bytes:
    """Give the PDU as smpplib writes it."""
    command = factory(name, client=Counted(number), **fields)
    command.status = status
    data: bytes = command.generate()
    return data


def read_by_library(data: bytes) -> Command:
    return smpp.parse_pdu(data, client=Counted(1), allow_unknown_opt_params=True)


def cstrings(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=most)


octet = st.integers(0, 255)
sequences = st.integers(1, 0x7FFFFFFF)
addresses = st.tuples(octet, octet, cstrings(20))
messages = st.binary(max_size=254)


# ---- Writing ------------------------------------------------------------------------------------


@given(
    sequence=sequences,
    service_type=cstrings(5),
    source=addresses,
    destination=addresses,
    kind=st.tuples(octet, octet, octet),
    registered=octet,
    data_coding=octet,
    message=messages,
    validity=cstrings(16),
)
def test_submit_sm_is_the_librarys_byte_for_byte(
    sequence: int,
    service_type: str,
    source: tuple[int, int, str],
    destination: tuple[int, int, str],
    kind: tuple[int, int, int],
    registered: int,
    data_coding: int,
    message: bytes,
    validity: str,
) -> None:
    esm_class, protocol_id, priority = kind
    submits = pdu.Submits(
        service_type=service_type,
        source=source,
        destination=destination[:2],
        registered_delivery=registered,
        protocol_id=protocol_id,
        priority=priority,
    )
    body = submits.body(
        destination[2],
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=message,
        validity=pdu.cstring(validity),
    )

    assert pdu.write(pdu.SUBMIT_SM, sequence, body) == library(
        "submit_sm",
        sequence,
        service_type=service_type,
        source_addr_ton=source[0],
        source_addr_npi=source[1],
        source_addr=source[2],
        dest_addr_ton=destination[0],
        dest_addr_npi=destination[1],
        destination_addr=destination[2],
        esm_class=esm_class,
        protocol_id=protocol_id,
        priority_flag=priority,
        validity_period=validity,
        registered_delivery=registered,
        data_coding=data_coding,
        short_message=message,
    )


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.integers(1, 255), st.binary(max_size=400))
def test_optional_parameters_are_the_librarys(
    reference: int, total: int, number: int, payload: bytes
) -> None:
    submits = pdu.Submits(
        service_type="", source=(5, 0, "ACME"), destination=(1, 1), registered_delivery=1
    )
    tlvs = pdu.tlv(pdu.SAR_REFERENCE, reference.to_bytes(2, "big"))
    tlvs += pdu.tlv(pdu.SAR_TOTAL, bytes((total,))) + pdu.tlv(pdu.SAR_NUMBER, bytes((number,)))
    tlvs += pdu.tlv(pdu.MESSAGE_PAYLOAD, payload) if payload else b""
    body = submits.body("33612345678", esm_class=0, data_coding=0, short_message=b"", tlvs=tlvs)

    assert pdu.write(pdu.SUBMIT_SM, 7, body) == library(
        "submit_sm",
        7,
        source_addr_ton=5,
        source_addr="ACME",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="33612345678",
        registered_delivery=1,
        sar_msg_ref_num=reference,
        sar_total_segments=total,
        sar_segment_seqnum=number,
        message_payload=payload or None,
    )


def test_an_operators_own_parameters_follow_the_message() -> None:
    submits = pdu.Submits(
        service_type="",
        source=(0, 0, ""),
        destination=(1, 1),
        registered_delivery=0,
        tlvs=pdu.tlv(0x1400, b"1101"),
    )
    body = submits.body("336", esm_class=0, data_coding=0, short_message=b"a", tlvs=pdu.tlv(1, b""))

    assert body.endswith(b"\x01a" + bytes.fromhex("00010000") + bytes.fromhex("14000004") + b"1101")


def test_a_segment_that_does_not_fit_is_refused() -> None:
    submits = pdu.Submits(
        service_type="", source=(0, 0, ""), destination=(1, 1), registered_delivery=0
    )
    with pytest.raises(ValueError, match="255 octets"):
        submits.body("336", esm_class=0, data_coding=0, short_message=b"a" * 255)


@given(
    st.sampled_from(sorted(pdu.BINDS)),
    sequences,
    cstrings(15),
    cstrings(8),
    cstrings(12),
    st.tuples(octet, octet, cstrings(40)),
)
def test_bind_is_the_librarys_byte_for_byte(
    role: str,
    sequence: int,
    system_id: str,
    password: str,
    system_type: str,
    address: tuple[int, int, str],
) -> None:
    written = pdu.bind(
        role,
        sequence,
        system_id=system_id,
        password=password,
        system_type=system_type,
        version=0x34,
        address=address,
    )
    expected = library(
        f"bind_{role}",
        sequence,
        system_id=system_id,
        password=password,
        system_type=system_type,
        addr_ton=address[0],
        addr_npi=address[1],
        address_range=address[2],
    )

    assert written == expected


def test_a_bind_carries_a_long_password_and_another_version() -> None:
    written = pdu.bind(
        "transceiver",
        1,
        system_id="smsapp",
        password="much longer than eight",
        system_type="",
        version=0x50,
        address=(0, 0, ""),
    )

    assert written[16:] == b"smsapp\0much longer than eight\0\0\x50\0\0\0"


@given(sequences, st.sampled_from(["enquire_link", "unbind"]), st.sampled_from([0, 8, 0x64]))
def test_pdus_without_a_body_are_the_librarys(sequence: int, name: str, status: int) -> None:
    code = pdu.code_of(name)

    assert pdu.standard(name, sequence) == library(name, sequence)
    assert pdu.write(code | pdu.RESPONSE, sequence) == library(f"{name}_resp", sequence)
    assert pdu.write(pdu.GENERIC_NACK, sequence, status=status) == library(
        "generic_nack", sequence, status=status
    )


@given(sequences, st.sampled_from([0, 0x64]))
def test_the_answer_to_deliver_sm_is_the_librarys(sequence: int, status: int) -> None:
    assert pdu.write(pdu.DELIVER_SM_RESP, sequence, b"\0", status) == library(
        "deliver_sm_resp", sequence, status=status, message_id=""
    )


def test_names_are_those_of_the_specification() -> None:
    assert pdu.name_of(pdu.SUBMIT_SM) == "submit_sm"
    assert pdu.name_of(0x00010203) == "0x00010203"
    assert {pdu.name_of(code) for code in command_codes.commands.values()} == set(
        command_codes.commands
    )


# ---- Reading ------------------------------------------------------------------------------------


@given(sequences, cstrings(64))
def test_the_answer_to_submit_sm_is_read_as_the_library_does(sequence: int, name: str) -> None:
    data = library("submit_sm_resp", sequence, message_id=name)

    [frame] = Frames().feed(data)

    assert frame[:3] == (pdu.SUBMIT_SM_RESP, 0, sequence)
    assert pdu.message_id(frame.body) == name.strip()
    assert read_by_library(data).message_id == name.encode("latin-1")


@given(
    sequence=sequences,
    source=addresses,
    destination=addresses,
    esm_class=octet,
    data_coding=octet,
    message=messages,
    receipted=cstrings(30),
    state=st.integers(0, 9),
)
def test_deliver_sm_is_read_as_the_library_does(
    sequence: int,
    source: tuple[int, int, str],
    destination: tuple[int, int, str],
    esm_class: int,
    data_coding: int,
    message: bytes,
    receipted: str,
    state: int,
) -> None:
    data = library(
        "deliver_sm",
        sequence,
        service_type="CMT",
        source_addr_ton=source[0],
        source_addr_npi=source[1],
        source_addr=source[2],
        dest_addr_ton=destination[0],
        dest_addr_npi=destination[1],
        destination_addr=destination[2],
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=message,
        receipted_message_id=receipted if receipted.isascii() else None,
        message_state=state,
    )

    [frame] = Frames().feed(data)
    told = pdu.read_deliver(frame.command, frame.body)
    judged = read_by_library(data)

    assert (frame.command, frame.sequence) == (pdu.DELIVER_SM, judged.sequence)
    assert told.source.encode("latin-1") == judged.source_addr
    assert told.destination.encode("latin-1") == judged.destination_addr
    assert (told.esm_class, told.data_coding) == (judged.esm_class, judged.data_coding)
    assert told.payload == judged.short_message
    assert told.tlvs[pdu.MESSAGE_STATE] == bytes((judged.message_state,))
    if receipted and receipted.isascii():
        assert told.tlvs[pdu.RECEIPTED_MESSAGE_ID].rstrip(b"\0") == judged.receipted_message_id


def deliver(tail: bytes = b"", message: bytes = b"Hello") -> bytes:
    """Give the body of a deliver_sm from 336 to 77."""
    head = b"\0\x01\x01336\0\x00\x0077\0\x04\0\0\0\0\0\0\0\0"
    return head + bytes((len(message),)) + message + tail


def test_data_sm_is_read_too() -> None:
    body = b"\0\x01\x01336\0\x00\x0077\0\x04\x01\x08" + pdu.tlv(pdu.MESSAGE_PAYLOAD, b"\0a")

    assert pdu.read_deliver(pdu.DATA_SM, body) == Delivered(
        "336", "77", 4, 8, b"\0a", {pdu.MESSAGE_PAYLOAD: b"\0a"}
    )


@pytest.mark.parametrize(
    ("tail", "tlvs"),
    [
        pytest.param(pdu.tlv(0x001E, b"1d305b4c"), {0x001E: b"1d305b4c"}, id="3: no NUL"),
        pytest.param(pdu.tlv(0x001E, b"1\0"), {0x001E: b"1\0"}, id="3: with one"),
        pytest.param(pdu.tlv(0x0005, b"\1"), {0x0005: b"\1"}, id="4: of another PDU"),
        pytest.param(pdu.tlv(0x0501, b"\1"), {0x0501: b"\1"}, id="4: ussd_service_op"),
        pytest.param(pdu.tlv(0x1400, b"x"), {0x1400: b"x"}, id="5: an operator's own"),
        pytest.param(
            pdu.tlv(0x0204, b"\7") + pdu.tlv(0x0427, b"\2"),
            {0x0204: b"\7", 0x0427: b"\2"},
            id="6: a number of one octet, and what follows",
        ),
        pytest.param(pdu.tlv(0x0427, b"\0\0\0\2"), {0x0427: b"\0\0\0\2"}, id="6: of four"),
        pytest.param(
            pdu.tlv(0x130C, b"") + pdu.tlv(0x0427, b"\2"),
            {0x130C: b"", 0x0427: b"\2"},
            id="7: a flag, and what follows",
        ),
        pytest.param(b"\0" + pdu.tlv(0x001E, b"7"), {0x001E: b"7"}, id="a NUL behind the message"),
        pytest.param(b"\0" + pdu.tlv(0x0427, b"\2"), {0x0427: b"\2"}, id="a NUL before 0x0427"),
        pytest.param(b"\0" + pdu.tlv(0x1401, b"x"), {0x1401: b"x"}, id="a NUL before their own"),
        pytest.param(b"\0", {}, id="only a NUL"),
        pytest.param(b"\x04\x27\x00", {}, id="half of a header"),
        pytest.param(b"\x04\x27\x00\x09\2", {0x0427: b"\2"}, id="longer than there is"),
        pytest.param(
            pdu.tlv(0x001E, b"1") + pdu.tlv(0x001E, b"2"), {0x001E: b"1"}, id="twice: the first"
        ),
    ],
)
def test_optional_parameters_of_any_kind_are_read(tail: bytes, tlvs: dict[int, bytes]) -> None:
    told = pdu.read_deliver(pdu.DELIVER_SM, deliver(tail))

    assert told.payload == b"Hello"
    assert told.tlvs == tlvs


def test_trap_8_an_id_without_its_nul_keeps_its_last_letter() -> None:
    assert pdu.message_id(b"abc123") == pdu.message_id(b"abc123\0") == "abc123"
    assert pdu.message_id(b"abc123\0" + pdu.tlv(0x0423, b"\1\2\3")) == "abc123"
    assert pdu.message_id(b"") == pdu.message_id(b"\0") == ""


def test_a_message_may_come_as_payload() -> None:
    told = pdu.read_deliver(pdu.DELIVER_SM, deliver(pdu.tlv(pdu.MESSAGE_PAYLOAD, b"long"), b""))

    assert told.payload == b"long"


@given(st.sampled_from([pdu.DELIVER_SM, pdu.DATA_SM]), st.binary(max_size=120))
def test_any_body_is_read_or_called_unreadable(command: int, body: bytes) -> None:
    with suppress(pdu.Unreadable):
        assert len(pdu.read_deliver(command, body).payload) <= len(body)
    pdu.read_tlvs(body)
    pdu.message_id(body)


@given(st.integers(0, 40))
def test_a_body_that_is_cut_in_its_fields_is_unreadable(length: int) -> None:
    whole = deliver(message=b"")
    if length < len(whole):
        with pytest.raises(pdu.Unreadable):
            pdu.read_deliver(pdu.DELIVER_SM, whole[:length])


# ---- A stream -----------------------------------------------------------------------------------

frames = st.builds(
    Frame,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=60),
)


def stream(told: list[Frame]) -> bytes:
    return b"".join(pdu.write(f.command, f.sequence, f.body, f.status) for f in told)


@given(st.lists(frames, max_size=6), st.data())
def test_however_a_stream_is_cut_its_pdus_are_the_same(
    told: list[Frame], data: st.DataObject
) -> None:
    whole = stream(told)
    places = data.draw(st.lists(st.integers(0, len(whole)), max_size=12).map(sorted))
    cutter = Frames()

    heard = [
        frame
        for start, end in pairwise([0, *places, len(whole)])
        for frame in cutter.feed(whole[start:end])
    ]

    assert heard == told
    assert cutter.broken is None


def test_a_stream_of_single_octets_loses_nothing() -> None:
    told = [Frame(pdu.DELIVER_SM, 0, 1, deliver()), Frame(pdu.ENQUIRE_LINK, 0, 2, b"")]
    cutter = Frames()

    heard = [frame for octet in stream(told) for frame in cutter.feed(bytes((octet,)))]

    assert heard == told


@pytest.mark.parametrize("length", [0, 15, pdu.LARGEST + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_trap_2_a_length_that_cannot_be_ends_the_stream(length: int) -> None:
    good = pdu.write(pdu.ENQUIRE_LINK, 1)
    cutter = Frames()

    heard = cutter.feed(good + pdu.HEADER.pack(length, 0, 0, 0) + good)

    assert heard == [Frame(pdu.ENQUIRE_LINK, 0, 1, b"")]
    assert cutter.broken == length
    assert cutter.feed(good) == []


def test_the_largest_pdu_is_taken() -> None:
    body = bytes(pdu.LARGEST - pdu.SMALLEST)

    assert Frames().feed(pdu.write(pdu.DATA_SM, 1, body)) == [Frame(pdu.DATA_SM, 0, 1, body)]
