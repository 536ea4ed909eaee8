"""What the simulator knows, in one SQLite file: every arrival, and every callback still owed.

A write is committed when its function returns. WAL without an fsync per commit survives `kill -9`
of any process; only the loss of power may cost the last moments.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

# Seconds that arrivals are kept.
KEPT = 7 * 24 * 3600

_TABLES = """
CREATE TABLE IF NOT EXISTS arrival (
    number INTEGER PRIMARY KEY, id TEXT, reference TEXT, status INTEGER, body TEXT, at REAL
);
CREATE INDEX IF NOT EXISTS arrival_reference ON arrival (reference);
CREATE TABLE IF NOT EXISTS owed (
    number INTEGER PRIMARY KEY, url TEXT, signing_key TEXT, body TEXT, first_at REAL, at REAL,
    tries INTEGER
);
"""


@dataclass(slots=True)
class Owed:
    """A callback still to be made, at `at` (seconds since 1970), after `tries` that failed."""

    url: str
    signing_key: str
    body: str
    first_at: float
    at: float
    tries: int = 0
    number: int = 0


def path() -> Path:
    """Give where the simulator of this site keeps what it takes."""
    return Path(settings.DATA_DIR) / "simulator.sqlite3"


def forget(path: Path, digits: str) -> None:
    """Delete what the simulator took, and owes, with these digits in it; it may be running meanwhile."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("PRAGMA secure_delete = ON")
        for table in ("arrival", "owed"):
            base.execute(f"DELETE FROM {table} WHERE body LIKE ?", [f"%{digits}%"])  # noqa: S608
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Store:
    """One file, used from one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Texts and keys are nobody else's: SQLite gives its other files the mode of this one.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;" + _TABLES
        )
        self._base.execute("DELETE FROM arrival WHERE at < ?", [time.time() - KEPT])

    def close(self) -> None:
        self._base.close()

    def take(self, name: str, status: int, body: dict[str, Any], owed: Sequence[Owed] = ()) -> None:
        """Store an arrival (`status` as answered, 0 = not at all) and the callbacks it leads to."""
        row = (name, body["reference"], status, json.dumps(body), time.time())
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute(
                "INSERT INTO arrival (id, reference, status, body, at) VALUES (?, ?, ?, ?, ?)", row
            )
            for item in owed:
                self._owe(item)

    def _owe(self, owed: Owed) -> None:
        cursor = self._base.execute(
            "INSERT INTO owed (url, signing_key, body, first_at, at, tries)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (owed.url, owed.signing_key, owed.body, owed.first_at, owed.at, owed.tries),
        )
        owed.number = cursor.lastrowid or 0

    def owed(self) -> list[Owed]:
        """Give every callback still to be made."""
        rows = self._base.execute(
            "SELECT url, signing_key, body, first_at, at, tries, number FROM owed ORDER BY at"
        )
        return [Owed(*row) for row in rows]

    def forget(self, owed: Owed) -> None:
        """Note that a callback was heard, or is given up."""
        self._base.execute("DELETE FROM owed WHERE number = ?", [owed.number])

    def postpone(self, owed: Owed) -> None:
        """Note when a callback is tried again."""
        self._base.execute(
            "UPDATE owed SET at = ?, tries = ? WHERE number = ?", (owed.at, owed.tries, owed.number)
        )

    def has_seen(self, reference: str) -> bool:
        found = self._base.execute("SELECT 1 FROM arrival WHERE reference = ?", [reference])
        return found.fetchone() is not None

    def arrivals(self, reference: str) -> list[dict[str, Any]]:
        """Give every arrival of one reference, in order."""
        rows = self._base.execute(
            "SELECT id, status, at, body FROM arrival WHERE reference = ? ORDER BY number",
            [reference],
        )
        return [
            {"id": name, "status": status, "at": at, **json.loads(body)}
            for name, status, at, body in rows
        ]

    def count(self) -> dict[str, int]:
        """Count what arrived. Refused arrivals are neither received nor doubled."""
        received, references, doubled = self._base.execute(
            "SELECT coalesce(sum(times), 0), count(*), coalesce(sum(times > 1), 0) FROM"
            " (SELECT count(*) AS times FROM arrival WHERE status IN (0, 202) GROUP BY reference)"
        ).fetchone()
        refused, owed = self._base.execute(
            "SELECT (SELECT count(*) FROM arrival WHERE status NOT IN (0, 202)),"
            " (SELECT count(*) FROM owed)"
        ).fetchone()
        return {
            "received": received,
            "references": references,
            "doubled": doubled,
            "refused": refused,
            "owed": owed,
        }
