"""Watching: one thread per phone whose provider tells of news while we stay connected (IMAP IDLE, ...).

News only wake the ordinary look, `polling.look`: what came in is asked for, stored and answered for in
one place, and the tick still looks now and then, should a watch have missed something.
"""

from __future__ import annotations

import logging
import threading
import traceback

from django.db import connection

from lib.http import NoAnswer, NotSent
from lib.jobs import DEFAULT, wake
from messaging import polling
from messaging.sessions import Sort
from phones.base import Misconfigured, PhoneError, PhoneType
from phones.lines import line, redactor_of
from phones.models import Phone

logger = logging.getLogger(__name__)

# Seconds that one call of a type's `watch` lasts at most.
_AT_A_TIME = 300.0
# Seconds of rest after an error, doubling; a refused password is not tried often, or it gets locked.
_REST, _LONGEST_REST = 5.0, 600.0


class Watch:
    """A session that waits for news of one phone, in a thread of its own."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._line = line(phone)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {phone.pk}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping.wait(rest):
            try:
                if self._line.watch(_AT_A_TIME, self._stopping.is_set):
                    wake(polling.look, self._phone.pk, queue=DEFAULT)
                    connection.close()  # opened by the wake-up to learn that no transaction waits
                rest = 0.0
            except (PhoneError, NotSent, NoAnswer) as error:
                worst = isinstance(error, Misconfigured)
                rest = _LONGEST_REST if worst else min(max(rest * 2, _REST), _LONGEST_REST)
                logger.warning("Watching phone %s rests %.0f s: %s", self._phone.pk, rest, error)
            # A bug of one type must not end its watch for good.
            except Exception as problem:  # noqa: BLE001
                rest = _LONGEST_REST
                trace = redactor_of(self._phone).text("".join(traceback.format_exception(problem)))
                logger.error("Watching phone %s failed\n%s", self._phone.pk, trace)
        self._line.close()


WATCHES = Sort(
    suits=lambda kind: kind.watch is not PhoneType.watch,
    needed=lambda kind, settings: kind.watches(settings),
    begin=Watch,
)
