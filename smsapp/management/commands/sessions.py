"""`manage.py sessions`: keep what stays connected to providers. Any number may run: leases share it out."""

from __future__ import annotations

import signal
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from messaging.sessions import EVERY, Keeper
from messaging.watching import WATCHES
from smsapp.holding import HOLDINGS

# Seconds that sessions may take to end.
_PATIENCE = 30.0


class Command(BaseCommand):
    stopped = False
    help = "Keep the connections to providers that one stays connected to: SMPP, IMAP IDLE."

    def handle(self, **_: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        keeper = Keeper(WATCHES, HOLDINGS)
        while not self.stopped:
            close_old_connections()
            keeper.look()
            self._pause(EVERY)
        keeper.stop(_PATIENCE)

    def _stop(self, *_: object) -> None:
        # A plain flag: setting an Event in a signal handler can wait for the Event it interrupted.
        self.stopped = True

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self.stopped and time.monotonic() < ends:
            time.sleep(0.1)
