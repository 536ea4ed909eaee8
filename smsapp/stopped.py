"""Make sure that nothing of this site runs, for what replaces its database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from lib.jobs import DEFAULT, SEND, QueueDown, redis, workers
from phones import live
from smsapp.preconditions import hold
from smsapp.supervisor import CannotStart

# Seconds since its last look after which the tick is believed to have ended.
_SILENT = 10.0


@contextmanager
def stopped() -> Iterator[None]:
    """Keep `./run` from starting meanwhile. Raises CommandError while anything runs."""
    data = Path(settings.DATA_DIR)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with hold(data / "up.lock"):
            if names := _running():
                raise CommandError(
                    f"Stop the site first, here and on other machines. Running: {', '.join(names)}."
                )
            yield
    except CannotStart as error:
        raise CommandError(str(error)) from None


def _running() -> list[str]:
    try:
        said = redis().get("tick")
        found = {
            "tick": time.time() - float(said or 0) < _SILENT + settings.TICK_SECONDS,
            "rqworker send": workers(SEND) > 0,
            "rqworker default": workers(DEFAULT) > 0,
            "sessions": live.is_kept(),
        }
    except QueueDown:
        return []  # the embedded one ends with the site
    return [name for name, runs in found.items() if runs]
