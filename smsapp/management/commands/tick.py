"""`manage.py tick`: every few seconds, look for work that lost its wake-up. Any number may run."""

from __future__ import annotations

import logging
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from campaigns import (
    expanding,
    feeding,
    recurring,
    rehearsing,
    scheduling,
    sheets,
    steering,
    tallying,
)
from campaigns import retention as campaigns_retention
from contacts import changing, keeping
from contacts.importing import files, running
from lib.jobs import QueueDown, redis
from messaging import (
    activity,
    failing_over,
    looking_up,
    polling,
    receiving,
    reliability,
    reporting,
    retention,
    sweeping,
)
from messaging.quota import alerting, counting, ledger, releasing
from phones import quotas

logger = logging.getLogger(__name__)

# What is looked for, and every how many seconds at least.
DUTIES: tuple[tuple[Callable[[], int], float], ...] = (
    (sweeping.wake_due, 0),
    (looking_up.wake_due, 0),
    (sweeping.end_leases, 0),
    (reliability.look_at_phones, 10),
    (failing_over.move_stuck, 5),
    (sweeping.cancel_orphans, 20),
    (polling.wake_due, 5),
    (reporting.match_all_parked, 20),
    (receiving.show_partial, 20),
    (sweeping.fetch_late_media, 120),
    (sweeping.prune_exchanges, 3600),
    (quotas.forget_counts, 3600),
    (keeping.forget_deleted_fields, 60),
    (changing.purge, 600),
    (running.resume, 20),
    (files.prune, 3600),
    (recurring.make_due, 0),
    (scheduling.start_due, 0),
    (scheduling.tell_of_drafts, 60),
    (expanding.resume, 5),
    (feeding.wake_all, 0),
    (feeding.finish, 5),
    (steering.go_on_all, 20),
    (tallying.melt, 10),
    (activity.melt, 10),
    (ledger.renew_due, 20),
    (releasing.release, 5),
    (alerting.notice, 10),
    (counting.melt, 10),
    (rehearsing.resume, 20),
    (sheets.prune, 3600),
    (retention.keep, 5),
    (campaigns_retention.keep, 3600),
)


class Command(BaseCommand):
    stopped = False
    help = "Look every few seconds for work that lost its wake-up, and for workers that died."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Look once and end.")

    def handle(self, *, once: bool, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        done: dict[str, float] = {}
        while not self.stopped:
            look(done)
            if once:
                return
            self._pause(settings.TICK_SECONDS)

    def _stop(self, *_: object) -> None:
        # A plain flag: setting an Event in a signal handler can wait for the Event it interrupted.
        self.stopped = True

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self.stopped and time.monotonic() < ends:
            time.sleep(0.1)


def look(done: dict[str, float]) -> None:
    """Do each duty whose time has come; one that fails does not keep the others from theirs."""
    for duty, every in DUTIES:
        name = f"{duty.__module__}.{duty.__name__}"
        if time.monotonic() - done.get(name, float("-inf")) < every:
            continue
        done[name] = time.monotonic()
        close_old_connections()
        try:
            duty()
        except Exception:  # the tick outlives whatever goes wrong, and tries again
            logger.exception("The tick could not %s", name)
    try:
        redis().set("tick", time.time(), ex=60)
    except QueueDown:
        logger.warning("The queue server does not answer.")
