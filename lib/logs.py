"""Logs for programs: one JSON object per line, with the id of the request or job that they belong to.

No text of a message and no phone number is logged on purpose; what an exception says may hold one, so
whatever looks like a number is blanked here, in logs for people too.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from lib.redact import HIDDEN

# What this thread works on now: {"request": id} or {"job": id}, and what is known of it.
_about: ContextVar[dict[str, Any]] = ContextVar("about", default={})  # noqa: B039 - replaced, not changed
# International numbers, and as many digits as national ones have. Ids of ours are shorter.
_NUMBER = re.compile(r"(?<![\w.-])(?:\+\d[\d ]{5,18}\d|\d{9,15})(?![\w-]|\.\d)")
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Put facts (ids) on every line that this thread logs meanwhile."""
    token = _about.set({**_about.get(), **facts})
    try:
        yield
    finally:
        _about.reset(token)


def current() -> dict[str, Any]:
    """Give the facts that are put on lines now."""
    return _about.get()


def without_numbers(text: str) -> str:
    """Blank what looks like a phone number."""
    return _NUMBER.sub(HIDDEN, text)


class HideNumbers(logging.Filter):
    """Keep phone numbers out of every line."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if _NUMBER.search(said):
            record.msg, record.args = without_numbers(said), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = without_numbers(logging.Formatter().formatException(record.exc_info))
        return True


class AsJson(logging.Formatter):
    """Write a record as {"time", "level", "logger", "message", …}: `extra` and `about` are fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **current(),
        }
        # Django puts whole requests on its records.
        extra = {key: value for key, value in vars(record).items() if key not in _OWN}
        line |= {key: value for key, value in extra.items() if _is_plain(value)}
        if record.exc_info or record.exc_text:
            line["trace"] = record.exc_text or self.formatException(record.exc_info or (None,) * 3)
        return json.dumps(line, ensure_ascii=False, default=str)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, int) for item in value)
    return isinstance(value, str | int | float | bool)
