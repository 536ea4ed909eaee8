"""What may leave to a Sentry: the way to an error, and no value."""

from __future__ import annotations

import importlib
import json
import types
from typing import Any

import pytest

from lib import logs
from smsapp import sentry

# As sentry-sdk 2 makes them, with every place in which a value may stand.
EVENT: dict[str, Any] = {
    "event_id": "0" * 32,
    "level": "error",
    "platform": "python",
    "transaction": "/callbacks/t0kenOfAPhone/status/?q=LEAK",
    "logentry": {"message": "Phone 3 said 'LEAK' to +33612345678", "params": ["LEAK"]},
    "request": {"url": "https://x/?LEAK", "headers": {"Cookie": "LEAK"}, "data": {"text": "LEAK"}},
    "user": {"email": "LEAK@example.org"},
    "breadcrumbs": {"values": [{"message": "LEAK"}]},
    "extra": {"sys.argv": ["LEAK"]},
    "contexts": {"trace": {"data": "LEAK"}},
    "server_name": "LEAK",
    "exception": {
        "values": [
            {
                "type": "IntegrityError",
                "module": "django.db",
                "value": 'duplicate key "LEAK"\nDETAIL: Key (peer)=(LEAK) exists.',
                "stacktrace": {
                    "frames": [
                        {
                            "filename": "messaging/sending.py",
                            "function": "pump",
                            "lineno": 12,
                            "vars": {"text": "LEAK"},
                            "context_line": "LEAK",
                        }
                    ]
                },
            }
        ]
    },
}


def test_no_value_leaves() -> None:
    with logs.about(job="j-1"):
        left = sentry.scrubbed(json.loads(json.dumps(EVENT)))
    told = json.dumps(left)

    assert "LEAK" not in told
    assert "t0kenOfAPhone" not in told
    assert "33612345678" not in told
    assert left["exception"]["values"][0]["stacktrace"]["frames"] == [
        {"filename": "messaging/sending.py", "function": "pump", "lineno": 12}
    ]
    assert left["tags"] == {"job": "j-1"}


def test_without_the_package_the_start_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)

    with pytest.raises(SystemExit, match="pip install sentry-sdk"):
        sentry.start("https://key@sentry.example.org/1", release="1")


def test_nothing_personal_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    sdk = types.SimpleNamespace(init=lambda **options: asked.update(options))
    monkeypatch.setattr(importlib, "import_module", lambda name: sdk)

    sentry.start("https://key@sentry.example.org/1", release="1")

    assert asked["before_send"] is sentry.scrubbed
    assert (asked["send_default_pii"], asked["include_local_variables"]) == (False, False)
    assert asked["max_request_body_size"] == "never"
