"""Gammu's format "SMS backup", in which SMSD's folders hold messages with all that belongs to them.

An INI file with a section for each part: https://docs.gammu.org/formats/smsbackup.html, read 2026-11.
SMSD itself writes the network's number for each part it has sent into `MessageReference`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phones.types.gammu.parts import GSM, Part, is_whole

# Hexadecimal digits in a line, as Gammu writes them.
_LINE = 200
_SECTION = re.compile(r"^\[SMSBackup\d+\]\s*$", re.MULTILINE)
_VALUE = re.compile(r"^(\w+) = (.*?)\r?$", re.MULTILINE)
# Each section ends so: one that does not is still being written.
_END = re.compile(r"\nMessageReference = \d+\s*\n\s*\Z")


@dataclass(frozen=True, slots=True)
class Section:
    """One part as Gammu keeps it.

    `pdu` is Deliver (came in), Submit, or Status_Report: of a message to send, that a report is
    wanted; of one that came in, that it is one. `reference` is the network's number, 0 to 255, for the
    part that was sent or reported on; `status` is TP-Status of a report (3GPP TS 23.040 §9.2.3.15).
    """

    part: Part
    number: str
    pdu: str = "Status_Report"
    flash: bool = False
    reference: int = 0
    status: int = 0


def write(sections: Sequence[Section]) -> str:
    """Give the file of a message."""
    return "\n".join(_written(index, section) for index, section in enumerate(sections))


def _written(index: int, section: Section) -> str:
    part = section.part
    text = part.data.hex().upper()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    values = [
        ("PDU", section.pdu),
        ("DeliveryStatus", section.status),
        ("State", "UnSent"),
        ("Number", f'"{section.number}"'),
        ("NumberUnicode", section.number.encode("utf-16-be").hex().upper()),
        *([("UDH", part.header.hex().upper())] if part.header else []),
        *((f"Text{at:02}", line) for at, line in enumerate(lines)),
        ("Coding", part.coding),
        ("Folder", 2),
        ("Length", len(part.data) // 2),
        ("Class", 0 if section.flash else -1),
        ("MessageReference", section.reference),
    ]
    return f"[SMSBackup{index:03}]\n" + "".join(f"{name} = {value}\n" for name, value in values)


def read(content: str) -> list[Section]:
    """Give the sections of a file; an empty list for one that is in no such format."""
    return list(_sections(content))


def _sections(content: str) -> Iterator[Section]:
    for written in _SECTION.split(content)[1:]:
        values = dict(_VALUE.findall(written))
        text = "".join(value for name, value in values.items() if re.fullmatch(r"Text\d+", name))
        yield Section(
            part=Part(
                _bytes(text), _bytes(values.get("UDH", "")), values.get("Coding", "").strip() or GSM
            ),
            number=_bytes(values.get("NumberUnicode", "")).decode("utf-16-be", errors="replace")
            or values.get("Number", "").strip().strip('"'),
            pdu=values.get("PDU", "").strip(),
            flash=values.get("Class", "").strip() == "0",
            reference=_number(values.get("MessageReference", "")),
            status=_number(values.get("DeliveryStatus", "")),
        )


def is_finished(content: str, sections: Sequence[Section]) -> bool:
    """Say whether SMSD has written all of a file that it is perhaps still writing."""
    return bool(_END.search(content)) and is_whole([section.part for section in sections])


def references(sections: Sequence[Section]) -> list[int]:
    """Give the network's numbers of the parts of a sent message, in order.

    SMSD 1.42 puts a copy of the first section in front for each part it has sent, later ones write
    into the section of the part: either way they are those of the first sections.
    """
    place = sections[0].part.place if sections else None
    return [section.reference for section in sections[: place[1] if place else 1]]


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _number(written: str) -> int:
    return int(written) if re.fullmatch(r"\s*\d{1,3}\s*", written, re.ASCII) else 0
