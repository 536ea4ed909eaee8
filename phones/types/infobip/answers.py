"""What Infobip's answers mean: messages taken or refused, and refusals of a whole request."""

from __future__ import annotations

from collections.abc import Sequence
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
from phones.types.infobip import codes

_BY_STATUS: dict[int, type[PhoneError]] = {
    # There is nothing else at this address: it is not Infobip's.
    **dict.fromkeys([301, 302, 307, 308, 401, 403, 404], Misconfigured),
    402: NoCredit,
    429: Throttled,
}


def in_order(said: list[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Put what is said of each message in the order of its id, if it is said with ids."""
    items = [item if isinstance(item, dict) else {} for item in said]
    by_name = {str(item.get("messageId")): item for item in items}
    if all(name in by_name for name in names):
        return [by_name[name] for name in names]
    return items


def outcome(item: dict[str, Any], name: str) -> Sent | PhoneError:
    status = status_of(item)
    uuid = str(item.get("messageId") or name)
    group = codes.number(status, "groupId")
    if group == -1 or not uuid:
        return BadAnswer(gettext("Infobip does not say what became of this message."))
    if group not in codes.TAKEN:
        return codes.refusal(status)
    details = item.get("details")
    count = codes.number(details, "messageCount") if isinstance(details, dict) else -1
    return Sent(uuid, segments=count if count > 0 else None)


def status_of(item: dict[str, Any]) -> dict[str, Any]:
    status = item.get("status")
    return status if isinstance(status, dict) else {}


def number_of(item: dict[str, Any]) -> int:
    return codes.number(status_of(item), "id")


def refusal(answer: Answer, *, safe: bool) -> PhoneError:
    words, code = _words(body_of(answer))
    words = words or gettext("Infobip answered HTTP %(status)s, without a word.") % {
        "status": answer.status
    }
    if answer.status == 429:
        return Throttled(words, code, retry_after=answer.retry_after)
    if answer.status == 408 or answer.status >= 500:
        if safe:
            return Temporary(words, code, retry_after=answer.retry_after)
        return OutcomeUnknown(words, code)
    return _BY_STATUS.get(answer.status, Rejected)(words, code)


def _words(body: dict[str, Any]) -> tuple[str, str]:
    """Give words and code of an error, in the new form or in the old one."""
    old = body.get("requestError")
    old = old.get("serviceException") if isinstance(old, dict) else None
    if isinstance(old, dict):
        return str(old.get("text") or ""), str(old.get("messageId") or "")
    said = [str(body.get("description") or "")]
    violations = body.get("violations")
    for item in violations if isinstance(violations, list) else []:
        if isinstance(item, dict):
            said.append(f"{item.get('property', '')}: {item.get('violation', '')}")
    return " ".join(filter(None, said)), str(body.get("errorCode") or "")


def body_of(answer: Answer) -> dict[str, Any]:
    """Give the JSON object of an answer, {} for anything else."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
