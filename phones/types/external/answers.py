"""What the answer of the service means, by the rules that a person set."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def sent(answer: Answer, settings: Mapping[str, Any]) -> Sent:
    """Give what was sent. Raises a PhoneError for every answer that is no success."""
    statuses = str(settings.get("success_status") or "").split()
    good = str(answer.status) in statuses if statuses else 200 <= answer.status < 300
    if not good:
        raise _refusal(answer)
    if (wanted := str(settings.get("success_text") or "")) and wanted not in answer.text:
        raise Rejected(_words(answer))
    path, _equals, value = str(settings.get("success_path") or "").partition("=")
    if path.strip():
        found = at(_json(answer), path)
        if found is None or (value.strip() and _written(found) != value.strip()):
            raise Rejected(_words(answer))
    return Sent(_id(answer, str(settings.get("id_path") or "")))


def at(said: Any, path: str) -> Any:
    """Give what stands at `data.messages[0].id` in parsed JSON, None where nothing does."""
    for step in re.findall(r"[^.\[\]\s]+", path.strip().removeprefix("$")):
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and step.isdecimal() and int(step) < len(said):
            said = said[int(step)]
        else:
            return None
    return said


def _id(answer: Answer, path: str) -> str:
    if not path:
        return ""
    found = at(_json(answer), path)
    # It was taken all the same, and our own id still finds its reports.
    return _written(found) if isinstance(found, str | int) else ""


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise BadAnswer(_words(answer)) from None


def _written(value: Any) -> str:
    """Give a value of JSON as people write it: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refusal(answer: Answer) -> PhoneError:
    words, status = _words(answer), answer.status
    if status == 429:
        return Throttled(words, retry_after=answer.retry_after)
    if status == 503 and answer.retry_after:
        # Who says when to come back has not taken the message.
        return Temporary(words, retry_after=answer.retry_after)
    if status >= 500 or status == 408:
        return OutcomeUnknown(words)
    if status == 402:
        return NoCredit(words)
    if status in (401, 403, 404, 405) or 300 <= status < 400:
        return Misconfigured(words)
    # A 2xx that is not among the statuses of success was a refusal for whoever wrote the rule.
    return Rejected(words)


def _words(answer: Answer) -> str:
    """Give what the service said, in one line, without the tags of a web page."""
    said = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())[:300]
    return said or gettext("HTTP %(status)s, without a word") % {"status": answer.status}
