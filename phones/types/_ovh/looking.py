"""Asking OVH for news: replies, what became of messages, and who asked for no more.

The cursor is JSON: `since` (OVH's time, replies from there on), `seen` (ids of replies already read),
`asked` (the message asked about last), `stops` (a digest of the STOP list).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from django.utils.translation import gettext

from lib.http import NoAnswer, NotSent
from phones.base import BadAnswer, Delivery, Event, OptOutNotice, PhoneError
from phones.types._ovh import news
from phones.types._ovh.api import Api, NotThere

# Seconds. A reply may be listed later than its time says; the first look goes back a day.
_OVERLAP, _FIRST = 3600, 86_400
# Requests of one look at most: each reply and each message takes one.
_REPLIES, _MESSAGES = 100, 50


@dataclass
class _Cursor:
    since: int
    seen: list[str] = field(default_factory=list)
    asked: str = ""
    stops: str = ""


class Look:
    """One look. What it found so far is in `events`, and `cursor` fits it, even where it breaks off.

    `account` and `home` are paths: of the account, and of what sends (the account or its number).
    """

    def __init__(self, api: Api, cursor: str, *, account: str, home: str, to: str) -> None:
        self.events: list[Event] = []
        self._api, self._account, self._home, self._to = api, account, home, to
        self._now = api.now()
        self._cursor = _read(cursor, self._now)
        self._words: dict[str, str] = {}

    @property
    def cursor(self) -> str:
        return json.dumps(asdict(self._cursor))

    def replies(self) -> None:
        """Read the replies that are new since the last look."""
        since = datetime.fromtimestamp(self._cursor.since, UTC).isoformat()
        listed = _names(self._api.get(f"{self._home}/incoming", {"creationDatetime.from": since}))
        known = set(self._cursor.seen)
        self._cursor.seen = [name for name in listed if name in known]
        new = [name for name in listed if name not in known]
        for name in new[:_REPLIES]:
            # Deleted at OVH meanwhile.
            with suppress(NotThere):
                said = self._api.get(f"{self._home}/incoming/{name}")
                self.events.append(news.incoming(said, self._to))
            self._cursor.seen.append(name)
        if len(new) <= _REPLIES:
            self._cursor.since = self._now - _OVERLAP

    def states(self, pending: Sequence[str]) -> None:
        """Ask what became of some of `pending`, going on where the last look stopped."""
        start = pending.index(self._cursor.asked) + 1 if self._cursor.asked in pending else 0
        for name in [*pending[start:], *pending[:start]][:_MESSAGES]:
            # Still waiting to leave, it is not among the outgoing.
            with suppress(NotThere):
                self._state(name)
            self._cursor.asked = name

    def _state(self, name: str) -> None:
        said = self._api.get(f"{self._home}/outgoing/{name}")
        if not isinstance(said, dict):
            raise BadAnswer(gettext("OVH said something of a message that is not a JSON object."))
        receipt, ptt = news.number(said.get("deliveryReceipt")), news.number(said.get("ptt"))
        found = news.report(name, receipt, ptt)
        if found is None or found.state is Delivery.SENT:
            return
        words = self._explained(found.code) if found.code else ""
        segments = news.number(said.get("numberOfSms"))
        self.events.append(replace(found, words=words, segments=segments))

    def _explained(self, ptt: str) -> str:
        """Give OVH's words for a code, which its answers leave out."""
        if ptt not in self._words:
            self._words[ptt] = ""
            with suppress(PhoneError, NotSent, NoAnswer):
                said = self._api.get("/sms/ptts", {"ptt": ptt})
                self._words[ptt] = str(said.get("comment") or "") if isinstance(said, dict) else ""
        return self._words[ptt]

    def stops(self) -> None:
        """Tell who is on the account's STOP list, whenever it has changed."""
        numbers = sorted(
            news.e164(name) for name in _names(self._api.get(f"{self._account}/blacklists"))
        )
        digest = hashlib.sha256("\n".join(numbers).encode()).hexdigest()[:16]
        if digest != self._cursor.stops:
            self.events += [OptOutNotice(name) for name in numbers]
            self._cursor.stops = digest


def _read(cursor: str, now: int) -> _Cursor:
    return _Cursor(**json.loads(cursor)) if cursor else _Cursor(since=now - _FIRST)


def _names(listed: object) -> list[str]:
    if not isinstance(listed, list):
        raise BadAnswer(gettext("OVH answered something that is not a list."))
    return [str(item) for item in listed]
