"""A trace may be read by anybody of the team: it holds no password, no text, no whole number."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phones.smpp import pdu, tracing
from phones.smpp.pdu import Frame, Frames

NOW = datetime(2026, 11, 20, 16, 50, 45, 123456, tzinfo=UTC)


def traced(data: bytes) -> str:
    [frame] = Frames().feed(data)
    return tracing.line("trx", ">", frame, NOW)


def submit(to: str = "33612345678", message: bytes = b"My secret words") -> bytes:
    submits = pdu.Submits(
        service_type="", source=(1, 1, "33700000042"), destination=(1, 1), registered_delivery=1
    )
    tlvs = pdu.tlv(0x1400, b"1101-secret")
    body = submits.body(to, esm_class=0x40, data_coding=8, short_message=message, tlvs=tlvs)
    return pdu.write(pdu.SUBMIT_SM, 7, body)


def test_a_message_shows_its_form_and_not_its_words() -> None:
    assert traced(submit()) == (
        "16:50:45.123 trx > submit_sm #7 ••••••••042 -> ••••••••678 esm=0x40 coding=0x08 octets=15 "
        "0x1400[11]"
    )


@pytest.mark.parametrize("role", sorted(pdu.BINDS))
def test_a_bind_shows_no_password(role: str) -> None:
    data = pdu.bind(
        role,
        1,
        system_id="tilleuls",
        password="s3cret",
        system_type="",
        version=0x34,
        address=(0, 0, ""),
    )

    assert traced(data) == f"16:50:45.123 trx > bind_{role} #1"


@pytest.mark.parametrize("number", ["33612345678", "+33 6 12 34 56 78", "tel:336-12-345678"])
def test_however_a_number_is_written_three_digits_remain(number: str) -> None:
    line = traced(submit(number))

    assert sum(char.isdigit() for char in line.split("->")[1].split("esm")[0]) == 3


def test_an_answer_shows_its_status_in_words() -> None:
    refused = traced(pdu.write(pdu.SUBMIT_SM_RESP, 7, status=0x58))
    taken = traced(pdu.write(pdu.SUBMIT_SM_RESP, 7, b"abc\0"))

    assert refused.startswith("16:50:45.123 trx > submit_sm_resp #7 0x00000058 ")
    assert len(refused) > 60
    assert taken == "16:50:45.123 trx > submit_sm_resp #7 0x00000000 message_id=abc"


def test_a_trace_ends_when_nobody_looks() -> None:
    lines: list[str] = []
    frame = Frame(pdu.ENQUIRE_LINK, 0, 1, b"")

    tracing.tracer("trx", float("inf"), lines.append)("<", frame)
    tracing.tracer("trx", 0, lines.append)("<", frame)

    assert len(lines) == 1
    assert lines[0].endswith("trx < enquire_link #1")


commands = st.sampled_from(
    [pdu.SUBMIT_SM, pdu.DELIVER_SM, pdu.DATA_SM, pdu.SUBMIT_SM_RESP, pdu.GENERIC_NACK]
) | st.integers(0, 0xFFFFFFFF)


@given(commands, st.integers(0, 0xFFFFFFFF), st.binary(max_size=80))
def test_any_pdu_is_one_line(command: int, status: int, body: bytes) -> None:
    line = tracing.line("trx", "<", Frame(command, status, 1, body), NOW)

    assert line.isprintable()


@given(st.text(st.characters(codec="latin-1", categories=["L"]), min_size=12, max_size=40))
def test_no_text_is_in_a_trace(words: str) -> None:
    data = submit(message=words.encode("latin-1"))

    assert words not in traced(data)
    assert words not in traced(data[:4] + pdu.DELIVER_SM.to_bytes(4, "big") + data[8:])
