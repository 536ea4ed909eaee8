"""A text leaves in segments that fit, and whoever reads them has the text again."""

from __future__ import annotations

import gsm0338  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import gsm
from phones.smpp import pdu, text
from phones.smpp.text import Alphabet, Coding, Concat, Long, Piece

JUDGE = gsm0338.Codec()
PLAIN = Coding()
EXTENSION = "^{}\\[]~|€\f"
GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0159:;<=>?¡AZÄÖÑÜ§¿azäöñüà" + EXTENSION

# Long enough for several segments, and dense with what counts double.
gsm_texts = st.text(st.sampled_from(GSM), max_size=420) | st.builds(
    lambda piece, times: (piece * times)[:480],
    st.text(st.sampled_from(GSM), min_size=1, max_size=9),
    st.integers(1, 160),
)
any_texts = st.text(st.characters(), max_size=180) | st.builds(
    lambda piece, times: (piece * times)[:300],
    st.text(st.sampled_from("aé€ê’😀🏳\u200d\ud83d\ude00\t"), min_size=1, max_size=5),
    st.integers(1, 120),
)
texts = gsm_texts | any_texts
codings = st.builds(
    Coding,
    alphabet=st.sampled_from(Alphabet),
    gsm_code=st.sampled_from([0, 1, 0xF1]),
    latin1=st.booleans(),
    long=st.sampled_from(Long),
)


def as_delivered(piece: Piece) -> pdu.Delivered:
    """Give what somebody who receives this piece reads."""
    tlvs = pdu.read_tlvs(piece.tlvs)
    payload = piece.short_message or tlvs.get(pdu.MESSAGE_PAYLOAD, b"")
    return pdu.Delivered("33612345678", "ACME", piece.esm_class, piece.data_coding, payload, tlvs)


def told(octets: bytes, data_coding: int = 0, *, coding: Coding = PLAIN, esm_class: int = 0) -> str:
    delivered = pdu.Delivered("33612345678", "ACME", esm_class, data_coding, octets, {})
    return text.read(delivered, coding)[0]


def joined(parts: list[str]) -> str:
    """Put parts together; each may hold half of a pair."""
    return "".join(parts).encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def sanitised(said: str) -> str:
    """Half a pair cannot be sent: U+FFFD stands for it."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in said)


def on_the_air(piece: Piece, coding: Coding) -> int:
    """Give the octets of the user data that a handset gets for this piece."""
    tlvs = pdu.read_tlvs(piece.tlvs)
    header = piece.short_message[0] + 1 if piece.esm_class & text.UDH_INDICATOR else 0
    if pdu.SAR_REFERENCE in tlvs:
        header = 6  # the operator puts one in front
        octets = piece.short_message
    else:
        octets = piece.short_message[header:]
    if piece.data_coding in (3, 8, 0x18) or coding.alphabet == Alphabet.PACKED:
        return header + len(octets)
    if coding.alphabet == Alphabet.GSM:
        septets = len(octets)
    else:
        charset = "utf-8" if coding.alphabet == Alphabet.UTF8 else "latin-1"
        septets = len(gsm.encode(octets.decode(charset), "gsm7"))
    return -(-(-(-header * 8 // 7) + septets) * 7 // 8)


# ---- What leaves can be read --------------------------------------------------------------------


@given(texts, codings, st.integers(0, 0xFFFF), st.booleans())
def test_what_is_cut_is_whole_once_it_is_joined(
    said: str, coding: Coding, reference: int, flash: bool
) -> None:
    pieces = text.pieces(said, coding, reference=reference, flash=flash)
    read = [text.read(as_delivered(piece), coding) for piece in pieces]

    heard = joined([words for words, _ in read])
    meant = sanitised(said)
    if coding.alphabet == Alphabet.PACKED and meant.endswith("\r"):
        # A return that fills the last octet cannot be told from padding (TS 23.038 §6.1.2.3.1).
        heard, meant = heard.rstrip("\r"), meant.rstrip("\r")
    assert heard == meant

    if len(pieces) > 1:
        bits = 0xFF if coding.long == Long.UDH8 else 0xFFFF
        expected = [
            Concat(reference & bits, len(pieces), number) for number in range(1, len(pieces) + 1)
        ]
        assert [concat for _, concat in read] == expected
    else:
        assert read[0][1] is None


@given(texts, codings, st.booleans())
def test_no_piece_is_longer_than_a_segment(said: str, coding: Coding, flash: bool) -> None:
    pieces = text.pieces(said, coding, reference=7, flash=flash)

    assert all(len(piece.short_message) <= 254 for piece in pieces)
    if coding.long != Long.PAYLOAD:
        assert all(on_the_air(piece, coding) <= 140 for piece in pieces)


@given(texts, st.sampled_from([Long.UDH8, Long.UDH16, Long.SAR]))
def test_no_character_is_cut_in_two(said: str, long: Long) -> None:
    pieces = text.pieces(said, Coding(long=long), reference=7)

    for piece in pieces:
        words, _ = text.read(as_delivered(piece), Coding())
        assert not any("\ud800" <= char <= "\udfff" for char in words)
        if piece.data_coding == 0:
            assert not piece.short_message.endswith(b"\x1b")


@given(texts)
def test_as_many_segments_leave_as_people_were_told(said: str) -> None:
    pieces = text.pieces(said, Coding(), reference=7)

    assert len(pieces) == max(1, gsm.measure(said).segments)


@given(gsm_texts)
def test_septets_are_those_of_an_independent_codec(said: str) -> None:
    pieces = text.pieces(said, Coding(long=Long.SAR), reference=7)

    assert b"".join(piece.short_message for piece in pieces) == JUDGE.encode(said)[0]


def test_a_return_that_fills_the_last_octet_is_all_that_packing_loses() -> None:
    coding = Coding(alphabet=Alphabet.PACKED)

    def heard(said: str) -> str:
        [piece] = text.pieces(said, coding, reference=1)
        return text.read(as_delivered(piece), coding)[0]

    assert heard("abcdefg\r") == heard("abcdefg") == "abcdefg"
    assert heard("abcdef\r") == "abcdef\r"
    assert heard("abcdefg@") == "abcdefg@"
    assert heard("abcdef@") == "abcdef@"


def test_packed_septets_are_those_of_the_specification() -> None:
    [piece] = text.pieces("hellohello", Coding(alphabet=Alphabet.PACKED), reference=1)

    assert piece.short_message == bytes.fromhex("E8329BFD4697D9EC37")


def test_packed_septets_begin_on_an_edge_behind_the_header() -> None:
    first, _ = text.pieces("a" * 161, Coding(alphabet=Alphabet.PACKED), reference=0xAB)

    assert first.short_message[:6] == bytes.fromhex("050003AB0201")
    # One bit of fill after 48 bits of header: "a" is 0x61, twice that is 0xC2.
    assert first.short_message[6] == 0xC2
    assert len(first.short_message) == 140


@pytest.mark.parametrize(
    ("long", "count", "esm_class", "first", "tlvs"),
    [
        (Long.UDH8, 153, 0x40, "0500033402 01", ""),
        (Long.UDH16, 152, 0x40, "0608041234 0201", ""),
        (Long.SAR, 153, 0, "", "020C00021234 020E000102 020F000101"),
        (Long.PAYLOAD, 0, 0, "", "042400A1" + "61" * 161),
    ],
)
def test_each_way_to_tie_parts_has_its_bytes(
    long: Long, count: int, esm_class: int, first: str, tlvs: str
) -> None:
    piece = text.pieces("a" * 161, Coding(long=long), reference=0x1234)[0]

    assert piece.esm_class == esm_class
    assert piece.short_message == bytes.fromhex(first) + b"a" * count
    assert piece.tlvs == bytes.fromhex(tlvs)


@pytest.mark.parametrize(
    ("said", "coding", "plain", "flash"),
    [
        ("Hello", Coding(), 0x00, 0x10),
        ("Hello", Coding(gsm_code=1), 0x01, 0x10),
        ("Hello", Coding(gsm_code=0xF1), 0xF1, 0xF0),
        ("Привет", Coding(), 0x08, 0x18),
        ("Ça va, l'été ê", Coding(latin1=True), 0x03, 0x18),
        ("Hello", Coding(alphabet=Alphabet.UTF8), 0x00, 0x10),
    ],
)
def test_a_flash_text_says_class_0(said: str, coding: Coding, plain: int, flash: int) -> None:
    assert text.pieces(said, coding, reference=1)[0].data_coding == plain
    assert text.pieces(said, coding, reference=1, flash=True)[0].data_coding == flash


@pytest.mark.parametrize(
    ("said", "alphabet", "octets", "data_coding"),
    [
        ("@é", Alphabet.GSM, b"\x00\x05", 0),
        ("@é", Alphabet.LATIN1, b"@\xe9", 0),
        ("@é", Alphabet.UTF8, "@é".encode(), 0),
        ("@_", Alphabet.ASCII, b"@_", 0),
        ("é", Alphabet.ASCII, b"\x00\xe9", 8),
        ("Δ", Alphabet.LATIN1, b"\x03\x94", 8),
        ("`", Alphabet.GSM, b"\x00`", 8),
        ("", Alphabet.GSM, b"", 0),
    ],
)
def test_a_text_leaves_in_the_alphabet_that_the_operator_has(
    said: str, alphabet: Alphabet, octets: bytes, data_coding: int
) -> None:
    [piece] = text.pieces(said, Coding(alphabet=alphabet), reference=1)

    assert (piece.short_message, piece.data_coding) == (octets, data_coding)


def test_a_text_of_too_many_parts_is_refused() -> None:
    assert len(text.pieces("a" * 153 * 255, Coding(), reference=1)) == 255
    with pytest.raises(ValueError, match="256 segments"):
        text.pieces("a" * (153 * 255 + 1), Coding(), reference=1)


# ---- Reading what others wrote ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_coding", "octets", "words"),
    [
        (0x00, b"\x00 \x1be", "@ €"),
        (0x01, b"Hello @", "Hello @"),
        (0x01, b"caf\xe9", "café"),
        (0x03, b"\xe7a", "ça"),
        (0x02, b"\x01\xff", "01 ff"),
        (0x04, b"\x01\xff", "01 ff"),
        (0x06, b"\xb4\xd0", "Да"),
        (0x07, b"\xf9\xec\xe5\xed", "שלום"),
        (0x08, b"\x04\x14\x04\x30", "Да"),
        (0x08, b"\xd8\x3d\xde\x00!", "😀"),
        (0x09, b"\x00", "@"),
        (0x0E, b"\xb0\xa1", "가"),
        (0x10, b"\x00", "@"),
        (0x11, b"\x00", "@"),
        (0x14, b"\x00", "00"),
        (0x18, b"\x04\x14", "Д"),
        (0x1B, b"\x04\x14", "Д"),
        (0x20, b"\x00", "00"),
        (0x48, b"\x04\x14", "Д"),
        (0x80, b"\x00", "@"),
        (0xB8, b"\x00\x00", "@@"),
        (0xC8, b"\x00", "@"),
        (0xD0, b"\x00", "@"),
        (0xE0, b"\x04\x14", "Д"),
        (0xF0, b"\x00", "@"),
        (0xF1, b"\x00", "@"),
        (0xF5, b"\x00", "00"),
        (0xFF, b"\x00", "00"),
    ],
)
def test_each_data_coding_is_read(data_coding: int, octets: bytes, words: str) -> None:
    assert told(octets, data_coding) == words


def test_what_an_operator_calls_its_gsm_code_is_read_as_such() -> None:
    assert told(b"\x00", 1, coding=Coding(gsm_code=1)) == "@"
    assert told(b"\x00", 0, coding=Coding(gsm_code=1)) == "@"


def test_utf8_that_is_none_is_read_as_latin1() -> None:
    assert told(b"caf\xe9", coding=Coding(alphabet=Alphabet.UTF8)) == "café"


@pytest.mark.parametrize(
    ("header", "concat"),
    [
        ("0003070201", Concat(7, 2, 1)),
        ("080407D00302", Concat(2000, 3, 2)),
        ("0504158A0000 0003070202", Concat(7, 2, 2)),  # ports in front of it
        ("240101 0003070202", Concat(7, 2, 2)),
        ("0003070200", None),
        ("0003070203", None),
        ("0003070101", None),
        ("00020702", None),
        ("00FF070201", None),
        ("", None),
    ],
)
def test_a_part_is_known_wherever_its_element_stands(header: str, concat: Concat | None) -> None:
    elements = bytes.fromhex(header)
    payload = bytes((len(elements),)) + elements + b"Hello"
    delivered = pdu.Delivered("1", "2", 0x40, 0, payload, {})

    assert text.read(delivered, Coding()) == ("Hello", concat)


def test_sar_parameters_of_any_width_tie_parts() -> None:
    tlvs = {0x020C: b"\x00\x00\x00\x07", 0x020E: b"\x02", 0x020F: b"\x00\x02"}
    delivered = pdu.Delivered("1", "2", 0, 0, b"Hello", tlvs)

    assert text.read(delivered, Coding()) == ("Hello", Concat(7, 2, 2))


Tables = tuple[dict[int, str], dict[int, str]]
# What a language's tables have at these septets: (single shift, after an escape; locking shift).
TURKISH: Tables = (
    {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"},
    {4: "€", 7: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"},
)
SPANISH: Tables = (
    {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
    {},
)  # fmt: skip
PORTUGUESE: Tables = (
    {0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x15: "Ω",
     0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú",
     0x5B: "Ã", 0x5C: "Õ", 0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â"},
    {4: "ê", 6: "ú", 7: "í", 8: "ó", 9: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "ª",
     0x13: "Ç", 0x14: "À", 0x15: "∞", 0x16: "^", 0x17: "\\", 0x18: "€", 0x19: "Ó", 0x1A: "|", 0x1C: "Â",
     0x1D: "â", 0x1E: "Ê", 0x24: "º", 0x40: "Í", 0x5B: "Ã", 0x5C: "Õ", 0x5D: "Ú", 0x60: "~", 0x7B: "ã",
     0x7C: "õ", 0x7D: "`"},
)  # fmt: skip
# What every single shift table has besides.
COMMON = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
          0x40: "|", 0x65: "€"}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "tables"), [(1, TURKISH), (2, SPANISH), (3, PORTUGUESE), (9, ({}, {}))]
)
def test_a_language_has_its_own_tables(language: int, tables: Tables) -> None:
    single, locking = tables
    septets = [septet for septet in range(128) if septet != 0x1B]
    basic = {septet: JUDGE.decode(bytes((septet,)))[0] for septet in septets}
    for kinds in ((0x24,), (0x25,), (0x24, 0x25)):
        header = b"".join(bytes((kind, 1, language)) for kind in kinds)
        header = bytes((len(header),)) + header
        plain = basic | (locking if 0x25 in kinds else {})
        after = plain | COMMON | (single if 0x24 in kinds else {})

        assert told(header + bytes(septets), esm_class=0x40) == "".join(plain.values())
        escaped = b"".join(bytes((0x1B, septet)) for septet in septets)
        assert told(header + escaped, esm_class=0x40) == "".join(
            after[septet] for septet in septets
        )


@given(
    st.binary(max_size=180),
    st.integers(0, 255),
    st.integers(0, 255),
    codings,
    st.dictionaries(st.sampled_from([0x020C, 0x020E, 0x020F]), st.binary(max_size=6)),
)
def test_any_octets_are_read_without_a_murmur(
    octets: bytes, esm_class: int, data_coding: int, coding: Coding, tlvs: dict[int, bytes]
) -> None:
    delivered = pdu.Delivered("1", "2", esm_class, data_coding, octets, tlvs)

    words, concat = text.read(delivered, coding)

    assert isinstance(words, str)
    assert concat is None or 1 <= concat.number <= concat.total <= 255
