"""How long a request has waited for a thread of the web server, which notes it (smsapp.web)."""

from __future__ import annotations

import threading

_here = threading.local()


def note(seconds: float) -> None:
    """Say how long what this thread does now has waited for it."""
    _here.seconds = seconds


def seconds() -> float:
    """Give how long that was; 0 where nobody noted it."""
    return float(getattr(_here, "seconds", 0.0))
