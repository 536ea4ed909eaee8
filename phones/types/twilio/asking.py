"""What Twilio told nobody, because we were away: it repeats a callback three times at most.

https://www.twilio.com/docs/messaging/api/message-resource, read 2026-11. The list is asked for from a day
on, the newest first; the cursor holds how far we know it, and what was seen in the minutes before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from phones.base import (
    Delivery,
    Event,
    IncomingMedia,
    IncomingSms,
    PhoneError,
    Polled,
    StatusReport,
    in_turns,
)
from phones.types.twilio.answers import millionths, segments_of
from phones.types.twilio.callbacks import STATES
from phones.types.twilio.codes import reason_for

# Messages asked about in one look; each costs a request.
_ASKED = 20
# Incoming messages read in one look, of each number, and in one request.
_MOST, _PAGE = 5000, 200
# How much later than another a message may appear in the list that came before it.
_MARGIN = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GONE = "20404"


def look(
    twilio: Any, numbers: Sequence[str], place: str, cursor: str, pending: Sequence[str]
) -> Polled:
    """Ask what became of `pending`, and what came in to `numbers` since the last look.

    `place` is where the API's paths lie. Raises a PhoneError, NotSent or NoAnswer.
    """
    known = json.loads(cursor or "{}")
    asked, mark = in_turns(pending, known.get("asked", ""), _ASKED)
    news: list[Event] = [event for sid in asked for event in _fate(twilio, sid)]
    kept: dict[str, Any] = {"asked": mark}
    if "until" not in known:
        # The first look only finds out where to begin: what came before is old.
        first = [m for number in numbers for m in twilio.messages.list(to=number, limit=1)]
        kept["until"] = max(map(_at, first), default=_EPOCH).isoformat()
        return Polled(tuple(news), json.dumps(kept))
    until = datetime.fromisoformat(known["until"])
    found = [m for number in numbers for m in _came_in(twilio, number, until - _MARGIN)]
    seen = set(known.get("seen", ()))
    # The oldest first, as they were written.
    news += [_incoming(twilio, m, place) for m in reversed(found) if m.sid not in seen]
    until = max([until, *map(_at, found)])
    kept["until"] = until.isoformat()
    kept["seen"] = [m.sid for m in found if _at(m) >= until - _MARGIN]
    return Polled(tuple(news), json.dumps(kept))


def _fate(twilio: Any, sid: str) -> list[Event]:
    try:
        message = twilio.messages(sid).fetch()
    except PhoneError as error:
        if error.code == _GONE:
            return []  # deleted at Twilio
        raise
    state = STATES.get(str(message.status))
    if state is None or state is Delivery.SENT:
        return []  # we know that
    failed = state is Delivery.FAILED
    code = str(message.error_code or "") if failed else ""
    cost = millionths(message.price)
    return [
        StatusReport(
            state=state,
            provider_id=sid,
            reason=reason_for(code) if failed else "",
            code=code,
            words=str(message.error_message or message.status) if failed else "",
            segments=segments_of(message),
            cost=None if cost is None else abs(cost),
            currency="" if cost is None else str(message.price_unit or ""),
        )
    ]


def _came_in(twilio: Any, number: str, since: datetime) -> list[Any]:
    """Give the messages to a number that were sent at `since` or later, the newest first."""
    listed = twilio.messages.stream(to=number, date_sent_after=since, page_size=_PAGE, limit=_MOST)
    late = takewhile(lambda message: _at(message) >= since, listed)
    return [message for message in late if message.direction == "inbound"]


def _incoming(twilio: Any, message: Any, place: str) -> IncomingSms:
    has_media = str(message.num_media or "0") != "0"
    return IncomingSms(
        sender=str(message.from_),
        text=str(message.body or ""),
        provider_id=str(message.sid),
        to=str(message.to),
        media=tuple(_media(twilio, message.sid, place)) if has_media else (),
        at=_at(message),
    )


def _media(twilio: Any, sid: str, place: str) -> Iterator[IncomingMedia]:
    for item in twilio.messages(sid).media.list():
        url = f"{place}{str(item.uri).removesuffix('.json')}"
        yield IncomingMedia(url, str(item.content_type or ""))


def _at(message: Any) -> datetime:
    at: datetime = message.date_sent or message.date_created
    return at
