"""What OVH says of messages: its delivery codes, callbacks, replies, and numbers in its own forms."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from phones.base import (
    BadAnswer,
    Callback,
    Delivery,
    Event,
    IncomingSms,
    Reason,
    StatusReport,
)

# The id of a delivery receipt.
_RECEIPTS = {
    1: Delivery.DELIVERED,
    2: Delivery.FAILED,
    4: Delivery.SENT,
    8: Delivery.SENT,
    16: Delivery.FAILED,
}
# The “ptt”, which says more; the full list is GET /sms/ptts.
_REASONS = {
    8: Reason.EXPIRED,
    **dict.fromkeys((20, 24, 25, 26), Reason.UNREACHABLE),
    **dict.fromkeys((21, 28, 29, 33), Reason.BLOCKED),
    23: Reason.BAD_NUMBER,
}
_PTTS = {
    **dict.fromkeys((1, 2, 3), Delivery.SENT),
    4: Delivery.DELIVERED,
    **dict.fromkeys((5, 27, 39, 73, 74, 76, 202, *_REASONS), Delivery.FAILED),
}
# OVH's callbacks carry times without a zone; it is a French house.
_ZONE = ZoneInfo("Europe/Paris")


def report(
    name: str, receipt: int | None, ptt: int | None, words: str = "", at: datetime | None = None
) -> StatusReport | None:
    """Give what the two codes say of a message; None while they say nothing."""
    state = _RECEIPTS.get(receipt) if receipt is not None else _PTTS.get(ptt or 0)
    if state is None:
        return None
    failed = state is Delivery.FAILED
    return StatusReport(
        state,
        provider_id=name,
        reason=_REASONS.get(ptt or 0, Reason.NONE) if failed else "",
        code=str(ptt or "") if failed else "",
        words=words if failed else "",
        at=at,
    )


def parse(callback: Callback) -> list[Event]:
    """Read a change of state. OVH's guide calls the receipt `description`, others `dlr`."""
    said = report(
        callback.need("id"),
        number(callback.first("dlr") or callback.first("description")),
        number(callback.first("ptt")),
        callback.first("descriptionDlr"),
        moment(callback.first("date")),
    )
    return [said] if said else []


def incoming(said: Any, to: str) -> IncomingSms:
    """Read a reply as OVH lists it. Raises BadAnswer."""
    if not isinstance(said, dict) or not said.get("sender") or not said.get("id"):
        raise BadAnswer(gettext("OVH listed a reply without saying whose it is."))
    return IncomingSms(
        e164(str(said["sender"])),
        str(said.get("message") or ""),
        str(said["id"]),
        to=to,
        at=moment(str(said.get("creationDatetime") or "")),
    )


def number(written: Any) -> int | None:
    """Read "4" or 4; None for anything else."""
    text = str(written)
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def moment(written: str) -> datetime | None:
    """Read an ISO 8601 time; None for anything else."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=_ZONE)


def digits(written: str) -> str:
    """Give "33612345678" for +33612345678 and 0033612345678."""
    return re.sub(r"[^0-9]", "", written).removeprefix("00")


def e164(written: str) -> str:
    """Give +33612345678 for 0033612345678; short codes and names stay."""
    return f"+{digits(written)}" if written.startswith("00") else written
