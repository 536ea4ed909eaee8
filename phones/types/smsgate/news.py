"""What the app tells: messages that came in, and what became of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from phones.base import (
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Reason,
    StatusReport,
)

_STATES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
    "cancelled": Delivery.FAILED,
}
# TP-Status of 3GPP TS 23.040 §9.2.3.15, as the app repeats it: 70 = validity period expired,
# 96 and above = the service centre gave up.
_FROM_CENTRE = re.compile(r"Delivery result from SC .*: (\d+)$")
_EXPIRED, _GAVE_UP = 70, 96
_ANDROID = re.compile(r"RESULT_[A-Z_]+")
_REASONS = {
    "RESULT_ERROR_FDN_CHECK_FAILURE": Reason.BLOCKED,
    "RESULT_ERROR_SHORT_CODE_NOT_ALLOWED": Reason.BLOCKED,
    "RESULT_ERROR_SHORT_CODE_NEVER_ALLOWED": Reason.BLOCKED,
}


def verify(callback: Callback, key: str) -> None:
    """Raise BadSignature unless the app signed it with `key`."""
    # It signs at each try anew. Types do not know the time, and a repetition is harmless.
    signed = callback.body + callback.headers.get("x-timestamp", "").encode()
    right = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
    given = callback.headers.get("x-signature", "").lower()
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise BadSignature("X-Signature does not fit. Compare the signing key with the app's.")


def parse(endpoint: str, callback: Callback, device: str) -> list[Event]:
    """Read a callback; what another handset than `device` tells, if one is named, is left out."""
    said = _said(callback)
    event, payload = str(said.get("event", "")), said.get("payload")
    if not isinstance(payload, dict):
        raise Malformed("payload is missing.")
    told_by = said.get("deviceId")
    if device and told_by and told_by != device:
        return []
    if endpoint == "incoming":
        return _incoming(event, said, payload)
    return _report(event, payload)


def fate_of(name: str, message: Mapping[str, Any]) -> list[Event]:
    """Read what the API says of the message that it calls `name`."""
    recipients = message.get("recipients")
    first = recipients[0] if isinstance(recipients, list) and recipients else {}
    recipient = first if isinstance(first, dict) else {}
    state = str(recipient.get("state") or message.get("state") or "")
    times = message.get("states")
    at = times.get(state) if isinstance(times, dict) else None
    return _fate(name, state.lower(), str(recipient.get("error") or ""), moment(at))


def _said(callback: Callback) -> dict[str, Any]:
    try:
        said = json.loads(callback.body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(said, dict):
        raise Malformed("The body is not a JSON object.")
    return said


def _incoming(event: str, said: Mapping[str, Any], payload: Mapping[str, Any]) -> list[Event]:
    read = _TEXTS.get(event)
    if read is None:
        return []
    # Apps before 2026 name the other side `phoneNumber` in all directions.
    sender = payload.get("sender") or payload.get("phoneNumber")
    # Two messages with one content share their `messageId`; the event's own id is unique.
    if not sender or not said.get("id"):
        raise Malformed("sender or id is missing.")
    return [
        IncomingSms(
            # Picture messages name it with its kind: +33612345678/TYPE=PLMN.
            sender=str(sender).partition("/TYPE=")[0],
            text=read(payload),
            provider_id=str(said["id"]),
            to=str(payload.get("recipient") or ""),
            media=tuple(_media(payload)),
            at=moment(payload.get("receivedAt")),
        )
    ]


def _text(payload: Mapping[str, Any]) -> str:
    return str(payload.get("message") or "")


def _notice(payload: Mapping[str, Any]) -> str:
    """Give what stands in the inbox until a picture message is here, or for ever with older apps."""
    notice = gettext("(A picture message. It follows, or it stays on the handset.)")
    return " ".join(filter(None, [str(payload.get("subject") or ""), notice]))


def _caption(payload: Mapping[str, Any]) -> str:
    said = [payload.get("subject"), payload.get("body")]
    if len(list(_media(payload))) < len(list(_files(payload))):
        said.append(gettext("(A file of this message stayed on the handset.)"))
    return "\n".join(str(words) for words in said if words)


_TEXTS = {"sms:received": _text, "mms:received": _notice, "mms:downloaded": _caption}


def _files(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    listed = payload.get("attachments")
    for item in listed if isinstance(listed, list) else ():
        # SMIL says only where on the screen the others stand.
        if isinstance(item, dict) and item.get("contentType") != "application/smil":
            yield item


def _media(payload: Mapping[str, Any]) -> Iterator[IncomingMedia]:
    for item in _files(payload):
        try:
            content = base64.b64decode(str(item.get("data") or ""))
        except ValueError:
            continue
        if content:
            yield IncomingMedia(content_type=str(item.get("contentType") or ""), content=content)


def _report(event: str, payload: Mapping[str, Any]) -> list[Event]:
    if not payload.get("messageId"):
        raise Malformed("messageId is missing.")
    state = event.removeprefix("sms:")
    at = moment(payload.get(f"{state}At"))
    return _fate(str(payload["messageId"]), state, str(payload.get("reason") or ""), at)


def _fate(name: str, state: str, words: str, at: datetime | None) -> list[Event]:
    known = _STATES.get(state)
    if known is None:
        return []
    if known is not Delivery.FAILED:
        return [StatusReport(known, provider_id=name, at=at)]
    code = _code(words)
    words = words or state
    return [StatusReport(known, name, reason=_reason(words, code), code=code, words=words, at=at)]


def _code(words: str) -> str:
    found = _ANDROID.search(words)
    if found:
        return found[0]
    centre = _FROM_CENTRE.search(words)
    return centre[1] if centre else ""


def _reason(words: str, code: str) -> Reason:
    if "TTL expired" in words or code == str(_EXPIRED):
        return Reason.EXPIRED
    if code.isdecimal() and int(code) >= _GAVE_UP:
        return Reason.UNREACHABLE
    return _REASONS.get(code, Reason.REJECTED)


def moment(written: Any) -> datetime | None:
    """Read "2026-11-20T15:42:00.000+07:00"; None for anything else or without a zone."""
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return at if at.tzinfo else None
