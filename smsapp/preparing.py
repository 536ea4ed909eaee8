"""Bring the database and the collected files up to date, quickly when they already are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from smsapp.supervisor import CannotStart


def prepare_database() -> None:
    """Apply the migrations that are missing. Raises CannotStart without a database."""
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        why = str(error).strip().splitlines()[0]
        raise CannotStart(f"The database does not answer ({why}): check DATABASE_URL.") from error
    finally:
        connections.close_all()


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
