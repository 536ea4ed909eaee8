"""What Vonage calls us for. Either API's callbacks are read, whichever the phone sends with."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from lib import e164
from lib.money import millionths
from phones.base import (
    Callback,
    Delivery,
    Event,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Malformed,
    OptOutNotice,
    Part,
    Reason,
    StatusReport,
)
from phones.types.vonage.codes import REASONS
from phones.types.vonage.messages_api import code_of

_STATES = {
    # The Messages API says these …
    "submitted": Delivery.SENT,
    "read": Delivery.DELIVERED,
    "undeliverable": Delivery.FAILED,
    # … the SMS API these, and both some of them.
    "accepted": Delivery.SENT,
    "buffered": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "expired": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "rejected": Delivery.FAILED,
}
_MEDIA = ("image", "audio", "video", "file", "vcard")
_CALL_OVER = {
    "completed",
    "busy",
    "cancelled",
    "disconnected",
    "failed",
    "rejected",
    "timeout",
    "unanswered",
}


def fields_of(callback: Callback) -> dict[str, Any]:
    """Give what was said, in whichever of the three ways an account may choose. Raises Malformed."""
    said = {name: values[0] for name, values in {**callback.query, **callback.form}.items()}
    if callback.form or not callback.body:
        return said
    try:
        body = json.loads(callback.body)
    except ValueError:
        raise Malformed("The body is neither a form nor JSON.") from None
    if not isinstance(body, dict):
        raise Malformed("The body is not a JSON object.")
    return {**said, **body}


def parse(endpoint: str, callback: Callback) -> list[Event]:
    said = fields_of(callback)
    if endpoint == "status":
        return _report(said)
    if endpoint == "incoming":
        return _message(said) if "message_uuid" in said else _sms(said)
    return _call(said, has_rung=endpoint == "call")


def _report(said: dict[str, Any]) -> list[Event]:
    status = _need(said, "status")
    uuid = _text(said, "message_uuid") or _need(said, "messageId")
    state = _STATES.get(status)
    if state is None:
        return []
    failed = state is Delivery.FAILED
    error = said.get("error") if isinstance(said.get("error"), dict) else {}
    code = (_text(said, "err-code") or code_of(error or {})) if failed else ""
    reason = Reason.NONE
    if failed:
        usual = Reason.EXPIRED if status == "expired" else Reason.REJECTED
        reason = REASONS.get(code, usual)
    cost, currency = _usage(said)
    parts = said.get("sms")
    report = StatusReport(
        state=state,
        provider_id=uuid,
        reference=_text(said, "client_ref") or _text(said, "client-ref"),
        reason=reason,
        code=code,
        words=(_text(error or {}, "detail") or status) if failed else "",
        at=_moment(_text(said, "timestamp")) or _moment(_text(said, "message-timestamp")),
        segments=_count(parts) if isinstance(parts, dict) else None,
        cost=cost,
        currency=currency,
    )
    # The SMS API calls the person msisdn, and us “to”.
    person = _text(said, "msisdn") or _text(said, "to")
    if reason == Reason.OPTED_OUT and person:
        return [report, OptOutNotice(e164.international(person), words=report.words)]
    return [report]


def _usage(said: dict[str, Any]) -> tuple[int | None, str]:
    """Give what the Messages API says a whole message has cost.

    The `price` of the SMS API is that of one segment: its answer has told the sum already.
    """
    usage = said.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return millionths(usage.get("price")), _text(usage, "currency")


def _count(parts: dict[str, Any]) -> int | None:
    written = _text(parts, "count_total")
    return int(written) if re.fullmatch(r"[0-9]{1,3}", written) else None


def _message(said: dict[str, Any]) -> list[Event]:
    """Read a message of the Messages API, which has joined its parts."""
    contents = said.get("content")
    items = [(kind, said.get(kind)) for kind in _MEDIA]
    if isinstance(contents, list):
        items += [(_text(item, "type"), item) for item in contents if isinstance(item, dict)]
    found = [(kind, item) for kind, item in items if isinstance(item, dict)]
    captions = [_text(item, "caption") or _text(item, "text") for _kind, item in found]
    return [
        IncomingSms(
            sender=e164.international(_need(said, "from")),
            text=_text(said, "text") or "\n".join(filter(None, captions)),
            provider_id=_need(said, "message_uuid"),
            to=e164.international(_text(said, "to")),
            media=tuple(
                IncomingMedia(_text(item, "url")) for _kind, item in found if _text(item, "url")
            ),
            at=_moment(_text(said, "timestamp")),
        )
    ]


def _sms(said: dict[str, Any]) -> list[Event]:
    """Read a message of the SMS API, or a part of one."""
    text = _text(said, "text")
    if _text(said, "type") == "binary":
        text = _text(said, "data")
    return [
        IncomingSms(
            sender=e164.international(_need(said, "msisdn")),
            text=text,
            provider_id=_need(said, "messageId"),
            to=e164.international(_text(said, "to")),
            at=_moment(_text(said, "message-timestamp")),
            part=_part(said),
        )
    ]


def _part(said: dict[str, Any]) -> Part | None:
    number, total = _text(said, "concat-part"), _text(said, "concat-total")
    counted = all(re.fullmatch(r"[0-9]{1,3}", count) for count in (number, total))
    if _text(said, "concat").lower() != "true" or not counted:
        return None
    return Part(_text(said, "concat-ref"), int(number), int(total))


def _call(said: dict[str, Any], *, has_rung: bool) -> list[Event]:
    status, seconds = _text(said, "status"), _text(said, "duration")
    if _text(said, "direction") == "outbound" or not (has_rung or status in _CALL_OVER):
        return []
    caller = _text(said, "from")
    return [
        IncomingCall(
            # Who hides the number still rang.
            caller=e164.international(caller) if caller else "anonymous",
            provider_id=_need(said, "uuid"),
            ended=not has_rung,
            seconds=int(seconds) if re.fullmatch(r"[0-9]{1,9}", seconds) else None,
            outcome=status,
            at=_moment(_text(said, "end_time")) or _moment(_text(said, "timestamp")),
        )
    ]


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _need(said: dict[str, Any], name: str) -> str:
    if not (value := _text(said, name)):
        raise Malformed(f"{name} is missing.")
    return value


def _moment(written: str) -> datetime | None:
    """Read "2026-11-20T15:42:00.000Z", or "2026-11-20 15:42:00", which is UTC; else None."""
    # A number alone is seconds since 1970, which nobody needs beside the other time.
    if not re.match(r"\d{4}-\d\d-\d\d[T ]", written):
        return None
    try:
        at = datetime.fromisoformat(written.replace(" +", "+"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
