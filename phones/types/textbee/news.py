"""What textbee tells: messages that came in, and what became of ours."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from phones.base import (
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingSms,
    Malformed,
    Reason,
    StatusReport,
)

_RECEIVED = "MESSAGE_RECEIVED"
EVENTS = [_RECEIVED, "MESSAGE_SENT", "MESSAGE_DELIVERED", "MESSAGE_FAILED"]
_STATES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
}


def verify(callback: Callback, secret: str) -> None:
    """Raise BadSignature unless textbee signed the body with `secret`."""
    right = hmac.new(secret.encode(), callback.body, hashlib.sha256).hexdigest()
    given = callback.headers.get("x-signature", "").lower()
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise BadSignature("X-Signature does not fit. Compare the signing secret with textbee's.")


def parse(callback: Callback, device: str) -> list[Event]:
    """Read a callback; what another handset than `device` tells is left out."""
    try:
        said = json.loads(callback.body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(said, dict):
        raise Malformed("The body is not a JSON object.")
    # A webhook belongs to the account and tells of all its handsets.
    if said.get("deviceId") not in (None, "", device):
        return []
    event = str(said.get("webhookEvent", ""))
    if event == _RECEIVED:
        return [_incoming(said, "smsId")]
    # MESSAGE_SENT says so in its name, SMS_STATUS_UPDATED in `status`.
    state = event.removeprefix("MESSAGE_").lower()
    if state not in _STATES:
        state = str(said.get("status", "")).lower() if event == "SMS_STATUS_UPDATED" else ""
    return _report(str(said.get("smsBatchId") or ""), state, said)


def came_in(message: Mapping[str, Any]) -> list[Event]:
    """Read a message of the API's list as the event that told of it."""
    try:
        return [_incoming(message, "_id")]
    except Malformed:
        return []  # nobody can be told; the others must not suffer from it


def fate_of(batch: str, message: Mapping[str, Any]) -> list[Event]:
    """Read what the API says of the one message of a batch."""
    return _report(batch, str(message.get("status", "")).lower(), message)


def _incoming(said: Mapping[str, Any], name: str) -> IncomingSms:
    if not said.get("sender") or not said.get(name):
        raise Malformed(f"sender or {name} is missing.")
    return IncomingSms(
        sender=str(said["sender"]),
        text=str(said.get("message") or ""),
        provider_id=str(said[name]),
        at=moment(said.get("receivedAt")),
    )


def _report(batch: str, status: str, said: Mapping[str, Any]) -> list[Event]:
    state = _STATES.get(status)
    if state is None:
        return []
    if not batch:
        raise Malformed("smsBatchId is missing.")
    at = moment(said.get(f"{status}At"))
    if state is not Delivery.FAILED:
        return [StatusReport(state, batch, at=at)]
    code = str(said.get("errorCode") or "")
    words = str(said.get("errorMessage") or status)
    return [StatusReport(state, batch, reason=Reason.REJECTED, code=code, words=words, at=at)]


def moment(written: Any) -> datetime | None:
    """Read "2026-11-20T12:00:00.000Z"; None for anything else or without a zone."""
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return at if at.tzinfo else None
