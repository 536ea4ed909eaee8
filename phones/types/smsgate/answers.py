"""What SMSGate's answers mean."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from phones.base import (
    BadAnswer,
    BadNumber,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    Rejected,
    Temporary,
    Throttled,
)

_BY_STATUS: dict[int, type[PhoneError]] = {
    401: Misconfigured,
    402: NoCredit,
    403: Misconfigured,
    404: Misconfigured,
    405: Misconfigured,
    429: Throttled,
    503: Temporary,  # its queue for the handset is full
}


def refusal(answer: Answer, *, safe: bool) -> PhoneError:
    """Give the error for an answer that is no success; `safe` = asking again does no harm."""
    words = _words(answer)
    kind = _BY_STATUS.get(answer.status)
    if kind is None and (answer.status == 408 or answer.status >= 500):
        kind = Temporary if safe else OutcomeUnknown
    elif kind is None and 300 <= answer.status < 400:
        kind = Misconfigured  # the API never redirects: the address is wrong
    elif kind is None:
        kind = _by_words(words)
    if issubclass(kind, Temporary):
        return kind(words, retry_after=answer.retry_after)
    return kind(words)


def is_repetition(answer: Answer) -> bool:
    """Say whether the message is refused because its id was taken before: 409, on servers."""
    return answer.status == 409 or (answer.status >= 400 and "already exists" in _words(answer))


def body_of(answer: Answer) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def object_of(answer: Answer) -> dict[str, Any]:
    body = body_of(answer)
    if not isinstance(body, dict):
        raise BadAnswer(gettext("SMSGate answered something that is not a JSON object."))
    return body


def devices_of(answer: Answer) -> list[dict[str, Any]]:
    body = body_of(answer)
    if not isinstance(body, list):
        raise BadAnswer(gettext("SMSGate answered something that is not a list of handsets."))
    return [item for item in body if isinstance(item, dict) and not item.get("deletedAt")]


def _words(answer: Answer) -> str:
    body = body_of(answer)
    words = body.get("message") if isinstance(body, dict) else None
    if words:
        return str(words)
    return gettext("SMSGate answered HTTP %(status)s, without a word.") % {"status": answer.status}


def _by_words(words: str) -> type[PhoneError]:
    """Tell refusals apart that have one status: “No devices registered”, “invalid phone number”."""
    lower = words.lower()
    if "phone number" in lower:
        return BadNumber
    return Misconfigured if "device" in lower else Rejected
