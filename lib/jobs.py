"""Wake-ups: the only module that knows RQ.

Rows are the truth and a job only says "look". So a job may be lost, doubled or late without harm, and
a queue server that is down delays work until the tick finds it, but never fails what a person does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import django_rq
from django.conf import settings
from django.db import close_old_connections, transaction
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from lib import counters, logs
from lib.server import DEFAULT, SEND, QueueDown, redis

logger = logging.getLogger(__name__)

__all__ = ["DEFAULT", "SEND", "QueueDown", "redis"]
# Seconds after which a wake-up that nobody answered is believed lost.
_LOST_AFTER = 30
# Seconds that a job that failed is kept, to be looked at. A wake-up that fails is repeated every few
# seconds by the tick: a day of them would fill the queue server.
_JOB_KEPT, _WAKE_KEPT = 86_400, 600
# Set when this worker was asked to stop: long jobs look at it and finish early.
stopping = threading.Event()


def jobs_of(queue: str) -> Queue:
    """Give a queue of the settings, or any other: a connected phone has one of its own."""
    if queue not in settings.RQ_QUEUES:
        return Queue(queue, connection=redis(queue), serializer=JSONSerializer)
    jobs: Queue = django_rq.get_queue(queue, connection=redis(queue))
    return jobs


def enqueue(function: Callable[..., Any], *arguments: Any, queue: str = DEFAULT) -> None:
    """Run `function(*arguments)` in a worker once the current transaction commits. Ids only."""
    transaction.on_commit(lambda: _push(function, arguments, queue, wake=None))


def wake(function: Callable[..., Any], key: int, queue: str = SEND) -> None:
    """Enqueue `function(key)` on commit unless such a wake-up waits already."""
    transaction.on_commit(lambda: _push(function, (key,), queue, wake=_flag(function, key)))


def awake(function: Callable[..., Any], key: int) -> None:
    """Say that `function(key)` looks at the rows from now on: the next `wake` enqueues again."""
    redis(SEND).delete(_flag(function, key))


def _flag(function: Callable[..., Any], key: int) -> str:
    return f"wake:{function.__module__}.{function.__name__}:{key}"


def _push(
    function: Callable[..., Any], arguments: tuple[Any, ...], queue: str, wake: str | None
) -> None:
    try:
        if wake and not redis(queue).set(wake, 1, nx=True, ex=_LOST_AFTER):
            return
        kept = _WAKE_KEPT if wake else _JOB_KEPT
        jobs_of(queue).enqueue(function, *arguments, result_ttl=0, failure_ttl=kept)
    except RedisError as error:
        logger.warning("The queue server does not answer (%s); the tick will find the work.", error)


def queue_is_up() -> bool:
    """Say whether the queue server answers."""
    try:
        return bool(redis().ping())
    except RedisError:
        return False


def waiting(queue: str = SEND) -> int:
    """Count the jobs that wait for a worker of this queue."""
    return len(jobs_of(queue))


def workers(queue: str) -> int:
    """Count the live workers of a queue; one that was killed counts for a minute more. Raises QueueDown."""
    # Worker.count also counts those whose name nobody has crossed out yet.
    return len(Worker.all(queue=jobs_of(queue), serializer=JSONSerializer))


def failed(queue: str) -> int:
    """Count the jobs of a queue that failed lately. Raises QueueDown."""
    return int(jobs_of(queue).failed_job_registry.get_job_count(cleanup=False))


def oldest(queue: str) -> float:
    """Give for how many seconds the first job of a queue has waited, 0 = none waits. Raises QueueDown."""
    jobs = jobs_of(queue)
    for job in jobs.get_jobs(0, 1):
        if job.enqueued_at:
            return max(0.0, (datetime.now(UTC) - job.enqueued_at).total_seconds())
    return 0.0


class Worker(SimpleWorker):
    """An RQ worker that does not fork, notices a dead server soon, and lets long jobs stop early.

    Give it one queue only: on two, RQ uses BLPOP and can lose a job for good.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # django-rq's command does not read the queue's serializer; pickle would run what it is sent.
        kwargs["serializer"] = JSONSerializer
        kwargs["worker_ttl"] = 30
        kwargs["maintenance_interval"] = 60
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work, and before that forget the flags: one that was killed may have left its own raised."""
        with suppress(RedisError):
            for flag in self.connection.scan_iter("wake:*", count=1000):
                self.connection.delete(flag)
        done: bool = super().work(*args, **kwargs)
        return done

    def _shutdown(self) -> None:
        stopping.set()
        try:
            super()._shutdown()  # type: ignore[no-untyped-call]
        except RedisError:
            # Raised in a signal handler it would cut the running job off; the flag is enough.
            self._stop_requested = True

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Go on ending in order: a second signal must not cut off what records that messages left.

        systemd and a dying supervisor both send one. Who cannot wait sends SIGKILL.
        """

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run the job between two fresh looks at the database connection."""
        close_old_connections()
        began = time.monotonic()
        try:
            with logs.about(job=str(job.id)):
                done: bool = super().perform_job(job, queue)
            return done
        finally:
            name = str(job.func_name).rpartition(".")[2]
            counters.observe("job_seconds", name, seconds=time.monotonic() - began)
            close_old_connections()

    def get_heartbeat_ttl(self, job: Job) -> int:
        return int(timedelta(seconds=job.timeout or 60).total_seconds()) + 60
