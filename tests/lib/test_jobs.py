from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from django_rq import get_queue

from lib.jobs import SEND, Worker, redis, waiting, wake

pytestmark = pytest.mark.django_db(transaction=True)


def look(key: int) -> None:
    """A wake-up."""


def test_a_worker_that_starts_forgets_the_flag_of_one_that_was_killed(
    jobs: Callable[[], None],
) -> None:
    wake(look, 1)
    redis(SEND).delete("rq:queue:send")  # taken by a worker that was killed before it looked
    wake(look, 1)
    assert waiting(SEND) == 0

    jobs()
    wake(look, 1)

    assert waiting(SEND) == 1


def test_one_client_keeps_its_connections() -> None:
    before = redis(SEND).info("stats")["total_connections_received"]

    for _ in range(20):
        redis(SEND).ping()

    assert redis(SEND).info("stats")["total_connections_received"] == before


def test_a_second_signal_does_not_cut_a_job_off() -> None:
    worker = Worker([get_queue(SEND)], connection=redis(SEND))
    worker._shutdown_requested_date = timezone.now() - timedelta(seconds=5)

    worker.request_force_stop(signal.SIGTERM, None)


def fail(key: int) -> None:
    raise ZeroDivisionError


def test_wake_ups_that_fail_again_and_again_do_not_pile_up(jobs: Callable[[], None]) -> None:
    wake(fail, 1)
    jobs()

    (failed,) = get_queue(SEND, connection=redis(SEND)).failed_job_registry.get_job_ids()

    assert 0 < redis(SEND).ttl(f"rq:job:{failed}") <= 600
