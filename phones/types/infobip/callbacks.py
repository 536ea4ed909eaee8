"""What Infobip calls us for: delivery reports and incoming messages, several in one callback."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from lib import e164
from lib.money import millionths
from phones.base import (
    Callback,
    Delivery,
    Event,
    IncomingMedia,
    IncomingSms,
    Malformed,
    OptOutNotice,
    Reason,
    StatusReport,
)
from phones.types.infobip import codes


def parse(endpoint: str, callback: Callback) -> list[Event]:
    """Read every result that can be read: one bad one must not hold up the others for ever."""
    read = _report if endpoint == "status" else _incoming
    events: list[Event] = []
    wrong: Malformed | None = None
    for result in _results(callback):
        try:
            events += read(result)
        except Malformed as error:
            wrong = error
    if wrong and not events:
        raise wrong
    return events


def _results(callback: Callback) -> list[Any]:
    try:
        said = json.loads(callback.body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    results = said.get("results") if isinstance(said, dict) else None
    if not isinstance(results, list):
        raise Malformed("results is missing.")
    return results


def _report(result: Any) -> list[Event]:
    status = _object(result, "status")
    error = result.get("error")
    error = error if isinstance(error, dict) and error.get("id") else {}
    uuid = _text(result, "messageId")
    if not uuid:
        raise Malformed("messageId is missing.")
    state = codes.state(status)
    if state is None:
        return []
    failed = state is Delivery.FAILED
    why = error or status
    reason = codes.reason(status, error) if failed else Reason.NONE
    said, count = result.get("price"), codes.number(result, "messageCount")
    said = said if isinstance(said, dict) else {}
    # “Price per one SMS message”, of which a long text has several.
    price = millionths(said.get("pricePerMessage"))
    report = StatusReport(
        state=state,
        provider_id=uuid,
        reference=_text(result, "callbackData"),
        reason=reason,
        code=_text(why, "name") if failed else "",
        words=(_text(why, "description") or _text(why, "name")) if failed else "",
        at=_moment(result.get("doneAt")),
        segments=count if count > 0 else None,
        cost=None if price is None else price * max(1, count),
        currency=_text(said, "currency"),
    )
    if reason == Reason.OPTED_OUT and (number := _text(result, "to")):
        return [report, OptOutNotice(e164.international(number), words=report.words)]
    return [report]


def _incoming(result: Any) -> list[Event]:
    if not isinstance(result, dict):
        raise Malformed("A result is not an object.")
    sender, uuid = _text(result, "from"), _text(result, "messageId")
    if not sender or not uuid:
        raise Malformed(f"{'messageId' if sender else 'from'} is missing.")
    parts = result.get("message")
    parts = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [
        IncomingSms(
            sender=e164.international(sender),
            text=_text(result, "text") or _words(parts),
            provider_id=uuid,
            to=e164.international(_text(result, "to")),
            media=tuple(
                IncomingMedia(_text(part, "url"), _text(part, "contentType"))
                for part in parts
                if _text(part, "url")
            ),
            at=_moment(result.get("receivedAt")),
        )
    ]


def _words(parts: list[dict[str, Any]]) -> str:
    """Give the text of a picture message, which comes in parts of their own."""
    texts = [part for part in parts if _text(part, "contentType").startswith("text/")]
    return "\n".join(_text(part, "value") for part in texts)


def _object(said: Any, name: str) -> dict[str, Any]:
    found = said.get(name) if isinstance(said, dict) else None
    if not isinstance(found, dict):
        raise Malformed(f"{name} is missing.")
    return found


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return "" if value is None else str(value)


def _moment(written: object) -> datetime | None:
    """Read "2026-11-20T15:42:00.000+0000"; None for anything else or without a zone."""
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return at if at.tzinfo else None
