from __future__ import annotations

import pytest
from django.core.cache import caches
from django.test import Client

from accounts.models import User
from lib.cache import ForgetfulCache
from tests.conftest import PASSWORD

NOWHERE = "unix:///nowhere/valkey.sock"


@pytest.fixture
def away() -> ForgetfulCache:
    return ForgetfulCache(NOWHERE, {})


def test_a_cache_that_is_away_has_nothing_and_says_no_word(away: ForgetfulCache) -> None:
    away.set("a", 1)

    assert away.get("a", "none") == "none"
    assert away.add("a", 1)
    assert not away.has_key("a")
    assert not away.delete("a")
    assert away.incr("a") == 1


def test_people_get_in_while_the_queue_server_is_down(
    alice: User, away: ForgetfulCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches._connections, "default", away, raising=False)

    answer = Client().post("/login/", {"login": alice.email, "password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/")
