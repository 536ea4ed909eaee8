"""Checks of what works behind the pages: database, queue, workers, tick, sessions."""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib import counters
from lib.jobs import DEFAULT, SEND, QueueDown, failed, oldest, redis, workers
from messaging.backlog import oldest_due
from messaging.watching import WATCHES
from phones import live
from phones.connections import is_connected
from phones.health import kind_of, pace_of
from phones.models import Phone
from smsapp.diagnosis import Finding, broken, fine, watch

# Seconds that a wake-up may wait for a worker, and that a message may wait though its phone may send.
_LATE_JOB, _LATE_MESSAGE = 60.0, 300.0
# The oldest PostgreSQL that Django takes.
_OLDEST_POSTGRESQL = 14


def database() -> Finding:
    """Look whether the database answers, and keeps what it is given."""
    try:
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            return _postgresql()
        return _sqlite()
    except DatabaseError as error:
        return broken(
            _("It does not answer (%(error)s).") % {"error": type(error).__name__},
            _("Start it, or correct DATABASE_URL."),
        )


def _sqlite() -> Finding:
    mode, size = _ask("PRAGMA journal_mode"), _size()
    if mode != "wal":
        return broken(
            _("SQLite is in mode %(mode)s, where readers and writers keep each other waiting.")
            % {"mode": mode},
            _("Put DATA_DIR on a disk of this machine: a network folder cannot do WAL."),
        )
    return fine(_("SQLite, %(size)s.") % {"size": size})


def _postgresql() -> Finding:
    version = connection.get_database_version()[0]
    said = {"version": version, "size": _size()}
    if version < _OLDEST_POSTGRESQL:
        return broken(
            _("PostgreSQL %(version)s is too old.") % said, _("Move to PostgreSQL 14 or newer.")
        )
    if _ask("SHOW fsync") != "on" or _ask("SHOW full_page_writes") != "on":
        return broken(
            _("PostgreSQL does not write through: a power cut would cost messages."),
            _("Set fsync = on and full_page_writes = on in postgresql.conf."),
        )
    if _ask("SHOW synchronous_commit") == "off":
        return broken(
            _("PostgreSQL says “written” before it is: a crash would send messages twice."),
            _("Set synchronous_commit = on in postgresql.conf."),
        )
    return fine(_("PostgreSQL %(version)s, %(size)s.") % said)


def _ask(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return str(cursor.fetchone()[0])


def database_size() -> int:
    """Give the bytes of the database."""
    if connection.vendor == "postgresql":
        return int(_ask("SELECT pg_database_size(current_database())"))
    return int(_ask("PRAGMA page_count")) * int(_ask("PRAGMA page_size"))


def _size() -> str:
    megabytes = database_size() / 1024**2
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"


def migrations() -> Finding:
    """Look whether the tables are those of this version."""
    if missing := pending():
        return broken(
            ngettext(
                "%(count)s change of the tables is missing.",
                "%(count)s changes of the tables are missing.",
                missing,
            )
            % {"count": missing},
            _("Apply them: ./run manage migrate"),
        )
    return fine(_("The tables are those of this version."))


def pending() -> int:
    """Count the migrations that are missing."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def queue() -> Finding:
    """Look whether the queue server answers, and forgets nothing by itself."""
    try:
        told = redis().info()
    except QueueDown as error:
        return broken(
            _("It does not answer (%(error)s).") % {"error": type(error).__name__},
            _("Start it, or correct REDIS_URL. No message is lost meanwhile; they wait."),
        )
    policy = str(told.get("maxmemory_policy", "noeviction"))
    if int(told.get("maxmemory", 0)) and policy != "noeviction":
        return watch(
            _("It throws away what it has no room for (%(policy)s).") % {"policy": policy},
            _("Set maxmemory-policy noeviction, or give smsapp a server of its own."),
        )
    kind = "Valkey" if "valkey_version" in told else "Redis"
    version = told.get("valkey_version") or told.get("redis_version", "")
    return fine(f"{kind} {version}, {told.get('used_memory_human', '')}".rstrip(", "))


def sending_workers() -> Finding:
    return _workers(SEND, _("Nothing is sent: no worker is there for it."))


def other_workers() -> Finding:
    words = _("No worker is there for mails, pictures, imports and asking providers.")
    return _workers(DEFAULT, words)


def _workers(name: str, none: str) -> Finding:
    there, late = workers(name), oldest(name)
    if not there:
        return broken(none, _("Start one: ./run manage rqworker %(queue)s") % {"queue": name})
    said = ngettext("%(count)s worker.", "%(count)s workers.", there) % {"count": there}
    if late > _LATE_JOB:
        return watch(
            _("%(said)s The first job has waited for %(seconds)s seconds.")
            % {"said": said, "seconds": round(late)},
            _("Start more of them: ./run manage rqworker %(queue)s") % {"queue": name},
        )
    return fine(said)


def tick() -> Finding:
    """Look whether somebody finds what lost its wake-up."""
    said = redis().get("tick")
    ago = time.time() - float(said) if said else None
    if ago is None or ago > 20 + 2 * settings.TICK_SECONDS:
        return broken(
            _("Nobody looks for what is due: scheduled messages stay where they are."),
            _("Start it: ./run manage tick"),
        )
    return fine(_("It looked %(seconds)s seconds ago.") % {"seconds": round(max(0, ago))})


def sessions() -> Finding:
    """Look whether what must stay connected to providers is."""
    phones = list(Phone.objects.ready().defer("settings").order_by("pk"))
    connected = [phone for phone in phones if (kind := kind_of(phone)) and kind.connected]
    watched = [phone for phone in phones if (kind := kind_of(phone)) and WATCHES.suits(kind)]
    if not (connected or watched):
        return fine(_("No phone needs to stay connected."))
    if not live.is_kept():
        names = ", ".join(phone.name for phone in [*connected, *watched][:5])
        found = broken if connected else watch
        return found(
            _("Nothing keeps these phones connected: %(phones)s.") % {"phones": names},
            _("Start it: ./run manage sessions"),
        )
    if lost := [phone.name for phone in connected if not is_connected(phone)]:
        return watch(
            _("Not connected: %(phones)s.") % {"phones": ", ".join(lost[:5])},
            _("The pages of these phones say what their operators answer."),
        )
    return fine(_("All that should be connected are."))


def backlog() -> Finding:
    """Look for messages that could leave and do not.

    A phone that hands over at its rate is fine, however many wait: a campaign may take a day.
    """
    now = timezone.now()
    late = {pk for pk, at in oldest_due(now).items() if now - at > timedelta(seconds=_LATE_MESSAGE)}
    moved = counters.read("handed_over_at")
    still = [
        phone
        for phone in Phone.objects.filter(pk__in=late).defer("settings").order_by("pk")
        if time.time() - moved.get((str(phone.pk),), 0) > _LATE_MESSAGE
    ]
    stuck = [p.name for p in still if not ((pace := pace_of(p)) and pace.held)]
    held = [phone.name for phone in still if phone.name not in stuck]
    if stuck:
        return broken(
            _("Messages could leave and do not. Phones: %(phones)s.")
            % {"phones": ", ".join(stuck[:5])},
            _("Look at the workers; a message's page says what it waits for."),
        )
    if held:
        return watch(
            _("These providers cannot be reached or ask us to wait: %(phones)s.")
            % {"phones": ", ".join(held[:5])},
            _("Nothing is lost; it goes on by itself. The pages of these phones say why."),
        )
    return fine(_("What may leave leaves."))


def failed_jobs() -> Finding:
    count = failed(SEND) + failed(DEFAULT)
    if count:
        return watch(
            ngettext("%(count)s job broke lately.", "%(count)s jobs broke lately.", count)
            % {"count": count},
            _("The log of the workers says why. What they were for is found again by the tick."),
        )
    return fine(_("No job broke within a day."))
