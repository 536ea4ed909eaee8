"""SMSD's backend "sql", in SQLite or PostgreSQL: https://docs.gammu.org/smsd/tables.html, read 2026-11.

We write `outbox` and `outbox_multipart`, SMSD moves that to `sentitems` part by part, and takes it out
of `outbox` when it is through. What came in is in `inbox`, a row for each part; `Processed` is ours to
set. `CreatorID` carries the key of a message, so that one that is there already is recognised.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.utils.translation import gettext

from phones.base import (
    Delivery,
    Event,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    PhoneError,
    StatusReport,
    Temporary,
)
from phones.types.gammu import codes, stores
from phones.types.gammu.parts import Part, cut, is_whole, joined
from phones.types.gammu.stores import Memory, News

# Seconds to connect or to wait for a lock, and for one statement.
_CONNECT, _STATEMENT = 5, 10
# Rows of the inbox in one look.
_MOST = 500
# Seconds after which SMSD should have written how its modem is; it does so every minute.
_PATIENCE = 300
# SQLite keeps no time zones, and SMSD compares with its local time: long past is due everywhere.
_DUE = "2000-01-01 00:00:00"
_FAILED = {"DeliveryFailed", "SendingError", "Error"}
# SQLSTATEs that a person mends: wrong password, no such database, table or column, no right.
_SETTLED = ("28", "3D", "42")
_SETTLED_WORDS = ("unable to open", "no such", "readonly", "not a database", "has no column")


_PUT = """
    INSERT INTO outbox ("Coding", "UDH", "Text", "TextDecoded", "Class", "MultiPart",
        "DestinationNumber", "CreatorID", "SenderID", "DeliveryReport", "SendingDateTime",
        "SendingTimeOut")
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'yes', ?, ?) RETURNING "ID"
"""
_PUT_MORE = """
    INSERT INTO outbox_multipart ("Coding", "UDH", "Text", "TextDecoded", "Class", "ID",
        "SequencePosition")
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
# By number first: that has an index.
_KNOWN = """
    SELECT "ID" FROM outbox WHERE "CreatorID" = ?
    UNION ALL
    SELECT "ID" FROM sentitems WHERE "DestinationNumber" = ? AND "CreatorID" = ?
"""
_FATES = """
    SELECT "ID", "Status", "StatusError", "CreatorID" FROM sentitems
    WHERE "ID" IN ? AND "ID" NOT IN (SELECT "ID" FROM outbox) ORDER BY "ID", "SequencePosition"
"""
# The time with its ID names a message, should the table begin anew.
_UNREAD = """
    SELECT "ID", "SenderNumber", "Coding", "UDH", "Text", :written,
        COALESCE(CAST("ReceivingDateTime" AS TEXT), '') FROM inbox
    WHERE "Processed" = 'false' AND (? = '' OR "RecipientID" = ?) ORDER BY "ID" LIMIT ?
"""
_PUT_AWAY = """
    UPDATE inbox SET "Processed" = 'true'
    WHERE "ID" = ? AND COALESCE(CAST("ReceivingDateTime" AS TEXT), '') = ?
"""
_MODEM = """
    SELECT :age, "Signal", "Battery", "NetName" FROM phones
    WHERE ? = '' OR "ID" = ? ORDER BY "UpdatedInDB" DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a database marks a value, says when a row was written (Unix time), and how many seconds ago."""

    mark: str
    written: str
    age: str


_SQLITE = _Dialect(
    "?",
    """CAST(strftime('%s', "UpdatedInDB") AS INTEGER)""",
    """strftime('%s', 'now') - strftime('%s', "UpdatedInDB")""",
)
_POSTGRES = _Dialect(
    "%s",
    'EXTRACT(EPOCH FROM "UpdatedInDB"::timestamptz)::bigint',
    'EXTRACT(EPOCH FROM LOCALTIMESTAMP - "UpdatedInDB")::bigint',
)


def mark_of(key: str) -> str:
    """Give what stands in CreatorID of a message of ours."""
    return f"smsapp {key}"


class _Session:
    """One transaction. In a statement, ? stands for a value or a list of them, in brackets."""

    def __init__(self, connection: Any, dialect: _Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def __call__(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        start, *rest = statement.split("?")
        marked = [self._marks(value) + text for value, text in zip(values, rest, strict=True)]
        whole = "".join([start, *marked])
        for name in ("written", "age"):
            whole = whole.replace(f":{name}", getattr(self._dialect, name))
        flat = [
            item for value in values for item in (value if isinstance(value, list) else [value])
        ]
        cursor = self._connection.execute(whole, flat)
        return cursor.fetchall() if cursor.description else []

    def _marks(self, value: object) -> str:
        mark = self._dialect.mark
        return f"({', '.join([mark] * len(value))})" if isinstance(value, list) else mark


class Database:
    """The tables of SMSD. `modem` is the PhoneID of one of several, "" where there is only one."""

    def __init__(self, url: str, modem: str = "") -> None:
        self._url = url
        self._modem = modem

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """Give a transaction that is committed at the end."""
        parts = urlsplit(self._url)
        try:
            if parts.scheme == "sqlite":
                file = f"file:/{parts.path.lstrip('/')}?mode=rw"
                with closing(sqlite3.connect(file, timeout=_CONNECT, uri=True)) as db, db:
                    # At once: a transaction that reads first could not wait for the lock.
                    db.execute("BEGIN IMMEDIATE")
                    yield _Session(db, _SQLITE)
            else:
                options = f"-c statement_timeout={_STATEMENT}s -c lock_timeout={_CONNECT}s"
                with psycopg.connect(
                    self._url, connect_timeout=_CONNECT, options=options
                ) as connection:
                    yield _Session(connection, _POSTGRES)
        except (sqlite3.Error, psycopg.Error) as error:
            raise _meaning(error, unquote(parts.password or "")) from None

    # ---- Sending --------------------------------------------------------------------------------

    def put(self, sms: OutgoingSms) -> str:
        parts = cut(sms)
        with self._session() as ask:
            found = ask(_KNOWN, mark_of(sms.key), sms.to, mark_of(sms.key))
            number = found[0][0] if found else self._insert(ask, sms, parts)
        return f"{number}:{sms.key}"

    def _insert(self, ask: _Session, sms: OutgoingSms, parts: Sequence[Part]) -> int:
        first, *others = [
            (
                part.coding,
                part.header.hex().upper(),
                part.data.hex().upper(),
                part.text,
                0 if sms.flash else -1,
            )
            for part in parts
        ]
        multipart = "true" if others else "false"
        mark, modem = mark_of(sms.key), self._modem or None
        [(number,)] = ask(_PUT, *first, multipart, sms.to, mark, modem, _DUE, _DUE)
        for position, values in enumerate(others, 2):
            ask(_PUT_MORE, *values, number, position)
        return int(number)

    # ---- News -----------------------------------------------------------------------------------

    def look(self, memory: Memory, pending: Sequence[str]) -> News:
        with self._session() as ask:
            for number, stamp in memory.get("told", []):
                ask(_PUT_AWAY, number, stamp)
            news = self._came_in(ask, set(memory.get("half", [])))
            news.events += _fates(ask, pending)
        return news

    def _came_in(self, ask: _Session, half: set[int]) -> News:
        """Tell whole messages, and of the others those of which the last look saw a part."""
        news = News(memory={"told": [], "half": []})
        for rows in _messages(self._unread(ask)):
            numbers = [row.number for row in rows]
            if is_whole([row.part for row in rows]) or half & set(numbers):
                news.events.append(_incoming(rows))
                news.memory["told"] += [(row.number, row.stamp) for row in rows]
            else:
                news.memory["half"] += numbers
        return news

    def _unread(self, ask: _Session) -> list[_Arrived]:
        found = ask(_UNREAD, self._modem, self._modem, _MOST)
        return [
            _Arrived(
                number,
                sender,
                Part(_bytes(text), _bytes(header), coding),
                int(written or 0),
                stamp,
            )
            for number, sender, coding, header, text, written, stamp in found
        ]

    # ---- How it is doing ------------------------------------------------------------------------

    def state(self) -> str:
        with self._session() as ask:
            found = ask(_MODEM, self._modem, self._modem)
            [(waiting,)] = ask("SELECT COUNT(*) FROM outbox")
        if not found:
            raise Temporary(gettext("No SMSD has written into this database. Is it running?"))
        age, signal, battery, network = found[0]
        if age > _PATIENCE:
            words = gettext("SMSD was last seen %(minutes)s minutes ago. Is it running?")
            raise Temporary(words % {"minutes": age // 60})
        good = [gettext("SMSD is running."), stores.waiting(waiting)]
        return " ".join(filter(None, [*good, *_modem_words(signal, battery, network)]))


def _modem_words(signal: int, battery: int, network: str | None) -> Iterator[str]:
    if network and network != "ERROR":
        yield gettext("Network: %(network)s.") % {"network": network}
    if signal >= 0:
        yield gettext("Signal: %(percent)s %%.") % {"percent": signal}
    if battery >= 0:
        yield gettext("Battery: %(percent)s %%.") % {"percent": battery}


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A row of the inbox; `written` in seconds since 1970, `stamp` as SMSD wrote it."""

    number: int
    sender: str
    part: Part
    written: int
    stamp: str


def _messages(rows: Sequence[_Arrived]) -> list[list[_Arrived]]:
    """Put the parts of each message together, in the order in which the first ones came."""
    found: dict[object, list[_Arrived]] = defaultdict(list)
    for row in rows:
        place = row.part.place
        name: object = (row.sender, place[:2]) if place else row.number
        # A part that is there already begins another message with the same number.
        if place and any(other.part.place == place for other in found[name]):
            name = (name, row.number)
        found[name].append(row)
    return list(found.values())


def _incoming(rows: Sequence[_Arrived]) -> IncomingSms:
    return IncomingSms(
        sender=rows[0].sender or "anonymous",
        text=joined([row.part for row in rows]),
        provider_id=f"inbox {rows[0].number} {rows[0].stamp}".strip(),
        at=datetime.fromtimestamp(rows[0].written, UTC),
    )


def _fates(ask: _Session, pending: Sequence[str]) -> list[Event]:
    """Give what became of messages that SMSD is through with; nothing where no report came yet."""
    split = [name.partition(":") for name in pending]
    # The number of a message in another database is none of ours: the key must fit too.
    marks = {int(number): mark_of(key) for number, _colon, key in split if number.isdecimal()}
    if not marks:
        return []
    rows = ask(_FATES, list(marks))
    parts: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for number, status, code, mark in rows:
        if marks[number] == mark:
            parts[number].append((status, code))
    return [
        event
        for number, told in parts.items()
        for event in _fate(f"{number}:{marks[number].removeprefix(mark_of(''))}", told)
    ]


def _fate(name: str, parts: Sequence[tuple[str, int]]) -> Iterator[Event]:
    for status, code in parts:
        if status in _FAILED:
            yield codes.failed(name, code, status)
            return
    if all(status == "DeliveryOK" for status, _code in parts):
        yield StatusReport(Delivery.DELIVERED, name)


def _bytes(digits: str | None) -> bytes:
    try:
        return bytes.fromhex(digits or "")
    except ValueError:
        return b""


def _meaning(error: sqlite3.Error | psycopg.Error, password: str) -> PhoneError:
    """Say what an error means: nothing is lost by trying again, as a message is recognised."""
    words = " ".join(str(error).split())
    if password:
        words = words.replace(password, "…")
    if isinstance(error, sqlite3.Error):
        settled = any(phrase in words for phrase in _SETTLED_WORDS)
        return Misconfigured(_what_to_do(words)) if settled else Temporary(words)
    code = error.sqlstate or ""
    # Before there is a session, the words alone tell a wrong password from a server that is away.
    refused = not code and any(phrase in words for phrase in ("authentication failed", "not exist"))
    if code.startswith(_SETTLED) or refused:
        return Misconfigured(_what_to_do(words), code)
    return Temporary(words, code)


def _what_to_do(words: str) -> str:
    advice = gettext(
        "Compare GAMMU_DATABASES with SMSD's configuration, and let this site's user read and write there."
    )
    return f"{words}. {advice}"
