"""Callbacks that nobody should send; `python -m bench.callbacks --fuzz` sends ten thousand of them."""

from __future__ import annotations

import random

import pytest

from bench import fuzz
from phones.base import Callback
from tests.phones.cases import BASE

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", fuzz.types())
def test_no_callback_lets_anybody_in(slug: str) -> None:
    findings = fuzz.Findings()

    fuzz.run(slug, 15, random.Random(slug), findings)

    assert findings.statuses.total() >= 15
    assert findings.wrong == []


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"data":' * 20_000])
@pytest.mark.parametrize("slug", ["infobip", "octopush_shortcode", "external"])
def test_what_is_nested_too_deeply_is_malformed(slug: str, body: bytes) -> None:
    """503 would make the provider repeat it."""
    stage = fuzz.Stage(slug, random.Random(slug), fuzz.Findings())

    for endpoint in stage.endpoints:
        said = Callback(
            "POST", f"{BASE}{endpoint}/", {"content-type": "application/json"}, {}, {}, body
        )
        stage.ask(said, stage.refused, endpoint)

    assert stage.findings.wrong == []
