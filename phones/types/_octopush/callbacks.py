"""What Octopush calls us for: delivery, replies, opt-outs. Each is a JSON object."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from phones.base import Delivery, Event, IncomingSms, Malformed, OptOutNotice, Reason, StatusReport
from phones.types._octopush.answers import name_of

_STATES = {
    "ACK": Delivery.SENT,
    "DELIVERED": Delivery.DELIVERED,
    "READ": Delivery.DELIVERED,
    "NOT_DELIVERED": Delivery.FAILED,
    "NOT_ALLOWED": Delivery.FAILED,
    "BAD_DESTINATION": Delivery.FAILED,
    "BLACKLISTED_NUMBER": Delivery.FAILED,
}
_REASONS = {
    "NOT_DELIVERED": Reason.UNREACHABLE,
    "NOT_ALLOWED": Reason.BLOCKED,
    "BAD_DESTINATION": Reason.BAD_NUMBER,
    "BLACKLISTED_NUMBER": Reason.OPTED_OUT,
}
# Octopush writes times without a zone; it is a French house.
_ZONE = ZoneInfo("Europe/Paris")


def parse(body: bytes) -> list[Event]:
    """Read a callback. One address may serve all kinds: the date of each tells them apart."""
    said = _object(body)
    if "stop_date" in said:
        return [OptOutNotice(_need(said, "number"), words=_word(said, "text"))]
    if "reception_date" in said or "answer_date" in said:
        return [_incoming(said)]
    return _report(said)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(said, dict):
        raise Malformed("The body is not a JSON object.")
    return said


def _word(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if value is not None and not isinstance(value, str | int):
        raise Malformed(f"{name} is not a text.")
    return "" if value is None else str(value)


def _need(said: dict[str, Any], name: str) -> str:
    if not (value := _word(said, name).strip()):
        raise Malformed(f"{name} is missing.")
    return value


def _incoming(said: dict[str, Any]) -> IncomingSms:
    """Read a reply. It has no id of its own: its number, text and second stand for one."""
    sender, text, to = _need(said, "number"), _word(said, "text"), _word(said, "sim_card_number")
    date = _word(said, "reception_date") or _word(said, "answer_date")
    whole = json.dumps([sender, to, text, date])
    name = hashlib.sha256(whole.encode()).hexdigest()[:40]
    return IncomingSms(sender, text, name, to=to, at=_moment(date))


def _report(said: dict[str, Any]) -> list[Event]:
    status, number = _need(said, "status"), _need(said, "number")
    name = name_of(_need(said, "message_id"), number)
    state = _STATES.get(status)
    if state is None:
        return []
    failed = state is Delivery.FAILED
    report = StatusReport(
        state,
        provider_id=name,
        reason=_REASONS[status] if failed else "",
        code=status if failed else "",
        at=_moment(_word(said, "delivery_date")),
    )
    return [report, OptOutNotice(number, status)] if status == "BLACKLISTED_NUMBER" else [report]


def _moment(written: str) -> datetime | None:
    """Read "2026-11-20 15:42:00"; None for anything else."""
    try:
        return datetime.strptime(written, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_ZONE)
    except ValueError:
        return None
