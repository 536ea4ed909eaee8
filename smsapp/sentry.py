"""Optional: report errors to a Sentry (https://docs.sentry.io/platforms/python/), without any value.

What leaves is the way to an error: types, files, lines, our own words, the ids of request and job. No local
variable, no body, no header, no address, no person; what looks like a phone number is blanked.
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

from lib import logs
from lib.redact import HIDDEN, without_openings

Event = dict[str, Any]
# Quoted words in an exception's text are values: a text of a message, what a provider said.
_QUOTED = re.compile(r"""(["'])(?:(?!\1).)*\1|[“«][^”»]*[”»]|(?:DETAIL|CONTEXT):.*""", re.DOTALL)


def start(dsn: str, *, release: str) -> None:
    """Report from now on. Ends the process where the package is missing."""
    try:
        sdk = importlib.import_module("sentry_sdk")
    except ImportError:
        sys.exit("SENTRY_DSN is set, and the package is missing: .venv/bin/pip install sentry-sdk")
    sdk.init(
        dsn=dsn,
        release=f"smsapp@{release}",
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0,
        auto_session_tracking=False,
        server_name="smsapp",
        before_send=scrubbed,
    )


def scrubbed(event: Event, hint: Event | None = None) -> Event:
    """Give what of an event may leave: a list of what is kept, so that nothing new slips through."""
    kept = ("event_id", "timestamp", "level", "platform", "release", "environment", "logger", "sdk")
    left: Event = {key: event[key] for key in kept if key in event}
    left["transaction"] = _without_values(str(event.get("transaction", "")).partition("?")[0])
    left["tags"] = {key: str(value) for key, value in logs.current().items()}
    if "logentry" in event:
        left["logentry"] = {"message": _without_values(str(event["logentry"].get("message", "")))}
    values = event.get("exception", {}).get("values") or []
    left["exception"] = {"values": [_exception(value) for value in values]}
    return left


def _exception(value: Event) -> Event:
    frames = (value.get("stacktrace") or {}).get("frames") or []
    kept = ("filename", "function", "module", "lineno", "in_app")
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": _without_values(str(value.get("value", ""))),
        "stacktrace": {"frames": [{k: f[k] for k in kept if k in f} for f in frames]},
    }


def _without_values(text: str) -> str:
    """Give the first line of a text without what is quoted in it, and without numbers."""
    line = _QUOTED.sub(HIDDEN, text).strip().partition("\n")[0]
    return without_openings(logs.without_numbers(line))
