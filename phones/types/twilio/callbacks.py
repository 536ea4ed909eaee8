"""What Twilio calls us for: delivery reports, incoming messages, calls; and what we answer."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import count, takewhile

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from phones.base import (
    BadSignature,
    Callback,
    Delivery,
    Event,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    OptOutNotice,
    Reply,
    StatusReport,
)
from phones.types.twilio.codes import reason_for

# Asks Twilio to call again (at most 3 times) when we did not answer, or answered 5xx; by default it
# does so only when it could not connect. Not part of the signature.
# https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
RETRY = "#rc=3&rp=ct,rt,5xx"
# The other states (accepted, queued, scheduled, sending) are older news than “sent”.
STATES = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}
_CALL_OVER = {"completed", "busy", "no-answer", "failed", "canceled"}
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


def verify(callback: Callback, *, token: str, shared: str) -> None:
    """Raise BadSignature unless Twilio signed it, with the auth token or the account's shared key."""
    header = callback.headers.get(SIGNATURE_SETTINGS_HEADER.lower(), "")
    judge = RequestValidator(shared if header and shared else token)
    algorithm = get_signature_algorithm(header)
    signature = callback.headers.get(SIGNATURE_HEADER.lower(), "")
    # The parameters of a GET are in the address already.
    form = _Form({} if callback.method == "GET" else callback.form)
    # Twilio signs without the fragment; compatible servers sign what they were given.
    for url in (callback.url, callback.url + RETRY):
        if judge.validate(url, form, signature, algorithm):
            return
    raise BadSignature


def parse(endpoint: str, callback: Callback) -> list[Event]:
    if endpoint == "status":
        return _report(callback)
    if endpoint == "incoming":
        return _incoming(callback)
    return _call(callback)


def reply(endpoint: str) -> Reply:
    if endpoint == "incoming":
        return Reply(content_type="text/xml", body=f"{_XML}<Response/>")
    if endpoint == "call":
        # Not answered, so not billed.
        body = f'{_XML}<Response><Reject reason="busy"/></Response>'
        return Reply(content_type="text/xml", body=body)
    return Reply()


class _Form(dict[str, list[str]]):
    """A form as the SDK's validator likes it: with every value of a repeated name."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _report(callback: Callback) -> list[Event]:
    status = callback.first("MessageStatus") or callback.need("SmsStatus")
    state = STATES.get(status)
    if state is None:
        return []
    failed = state is Delivery.FAILED
    code = callback.first("ErrorCode") if failed else ""
    return [
        StatusReport(
            state=state,
            provider_id=callback.first("MessageSid") or callback.need("SmsSid"),
            reference=next(iter(callback.query.get("message", [])), ""),
            reason=reason_for(code) if failed else "",
            code=code,
            words=(callback.first("ErrorMessage") or status) if failed else "",
        )
    ]


def _incoming(callback: Callback) -> list[Event]:
    sender = callback.need("From")
    text = callback.first("Body")
    places = (callback.first(f"MediaUrl{number}") for number in count())
    sms = IncomingSms(
        sender=sender,
        text=text,
        provider_id=callback.first("MessageSid") or callback.need("SmsSid"),
        to=callback.first("To"),
        media=tuple(
            IncomingMedia(url, callback.first(f"MediaContentType{number}"))
            for number, url in enumerate(takewhile(bool, places))
        ),
    )
    asked = callback.first("OptOutType")
    if asked in ("STOP", "START"):
        return [sms, OptOutNotice(sender, words=text, again=asked == "START")]
    return [sms]


def _call(callback: Callback) -> list[Event]:
    if callback.first("Direction").startswith("outbound"):
        return []
    status = callback.first("CallStatus")
    seconds = callback.first("CallDuration")
    return [
        IncomingCall(
            # Who hides the number still rang.
            caller=callback.first("From") or "anonymous",
            provider_id=callback.need("CallSid"),
            ended=status in _CALL_OVER,
            seconds=int(seconds) if seconds.isdecimal() else None,
            outcome=status,
            at=_moment(callback.first("Timestamp")),
        )
    ]


def _moment(written: str) -> datetime | None:
    """Read "Fri, 20 Nov 2026 15:42:00 +0000"; None for anything else or without a zone."""
    try:
        at = parsedate_to_datetime(written)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None
