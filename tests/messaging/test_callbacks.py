"""The one view that providers call, and each of its answers."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from lib import queued
from messaging import receiving
from messaging.models import Message
from phones.base import BadSignature, IncomingSms, Malformed
from phones.models import EndpointCall, Exchange, Phone
from smsapp import web
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> Client:
    """A client as strict as the world: CSRF checked, and no cookie."""
    return Client(enforce_csrf_checks=True)


def address(phone: Phone, endpoint: str = "incoming", slash: str = "/") -> str:
    return f"/callbacks/{phone.token}/{endpoint}{slash}"


def test_a_callback_is_stored_and_shown(provider, line, scripted) -> None:
    scripted.parsed = [IncomingSms(number(1), "Yes", "IN1")]

    answer = provider.post(address(line), {"Body": "Yes"})

    exchange = Exchange.objects.get()
    assert answer.status_code == 200
    assert exchange.message == Message.objects.get().pk
    assert (exchange.direction, exchange.status) == ("in", 200)
    assert EndpointCall.objects.get(phone=line, endpoint="incoming").last_at is not None


@pytest.mark.parametrize("slash", ["/", ""])
def test_there_is_no_redirect_for_a_missing_slash(slash, provider, line) -> None:
    assert provider.post(address(line, slash=slash)).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/callbacks/wrong/incoming/", "/callbacks/{token}/nonsense/", "/callbacks/wrong/"],
)
def test_a_wrong_address_is_404_and_nothing_else(path, provider, line) -> None:
    answer = provider.post(path.format(token=line.token))

    assert answer.status_code == 404
    assert not Exchange.objects.exists()


def test_a_deleted_phone_takes_no_callbacks(provider, line) -> None:
    line.deleted_at = line.created_at
    line.save(update_fields=["deleted_at"])

    assert provider.post(address(line)).status_code == 404


def test_a_bad_signature_is_403_and_can_be_seen(provider, line, scripted) -> None:
    scripted.verifying = BadSignature("The signature does not fit.")
    scripted.parsed = [IncomingSms(number(1), "Yes", "IN1")]

    answer = provider.post(address(line))

    assert answer.status_code == 403
    assert not Message.objects.exists()
    assert Exchange.objects.get().error == "The signature does not fit."
    assert EndpointCall.objects.get().refused_at is not None


def test_a_malformed_callback_is_400_and_says_what_is_missing(provider, line, scripted) -> None:
    scripted.parsing = Malformed("From is missing.")

    answer = provider.post(address(line))

    assert (answer.status_code, answer.content) == (400, b"From is missing.")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_wrong_method_is_405(method, provider, line) -> None:
    answer = getattr(provider, method)(address(line, "status"))

    assert answer.status_code == 405
    assert answer["Allow"] == "POST"


def test_get_is_taken_where_the_type_says_so(provider, line) -> None:
    assert provider.get(address(line, "incoming") + "?a=1").status_code == 200


def test_too_large_is_413(provider, line, settings) -> None:
    big = b"x" * (settings.CALLBACK_LIMIT + 1)

    answer = provider.post(address(line), big, content_type="text/plain")

    assert answer.status_code == 413


def test_what_carries_pictures_may_be_larger(
    provider, line, scripted, settings, monkeypatch
) -> None:
    status, incoming = scripted.endpoints
    monkeypatch.setattr(scripted, "endpoints", (status, replace(incoming, carries_media=True)))
    large, huge = (
        b"x" * (limit + 1) for limit in (settings.CALLBACK_LIMIT, settings.CALLBACK_MEDIA_LIMIT)
    )

    taken = provider.post(address(line, "incoming"), large, content_type="text/plain")
    refused = provider.post(address(line, "incoming"), huge, content_type="text/plain")
    elsewhere = provider.post(address(line, "status"), large, content_type="text/plain")

    assert [answer.status_code for answer in (taken, refused, elsewhere)] == [200, 413, 413]


def test_our_own_failure_is_503_so_that_they_try_again(
    provider, line, scripted, monkeypatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr(receiving, "apply", fail)

    answer = provider.post(address(line))

    assert answer.status_code == 503
    assert 0 < int(answer["Retry-After"]) <= 60


def test_a_callback_at_the_end_of_a_long_line_is_asked_to_come_again(
    provider, line, scripted
) -> None:
    queued.note(4.0)
    try:
        late = provider.post(address(line))
        page = provider.get("/healthz")
    finally:
        queued.note(0.0)

    assert (late.status_code, page.status_code) == (503, 200)
    assert 0 < int(late["Retry-After"]) <= 60
    assert scripted.parsed == []
    assert provider.post(address(line)).status_code == 200


def test_the_web_server_notes_how_long_a_request_has_waited() -> None:
    go_on = threading.Event()
    with web.Worker.get_thread_pool(SimpleNamespace(cfg=SimpleNamespace(threads=1))) as pool:
        pool.submit(go_on.wait, 5)
        second = pool.submit(queued.seconds)
        time.sleep(0.05)
        go_on.set()

        assert second.result(5) >= 0.05


def test_a_bug_in_a_type_is_503_and_loses_nothing(provider, line, scripted) -> None:
    scripted.parsing = ZeroDivisionError()

    assert provider.post(address(line)).status_code == 503


def test_the_secret_address_is_not_in_what_people_read(provider, line) -> None:
    provider.post(address(line), {"a": "b"})

    exchange = Exchange.objects.get()
    assert line.token not in f"{exchange.url}{exchange.sent}{exchange.error}"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
        "",
    ],
)
def test_any_bytes_are_answered(content_type, provider, line, scripted) -> None:
    scripted.parsing = Malformed("Unreadable.")

    answer = provider.post(address(line), b"\xff\x00%%%zz&&=", content_type=content_type)

    assert answer.status_code == 400


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_type_may_be_called_by_names_of_its_habit(
    slash: str, provider, line, scripted, monkeypatch
) -> None:
    monkeypatch.setattr(scripted, "actions", {"receive": "incoming"})
    scripted.parsed = [IncomingSms(number(1), "Yes", "IN1")]

    answer = provider.post(f"/c/ex/{line.token}/receive{slash}", {"text": "Yes"})

    assert answer.status_code == 200
    assert Message.objects.get().text == "Yes"
    assert EndpointCall.objects.get().endpoint == "incoming"


def test_names_that_are_no_habit_of_the_type_are_404(provider, line) -> None:
    assert provider.post(f"/c/ex/{line.token}/receive/").status_code == 404
