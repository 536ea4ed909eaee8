"""Alerts: once for each level and period, to those who can do something, by mail and by a call."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from messaging.quota import alerting, ledger
from messaging.quota.models import Quota
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db(transaction=True)


class Monitor(BaseHTTPRequestHandler):
    """An address of somebody's own, which remembers what it was told."""

    told: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.told.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def give(workspace: Workspace, alice: User, dora: User) -> Any:
    def give(amount: int, person: User | None = None, **rules: Any) -> Quota:
        rules = {"unit": "messages", "every": "month", "levels": [50, 80, 100], **rules}
        return ledger.grant(workspace, person, None, amount=amount, **rules)

    return give


@pytest.fixture
def told(jobs: Any) -> Any:
    """Look, let the workers work, and give (to whom, subject) of what was mailed."""

    def told() -> list[tuple[str, str]]:
        mail.outbox.clear()
        alerting.notice()
        jobs()
        return sorted((letter.to[0], letter.subject) for letter in mail.outbox)

    return told


def test_each_level_is_told_once_to_owners_and_administrators(write, give, told, bob) -> None:
    give(10)
    write(*map(number, range(4)))
    assert told() == []

    write(number(5))
    half = "50 % of the quota of Les Tilleuls are used"
    assert told() == [("alice@example.org", half), ("dora@example.org", half)]
    assert told() == []

    write(*map(number, range(6, 11)))
    # Of several at once the highest is told.
    assert {subject for _to, subject in told()} == {"The quota of Les Tilleuls is used up"}
    assert told() == []


def test_the_person_whose_quota_it_is_is_told_too(write, give, told, bob) -> None:
    give(1, bob)
    write(number(1), number(2))

    found = told()

    assert [to for to, _subject in found] == [
        "alice@example.org", "bob@example.org", "dora@example.org",
    ]  # fmt: skip
    assert "Bob Rossi has used up their quota in Les Tilleuls." in mail.outbox[0].body
    assert "None is lost." in mail.outbox[0].body


def test_who_has_left_the_workspace_is_told_no_more(write, give, told, bob) -> None:
    give(1, bob)
    write(number(1), number(2))
    Membership.objects.filter(user=bob).delete()

    assert [to for to, _subject in told()] == ["alice@example.org", "dora@example.org"]


def test_it_is_used_up_where_too_little_is_left(write, give, told) -> None:
    give(3, unit="segments")
    write(number(1), text="x" * 200)
    write(number(2), text="x" * 200)

    assert {subject for _to, subject in told()} == {"The quota of Les Tilleuls is used up"}


def test_the_end_of_one_that_does_not_renew_is_told(give, told) -> None:
    quota = give(3, renews=False)
    over = timezone.now() - timedelta(days=1)
    quota.periods.update(starts_at=over - timedelta(days=1), ends_at=over)
    ledger.renew_due()

    assert {subject for _to, subject in told()} == {"The quota of Les Tilleuls has ended"}
    assert told() == []


def test_without_levels_nobody_is_told(write, give, told) -> None:
    give(1, levels=[])
    write(number(1), number(2))

    assert told() == []


def test_an_address_is_called_with_what_is_left(write, give, told, settings) -> None:
    Monitor.told.clear()
    settings.ALLOW_PRIVATE_ADDRESSES = {"127.0.0.1"}
    with HTTPServer(("127.0.0.1", 0), Monitor) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        quota = give(4, webhook=f"http://127.0.0.1:{server.server_port}/")
        write(number(1), number(2))
        told()
        server.shutdown()

    (news,) = Monitor.told
    assert (news["event"], news["level"], news["left"]) == ("quota.level", 50, 2)
    assert news["workspace"]["name"] == "Les Tilleuls"
    quota.refresh_from_db()
    assert quota.webhook_problem == ""


def test_an_address_inside_is_not_called(write, give, told) -> None:
    quota = give(1, webhook="http://127.0.0.1:1/")
    write(number(1))
    told()

    quota.refresh_from_db()
    assert "127.0.0.1" in quota.webhook_problem
