"""Every type's callbacks, from the provider's request to the rows: the cases of the registry once more."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client

from accounts.models import Workspace
from messaging.models import Message, Report
from phones import registry
from phones.base import Callback, IncomingSms
from phones.models import Exchange, Phone
from tests.phones.cases import BASE, Absent, Cases
from tests.phones.test_cases import cases_of, every_type

pytestmark = pytest.mark.django_db

TOKEN = urlsplit(BASE).path.split("/")[2]


@pytest.fixture
def phone(slug: str, workspace: Workspace, settings: Any) -> Phone:
    """A phone whose addresses are those that the cases were signed for."""
    settings.PUBLIC_URL = BASE.partition("/callbacks/")[0]
    stored = dict(cases_of(slug).settings)
    return Phone.objects.create(
        workspace=workspace, type=slug, name=slug, token=TOKEN, settings=stored
    )


@pytest.fixture
def unverified(slug: str, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """The same phone, taking what is not signed: what it makes of it is another question."""
    monkeypatch.setattr(registry.get(slug), "verify", lambda *_: None)
    return phone


def call(slug: str, said: Callback) -> int:
    """Make the request that a Callback stands for, at an address that this type has; give the status."""
    parts = urlsplit(said.url)
    wanted = parts.path.rstrip("/").rpartition("/")[2]
    names = [endpoint.name for endpoint in registry.get(slug).endpoints]
    name = wanted if wanted in names else names[-1]
    query = f"?{urlencode(said.query, doseq=True)}" if said.query else ""
    body = said.body or urlencode(said.form, doseq=True).encode()
    usual = "application/x-www-form-urlencoded" if said.form else "application/json"
    answer = Client(enforce_csrf_checks=True).generic(
        said.method,
        f"/callbacks/{TOKEN}/{name}/{query}",
        body,
        content_type=said.headers.get("content-type", usual),
        headers={key: value for key, value in said.headers.items() if key != "content-type"},
    )
    return int(answer.status_code)


def secrets_of(slug: str, cases: Cases) -> list[str]:
    values = [cases.settings.get(name) for name in registry.get(slug).secret_fields()]
    return [TOKEN, *(str(value) for value in values if value)]


@every_type
def test_a_message_that_is_told_twice_is_stored_once(slug: str, unverified: Phone) -> None:
    cases = cases_of(slug)
    if isinstance(cases.incoming, Absent):
        return
    said, expected = cases.incoming["valid"]
    assert isinstance(expected, IncomingSms)

    statuses = [call(slug, said), call(slug, said)]

    assert statuses == [200, 200]
    stored = Message.objects.get()
    assert stored.is_incoming
    assert stored.text == expected.text


@every_type
def test_news_of_an_unknown_message_are_kept_and_change_nothing(
    slug: str, unverified: Phone
) -> None:
    cases = cases_of(slug)
    if isinstance(cases.reports, Absent):
        return

    status = call(slug, cases.reports["unknown message"][0])

    assert 200 <= status < 300
    assert Report.objects.get().message is None
    assert not Message.objects.exists()


@every_type
def test_news_that_say_nothing_new_are_taken(slug: str, unverified: Phone) -> None:
    """An error would make the provider repeat what we will never understand, or stop to call."""
    cases = cases_of(slug)
    if isinstance(cases.reports, Absent) or isinstance(cases.reports["unknown status"][1], type):
        return

    status = call(slug, cases.reports["unknown status"][0])

    assert 200 <= status < 300
    assert not Report.objects.exists()


@every_type
def test_only_the_methods_of_the_provider_are_taken(slug: str, phone: Phone) -> None:
    for endpoint in registry.get(slug).endpoints:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(endpoint.methods):
            answer = Client().generic(method, f"/callbacks/{TOKEN}/{endpoint.name}/")

            assert answer.status_code == 405
            assert answer["Allow"] == ", ".join(endpoint.methods)
    assert not Exchange.objects.exists()


@every_type
def test_what_is_not_signed_changes_nothing(slug: str, phone: Phone) -> None:
    cases = cases_of(slug)
    if isinstance(cases.signed, Absent):
        return
    signed, unsigned, forged = cases.signed

    statuses = [call(slug, unsigned), call(slug, forged)]

    assert statuses == [403, 403]
    assert not Message.objects.exists()
    assert not Report.objects.exists()
    assert Exchange.objects.filter(status=403).exclude(error="").count() == 2
    assert call(slug, signed) != 403


@every_type
def test_no_secret_is_kept_with_a_callback(slug: str, unverified: Phone) -> None:
    cases = cases_of(slug)
    told = [] if isinstance(cases.incoming, Absent) else [cases.incoming["valid"][0]]
    told += [] if isinstance(cases.reports, Absent) else [cases.reports["delivered"][0]]
    told += [] if isinstance(cases.signed, Absent) else [*cases.signed]
    secrets = secrets_of(slug, cases)

    for said in told:
        call(slug, said)
        # The worst that can come: a provider that repeats what it was told.
        call(slug, _repeating(said, secrets))

    kept = repr(list(Exchange.objects.values()))
    assert not told or Exchange.objects.exists()
    assert not [secret for secret in secrets if secret in kept]


def _repeating(said: Callback, secrets: list[str]) -> Callback:
    headers = {**said.headers, "x-echo": " ".join(secrets)}
    query = {**said.query, "echo": secrets}
    return Callback(said.method, said.url, headers, query, said.form, said.body)
