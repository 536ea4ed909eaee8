"""The client of the queue server (Redis or Valkey): one per process, which keeps its connections."""

from __future__ import annotations

import functools

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

QueueDown = RedisError
SEND = "send"
DEFAULT = "default"
# Seconds. A dead queue server must not hang a page; the row is saved all the same.
_TIMEOUTS = {"socket_connect_timeout": 3, "socket_timeout": 5}


def redis(queue: str = DEFAULT) -> Redis:
    """Give this process's client of the queue server, for limits and flags that may be lost."""
    known = queue if queue in settings.RQ_QUEUES else SEND
    return _client(str(settings.RQ_QUEUES[known]["URL"]))


@functools.cache
def _client(url: str) -> Redis:
    """Give the one client that keeps its connections.

    django-rq makes a client at each call, which connects anew for each command and, given a URL,
    has no time-outs.
    """
    client: Redis = Redis.from_url(url, **_TIMEOUTS)
    return client
