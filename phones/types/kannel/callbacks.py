"""What Kannel calls us for: delivery reports and incoming messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from phones.base import Callback, Delivery, Event, IncomingSms, Malformed, Reason, StatusReport

# What Kannel is to write into the addresses it calls, in its own letters.
REPORT = "&type=%d&answer=%A&id=%F&time=%T"
MESSAGE = "?from=%p&to=%P&time=%T&id=%I&charset=%C"

_STATES = {
    "1": Delivery.DELIVERED,
    "2": Delivery.FAILED,
    "4": Delivery.SENT,
    "8": Delivery.SENT,
    "16": Delivery.FAILED,
    "32": Delivery.SENT,
}
# What the receipts of SMPP links say, where it tells more than “not delivered”.
_REASONS = {
    "EXPIRED": Reason.EXPIRED,
    "REJECTD": Reason.REJECTED,
    "DELETED": Reason.REJECTED,
    "UNDELIV": Reason.UNREACHABLE,
}
_RECEIPT = re.compile(r"\bstat:(\w+)(?:.*?\berr:(\w+))?", re.DOTALL)
_REFUSAL = re.compile(r"NACK/([^/]+)")


def report(callback: Callback) -> list[Event]:
    state = _STATES.get(callback.need("type"))
    reference = callback.need("message")
    if state is None:
        return []
    failed = state is Delivery.FAILED
    said = callback.first("answer").strip()
    return [
        StatusReport(
            state,
            provider_id=callback.first("id"),
            reference=reference,
            reason=_reason(callback.first("type"), said) if failed else "",
            code=_code(said) if failed else "",
            words=said if failed else "",
            at=_moment(callback.first("time")),
        )
    ]


def _reason(kind: str, said: str) -> Reason:
    if kind == "16":
        return Reason.REJECTED
    receipt = _RECEIPT.search(said)
    return _REASONS.get(receipt[1], Reason.UNREACHABLE) if receipt else Reason.UNREACHABLE


def _code(said: str) -> str:
    """Give the code inside an operator's words: “UNDELIV 027” of SMPP, “0x0000000b” of a refusal."""
    if receipt := _RECEIPT.search(said):
        return " ".join(part for part in receipt.groups() if part)
    refusal = _REFUSAL.match(said)
    return refusal[1] if refusal else ""


def incoming(callback: Callback) -> list[Event]:
    return [
        IncomingSms(
            sender=callback.need("from"),
            text=_text(callback.body, callback.first("charset")),
            provider_id=callback.need("id"),
            to=callback.first("to"),
            at=_moment(callback.first("time")),
        )
    ]


def _text(body: bytes, charset: str) -> str:
    """Read the body in the charset that Kannel names; data (“8-BIT”) is shown byte by byte."""
    if charset == "8-BIT":
        return body.decode("latin-1")
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        raise Malformed(f"The charset {charset} is unknown.") from None


def _moment(written: str) -> datetime | None:
    """Read seconds since 1970; None for anything else."""
    try:
        return datetime.fromtimestamp(int(written), UTC)
    except (ValueError, OverflowError, OSError):
        return None
