"""What httpSMS tells: messages and missed calls that came in, and what became of ours."""

from __future__ import annotations

import base64
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
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Reason,
    StatusReport,
)

_REPORTS = {
    "message.phone.sent": Delivery.SENT,
    "message.phone.delivered": Delivery.DELIVERED,
    "message.send.failed": Delivery.FAILED,
    "message.send.expired": Delivery.FAILED,
}
EVENTS = ["message.phone.received", *_REPORTS, "message.call.missed"]
# The same in what the API lists.
_STATES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
    "expired": Delivery.FAILED,
}
_KINDS = {"mobile-originated": "message.phone.received", "call/missed": "message.call.missed"}


def verify(callback: Callback, key: str) -> None:
    """Raise BadSignature unless it brings a token for its address, signed with `key`."""
    # A type does not know the time, so the token's is not looked at: it is for one address only,
    # and whatever it brings is stored once.
    scheme, _space, token = callback.headers.get("authorization", "").partition(" ")
    claims = _claims(token, key)
    if scheme != "Bearer" or claims is None:
        raise BadSignature("The token is missing or not signed with the signing key.")
    meant = claims.get("aud")
    audience = meant if isinstance(meant, list) else [meant]
    if callback.url.rstrip("/") not in [str(item).rstrip("/") for item in audience]:
        raise BadSignature("The token is meant for another address. Is PUBLIC_URL right?")


def _claims(token: str, key: str) -> dict[str, Any] | None:
    """Give what a JSON Web Token says (RFC 7519), None unless `key` signed it with HS256."""
    signed, _dot, signature = token.rpartition(".")
    head, _dot, payload = signed.partition(".")
    right = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    try:
        if not hmac.compare_digest(_decoded(signature), right):
            return None
        header, claims = json.loads(_decoded(head)), json.loads(_decoded(payload))
    except ValueError:
        return None
    is_ours = isinstance(header, dict) and header.get("alg") == "HS256"
    return claims if is_ours and isinstance(claims, dict) else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def parse(callback: Callback, number: str) -> list[Event]:
    """Read a callback; what concerns another handset than that of `number` is left out."""
    try:
        said = json.loads(callback.body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, dict):
        raise Malformed("data is missing.")
    # An account may have several handsets, and hand-made webhooks tell of all.
    if data.get("owner") not in (None, "", number):
        return []
    return _events(str(said.get("type", "")), data)


def came_in(message: Mapping[str, Any]) -> list[Event]:
    """Read a message of the API's list as the event that told of it; nothing for our own ones."""
    at = message.get("received_at") or message.get("order_timestamp")
    event = {**message, "message_id": message.get("id"), "timestamp": at}
    try:
        return _events(_KINDS.get(str(message.get("type")), ""), event)
    except Malformed:
        return []  # nobody can be told; the others must not suffer from it


def fate_of(message: Mapping[str, Any]) -> list[Event]:
    """Read what the API says of a message of ours."""
    status = str(message.get("status", ""))
    state = _STATES.get(status)
    if state is None:
        return []
    words = str(message.get("failure_reason") or "")
    return [_report(state, message, words, moment(message.get(f"{status}_at")), status)]


def _events(kind: str, data: Mapping[str, Any]) -> list[Event]:
    if kind == "message.phone.received":
        return [_incoming(data)]
    if kind == "message.call.missed":
        return [_missed(data)]
    # Not yet the end: httpSMS tries the handset again.
    if kind not in _REPORTS or data.get("is_final") is False:
        return []
    words = str(data.get("error_message") or "")
    return [_report(_REPORTS[kind], data, words, moment(data.get("timestamp")), kind)]


def _incoming(data: Mapping[str, Any]) -> IncomingSms:
    given = data.get("attachments")
    return IncomingSms(
        sender=_need(data, "contact"),
        text=str(data.get("content") or ""),
        provider_id=_need(data, "message_id"),
        to=str(data.get("owner") or ""),
        media=tuple(IncomingMedia(str(url)) for url in given or ())
        if isinstance(given, list)
        else (),
        at=moment(data.get("timestamp")),
    )


def _missed(data: Mapping[str, Any]) -> IncomingCall:
    return IncomingCall(
        # Who hides the number still rang.
        caller=str(data.get("contact") or "anonymous"),
        provider_id=_need(data, "message_id"),
        ended=True,
        outcome="missed",
        at=moment(data.get("timestamp")),
    )


def _report(
    state: Delivery, data: Mapping[str, Any], words: str, at: datetime | None, kind: str
) -> StatusReport:
    # `id` in most events, `message_id` in the others.
    name = str(data.get("id") or "") or _need(data, "message_id")
    reference = str(data.get("request_id") or "")
    if state is not Delivery.FAILED:
        return StatusReport(state, name, reference, at=at)
    is_late = kind.endswith("expired")
    reason = Reason.EXPIRED if is_late else Reason.REJECTED
    return StatusReport(state, name, reference, reason, words=words or kind, at=at)


def _need(data: Mapping[str, Any], name: str) -> str:
    if not data.get(name):
        raise Malformed(f"{name} is missing.")
    return str(data[name])


def moment(written: Any) -> datetime | None:
    """Read "2026-11-20T12:00:00.123456789Z"; None for anything else or without a zone."""
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return at if at.tzinfo else None
