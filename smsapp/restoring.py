"""Put a backup in the place of a site's database, files and keys.

What has happened since the backup was made cannot be known, and nothing may be sent twice. So what was
waiting to leave, and may have left since, becomes `unknown`: people review it. Campaigns that may have begun
or gone on since are paused. Ids of new messages begin far beyond those of the backup, so that late news about
a lost message is not taken for news of another.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from campaigns import recurring
from campaigns.models import Campaign, Recurrence, State
from messaging.models import Attempt, Direction, Message, Status
from phones.base import Reason
from smsapp.backup import DATABASE, FOLDERS, SECRETS, Manifest, Problem, client_of, run

# Ids left free for what was written after the backup and is lost.
_LEAP = 1_000_000
_BATCH = 2000


def check(manifest: Manifest) -> None:
    """Raise Problem where this site cannot take the backup."""
    if manifest.engine != connection.vendor:
        raise Problem(
            f"The backup is of {manifest.engine}, and DATABASE_URL names {connection.vendor}: restore it on "
            f"{manifest.engine}, then run ./run manage move-database."
        )
    known = MigrationLoader(None).graph.nodes
    newer = [
        name
        for app, name in manifest.migrations
        if app in apps.app_configs and (app, name) not in known
    ]
    if newer:
        raise Problem(
            f"The backup is of smsapp {manifest.version}, which is newer ({newer[0]}): update smsapp first."
        )


def holds_people() -> bool:
    """Say whether the database in use is somebody's."""
    tables = connection.introspection.table_names()
    return User._meta.db_table in tables and User.objects.exists()


def put_in_place(folder: Path) -> None:
    """Replace database, files and secrets by what was unpacked into `folder`, then migrate."""
    if connection.vendor == "postgresql":
        _replace_postgresql(folder)
    else:
        _replace_sqlite(folder / DATABASE)
    data = Path(settings.DATA_DIR)
    for name in FOLDERS:
        shutil.rmtree(data / name, ignore_errors=True)
        if (folder / name).is_dir():
            shutil.move(folder / name, data / name)
    for name in SECRETS:
        place = data / "secrets" / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(folder / "secrets" / name, place)
    call_command("migrate", interactive=False, verbosity=0)


def _replace_sqlite(copy: Path) -> None:
    connections.close_all()
    place = Path(str(connection.settings_dict["NAME"]))
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The log of the old one must not be applied to the new one.
    for ending in ("-wal", "-shm"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
    shutil.move(copy, place)


def _replace_postgresql(folder: Path) -> None:
    """Drop all tables and make those of the backup, in one transaction."""
    tables = [connection.ops.quote_name(name) for name in connection.introspection.table_names()]
    drop = folder / "drop.sql"
    drop.write_text(f"DROP TABLE IF EXISTS {', '.join(tables)} CASCADE;\n" if tables else "")
    connections.close_all()
    sql = folder / "database.sql"
    command, env = client_of("pg_restore")
    # Functions of triggers outlive their tables: --clean drops them.
    words = [command[0], "--clean", "--if-exists", "--no-owner", "--no-privileges", f"--file={sql}"]
    run([*words, str(folder / DATABASE)], env)
    connections.close_all()
    command, env = client_of("psql")
    connections.close_all()
    quiet = ["--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    run([*command, *quiet, f"--file={drop}", f"--file={sql}"], env)


def doubt(made_at: datetime) -> int:
    """Make unknown what may have left since the backup was made; give how many. See the module."""
    now = timezone.now()
    words = f"Restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC: it may have left since."
    waiting = Message.objects.filter(
        Q(status=Status.SENDING) | Q(status=Status.QUEUED, send_at__lte=now),
        direction=Direction.OUT,
    )
    doubted = 0
    while True:
        with transaction.atomic():
            rows = list(waiting.values_list("pk", "phone")[:_BATCH])
            if not rows:
                return doubted
            Message.objects.filter(pk__in=[pk for pk, _ in rows]).update(
                status=Status.UNKNOWN, reason=Reason.WORKER_LOST, words=words, ended_at=now,
                claim=None, lease_until=None,
            )  # fmt: skip
            kind = Attempt.Kind.UNKNOWN
            Attempt.objects.bulk_create(
                Attempt(message_id=pk, phone_id=phone, kind=kind, words=words) for pk, phone in rows
            )
        doubted += len(rows)


def halt(made_at: datetime) -> int:
    """Keep from beginning again, by itself, what may have begun since; give how many campaigns.

    One that was running is paused; one whose time has come is a draft again; what recurs is paused.
    """
    running = Campaign.objects.filter(state=State.RUNNING).update(state=State.PAUSED)
    begun = Campaign.objects.filter(state=State.SCHEDULED, send_at__lte=timezone.now())
    drafts = begun.update(state=State.DRAFT)
    words = f"Paused: the site was restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC."
    recurring_ones = list(Recurrence.objects.running())
    for one in recurring_ones:
        recurring.pause(one, words)
    return running + drafts + len(recurring_ones)


def leap() -> None:
    """Let ids of new messages begin far beyond those of the backup."""
    table = Message._meta.db_table
    last = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            wanted: list[str | int] = [table, last + _LEAP]
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", wanted)
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, last + _LEAP])
