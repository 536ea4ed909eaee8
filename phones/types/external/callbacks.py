"""What the service calls us for, as a form or as JSON, by GET or POST.

Besides our own addresses, `parse` knows the actions of RapidPro's: receive, sent, delivered, failed
and stopped, of /c/ex/<channel>/<action>.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from phones.base import (
    Callback,
    Delivery,
    Event,
    IncomingSms,
    Malformed,
    OptOutNotice,
    Reason,
    Reply,
    StatusReport,
)
from phones.types.external.answers import at

_STATES = {
    **dict.fromkeys(["sent", "accepted", "acceptd", "queued", "submitted"], Delivery.SENT),
    **dict.fromkeys(["delivered", "delivrd", "read"], Delivery.DELIVERED),
    **dict.fromkeys(
        ["failed", "undelivered", "undeliv", "rejected", "rejectd", "expired", "error"],
        Delivery.FAILED,
    ),
}
_REASONS = {"expired": Reason.EXPIRED}
# What stands at the end of RapidPro's addresses.
_ACTIONS = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
}


class _Said:
    """The values of a callback, whichever way they came; names may be paths into JSON."""

    def __init__(self, callback: Callback, settings: Mapping[str, Any]) -> None:
        self._callback = callback
        self._settings = settings
        self._json = _body(callback)

    def value(self, setting: str, *names: str) -> str:
        """Give the first value among the name that the person set, else `names`; "" without any."""
        own = str(self._settings.get(setting) or "")
        for name in (own,) if own else names:
            found = self._callback.first(name)
            if not found and self._json is not None:
                said = at(self._json, name)
                found = str(said) if isinstance(said, str | int | float) else ""
            if found:
                return found
        return ""

    def need(self, setting: str, *names: str) -> str:
        if not (value := self.value(setting, *names)):
            name = self._settings.get(setting) or names[0]
            raise Malformed(f"{name} is missing.")
        return value

    def number(self) -> str:
        number = self.need("from_field", "from", "sender")
        # An unencoded + of an address arrives as a space.
        return f"+{number.strip()}" if re.fullmatch(r" \d+", number) else number.strip()


def parse(endpoint: str, callback: Callback, settings: Mapping[str, Any]) -> list[Event]:
    said = _Said(callback, settings)
    if endpoint in ("incoming", "receive", "received"):
        return [_incoming(said)]
    if endpoint in ("optout", "stopped"):
        return [OptOutNotice(said.number(), words=said.value("text_field", "text"))]
    return _report(said, callback, endpoint, named_by_service=bool(settings.get("id_path")))


def reply(written: str, endpoint: str) -> Reply:
    """Give what the service wants to read; people set it for incoming messages only."""
    if not written or endpoint not in ("incoming", "receive", "received"):
        return Reply(content_type="application/json", body='{"status": "ok"}')
    first = written.lstrip()[:1]
    kinds = {"{": "application/json", "[": "application/json", "<": "text/xml"}
    return Reply(content_type=kinds.get(first, "text/plain"), body=written)


def _body(callback: Callback) -> Any:
    """Give the JSON of the body, None where there is none. Raises Malformed for a broken one."""
    if callback.form or not callback.body.strip():
        return None
    try:
        return json.loads(callback.body)
    except (ValueError, RecursionError):
        if "json" in callback.headers.get("content-type", ""):
            raise Malformed("The body is not JSON.") from None
        return None


def _incoming(said: _Said) -> IncomingSms:
    sender = said.number()
    text = said.value("text_field", "text")
    date = said.value("date_field", "date", "time")
    return IncomingSms(
        sender=sender,
        text=text,
        provider_id=said.value("id_field", "id") or _digest(sender, text, date),
        to=said.value("", "to"),
        at=_moment(date),
    )


def _digest(sender: str, text: str, date: str) -> str:
    """Name a message that the service does not name.

    Without a date none is given: the same words twice may be two messages, and none is to be lost.
    """
    if not date:
        return ""
    return hashlib.sha256("\n".join([sender, date, text]).encode("utf-8", "replace")).hexdigest()


def _report(
    said: _Said, callback: Callback, endpoint: str, *, named_by_service: bool
) -> list[Event]:
    status = said.value("status_field", "status") if endpoint == "status" else endpoint
    if not status:
        raise Malformed("status is missing.")
    # Ours from {{status_url}}, or as RapidPro's services know it.
    ours = callback.query.get("reference", [""])[0] or said.value("", "uuid")
    named = said.value("id_field", "id") if ours else said.need("id_field", "id")
    state = _ACTIONS.get(endpoint) or _STATES.get(status.strip().lower())
    if state is None:
        return []
    failed = state is Delivery.FAILED
    return [
        StatusReport(
            state,
            provider_id=named if named_by_service else "",
            reference=ours or ("" if named_by_service else named),
            reason=_REASONS.get(status.strip().lower(), Reason.NONE) if failed else "",
            code=said.value("", "code", "error_code") if failed else "",
            words=(said.value("", "error", "reason") or status) if failed else "",
            at=_moment(said.value("date_field", "date", "time")),
        )
    ]


def _moment(written: str) -> datetime | None:
    """Read ISO 8601, in UTC where no zone is said; None for anything else."""
    # An unencoded + of an address arrives as a space.
    for form in (written.strip(), re.sub(r" (\d\d:?\d\d)$", r"+\1", written.strip())):
        try:
            moment = datetime.fromisoformat(form)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
