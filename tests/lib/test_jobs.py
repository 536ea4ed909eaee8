from __future__ import annotations

from collections.abc import Callable

import pytest

from lib.jobs import SEND, redis, waiting, wake

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
