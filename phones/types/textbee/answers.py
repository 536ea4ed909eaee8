"""What textbee's answers mean."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from phones.base import (
    BadAnswer,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
    Throttled,
)

# Seconds until another try when the plan's messages of the day or month are used up.
_LIMIT_REACHED = 3600.0
_BY_STATUS: dict[int, type[PhoneError]] = {
    401: Misconfigured,
    402: NoCredit,
    403: Misconfigured,
    404: Misconfigured,
    429: Throttled,
}


def sent(answer: Answer) -> Sent:
    data = data_of(answer)
    if isinstance(data, dict):
        if data.get("success") is False:
            raise _by_words(_words(answer))(_words(answer))
        if data.get("smsBatchId"):
            return Sent(str(data["smsBatchId"]))
        if isinstance(data.get("successCount"), int) and data["successCount"] > 0:
            # A server that runs without its queue pushes at once and does not name the message.
            return Sent("")
    raise BadAnswer(gettext("textbee took the message without naming it."))


def data_of(answer: Answer) -> Any:
    """Give the `data` of an answer. Raises BadAnswer when there is none."""
    body = _body(answer)
    if "data" not in body:
        raise BadAnswer(gettext("textbee answered something that is not what it promises."))
    return body["data"]


def refusal(answer: Answer, *, sending: bool) -> PhoneError:
    """Give the error for an answer that is no success; `sending` = it may have made a message."""
    words = _words(answer)
    kind = _BY_STATUS.get(answer.status)
    if kind is None and (answer.status == 408 or answer.status >= 500):
        kind = OutcomeUnknown if sending else Temporary
    elif kind is None and 300 <= answer.status < 400:
        kind = Misconfigured  # the API never redirects: the address is wrong
    elif kind is None:
        kind = _by_words(words)
    if issubclass(kind, Temporary):
        after = _LIMIT_REACHED if _body(answer).get("hasReachedLimit") else None
        return kind(words, retry_after=answer.retry_after or after)
    return kind(words)


def _by_words(words: str) -> type[PhoneError]:
    """Tell apart what textbee answers with one status, 400."""
    lower = words.lower()
    if "failed to send sms" in lower:
        # Said both when the push was refused and when it broke off.
        return OutcomeUnknown
    if "failed to create sms batch" in lower:
        return Temporary  # nothing was made yet
    if "device" in lower or "verify your email" in lower:
        return Misconfigured
    return Rejected


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _words(answer: Answer) -> str:
    """Give textbee's words: `error` or `message`, at the top or in `data`, one or several."""
    body = _body(answer)
    data = body.get("data")
    for said in (body, data if isinstance(data, dict) else {}):
        words = said.get("error") or said.get("message")
        if words:
            return " ".join(map(str, words)) if isinstance(words, list) else str(words)
    return gettext("textbee answered HTTP %(status)s, without a word.") % {"status": answer.status}
