"""`/metrics` for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).

What is now is read at each scrape, from indexes whose size is what waits and not what was ever sent; what
happened was counted by each process into the queue server (`lib/counters.py`). What does not answer is
left out.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from lib import counters
from lib.jobs import DEFAULT, SEND, QueueDown, failed, oldest, redis, waiting, workers
from messaging import backlog
from messaging.models import Status
from phones import limits, live
from phones.health import kind_of
from phones.models import Phone
from smsapp.diagnosis.work import database_size

logger = logging.getLogger(__name__)

# Of each counter: its name here, what it says, its labels, its name among lib.counters.
_COUNTERS = (
    ("smsapp_messages", "Messages that reached a state", ("phone", "state"), "messages"),
    ("smsapp_throttles", "Times a provider asked to slow down", ("phone",), "throttles"),
    ("smsapp_http_requests", "Requests answered", ("route", "method", "status"), "http"),
)
_HISTOGRAMS = (
    ("smsapp_send_seconds", "Handing a message over to its provider", ("phone",), "send_seconds"),
    ("smsapp_receipt_seconds", "From sent to delivered", ("phone",), "receipt_seconds"),
    ("smsapp_http_seconds", "Answering a request", ("route",), "http_seconds"),
    ("smsapp_job_seconds", "Running a job", ("job",), "job_seconds"),
)
# The states that pass or are rare: those that last are counted as they are reached.
_PRESENT = (Status.QUEUED, Status.SENDING, Status.UNKNOWN)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell Prometheus how the site is, if it shows METRICS_TOKEN, or asks from this machine itself."""
    if not _may_ask(request):
        words = "Set METRICS_TOKEN and send it as `Authorization: Bearer …`.\n"
        return HttpResponse(words, status=403, content_type="text/plain; charset=utf-8")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Site())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_ask(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {settings.METRICS_TOKEN}"
        return hmac.compare_digest(given.encode(), wanted.encode())
    # Behind a proxy everybody comes from this machine.
    proxied = settings.PROXIED or "X-Forwarded-For" in request.headers
    with suppress(ValueError):
        return not proxied and ipaddress.ip_address(request.META["REMOTE_ADDR"]).is_loopback
    return False


class _Site(Collector):
    def collect(self) -> Iterator[Metric]:
        parts: tuple[Callable[[], Iterator[Metric]], ...] = (
            _itself, _messages, _phones, _lines, _queues, _counted, _timed,
        )  # fmt: skip
        for part in parts:
            try:
                yield from list(part())
            except (DatabaseError, QueueDown, OSError) as error:
                logger.warning("Metrics go without %s: %s", part.__name__, type(error).__name__)


def _itself() -> Iterator[Metric]:
    yield _gauge("smsapp_info", "The version that runs", ("version",), {(settings.VERSION,): 1})
    free = shutil.disk_usage(settings.DATA_DIR).free
    yield _gauge("smsapp_disk_free_bytes", "Free for DATA_DIR", (), {(): free})
    yield _gauge("smsapp_database_bytes", "Size of the database", (), {(): database_size()})


def _messages() -> Iterator[Metric]:
    present = {
        (str(phone), status.value): many
        for status in _PRESENT
        for phone, many in backlog.by_phone(status).items()
    }
    yield _gauge("smsapp_messages_present", "Messages in a state now", ("phone", "state"), present)
    now = timezone.now()
    ages = {(str(pk),): _age(now, at) for pk, at in backlog.oldest_due(now).items()}
    yield _gauge("smsapp_queue_age_seconds", "Since when the oldest may leave", ("phone",), ages)


def _age(now: datetime, at: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


def _phones() -> Iterator[Metric]:
    phones = list(Phone.objects.living().defer("settings").order_by("pk"))
    yield _gauge(
        "smsapp_phone_info",
        "The phones",
        ("phone", "name", "type", "workspace"),
        {(str(p.pk), p.name, p.type, str(p.workspace_id)): 1 for p in phones},
    )
    yield _gauge(
        "smsapp_phone_paused",
        "1 while it is paused",
        ("phone", "reason"),
        {(str(p.pk), p.pause_reason): int(p.is_paused) for p in phones},
    )
    paces = {p.pk: limits.pace(p) for p in phones}
    rates = {(str(pk),): pace.rate for pk, pace in paces.items()}
    yield _gauge("smsapp_phone_rate", "Segments per second that it may send", ("phone",), rates)
    held = {(str(pk),): pace.held for pk, pace in paces.items()}
    yield _gauge("smsapp_phone_held_seconds", "Until it may send again", ("phone",), held)


def _lines() -> Iterator[Metric]:
    """Tell of the binds of connected phones; one that nobody holds has none."""
    phones = Phone.objects.ready().defer("settings").order_by("pk")
    connected = [phone for phone in phones if (kind := kind_of(phone)) and kind.connected]
    binds = {
        (str(phone.pk), bind["name"]): bind
        for phone in connected
        for bind in live.binds_of(phone.pk) or ()
    }
    sessions = {(str(phone.pk),): 0.0 for phone in connected}
    sessions |= {(phone,): 1.0 for phone, _ in binds}
    labels = ("phone", "bind")
    yield _gauge("smsapp_session_up", "1 while somebody holds it", ("phone",), sessions)
    bound = {key: int(bind["state"] == "bound") for key, bind in binds.items()}
    yield _gauge("smsapp_bind_up", "1 while it is bound", labels, bound)
    flying = {key: bind["in_flight"] for key, bind in binds.items()}
    yield _gauge("smsapp_bind_in_flight", "Messages without an answer yet", labels, flying)
    windows = {key: bind["window"] for key, bind in binds.items()}
    yield _gauge("smsapp_bind_window", "Messages that may be without an answer", labels, windows)
    answers = {
        key: bind["answer_ms"] / 1000
        for key, bind in binds.items()
        if bind["answer_ms"] is not None
    }
    yield _gauge("smsapp_bind_answer_seconds", "How soon the operator answers", labels, answers)


def _queues() -> Iterator[Metric]:
    names = (SEND, DEFAULT)
    for name, words, ask in (
        ("smsapp_workers", "Live workers", workers),
        ("smsapp_jobs_waiting", "Jobs that wait for a worker", waiting),
        ("smsapp_jobs_failed", "Jobs that broke lately", failed),
        ("smsapp_jobs_oldest_seconds", "Since when the first job waits", oldest),
    ):
        yield _gauge(name, words, ("queue",), {(queue,): ask(queue) for queue in names})
    said = redis().get("tick")
    ages = {(): max(0.0, time.time() - float(said))} if said else {}
    yield _gauge("smsapp_tick_age_seconds", "Since the tick looked", (), ages)
    kept = int(live.is_kept())
    yield _gauge("smsapp_sessions_kept", "1 while `sessions` runs", (), {(): kept})


def _counted() -> Iterator[Metric]:
    for name, words, labels, counter in _COUNTERS:
        family = CounterMetricFamily(name, words, labels=labels)
        for values, many in sorted(counters.read(counter).items()):
            family.add_metric(values, many)
        yield family


def _timed() -> Iterator[Metric]:
    for name, words, labels, counter in _HISTOGRAMS:
        family = HistogramMetricFamily(name, words, labels=labels)
        for values, (bounds, total) in sorted(counters.histograms(counter).items()):
            family.add_metric(values, bounds, total)
        yield family


def _gauge(
    name: str, words: str, labels: tuple[str, ...], values: Mapping[Any, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
