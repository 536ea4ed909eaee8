"""What Plivo calls us for: delivery reports, incoming messages, calls; and what we answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext

from lib import e164
from lib.money import millionths
from phones.base import (
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    OptOutNotice,
    Reason,
    Reply,
    StatusReport,
)

_STATES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
    "undelivered": Delivery.FAILED,
    "rejected": Delivery.FAILED,
}
# https://www.plivo.com/docs/messaging/troubleshooting/error-codes; other codes are “refused”.
_STOPPED = "200"
_REASONS = {
    "20": Reason.UNREACHABLE,
    "30": Reason.BLOCKED,
    "50": Reason.BAD_NUMBER,
    "70": Reason.BAD_NUMBER,
    "80": Reason.UNREACHABLE,
    "100": Reason.BLOCKED,
    _STOPPED: Reason.OPTED_OUT,
    "201": Reason.BLOCKED,
    "420": Reason.EXPIRED,
}
_INTENTS = {"optout": False, "optin": True}


def verify(callback: Callback, token: str) -> None:
    """Raise BadSignature unless Plivo signed it: calls in version 3, messages in version 2."""
    # Version 2 covers neither the query nor the form.
    signed = {"v3": f"{_signed_in_v3(callback)}.", "v2": callback.url.partition("?")[0]}
    for version, text in signed.items():
        given = callback.headers.get(f"x-plivo-signature-{version}", "")
        nonce = callback.headers.get(f"x-plivo-signature-{version}-nonce", "")
        digest = hmac.new(token.encode(), f"{text}{nonce}".encode(), hashlib.sha256).digest()
        right = base64.b64encode(digest)
        if any(hmac.compare_digest(one.strip().encode(), right) for one in given.split(",")):
            return
    raise BadSignature(gettext("Plivo's signature is missing or does not fit."))


def parse(endpoint: str, callback: Callback) -> list[Event]:
    if endpoint == "status":
        return _report(callback)
    if endpoint == "incoming":
        return _incoming(callback)
    return _call(callback, ended=endpoint == "call_end")


def reply(endpoint: str) -> Reply:
    if endpoint == "incoming":
        return Reply(content_type="text/xml", body="<Response/>")
    if endpoint == "call":
        # Not answered, so not billed.
        return Reply(content_type="text/xml", body='<Response><Hangup reason="busy"/></Response>')
    return Reply()


def _signed_in_v3(callback: Callback) -> str:
    """Give the address with its sorted query, and after it the sorted form, as Plivo signs calls."""
    text = callback.url.partition("?")[0]
    query = "&".join(f"{name}={value}" for name, value in _sorted(callback.query))
    form = {} if callback.method == "GET" else callback.form
    if query or form:
        text += f"?{query}"
    if query and form:
        text += "."
    return text + "".join(f"{name}{value}" for name, value in _sorted(form))


def _sorted(values: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name in sorted(values) for value in sorted(values[name])]


def _report(callback: Callback) -> list[Event]:
    status = callback.need("Status")
    state = _STATES.get(status.lower())
    uuid = callback.need("MessageUUID")
    if state is None:
        return []
    code = callback.first("ErrorCode") if state is Delivery.FAILED else ""
    reason = _REASONS.get(code, Reason.REJECTED if code else Reason.NONE)
    cost, units = millionths(callback.first("TotalAmount")), callback.first("Units")
    happened = "DeliveryReportTime" if state is Delivery.DELIVERED else "SentTime"
    report = StatusReport(
        state=state,
        provider_id=uuid,
        reference=next(iter(callback.query.get("message", [])), ""),
        reason=reason,
        code=code,
        words=status if state is Delivery.FAILED else "",
        at=None if state is Delivery.FAILED else _moment(callback.first(happened)),
        segments=int(units) if re.fullmatch(r"[0-9]{1,3}", units) else None,
        # Of all units together; Plivo keeps its accounts in US dollars.
        cost=cost,
        currency="" if cost is None else "USD",
    )
    if code == _STOPPED and (number := callback.first("To")):
        return [report, OptOutNotice(e164.international(number))]
    return [report]


def _incoming(callback: Callback) -> list[Event]:
    sender = e164.international(callback.need("From"))
    # Pictures come with a Body, everything else with a Text.
    text = callback.first("Text") or callback.first("Body")
    sms = IncomingSms(
        sender=sender,
        text=text,
        provider_id=callback.need("MessageUUID"),
        to=e164.international(callback.first("To")),
        media=_media(callback),
    )
    intent = callback.first("MessageIntent").lower()
    if intent in _INTENTS:
        return [sms, OptOutNotice(sender, words=text, again=_INTENTS[intent])]
    return [sms]


def _media(callback: Callback) -> tuple[IncomingMedia, ...]:
    """Give Media0, Media1, … in order; some pages of Plivo begin with 1."""
    names = {*callback.form, *callback.query}
    found = sorted(
        (int(name[5:]), name) for name in names if re.fullmatch(r"Media[0-9]{1,3}", name)
    )
    return tuple(IncomingMedia(callback.first(name)) for _at, name in found if callback.first(name))


def _call(callback: Callback, *, ended: bool) -> list[Event]:
    if callback.first("Direction") == "outbound":
        return []
    status, seconds = callback.first("CallStatus"), callback.first("Duration")
    caller = callback.first("From")
    return [
        IncomingCall(
            # Who hides the number still rang.
            caller=e164.international(caller) if caller else "anonymous",
            provider_id=callback.need("CallUUID"),
            ended=ended,
            seconds=int(seconds) if re.fullmatch(r"[0-9]{1,9}", seconds) else None,
            outcome=status,
        )
    ]


def digits(number: str) -> str:
    return number.strip().removeprefix("+")


def _moment(written: str) -> datetime | None:
    """Read an ISO time with its zone; None for anything else."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo else None
