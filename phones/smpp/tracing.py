"""What is said on a bind, as lines that a person may read: no passwords, texts or whole numbers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from phones.smpp import pdu, statuses

_DIGITS = re.compile(r"\d(?=(?:\D*\d){3})")


def tracer(
    name: str, until: float, write: Callable[[str], object]
) -> Callable[[str, pdu.Frame], None]:
    """Give what a link tells its PDUs to, which writes lines until the monotonic moment `until`."""

    def trace(direction: str, frame: pdu.Frame) -> None:
        if time.monotonic() < until:
            write(line(name, direction, frame, datetime.now(UTC)))

    return trace


def line(name: str, direction: str, frame: pdu.Frame, now: datetime) -> str:
    """Give one PDU in one line."""
    moment = now.strftime("%H:%M:%S.%f")[:-3]
    status = ""
    if frame.command & pdu.RESPONSE:
        status = f" {statuses.code_of(frame.status)}"
        if frame.status:
            status += f" {statuses.words_of(frame.status)}"
    what = f"{moment} {name} {direction} {pdu.name_of(frame.command)} #{frame.sequence}{status}"
    whole = f"{what} {_body(frame)}".rstrip()
    return "".join(char if char.isprintable() else "·" for char in whole)


def _body(frame: pdu.Frame) -> str:
    if frame.command in (pdu.SUBMIT_SM, pdu.DELIVER_SM, pdu.DATA_SM):
        try:
            return _message(frame)
        except pdu.Unreadable as error:
            return str(error)
    if frame.command == pdu.SUBMIT_SM_RESP and not frame.status:
        return f"message_id={pdu.message_id(frame.body)}"
    return ""  # a bind holds the password, the others nothing


def _message(frame: pdu.Frame) -> str:
    command = pdu.DATA_SM if frame.command == pdu.DATA_SM else pdu.DELIVER_SM
    told = pdu.read_deliver(command, frame.body)
    tags = " ".join(f"0x{tag:04X}[{len(value)}]" for tag, value in told.tlvs.items())
    return (
        f"{_masked(told.source)} -> {_masked(told.destination)} esm=0x{told.esm_class:02X} "
        f"coding=0x{told.data_coding:02X} octets={len(told.payload)} {tags}"
    )


def _masked(number: str) -> str:
    """Give a number with all digits but the last three hidden."""
    return _DIGITS.sub("•", number)
