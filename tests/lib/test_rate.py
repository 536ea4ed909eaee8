from __future__ import annotations

import time

from lib.jobs import redis
from lib.rate import charge, take


def test_a_burst_is_given_and_then_nothing(valkey: None) -> None:
    given, _ = take(redis(), "a", rate=10, burst=5, want=100)
    none, wait = take(redis(), "a", rate=10, burst=5, want=1)

    assert (given, none) == (5, 0)
    assert 0 < wait <= 0.1


def test_the_rate_is_kept_over_time(valkey: None) -> None:
    started, got = time.monotonic(), 0
    while time.monotonic() - started < 1:
        given, wait = take(redis(), "a", rate=50, burst=1, want=10)
        got += given
        time.sleep(min(wait, 0.02))

    assert 0 < got <= 52


def test_a_debt_must_be_paid_first(valkey: None) -> None:
    take(redis(), "a", rate=10, burst=1, want=1)
    charge(redis(), "a", rate=10, units=9)

    _, wait = take(redis(), "a", rate=10, burst=1, want=1)

    assert 0.8 < wait <= 1.0


def test_what_was_not_used_can_be_given_back(valkey: None) -> None:
    take(redis(), "a", rate=10, burst=5, want=5)
    charge(redis(), "a", rate=10, units=-5)

    assert take(redis(), "a", rate=10, burst=5, want=5)[0] == 5


def test_buckets_do_not_share(valkey: None) -> None:
    take(redis(), "a", rate=1, burst=1, want=1)

    assert take(redis(), "b", rate=1, burst=1, want=1)[0] == 1


def test_a_clock_that_was_set_back_stops_nothing(valkey: None) -> None:
    redis().set("rate:a", time.time() + 3600, px=10_000)

    assert take(redis(), "a", rate=1, burst=1, want=1) == (1, 0)


def test_a_long_debt_at_a_slow_rate_is_kept(valkey: None) -> None:
    charge(redis(), "a", rate=0.1, units=600)

    assert 5900 < take(redis(), "a", rate=0.1, burst=1, want=1)[1] <= 6000
