"""Delivery receipts: what they say, and about which message.

SMPP 3.4 leaves the text to the operator and gives an example (Appendix B); the TLVs of §5.3.2.35 and
§5.3.2.36 win over it. Ids are opaque, but some operators write the same number in hexadecimal in the
answer and in decimal in the receipt: `IdFormat` says which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import lru_cache

from phones.base import Delivery, Reason, StatusReport
from phones.smpp import pdu

# esm_class bits of a receipt, and of an intermediate notification (§5.2.12).
_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_KIND = 0x3C


class IdFormat(StrEnum):
    """How the id in a receipt relates to the one in the answer to submit_sm."""

    AUTO = "auto"
    SAME = "same"
    HEX_DEC = "hex_dec"  # hexadecimal in the answer, decimal in the receipt
    DEC_HEX = "dec_hex"


@dataclass(frozen=True, slots=True)
class Habits:
    """What a phone knows of its operator's receipts."""

    ids: IdFormat = IdFormat.AUTO
    zone: tzinfo = UTC
    accepted: Delivery = Delivery.SENT
    unknown: Delivery = Delivery.UNKNOWN
    by_text: bool = False


_STATES = {0: "SCHEDULED", 1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV",
           6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD", 9: "SKIPPED"}  # fmt: skip
# Other spellings of a state that operators have.
_SPELT = {"DELIVERED": "DELIVRD", "UNDELIVERED": "UNDELIV", "UNDELIVERABLE": "UNDELIV",
          "UNDELIVRD": "UNDELIV", "ACCEPTED": "ACCEPTD", "REJECTED": "REJECTD", "BUFFERED": "BUFFRED",
          "EN_ROUTE": "ENROUTE", "ACK": "ACKED"}  # fmt: skip
_ON_ITS_WAY = {"ENROUTE", "SCHEDULED", "BUFFRED", "ACKED"}
_REASONS = {
    "EXPIRED": Reason.EXPIRED,
    "UNDELIV": Reason.UNREACHABLE,
    "FAILED": Reason.UNREACHABLE,
    "DELETED": Reason.REJECTED,
    "REJECTD": Reason.REJECTED,
    "SKIPPED": Reason.REJECTED,
}
# The form of Appendix B, which nearly all use, in one pass; `_LABEL` reads any other.
_USUAL = re.compile(
    r"id:(\S+) sub:\S* dlvrd:\S* submit date:\S* done date:(\d*) stat:([A-Za-z]+) err:(\w*)(?:\s|$)"
)
_LABEL = re.compile(
    r"(?<![A-Za-z])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:", re.IGNORECASE
)
_DATES = {12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}


def is_receipt(delivered: pdu.Delivered, *, by_text: bool = False) -> bool:
    """Say whether this is news of a message of ours, and not a message.

    `by_text` = also where only its text looks like one, for operators that mark nothing.
    """
    if delivered.esm_class & _KIND & (_RECEIPT | _INTERMEDIATE):
        return True
    tlvs = delivered.tlvs
    if pdu.RECEIPTED_MESSAGE_ID in tlvs and pdu.MESSAGE_STATE in tlvs:
        return True
    return by_text and all(_fields(delivered.payload)[:2])


def read(delivered: pdu.Delivered, habits: Habits) -> StatusReport:
    """Give what a receipt says. One without an id says nothing that can be matched. Never raises."""
    name, state, error, done = _fields(delivered.payload)
    state = state.upper()
    state = _SPELT.get(state, state)
    if tlvs := delivered.tlvs:
        name = pdu.text_of(tlvs.get(pdu.RECEIPTED_MESSAGE_ID, b"")) or name
        if value := tlvs.get(pdu.MESSAGE_STATE):
            state = _STATES.get(int.from_bytes(value, "big"), state)
        if (network := tlvs.get(pdu.NETWORK_ERROR_CODE)) and not error.strip("0"):
            # One octet of network, two of its error (§5.3.2.31).
            error = str(int.from_bytes(network[1:3], "big"))
    if not error.strip("0"):
        error = ""
    delivery = _delivery(state, habits)
    failed = delivery in _ENDED_BADLY
    if failed and delivered.esm_class & _KIND == _INTERMEDIATE:
        delivery = Delivery.SENT  # it is still being tried (§5.2.12)
        failed = False
    own, aliases = names_in_receipt(name, habits.ids)
    return StatusReport(
        state=delivery,
        provider_id=own,
        aliases=aliases,
        peer=delivered.source,
        reason=_REASONS.get(state, "") if failed else "",
        code=error,
        words="" if state in _UNREMARKABLE else _words(state, error),
        at=_moment(done, habits.zone),
    )


_ENDED_BADLY = {Delivery.FAILED, Delivery.UNKNOWN}
_UNREMARKABLE = {"DELIVRD", "ENROUTE"}


def _fields(payload: bytes) -> tuple[str, str, str, str]:
    """Give id, state, error and moment as a receipt's text writes them, "" for what it leaves out."""
    text = payload.decode("latin-1")
    if usual := _USUAL.match(text):
        name, done, state, error = usual.groups()
        return name, state, error, done
    found: dict[str, str] = {}
    # Receipts in UCS-2 are this, with a NUL in front of each character.
    text = text.replace("\0", "")
    labels = list(_LABEL.finditer(text))
    for index, label in enumerate(labels):
        key = label[1].lower().replace("_", "").replace(" ", "")
        end = labels[index + 1].start() if index + 1 < len(labels) else len(text)
        if key == "text":
            break  # the beginning of the message itself, which may hold any of the labels
        found.setdefault(key, text[label.end() : end].strip(" \t\r\n,;|"))
    done = re.sub(r"[^0-9]", "", found.get("donedate", ""))
    return found.get("id", ""), found.get("stat", ""), found.get("err", ""), done


def _delivery(state: str, habits: Habits) -> Delivery:
    if state == "DELIVRD":
        return Delivery.DELIVERED
    if state == "ACCEPTD":
        return habits.accepted
    if state in _REASONS:
        return Delivery.FAILED
    # One that says no state ends nothing.
    return Delivery.SENT if state in _ON_ITS_WAY or not state else habits.unknown


def _words(state: str, error: str) -> str:
    said = state or "no state"
    return f"{said} err:{error}" if error else said


@lru_cache(maxsize=256)  # receipts of a batch share their minutes
def _moment(digits: str, zone: tzinfo) -> datetime | None:
    """Read YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm or YYYYMMDDhhmmss; None for what is none of them."""
    if len(digits) == 10:
        return _known_moment(digits, zone)
    if len(digits) == 12 and digits.startswith("20") and digits[2:4] > "12":
        return _known_moment(digits[2:], zone)
    try:
        moment = datetime.strptime(digits, _DATES[len(digits)]).replace(tzinfo=zone)
    except (KeyError, ValueError):
        return None
    return moment if moment.year >= 2000 else None


def _known_moment(digits: str, zone: tzinfo) -> datetime | None:
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute, tzinfo=zone)
    except ValueError:
        return None


def name_in_answer(name: str, ids: IdFormat) -> str:
    """Give the name a message goes by: what the answer called it, in a form receipts can be led to."""
    name = name.replace("\0", "").strip()
    if ids == IdFormat.SAME:
        return name
    plain = _plain(name)
    if ids == IdFormat.HEX_DEC:
        return _from_hexadecimal(plain) or plain
    return plain


def names_in_receipt(name: str, ids: IdFormat) -> tuple[str, tuple[str, ...]]:
    """Give the name a receipt means, and others that it may mean where the recipient fits too."""
    name = name.replace("\0", "").strip()
    if ids == IdFormat.SAME:
        return name, ()
    plain = _plain(name)
    if ids == IdFormat.HEX_DEC:
        return plain, ()
    decimal = _from_hexadecimal(plain)
    if ids == IdFormat.DEC_HEX:
        return decimal or plain, ()
    others = (_from_decimal(plain), decimal)
    return plain, tuple([other for other in others if other and other != plain])


def _plain(name: str) -> str:
    """Give a name as it is compared: small letters, no zeros in front."""
    return name.casefold().lstrip("0") or name[:1]


# Ids that are numbers have 64 bits at most: longer ones are digests or the like.
_HEXADECIMAL = re.compile("[0-9a-f]{1,16}").fullmatch


def _from_hexadecimal(plain: str) -> str:
    return str(int(plain, 16)) if _HEXADECIMAL(plain) else ""


def _from_decimal(plain: str) -> str:
    return f"{int(plain):x}" if len(plain) <= 20 and plain.isdecimal() and plain.isascii() else ""
