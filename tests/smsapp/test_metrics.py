"""What Prometheus reads, who may, and that nothing in it grows with what was sent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from lib import counters
from lib.jobs import enqueue, redis
from messaging import backlog, receiving, tallies
from messaging.models import Direction, Message, Status
from messaging.sending import send_due
from phones import live
from phones.base import Delivery, StatusReport
from phones.models import Phone
from smsapp import metrics, views
from smsapp.diagnosis import lines
from tests.conftest import no_server
from tests.messaging.conftest import line, scripted

__all__ = ["line", "scripted"]
pytestmark = pytest.mark.django_db(transaction=True)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(**headers: str) -> Samples:
    answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: object) -> float | None:
    return samples.get((name, tuple(sorted((k, str(v)) for k, v in labels.items()))))


def make(phone: Phone, status: Status, **fields: Any) -> Message:
    return Message.objects.create(
        workspace=phone.workspace, phone=phone, direction=Direction.OUT, status=status,
        peer="+33612345678", text="Hello", **fields,
    )  # fmt: skip


# ---- Who may ------------------------------------------------------------------------------------


def test_without_a_token_only_this_machine_may_ask(client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403

    settings.PROXIED = True
    assert client.get("/metrics").status_code == 403


def test_with_a_token_it_must_be_shown(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "s3cret"

    for wrong in ("", "Bearer", "Bearer s3cre", "s3cret", "Bearer é"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403
    shown = client.get(
        "/metrics", headers={"Authorization": "Bearer s3cret"}, REMOTE_ADDR="192.0.2.7"
    )
    assert shown.status_code == 200


# ---- What is told -------------------------------------------------------------------------------


def test_messages_are_told_by_phone_and_state(phone: Phone) -> None:
    now = timezone.now()
    make(phone, Status.QUEUED, not_before=now - timedelta(minutes=5))
    make(phone, Status.QUEUED, not_before=now + timedelta(hours=1))
    make(phone, Status.UNKNOWN)
    make(phone, Status.DELIVERED)

    told = scrape()

    assert value(told, "smsapp_messages_present", phone=phone.pk, state="queued") == 2
    assert value(told, "smsapp_messages_present", phone=phone.pk, state="unknown") == 1
    assert value(told, "smsapp_messages_present", phone=phone.pk, state="delivered") is None
    assert 299 < (value(told, "smsapp_queue_age_seconds", phone=phone.pk) or 0) < 310


def test_what_is_sent_and_reported_is_counted_once(line: Phone) -> None:
    message = make(line, Status.QUEUED)
    send_due(line, stop=lambda: False, others=lambda: False)
    message.refresh_from_db()
    report = StatusReport(Delivery.DELIVERED, message.provider_id, peer=message.peer)
    receiving.apply(line, [report])
    receiving.apply(line, [report])

    told = scrape()

    assert value(told, "smsapp_messages_total", phone=line.pk, state="sent") == 1
    assert value(told, "smsapp_messages_total", phone=line.pk, state="delivered") == 1
    assert value(told, "smsapp_send_seconds_count", phone=line.pk) == 1
    assert value(told, "smsapp_receipt_seconds_count", phone=line.pk) == 1
    assert value(told, "smsapp_receipt_seconds_bucket", phone=line.pk, le="0.5") == 1


def test_throttles_are_counted(line: Phone) -> None:
    tallies.recorded(line, [(1, "queued")], throttled=1)

    assert value(scrape(), "smsapp_throttles_total", phone=line.pk) == 1


def test_requests_are_told_by_route_and_never_by_address(
    client: Client, phone: Phone, alice: Any
) -> None:
    client.force_login(alice)
    client.get("/settings/me/")
    client.get(f"/callbacks/{phone.token}/status/")
    client.get("/nothing/+33612345678/")

    told = scrape()

    assert value(told, "smsapp_http_requests_total", route="profile", method="GET", status=200) == 1
    assert value(told, "smsapp_http_requests_total", route="-", method="GET", status=404) == 1
    assert value(told, "smsapp_http_seconds_count", route="profile") == 1
    words = " ".join(str(key) for key in told)
    assert phone.token not in words
    assert "33612345678" not in words


def look() -> None:
    """A job."""


def test_jobs_are_timed(jobs: Callable[[], None]) -> None:
    enqueue(look)
    assert value(scrape(), "smsapp_jobs_waiting", queue="default") == 1
    jobs()

    assert value(scrape(), "smsapp_job_seconds_count", job="look") == 1


def test_binds_are_told_and_a_session_that_nobody_holds(workspace: Any) -> None:
    held = Phone.objects.create(workspace=workspace, type="smpp", name="A", settings={})
    lost = Phone.objects.create(workspace=workspace, type="smpp", name="B", settings={})
    bind = {"name": "trx 1", "state": "bound", "in_flight": 3, "window": 10, "answer_ms": 20.0}
    live.show(held.pk, [bind])

    told = scrape()

    assert value(told, "smsapp_session_up", phone=held.pk) == 1
    assert value(told, "smsapp_session_up", phone=lost.pk) == 0
    assert value(told, "smsapp_bind_up", phone=held.pk, bind="trx 1") == 1
    assert value(told, "smsapp_bind_in_flight", phone=held.pk, bind="trx 1") == 3
    assert value(told, "smsapp_bind_answer_seconds", phone=held.pk, bind="trx 1") == 0.02


def test_what_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise metrics.QueueDown("away")

    monkeypatch.setattr(metrics, "workers", gone)

    told = scrape()

    assert value(told, "smsapp_workers", queue="send") is None
    assert value(told, "smsapp_disk_free_bytes") is not None


# ---- What it costs ------------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.usefixtures("first_day")
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (backlog.queued, "message_(due|planned|order)"),
        (backlog.sending, "message_lease"),
        (backlog.unknown, "message_(status|failures)"),
        (lambda: backlog.ages(timezone.now()), "message_due"),
        (lines.silent, "activity_"),
    ],
    ids=["queued", "sending", "unknown", "age", "silent"],
)
def test_no_query_reads_what_was_ever_sent(
    asked: Callable[[], Any], index: str, phone: Phone
) -> None:
    """`explain` asks as the site does, with parameters: for them SQLite passes partial indexes over."""
    with cheap_indexes():
        plan = asked().explain()

    assert re.search(index, plan), plan
    assert not re.search(
        r"Seq Scan on messaging_message|SCAN (messaging_message|[UV]0)$", plan, re.M
    )


@contextmanager
def cheap_indexes() -> Iterator[None]:
    """Have PostgreSQL plan as if its tables were large: on an empty one it reads all there is."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield


def test_the_number_of_queries_does_not_grow_with_phones(
    workspace: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        Phone.objects.create(workspace=workspace, type="simulator", name=str(number), settings={})

    with django_assert_max_num_queries(10):
        scrape()


# ---- Counting -----------------------------------------------------------------------------------


def test_a_queue_server_that_is_away_delays_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    here = counters.redis
    nowhere = no_server()
    monkeypatch.setattr(counters, "redis", lambda: nowhere)
    counters.count("cats", "black")
    counters.flush()
    counters.count("cats", "black")
    monkeypatch.setattr(counters, "redis", here)

    assert counters.read("cats") == {("black",): 2}


def test_counts_are_written_soon_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "GATHER", 0.01)
    counters.count("cats", "white")
    deadline = time.monotonic() + 5

    while not redis().hgetall("count:cats") and time.monotonic() < deadline:
        time.sleep(0.01)

    assert redis().hgetall("count:cats") == {b'["white"]': b"1"}


def test_a_histogram_s_buckets_hold_those_below_them() -> None:
    for seconds in (0.003, 0.2, 0.2, 99):
        counters.observe("naps", "cat", seconds=seconds)

    (bounds, total) = counters.histograms("naps")[("cat",)]

    assert bounds == [("0.005", 1), ("0.25", 3), ("+Inf", 4)]
    assert total == pytest.approx(99.403)


# ---- Whether requests may come ------------------------------------------------------------------


def test_ready_once_the_tables_are_those_of_this_version(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_migrated", [])
    monkeypatch.setattr(views.work, "pending", lambda: 2)
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json()["migrations"] == "missing"

    monkeypatch.setattr(views.work, "pending", lambda: 0)
    assert client.get("/readyz").status_code == 200


def test_the_backlog_of_a_paused_phone_has_no_age(phone: Phone) -> None:
    make(phone, Status.QUEUED, not_before=timezone.now() - timedelta(hours=1))
    Phone.objects.update(paused_at=timezone.now())

    assert backlog.oldest_due(timezone.now()) == {}
