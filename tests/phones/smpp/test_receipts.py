"""What receipts say, in the many ways operators write them, and which message they mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phones.base import Delivery, Reason, StatusReport
from phones.smpp import pdu
from phones.smpp.receipts import (
    Habits,
    IdFormat,
    is_receipt,
    name_in_answer,
    names_in_receipt,
    read,
)

SENT, DELIVERED, FAILED, UNKNOWN = (
    Delivery.SENT,
    Delivery.DELIVERED,
    Delivery.FAILED,
    Delivery.UNKNOWN,
)
AS_IT_IS = Habits(ids=IdFormat.SAME)
PEER = "33612345678"
AT = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)
DATES = "submit date:2611201649 done date:2611201650"
USUAL = "id:{name} sub:001 dlvrd:001 " + DATES + " stat:{stat} err:{err} text:Hello"


def receipt(words: str | bytes = "", esm_class: int = 0x04, **tlvs: bytes) -> pdu.Delivered:
    payload = words.encode("latin-1") if isinstance(words, str) else words
    tags = {int(tag.removeprefix("x"), 16): value for tag, value in tlvs.items()}
    return pdu.Delivered(PEER, "ACME", esm_class, 0, payload, tags)


def usual(stat: str = "DELIVRD", name: str = "77", err: str = "000") -> str:
    return USUAL.format(name=name, stat=stat, err=err)


def report(
    state: Delivery, name: str = "77", at: datetime | None = AT, **more: str
) -> StatusReport:
    return StatusReport(state=state, provider_id=name, peer=PEER, at=at, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(receipt(usual()), report(DELIVERED), id="of Appendix B"),
        pytest.param(
            receipt(usual("UNDELIV", err="0B1")),
            report(FAILED, reason=Reason.UNREACHABLE, code="0B1", words="UNDELIV err:0B1"),
            id="undelivered, with an error",
        ),
        pytest.param(
            receipt(
                "id:c449ab9744f447b6af879e49e75e4f40 submit date:2611201649 done date:2611201650 "
                "stat:DELIVRD err:000"
            ),
            report(DELIVERED, "c449ab9744f447b6af879e49e75e4f40"),
            id="without sub, dlvrd and text (Jasmin)",
        ),
        pytest.param(
            receipt(
                "id:77 sub:001 dlvrd:001 submit date:261120164905 done date:261120165000 "
                "stat:DELIVRD err:0 text:-"
            ),
            report(DELIVERED),
            id="with seconds (Kannel)",
        ),
        pytest.param(
            receipt("id:77 sub:1 dlvrd:1 submit date:20261120164905 done date:20261120165000 stat:DELIVRD"),
            report(DELIVERED),
            id="years of four digits",
        ),
        pytest.param(
            receipt("id:77 done date:202611201650 stat:DELIVRD"),
            report(DELIVERED),
            id="years of four digits without seconds",
        ),
        pytest.param(
            receipt("id:77 done date:2026-11-20 16:50:00 stat:DELIVRD"),
            report(DELIVERED),
            id="a date for people",
        ),
        pytest.param(
            receipt("id:77 sub: dlvrd: submit date: done date: stat:DELIVRD err: text:"),
            report(DELIVERED, at=None),
            id="empty fields (SMPPSim)",
        ),
        pytest.param(
            receipt(f"ID:77 SUB:001 DLVRD:001 {DATES.upper()} STAT:delivrd ERR:000"),
            report(DELIVERED),
            id="capitals, and the state without",
        ),
        pytest.param(
            receipt("stat:EXPIRED err:027 id:77 done_date:2611201650"),
            report(FAILED, reason=Reason.EXPIRED, code="027", words="EXPIRED err:027"),
            id="in another order",
        ),
        pytest.param(
            receipt("id: 77, sub: 001, done date: 2611201650, stat: REJECTD, err: 8"),
            report(FAILED, reason=Reason.REJECTED, code="8", words="REJECTD err:8"),
            id="commas and blanks",
        ),
        pytest.param(
            receipt("id:77\r\nstat:DELIVRD\r\ndone date:2611201650\r\n"),
            report(DELIVERED),
            id="in lines",
        ),
        pytest.param(
            receipt(usual().replace("Hello", "my id:12 stat:UNDELIV err:9")),
            report(DELIVERED),
            id="a text that looks like one",
        ),
        pytest.param(
            receipt("id:77 stat:DELIVRD done date:2611201650 Text:id:12 stat:UNDELIV"),
            report(DELIVERED),
            id="such a text in another form",
        ),
        pytest.param(
            receipt(f"id:77 sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000text:id:1"),
            report(DELIVERED),
            id="no blank before the text",
        ),
        pytest.param(
            receipt(usual("DELIVERED")), report(DELIVERED, words=""), id="DELIVERED in full"
        ),
        pytest.param(
            receipt(usual().encode("utf-16-be")), report(DELIVERED), id="in UCS-2"
        ),
        pytest.param(
            receipt(x001E=b"77\0", x0427=b"\x02"), report(DELIVERED, at=None), id="only parameters"
        ),
        pytest.param(
            receipt(x001E=b"1d305b4c", x0427=b"\x05", x0423=b"\x03\x00\x1b"),
            report(FAILED, "1d305b4c", None, reason=Reason.UNREACHABLE, code="27", words="UNDELIV err:27"),
            id="an id without NUL, and the network's error",
        ),
        pytest.param(
            receipt(usual("UNDELIV", "12", "007"), x001E=b"77\0", x0427=b"\x02"),
            report(DELIVERED, code="007"),
            id="parameters win over the text",
        ),
        pytest.param(
            receipt(usual(), x0427=b"\x00\x00\x00\x03"),
            report(FAILED, reason=Reason.EXPIRED, words="EXPIRED"),
            id="a state of four octets",
        ),
        pytest.param(
            receipt(usual(), x0427=b"\x63"), report(DELIVERED), id="a state that nobody knows"
        ),
        pytest.param(
            receipt(usual("UNDELIV"), esm_class=0x20),
            report(SENT, words="UNDELIV"),
            id="an intermediate notification ends nothing",
        ),
        pytest.param(
            receipt(usual("GONE")), report(UNKNOWN, words="GONE"), id="a word nobody knows"
        ),
        pytest.param(
            receipt("Your message was delivered."),
            report(SENT, "", None, words="no state"),
            id="no receipt at all",
        ),
        pytest.param(
            receipt("id:77 stat:DELIVRD done date:2613451650"),
            report(DELIVERED, at=None),
            id="a day that is none",
        ),
        pytest.param(
            receipt("id:77 stat:DELIVRD done date:00010101000000"),
            report(DELIVERED, at=None),
            id="a year before there were any",
        ),
    ],
)  # fmt: skip
def test_a_receipt_is_understood(said: pdu.Delivered, expected: StatusReport) -> None:
    assert read(said, AS_IT_IS) == expected


@pytest.mark.parametrize(
    ("state", "text", "number"),
    [
        (SENT, "SCHEDULED", 0),
        (SENT, "ENROUTE", 1),
        (DELIVERED, "DELIVRD", 2),
        (FAILED, "EXPIRED", 3),
        (FAILED, "DELETED", 4),
        (FAILED, "UNDELIV", 5),
        (SENT, "ACCEPTD", 6),
        (UNKNOWN, "UNKNOWN", 7),
        (FAILED, "REJECTD", 8),
        (FAILED, "SKIPPED", 9),
        (FAILED, "FAILED", None),
        (SENT, "BUFFRED", None),
        (SENT, "ACKED", None),
    ],
)
def test_each_state_means_the_same_as_text_and_as_number(
    state: Delivery, text: str, number: int | None
) -> None:
    assert read(receipt(usual(text)), AS_IT_IS).state == state
    if number is not None:
        told = receipt(x001E=b"77", x0427=bytes((number,)))
        assert read(told, AS_IT_IS).state == state


@pytest.mark.parametrize(
    ("spelt", "state"),
    [
        ("delivered", DELIVERED),
        ("Undeliverable", FAILED),
        ("UNDELIVERED", FAILED),
        ("ACCEPTED", SENT),
        ("Rejected", FAILED),
        ("BUFFERED", SENT),
    ],
)
def test_states_are_known_in_full(spelt: str, state: Delivery) -> None:
    assert read(receipt(usual(spelt)), AS_IT_IS).state == state


@pytest.mark.parametrize("meant", [SENT, DELIVERED, FAILED])
def test_accepted_means_what_the_phone_says(meant: Delivery) -> None:
    assert read(receipt(usual("ACCEPTD")), Habits(accepted=meant)).state == meant
    assert read(receipt(usual("UNKNOWN")), Habits(accepted=meant)).state == UNKNOWN


@pytest.mark.parametrize("meant", [UNKNOWN, FAILED, SENT])
def test_unknown_means_what_the_phone_says(meant: Delivery) -> None:
    assert read(receipt(usual("UNKNOWN")), Habits(unknown=meant)).state == meant
    assert read(receipt(usual("ACCEPTD")), Habits(unknown=meant)).state == SENT


def test_the_moment_is_of_the_operators_zone() -> None:
    paris = ZoneInfo("Europe/Paris")

    assert read(receipt(usual()), Habits(zone=paris)).at == AT.replace(hour=15)


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        (receipt(usual()), True),
        (receipt(usual(), esm_class=0x20), True),
        (receipt(usual(), esm_class=0x44), True),
        (receipt("", esm_class=0x00, x001E=b"77", x0427=b"\x02"), True),
        (receipt("Hello", esm_class=0x00), False),
        (receipt("Hello", esm_class=0x40), False),
        (receipt(usual(), esm_class=0x00), False),
        (receipt("", esm_class=0x00, x001E=b"77"), False),
    ],
)
def test_a_receipt_is_told_from_a_message(said: pdu.Delivered, is_one: bool) -> None:
    assert is_receipt(said) is is_one


def test_a_receipt_without_a_mark_is_known_by_its_text_where_that_is_asked_for() -> None:
    short = receipt("id:77 stat:DELIVRD", esm_class=0)

    assert is_receipt(receipt(usual(), esm_class=0), by_text=True)
    assert is_receipt(short, by_text=True)
    assert not is_receipt(short)
    assert not is_receipt(receipt("My id: 12, thank you", esm_class=0), by_text=True)


# ---- Ids ----------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 2**64 - 1)


def _padded(written: str, zeros: int) -> str:
    return "0" * zeros + written


notations: list[Callable[[int], str]] = [str, "{:x}".format, "{:X}".format]
written = st.tuples(st.sampled_from(notations), st.integers(0, 4))


@given(NUMBERS, written, written)
def test_a_receipt_finds_its_message_in_whatever_notation(
    number: int,
    answer: tuple[Callable[[int], str], int],
    later: tuple[Callable[[int], str], int],
) -> None:
    told = _padded(answer[0](number), answer[1])
    name, others = names_in_receipt(_padded(later[0](number), later[1]), IdFormat.AUTO)

    assert name_in_answer(told, IdFormat.AUTO) in (name, *others)


@given(NUMBERS, st.integers(0, 4), st.booleans())
def test_a_format_that_is_said_leads_to_one_name(number: int, zeros: int, capitals: bool) -> None:
    hexadecimal = f"{number:X}" if capitals else f"{number:x}"
    dec, hex_ = _padded(str(number), zeros), _padded(hexadecimal, zeros)

    assert names_in_receipt(dec, IdFormat.HEX_DEC) == (name_in_answer(hex_, IdFormat.HEX_DEC), ())
    assert names_in_receipt(hex_, IdFormat.DEC_HEX) == (name_in_answer(dec, IdFormat.DEC_HEX), ())


@given(
    st.text(st.characters(max_codepoint=255), max_size=70),
    st.sampled_from([IdFormat.AUTO, IdFormat.SAME]),
)
def test_an_id_that_comes_as_it_was_finds_its_message(name: str, ids: IdFormat) -> None:
    assert names_in_receipt(name, ids)[0] == name_in_answer(name, ids)


def test_letter_for_letter_means_so() -> None:
    assert name_in_answer("00aB\0", IdFormat.SAME) == "00aB"
    assert names_in_receipt("00aB", IdFormat.SAME) == ("00aB", ())


@pytest.mark.parametrize("name", ["550e8400-e29b-41d4-a716-446655440000", "f" * 32, "m-77", ""])
def test_what_is_no_number_has_one_name(name: str) -> None:
    for ids in IdFormat:
        assert names_in_receipt(name, ids) == (name, ())
        assert name_in_answer(name, ids) == name


# ---- Anything -----------------------------------------------------------------------------------

pieces = st.sampled_from(
    [
        "id:",
        "stat:",
        "err:",
        "text:",
        "done date:",
        "DELIVRD",
        "77",
        " ",
        "0",
        "\0",
        "é",
        "²",
        "9" * 14,
    ]
)
payloads = st.binary(max_size=160) | st.lists(pieces, max_size=14).map(
    lambda found: "".join(found).encode("latin-1")
)
tlvs = st.dictionaries(
    st.sampled_from([0x001E, 0x0427, 0x0423, 0x1400]), st.binary(max_size=20), max_size=4
)


@given(payloads, tlvs, st.integers(0, 255), st.sampled_from(IdFormat))
def test_anything_is_read_without_a_murmur(
    payload: bytes, found: dict[int, bytes], esm_class: int, ids: IdFormat
) -> None:
    delivered = pdu.Delivered(PEER, "ACME", esm_class, 0, payload, found)

    is_receipt(delivered, by_text=True)
    told = read(delivered, Habits(ids=ids, zone=ZoneInfo("Pacific/Kiritimati")))

    assert told.state in Delivery
    if told.at:
        told.at.astimezone(UTC)
