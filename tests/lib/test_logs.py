from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts.models import User
from lib import logs
from messaging import tallies
from phones.models import Phone


def written(logger: str, message: str, *args: Any, **options: Any) -> dict[str, Any]:
    """Give the line that a record becomes."""
    info = options.pop("exc_info", None)
    record = logging.getLogger(logger).makeRecord(
        logger, logging.INFO, "f", 1, message, args, info, **options
    )
    assert logs.HideNumbers().filter(record)
    line: dict[str, Any] = json.loads(logs.AsJson().format(record))
    return line


def test_a_line_says_when_who_and_what_for_whom() -> None:
    with logs.about(request="r-1234567"), logs.about(phone=3):
        line = written("messaging.sending", "Phone %s rests", 3, extra={"messages": [1, 2]})

    assert line["message"] == "Phone 3 rests"
    assert (line["level"], line["logger"]) == ("INFO", "messaging.sending")
    assert (line["request"], line["phone"], line["messages"]) == ("r-1234567", 3, [1, 2])
    assert line["time"].endswith("+00:00")
    assert logs.current() == {}


def test_a_whole_request_never_becomes_a_field(rf: RequestFactory) -> None:
    line = written(
        "django.request", "x", extra={"request": rf.get("/?q=secret"), "status_code": 500}
    )

    assert "secret" not in json.dumps(line)
    assert line["status_code"] == 500


def test_the_way_to_an_error_is_one_line_without_numbers() -> None:
    try:
        raise ValueError("Key (peer)=(+33 6 12 34 56 78) exists, 0612345678 too")
    except ValueError as error:
        line = written("x", "Broke", exc_info=(type(error), error, error.__traceback__))

    assert "ValueError" in line["trace"]
    assert "12345678" not in line["trace"].replace(" ", "")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("to +33612345678 now", "to ••• now"),
        ("to 0612345678.", "to •••."),
        ("to (612) 0612345678", "to (612) •••"),
        ("message 1204 of phone 3", "message 1204 of phone 3"),
        ("took 0.123456789 s", "took 0.123456789 s"),
        ("job 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "job 3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        ("127.0.0.1:8000 2026-11-21", "127.0.0.1:8000 2026-11-21"),
    ],
)
def test_what_looks_like_a_number_is_blanked(said: str, left: str) -> None:
    assert logs.without_numbers(said) == left


# ---- Requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("abc-123.DEF_456", True),
        ("short", False),
        ("x" * 65, False),
        ("a b c d e f g", False),
        ("evil\tvalue-of-id", False),
        ("", False),
    ],
)
def test_an_id_from_outside_is_taken_over_where_it_is_sane(
    given: str, taken: bool, client: Client, db: None
) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]

    assert (answered == given) is taken
    assert len(answered) >= 8


@pytest.mark.django_db(transaction=True)
def test_requests_and_messages_are_told_by_ids_alone(
    client: Client, phone: Phone, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "journal")
    client.force_login(alice)
    client.get("/messages/?q=0612345678")
    tallies.recorded(phone, [(7, "sent"), (9, "sent"), (8, "failed")])

    said = [json.loads(logs.AsJson().format(record)) for record in caplog.records]

    assert [(line["message"], line.get("messages")) for line in said] == [
        ("messages", None), ("sent", [7, 9]), ("failed", [8]),
    ]  # fmt: skip
    assert said[0]["status"] == 200
    assert "0612345678" not in json.dumps(said)


def test_people_s_logs_have_no_line_per_request() -> None:
    assert not logging.getLogger("journal.requests").isEnabledFor(logging.INFO)
