"""How gunicorn serves the site: `gunicorn smsapp.wsgi --config python:smsapp.web --bind …`.

Everything is loaded once and then forked, so that what nobody changes is in memory once. A worker is
renewed now and then, in case memory leaks. See https://docs.gunicorn.org/en/stable/settings.html.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import connections
from django.urls import get_resolver
from gunicorn.workers.gthread import ThreadWorker

from lib import queued

preload_app = True
worker_class = "smsapp.web.Worker"
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


class Worker(ThreadWorker):  # type: ignore[misc]
    """Notes of each request how long it waited for a thread, so that the last in a long line are told."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return _Pool(max_workers=self.cfg.threads)


class _Pool(ThreadPoolExecutor):
    def submit(self, work: Callable[..., Any], /, *given: Any, **more: Any) -> Future[Any]:
        return super().submit(_after_waiting, time.monotonic(), work, *given, **more)


def _after_waiting(since: float, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
    queued.note(time.monotonic() - since)
    return work(*given, **more)
