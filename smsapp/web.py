"""How gunicorn serves the site: `gunicorn smsapp.wsgi --config python:smsapp.web --bind …`.

Everything is loaded once and then forked, so that what nobody changes is in memory once. A worker is
renewed now and then, in case memory leaks. See https://docs.gunicorn.org/en/stable/settings.html.
"""

from __future__ import annotations

import gc
from typing import Any

from django.db import connections
from django.urls import get_resolver

preload_app = True
worker_class = "gthread"
workers = 2
threads = 8
max_requests = 10_000
max_requests_jitter = 1000
loglevel = "warning"
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """Load what the first request would, before workers are forked."""
    assert get_resolver().url_patterns
    connections.close_all()
    gc.collect()
    gc.freeze()  # a collection in a worker must not copy what it shares
