"""What httpSMS's answers mean."""

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
    429: Throttled,
}


def data_of(answer: Answer) -> Any:
    """Give the `data` of an answer. Raises BadAnswer when there is none."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "data" not in body:
        raise BadAnswer(gettext("httpSMS answered something that is not what it promises."))
    return body["data"]


def refusal(answer: Answer, *, sending: bool) -> PhoneError:
    """Give the error for an answer that is no success; `sending` = it may have made a message."""
    words, faults = _said(answer)
    kind = _BY_STATUS.get(answer.status)
    if kind is None and (answer.status == 408 or answer.status >= 500):
        kind = OutcomeUnknown if sending else Temporary
    elif kind is None and 300 <= answer.status < 400:
        kind = Misconfigured  # the API never redirects: the address is wrong
    elif kind is None:
        kind = _by_faults(words, faults)
    if issubclass(kind, Temporary):
        return kind(words, retry_after=answer.retry_after)
    return kind(words)


def _by_faults(words: str, faults: set[str]) -> type[PhoneError]:
    """Tell what 422 is about by the fields it names: the recipient, the handset, the text."""
    if "try again later" in words:
        return Temporary
    if "from" in faults:
        return Misconfigured
    return BadNumber if faults == {"to"} else Rejected


def _said(answer: Answer) -> tuple[str, set[str]]:
    """Give httpSMS's words, those about single fields included, and the names of these fields."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    data = said.get("data")
    faults = data if isinstance(data, dict) else {}
    details = [
        str(w) for words in faults.values() for w in (words if isinstance(words, list) else [words])
    ]
    words = " ".join(filter(None, [str(said.get("message") or ""), *details]))
    if not words:
        words = gettext("httpSMS answered HTTP %(status)s, without a word.")
        words = words % {"status": answer.status}
    return words, set(faults)
