"""Database and queue server that are gone without a word: a cut cable, a machine without power.

`bench.hosts` cuts real ones; here is what lets them be noticed.
"""

from __future__ import annotations

from typing import Any

import django_rq
import pytest
from django.core.cache import caches
from django.db import connection

from lib.jobs import SEND, redis
from smsapp.settings import attentive


def test_nobody_waits_for_a_silent_queue_server_for_long() -> None:
    cache: Any = caches["default"]
    for client in (redis(SEND), cache._cache.get_client(), django_rq.get_connection()):
        asking: Any = client.connection_pool.make_connection()
        assert asking.socket_connect_timeout <= 5
        assert asking.socket_timeout <= 30  # an RQ worker, which waits for jobs, takes 25


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_database_that_is_gone_is_noticed_within_seconds() -> None:
    connection.ensure_connection()
    known = connection.connection.info.get_parameters()

    assert int(known["connect_timeout"]) <= 10
    assert int(known["tcp_user_timeout"]) <= 20_000
    assert int(known["keepalives_idle"]) <= 10


def test_an_operator_may_wait_longer() -> None:
    assert attentive({"connect_timeout": "77"})["connect_timeout"] == "77"


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_host_that_is_gone_keeps_no_lock_in_the_database() -> None:
    names = [
        "tcp_keepalives_idle",
        "tcp_user_timeout",
        "idle_in_transaction_session_timeout",
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = ANY(%s)", [names])
        found = [value for (value,) in cursor.fetchall()]

    assert len(found) == len(names)
    assert all(0 < value <= 120_000 for value in found)
