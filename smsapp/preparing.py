"""Bring the database and the collected files up to date, quickly when they already are."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from smsapp.supervisor import CannotStart

# Of PostgreSQL's advisory locks: one of our own.
_UPGRADE = 0x736D73617070
_ASK_EVERY = 0.2  # seconds


def prepare_database(wait: float = 0) -> None:
    """Apply the migrations that are missing. Raises CannotStart without a database, after `wait` seconds."""
    ends = time.monotonic() + wait
    while not _answers() and time.monotonic() < ends:
        time.sleep(_ASK_EVERY)
    try:
        with _alone():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        why = str(error).strip().splitlines()[0]
        raise CannotStart(f"The database does not answer ({why}): check DATABASE_URL.") from error
    finally:
        connections.close_all()


def _answers() -> bool:
    try:
        connection.ensure_connection()
    except OperationalError:
        return False
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """Let machines that are upgraded at the same time migrate one after the other."""
    if connection.vendor != "postgresql":
        yield
        return
    # Asked again and again: who waits within a statement holds up an index that is built concurrently.
    while not _ask("SELECT pg_try_advisory_lock(%s)"):
        time.sleep(_ASK_EVERY)
    yield  # where this fails the connection is closed, and the lock with it
    _ask("SELECT pg_advisory_unlock(%s)")


def _ask(question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [_UPGRADE])
        return bool(cursor.fetchone()[0])


def collect_static_files() -> None:
    """Collect what browsers load, unless nothing changed since the last time."""
    stamp = Path(settings.DATA_DIR) / "static.stamp"
    digest = _digest_of_sources()
    if Path(settings.STATIC_ROOT).is_dir() and stamp.exists() and stamp.read_text() == digest:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(digest)


def _digest_of_sources() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
