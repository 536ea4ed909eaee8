"""PDUs as bytes: frames, the PDUs that every message costs, and a reading that forgives.

submit_sm and its answer, and deliver_sm and its answer, are all that is fast here; smpplib writes the
others. What is written is compared with smpplib byte for byte by tests/phones/smpp/test_pdu.py.
Section numbers are those of SMPP 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

from smpplib import command_codes
from smpplib.command import factory

HEADER = Struct(">IIII")
# Octets of a PDU: a header alone, and far more than any message has.
SMALLEST, LARGEST = 16, 128 * 1024
# A user data field cannot say more (§5.2.21).
MOST_OCTETS = 254
RESPONSE = 0x80000000
_TLV = Struct(">HH")


def code_of(name: str) -> int:
    """Give the command_id of a PDU's name, as smpplib knows it."""
    code: int = command_codes.get_command_code(name)
    return code


GENERIC_NACK = code_of("generic_nack")
SUBMIT_SM, SUBMIT_SM_RESP = code_of("submit_sm"), code_of("submit_sm_resp")
DELIVER_SM, DELIVER_SM_RESP = code_of("deliver_sm"), code_of("deliver_sm_resp")
DATA_SM, DATA_SM_RESP = code_of("data_sm"), code_of("data_sm_resp")
ENQUIRE_LINK, ENQUIRE_LINK_RESP = code_of("enquire_link"), code_of("enquire_link_resp")
UNBIND, UNBIND_RESP = code_of("unbind"), code_of("unbind_resp")
ALERT_NOTIFICATION = code_of("alert_notification")
BINDS = {
    "transceiver": code_of("bind_transceiver"),
    "transmitter": code_of("bind_transmitter"),
    "receiver": code_of("bind_receiver"),
}
# TLV tags (§5.3.2).
RECEIPTED_MESSAGE_ID, MESSAGE_STATE = 0x001E, 0x0427
NETWORK_ERROR_CODE, MESSAGE_PAYLOAD = 0x0423, 0x0424
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F

# All tags that begin with a NUL; operators' own begin at 0x1400.
_SMALL_TAGS = {0x0005, 0x0006, 0x0007, 0x0008, 0x000D, 0x000E, 0x000F, 0x0010, 0x0017, 0x0019, 0x001D,
               0x001E, 0x0030}  # fmt: skip

_NAMES = {code: name for name, code in command_codes.commands.items()}


def name_of(command: int) -> str:
    """Give a PDU's name, or its code where it has none."""
    return str(_NAMES.get(command, f"0x{command:08X}"))


class Frame(NamedTuple):
    """One PDU as it came: header fields and undecoded body."""

    command: int
    status: int
    sequence: int
    body: bytes


class Frames:
    """Cuts a stream into PDUs, however its bytes arrive.

    `broken` is a command_length that cannot be: what follows it means nothing, so the bind is lost.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.broken: int | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes in; give the PDUs that are whole now, in order."""
        buffer = self._buffer
        buffer += data
        frames = []
        start, end = 0, len(buffer)
        while self.broken is None and end - start >= SMALLEST:
            length, command, status, sequence = HEADER.unpack_from(buffer, start)
            if not SMALLEST <= length <= LARGEST:
                self.broken = length
            elif end - start < length:
                break
            else:
                body = bytes(buffer[start + SMALLEST : start + length])
                frames.append(Frame(command, status, sequence, body))
                start += length
        if start:
            del buffer[:start]
        return frames


def write(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """Give a whole PDU."""
    return HEADER.pack(SMALLEST + len(body), command, status, sequence) + body


def standard(name: str, sequence: int, **fields: Any) -> bytes:
    """Give a PDU that smpplib writes: the rarer ones, whose cost does not matter."""
    pdu = factory(name, client=_Numbered(sequence), **fields)
    data: bytes = pdu.generate()
    return data


def bind(
    role: str,
    sequence: int,
    *,
    system_id: str,
    password: str,
    system_type: str,
    version: int,
    address: tuple[int, int, str],
) -> bytes:
    """Give a bind request for a role of BINDS; `address` = TON, NPI, address range (§4.1)."""
    ton, npi, range_ = address
    pdu = factory(f"bind_{role}", client=_Numbered(sequence))
    # smpplib cuts passwords at 8 octets and always says version 3.4; operators give longer ones.
    body = b"".join(
        (cstring(system_id), cstring(password), cstring(system_type), bytes((version, ton, npi)))
    )
    return write(code_of(pdu.command), pdu.sequence, body + cstring(range_))


class _Numbered:
    """What smpplib's PDUs ask for their sequence number."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def next_sequence(self) -> int:
        return self.sequence


def cstring(text: str) -> bytes:
    """Give a C-octet string; a character outside Latin-1 becomes a question mark."""
    return text.replace("\0", "").encode("latin-1", "replace") + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """Give an optional parameter (§5.3)."""
    return _TLV.pack(tag, len(value)) + value


class Submits:
    """Writes the bodies of the submit_sm of one phone (§4.4.1); what never changes is written once."""

    def __init__(
        self,
        *,
        service_type: str,
        source: tuple[int, int, str],
        destination: tuple[int, int],
        registered_delivery: int,
        protocol_id: int = 0,
        priority: int = 0,
        tlvs: bytes = b"",
    ) -> None:
        ton, npi, address = source
        self._head = cstring(service_type) + bytes((ton, npi)) + cstring(address)
        self._head += bytes(destination)
        self._kind = bytes((protocol_id, priority))
        self._registered = registered_delivery
        self._tlvs = tlvs

    def body(
        self,
        to: str,
        *,
        esm_class: int,
        data_coding: int,
        short_message: bytes,
        validity: bytes = b"\0",
        tlvs: bytes = b"",
    ) -> bytes:
        """Give the body of one submit_sm. `validity` is a C-octet string. Raises ValueError."""
        octets = len(short_message)
        if octets > MOST_OCTETS:
            raise ValueError(f"A segment of {octets} octets does not fit: {MOST_OCTETS} do.")
        return b"".join(
            (
                self._head,
                to.encode("latin-1"),
                bytes((0, esm_class)),
                self._kind,
                b"\0",
                validity,
                bytes((self._registered, 0, data_coding, 0, octets)),
                short_message,
                tlvs,
                self._tlvs,
            )
        )


def message_id(body: bytes) -> str:
    """Give the message_id of a submit_sm_resp, with or without its NUL; "" where there is none."""
    return body.partition(b"\0")[0].decode("latin-1").strip()


class Delivered(NamedTuple):
    """What a deliver_sm or data_sm carries. `payload` is short_message, else message_payload."""

    source: str
    destination: str
    esm_class: int
    data_coding: int
    payload: bytes
    tlvs: Mapping[int, bytes]


class Unreadable(Exception):
    """A PDU whose mandatory fields are cut off."""


def read_deliver(command: int, body: bytes) -> Delivered:
    """Read a deliver_sm or data_sm (§4.6.1, §4.7.1) from whoever wrote it. Raises Unreadable."""
    try:
        return _deliver_sm(body) if command == DELIVER_SM else _data_sm(body)
    except IndexError:
        raise Unreadable(f"{name_of(command)} of {len(body)} octets is cut off.") from None


def _deliver_sm(body: bytes) -> Delivered:
    at = _after(body, 0)
    source_end = _after(body, at + 2)
    source = body[at + 2 : source_end - 1]
    at = source_end
    destination_end = _after(body, at + 2)
    destination = body[at + 2 : destination_end - 1]
    esm_class = body[destination_end]
    at = _after(body, _after(body, destination_end + 3))
    data_coding, length = body[at + 2], body[at + 4]
    at += 5
    payload = body[at : at + length]
    tlvs = read_tlvs(body, at + length) if len(body) > at + length else {}
    return Delivered(
        source.decode("latin-1"),
        destination.decode("latin-1"),
        esm_class,
        data_coding,
        payload or tlvs.get(MESSAGE_PAYLOAD, b""),
        tlvs,
    )


def _data_sm(body: bytes) -> Delivered:
    at = _after(body, 0)
    source_end = _after(body, at + 2)
    destination_end = _after(body, source_end + 2)
    tlvs = read_tlvs(body, destination_end + 3)
    return Delivered(
        body[at + 2 : source_end - 1].decode("latin-1"),
        body[source_end + 2 : destination_end - 1].decode("latin-1"),
        body[destination_end],
        body[destination_end + 2],
        tlvs.get(MESSAGE_PAYLOAD, b""),
        tlvs,
    )


def _after(body: bytes, start: int) -> int:
    """Give the place after the C-octet string at `start`. Raises IndexError where it has no end."""
    end = body.find(b"\0", start)
    if end < 0:
        raise IndexError
    return end + 1


def read_tlvs(body: bytes, start: int = 0) -> dict[int, bytes]:
    """Give the optional parameters from `start` on, known or not, by tag; the first of each counts.

    Some servers put a NUL behind short_message, or cut the last one short: both are read.
    """
    tlvs: dict[int, bytes] = {}
    end = len(body)
    while end - start >= _TLV.size:
        tag, length = _TLV.unpack_from(body, start)
        if tag < 0x0100 and tag not in _SMALL_TAGS and not tlvs:
            start += 1  # no such tag: the NUL of somebody's C string
            continue
        start += _TLV.size
        tlvs.setdefault(tag, body[start : start + length])
        start += length
    return tlvs


def text_of(value: bytes) -> str:
    """Give a C-octet string TLV, whether or not its NUL was sent."""
    return value.rstrip(b"\0").decode("latin-1").strip()
