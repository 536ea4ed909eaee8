"""`manage.py session PHONE`: hold the session of one connected phone. Started by `manage.py sessions`."""

from __future__ import annotations

import logging
import os
import signal
import time
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lib.jobs import QueueDown, Worker, jobs_of, stopping
from messaging.connected import Seat, queue_of
from phones import leases
from phones.health import kind_of
from phones.models import Phone

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Hold the session of one connected phone, such as SMPP."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone", type=int)
        parser.add_argument("--owner", type=uuid.UUID, help="how its lease is to be known")

    def handle(self, *, phone: int, owner: uuid.UUID | None, **_: Any) -> None:
        found = Phone.objects.select_related("workspace").filter(pk=phone, deleted_at=None).first()
        kind = kind_of(found) if found else None
        if found is None or kind is None or not kind.connected:
            raise CommandError(f"Phone {phone} has no session to hold.")
        lease = leases.take(found, owner)
        if lease is None:
            raise CommandError(f"The session of phone {phone} is held elsewhere.")
        hold(Seat(found, lease))


def hold(seat: Seat) -> None:
    """Run a seat, with a worker in this thread that hears its wake-ups, until either is to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    seat.start()
    while seat.is_alive() and not stopping.is_set():
        try:
            _Worker(seat).work(with_scheduler=False, logging_level="WARNING")
        except QueueDown as error:
            # What comes in is stored all the same, and due messages are looked for now and then.
            logger.warning("The queue server does not answer (%s).", error)
            time.sleep(1)
    seat.stop()
    seat.join()


class _Worker(Worker):
    """A worker that ends with its seat."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        queue = jobs_of(queue_of(seat.phone.pk))
        super().__init__([queue], connection=queue.connection)
        seat.ended = lambda: os.kill(os.getpid(), signal.SIGTERM)
