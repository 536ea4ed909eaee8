"""A process of its own for the session of each connected phone, such as SMPP."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

from messaging.sessions import Sort
from phones import leases
from phones.models import Phone
from smsapp.supervisor import die_with


class Holding:
    """`manage.py session` for one phone: it drains and unbinds when it is asked to stop."""

    def __init__(self, phone: Phone) -> None:
        self._owner = uuid.uuid4()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "session", str(phone.pk), "--owner", str(self._owner)],
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - it asks the kernel, nothing else
        )
        self._asked = False

    def stop(self) -> None:
        if not self._asked:
            self._asked = True
            self._process.terminate()

    def has_ended(self) -> bool:
        """Say whether it has ended; the phone of one that was killed need not wait for its lease."""
        if self._process.poll() is None:
            return False
        leases.bury(self._owner)
        return True


HOLDINGS = Sort(
    suits=lambda kind: kind.connected,
    begin=Holding,
    free=lambda phone: leases.held(phone) is None,
)
