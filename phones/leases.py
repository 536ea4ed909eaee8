"""Leases: of all processes on all machines, one holds the session of a connected phone.

They live in the database, where claims are made: a queue server that forgot everything must not let two
machines bind. A claim locks the lease's row, so that no message is claimed by who has just lost it.
"""

from __future__ import annotations

import socket
import uuid
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone

from lib import processes
from phones.models import Lease, Phone

# Seconds that a lease lasts unless it is renewed, and between two renewals.
LASTS, RENEW = 20, 4


class Lost(Exception):
    """Somebody else holds the session now, or ours was not renewed in time."""


def take(phone: Phone, owner: uuid.UUID | None = None) -> Lease | None:
    """Take the lease of a phone where nobody holds it; None where somebody does.

    `owner` names the holder where somebody else can tell that it died (`bury`). `before` of what is given
    says within which moments the holder before stored what the provider may not know of.
    """
    now = timezone.now()
    before, _ = Lease.objects.get_or_create(phone=phone, defaults={"until": now})
    if not is_free(before):
        return None
    owner = owner or uuid.uuid4()
    # As it was read: who renews it meanwhile keeps it.
    taken = Lease.objects.filter(pk=before.pk, epoch=before.epoch, until=before.until).update(
        owner=owner,
        epoch=F("epoch") + 1,
        host=socket.gethostname()[:100],
        process=processes.me(),
        until=now + timedelta(seconds=LASTS),
    )
    if not taken:
        return None
    lease = Lease.objects.get(phone=phone, owner=owner)
    lease.before = before.heard_at, before.until
    return lease


def is_free(lease: Lease) -> bool:
    """Say whether nobody holds it: it ended, or its holder has died on this machine."""
    return lease.owner is None or lease.until < timezone.now() or processes.has_ended(lease.process)


def renew(lease: Lease, *, heard_at: datetime) -> bool:
    """Keep the lease for another while, and note `heard_at`; say whether it is still ours."""
    until = timezone.now() + timedelta(seconds=LASTS)
    return bool(_mine(lease).update(until=until, heard_at=heard_at))


def hold(lease: Lease) -> None:
    """Lock the lease until the end of the transaction. Raises Lost."""
    # By hand, since each claim does it: Django's query costs more than what it finds.
    table, lock = Lease._meta.db_table, ""
    if connection.features.has_select_for_update:
        lock = " FOR UPDATE"
    query = f"SELECT id FROM {table} WHERE id = %s AND epoch = %s AND until > %s{lock}"  # noqa: S608
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(query, [lease.pk, lease.epoch, now])
        if not cursor.fetchone():
            raise Lost


def release(lease: Lease, *, heard_at: datetime) -> None:
    """Let somebody else have it at once."""
    _mine(lease).update(owner=None, until=timezone.now(), heard_at=heard_at)


def _mine(lease: Lease) -> QuerySet[Lease]:
    return Lease.objects.filter(pk=lease.pk, owner=lease.owner, epoch=lease.epoch)


def bury(owner: uuid.UUID) -> None:
    """End the lease of a holder that is known to be dead, unless it gave it back itself."""
    Lease.objects.filter(owner=owner).update(until=timezone.now())


def held(phone: Phone) -> Lease | None:
    """Give the lease of a phone while somebody holds it."""
    lease = Lease.objects.filter(phone=phone).first()
    return None if lease is None or is_free(lease) else lease
