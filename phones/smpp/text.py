"""A text as segments, and segments as text.

Sources: SMPP 3.4 §5.2.19 (data_coding), 3GPP TS 23.038 §4 (coding groups) and §6.1.2 (packing),
TS 23.040 §9.2.3.24 (user data headers). What an octet of data_coding 0 means is the operator's choice,
so a phone says it: `Alphabet`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from lib import gsm
from phones.smpp import pdu

UDH_INDICATOR = 0x40
_DEFAULT, _ASCII, _BINARY, _LATIN1, _BINARY_TOO, _UCS2 = 0, 1, 2, 3, 4, 8
_CLASS_0 = 0x10
# Parts of one message: a header counts them in one octet, and nobody wants to read more than ten.
MOST_PARTS = 255


class Alphabet(StrEnum):
    """What data_coding 0 means for an operator."""

    GSM = "gsm"  # one septet per octet: what nearly all expect
    PACKED = "packed"  # eight septets in seven octets
    LATIN1 = "latin1"
    ASCII = "ascii"
    UTF8 = "utf8"


class Long(StrEnum):
    """How the parts of a long text are tied together."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"  # not cut at all: the operator does it


@dataclass(frozen=True, slots=True)
class Coding:
    """How a phone writes texts. `gsm_code` is the data_coding of what is written in `alphabet`."""

    alphabet: Alphabet = Alphabet.GSM
    gsm_code: int = _DEFAULT
    latin1: bool = False
    long: Long = Long.UDH8


class Piece(NamedTuple):
    """One segment as the fields of a submit_sm."""

    esm_class: int
    data_coding: int
    short_message: bytes
    tlvs: bytes = b""


class Concat(NamedTuple):
    """Which part of which message a segment is; numbers begin with 1."""

    reference: int
    total: int
    number: int


class _Written(NamedTuple):
    """A whole text as octets of one data_coding; septets are not packed yet.

    `fits` = one segment holds it; else `cut` gives the octets of each, for headers that are as long as
    the shortest, or one octet longer.
    """

    data_coding: int
    octets: bytes
    fits: bool
    cut: Callable[[int], list[bytes]]
    packed: bool = False


# Octets of the header in front of each part.
_HEADER = {Long.UDH8: 6, Long.UDH16: 7}


def pieces(text: str, coding: Coding, *, reference: int, flash: bool = False) -> list[Piece]:
    """Give the segments of a text, in order. Raises ValueError for more than MOST_PARTS.

    `reference` ties the parts of this text together for whoever receives it.
    """
    written = _written(text, coding, flash)
    data_coding, octets = written.data_coding, written.octets
    if written.fits:
        return [Piece(0, data_coding, _pack(octets) if written.packed else octets)]
    if coding.long == Long.PAYLOAD:
        payload = _pack(octets) if written.packed else octets
        if len(payload) > 0xFFFF:
            raise ValueError("This text is too long.")
        return [Piece(0, data_coding, b"", pdu.tlv(pdu.MESSAGE_PAYLOAD, payload))]
    parts = written.cut(int(coding.long == Long.UDH16))
    if len(parts) > MOST_PARTS:
        raise ValueError(f"This text has {len(parts)} segments; {MOST_PARTS} can be sent.")
    return [
        _part(written, coding.long, part, Concat(reference, len(parts), number))
        for number, part in enumerate(parts, 1)
    ]


def _part(written: _Written, long: Long, octets: bytes, concat: Concat) -> Piece:
    if written.packed:
        octets = _pack(octets, before=_HEADER.get(long, 0))
    if long == Long.SAR:
        tlvs = pdu.tlv(pdu.SAR_REFERENCE, (concat.reference & 0xFFFF).to_bytes(2, "big"))
        tlvs += pdu.tlv(pdu.SAR_TOTAL, bytes((concat.total,)))
        tlvs += pdu.tlv(pdu.SAR_NUMBER, bytes((concat.number,)))
        return Piece(0, written.data_coding, octets, tlvs)
    return Piece(UDH_INDICATOR, written.data_coding, _header(long, concat) + octets)


def _header(long: Long, concat: Concat) -> bytes:
    if long == Long.UDH16:
        reference = (concat.reference & 0xFFFF).to_bytes(2, "big")
        return b"\x06\x08\x04" + reference + bytes((concat.total, concat.number))
    return b"\x05\x00\x03" + bytes((concat.reference & 0xFF, concat.total, concat.number))


def _written(text: str, coding: Coding, flash: bool) -> _Written:
    """Write a text in the shortest way that the operator reads as it was meant."""
    alphabet = coding.alphabet
    septets = gsm.septets(text)
    if septets is not None and (alphabet in _SEPTETS or _holds(alphabet, text)):
        data_coding = _flashing(coding.gsm_code) if flash else coding.gsm_code
        if alphabet in _SEPTETS:
            cut = partial(_cut, septets, 153, _escapes)
            return _Written(data_coding, septets, len(septets) <= 160, cut, alphabet == "packed")
        charset = "utf-8" if alphabet == Alphabet.UTF8 else "latin-1"
        octets = text.encode(charset)
        fits = len(septets) <= 160 and len(octets) <= pdu.MOST_OCTETS
        return _Written(data_coding, octets, fits, partial(_cut_characters, text, charset))
    # With a class, no code is left for Latin-1 (TS 23.038 §4).
    if coding.latin1 and not flash and _is_latin1(text):
        octets = text.encode("latin-1")
        return _Written(_LATIN1, octets, len(octets) <= 140, partial(_cut, octets, 134, _nothing))
    octets = gsm.encode(text, "ucs2")
    data_coding = _UCS2 | _CLASS_0 if flash else _UCS2
    return _Written(
        data_coding, octets, len(octets) <= 140, partial(_cut, octets, 134, _half_pairs)
    )


_SEPTETS = frozenset({Alphabet.GSM, Alphabet.PACKED})


def _holds(alphabet: Alphabet, text: str) -> bool:
    if alphabet == Alphabet.LATIN1:
        return _is_latin1(text)
    return alphabet != Alphabet.ASCII or text.isascii()


def _is_latin1(text: str) -> bool:
    return not text or max(text) <= "\xff"


def _flashing(gsm_code: int) -> int:
    """Give the data_coding of class 0 in the group of another one (TS 23.038 §4)."""
    return gsm_code & 0xFC if gsm_code >= 0xF0 else _CLASS_0


def _cut(
    octets: bytes, most: int, torn: Callable[[bytes, int], int], longer: int = 0
) -> list[bytes]:
    """Cut octets into parts of `most`, less where that would leave `torn` octets of a character."""
    most -= longer
    parts = []
    start = 0
    while start < len(octets):
        end = start + most
        if end < len(octets):
            end -= torn(octets, end)
        parts.append(octets[start:end])
        start = end
    return parts


def _nothing(octets: bytes, end: int) -> int:
    return 0


def _escapes(septets: bytes, end: int) -> int:
    return int(septets[end - 1] == 0x1B)


def _half_pairs(octets: bytes, end: int) -> int:
    """Give the octets of half a code unit and of the first half of a surrogate pair before `end`."""
    odd = end % 2
    return odd + 2 * (0xD8 <= octets[end - odd - 2] <= 0xDB)


def _cut_characters(text: str, charset: str, longer: int = 0) -> list[bytes]:
    """Cut a text that the operator turns into septets, such that those and our octets fit."""
    room = pdu.MOST_OCTETS - 6 - longer
    parts = [b""]
    septets = 0
    for char in text:
        octets, more = char.encode(charset), len(gsm.septets(char) or b"")
        if septets + more > 153 - longer or len(parts[-1]) + len(octets) > room:
            parts.append(b"")
            septets = 0
        parts[-1] += octets
        septets += more
    return parts


# ---- Septets in octets (TS 23.038 §6.1.2) -------------------------------------------------------


def _pack(septets: bytes, before: int = 0) -> bytes:
    """Pack septets behind a header of `before` octets, which they begin after on a septet's edge."""
    fill = -before * 8 % 7
    spare = -(fill + 7 * len(septets)) % 8
    if spare == 7:
        septets += b"\r"  # seven zero bits at the end would be read as "@" (§6.1.2.3.1)
    number = 0
    for place, septet in enumerate(septets):
        number |= septet << (fill + 7 * place)
    return number.to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


def _unpack(octets: bytes, before: int = 0) -> bytes:
    fill = -before * 8 % 7
    count, spare = divmod(len(octets) * 8 - fill, 7)
    number = int.from_bytes(octets, "little") >> fill
    septets = bytes((number >> (7 * place)) & 0x7F for place in range(max(0, count)))
    return septets[:-1] if spare == 0 and septets.endswith(b"\r") else septets


# ---- Reading ------------------------------------------------------------------------------------


def read(delivered: pdu.Delivered, coding: Coding) -> tuple[str, Concat | None]:
    """Give the text of one segment, and which part of a longer one it is. Never raises."""
    payload, header = delivered.payload, 0
    elements: dict[int, bytes] = {}
    if delivered.esm_class & UDH_INDICATOR and payload:
        header = min(payload[0] + 1, len(payload))
        elements = _elements(payload[1:header])
        payload = payload[header:]
    concat = _concat(elements) or _sar(delivered.tlvs)
    return _decoded(delivered.data_coding, payload, coding, header, elements), concat


def _elements(header: bytes) -> dict[int, bytes]:
    """Give the elements of a user data header by their identifier; the last of each counts."""
    elements = {}
    at = 0
    while at + 2 <= len(header):
        kind, size = header[at], header[at + 1]
        at += 2 + size
        if at <= len(header):
            elements[kind] = header[at - size : at]
    return elements


def _concat(elements: Mapping[int, bytes]) -> Concat | None:
    """Find which part this is: element 00, or 08 with a reference of two octets."""
    short, long = elements.get(0x00, b""), elements.get(0x08, b"")
    if len(short) == 3 and (found := _sensible(short[0], short[1], short[2])):
        return found
    if len(long) == 4:
        return _sensible(int.from_bytes(long[:2], "big"), long[2], long[3])
    return None


def _sar(tlvs: Mapping[int, bytes]) -> Concat | None:
    values = [
        int.from_bytes(tlvs[tag], "big")
        for tag in (pdu.SAR_REFERENCE, pdu.SAR_TOTAL, pdu.SAR_NUMBER)
        if tag in tlvs
    ]
    return _sensible(*values) if len(values) == 3 else None


def _sensible(reference: int, total: int, number: int) -> Concat | None:
    # TS 23.040 §9.2.3.24.1: an element that cannot be is to be ignored.
    return Concat(reference, total, number) if 1 <= number <= total and 1 < total < 256 else None


_CHARSETS = {_ASCII: "ascii", _LATIN1: "latin-1", 5: "shift_jis", 6: "iso8859-5", 7: "iso8859-8",
             0x0A: "iso2022_jp", 0x0D: "euc_jp", 0x0E: "cp949"}  # fmt: skip


def _decoded(
    data_coding: int, octets: bytes, coding: Coding, header: int, elements: Mapping[int, bytes]
) -> str:
    """Give the text of some octets; what cannot be text is given in hexadecimal."""
    alphabet = coding.alphabet
    kind = _DEFAULT if data_coding == coding.gsm_code else _kind(data_coding)
    if kind == _UCS2:
        # A part may begin or end with half of a pair: it is whole once the parts are joined.
        return octets[: len(octets) // 2 * 2].decode("utf-16-be", "surrogatepass")
    if kind in (_BINARY, _BINARY_TOO):
        return octets.hex(" ")
    if kind in _CHARSETS:
        return _tried(octets, _CHARSETS[kind])
    if alphabet not in _SEPTETS:
        return _tried(octets, "utf-8" if alphabet == Alphabet.UTF8 else "latin-1")
    septets = _unpack(octets, before=header) if alphabet == Alphabet.PACKED else octets
    locking, single = (int.from_bytes(elements.get(tag, b"")[:1]) for tag in (0x25, 0x24))
    return gsm.decode(septets, "gsm7", locking=locking, single=single)


def _tried(octets: bytes, charset: str) -> str:
    """Read octets in a charset, or in Latin-1, which reads all: many say 1 or 0 and send é."""
    try:
        return octets.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return octets.decode("latin-1")


def _kind(data_coding: int) -> int:
    """Give the plain data_coding that one of the GSM groups means (TS 23.038 §4)."""
    group = data_coding & 0xF0
    if group == 0:
        return data_coding
    if group == 0xF0:
        return _BINARY_TOO if data_coding & 0x04 else _DEFAULT
    if group == 0xE0:
        return _UCS2
    if group >= 0x80:  # messages that wait, and reserved ones: to be taken for the default
        return _DEFAULT
    if group & 0x20:  # compressed
        return _BINARY_TOO
    return {0x04: _BINARY_TOO, 0x08: _UCS2}.get(data_coding & 0x0C, _DEFAULT)
