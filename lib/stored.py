"""What a database can keep of what comes from outside, and what it raises when it is away."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from django.db import InterfaceError, InternalError, OperationalError, connection

# Locked, restarted, cut off in the middle of a transaction, or read-only for a while: all may pass.
DatabaseAway = (OperationalError, InterfaceError, InternalError)

# Characters of a digest at the end of a name that was too long.
_DIGEST = 32


def write_through() -> None:
    """Let SQLite's log not keep what was deleted; while somebody is reading, it goes with later writes."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return
    with connection.cursor() as cursor, suppress(OperationalError):
        cursor.execute("PRAGMA busy_timeout")
        (patience,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 300")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")


def text(value: object, longest: int | None = None) -> str:
    """Give `value` as every database stores it: no NUL, no half of a surrogate pair, not too long."""
    if isinstance(value, str) and value.isascii() and "\x00" not in value:
        return value[:longest]
    whole = str(value).replace("\x00", "�").encode("utf-8", "replace").decode()
    return whole[:longest]


def name(value: object, longest: int = 100) -> str:
    """Give a provider's name for something. What is cut stays different from its like."""
    whole = text(value)
    if len(whole) <= longest:
        return whole
    digest = hashlib.blake2b(whole.encode(), digest_size=_DIGEST // 2).hexdigest()
    return whole[: longest - _DIGEST] + digest
