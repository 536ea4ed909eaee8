"""Numbers that keep failing: which they are, and writing no more to them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns import failing
from campaigns.failing import Wanted
from contacts.models import OptOut
from messaging import composing
from messaging.models import Direction, Message
from messaging.routing import Route
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]

Tell = Callable[..., None]


@pytest.fixture
def tell(workspace: Workspace, line: Phone) -> Tell:
    """Write down what became of messages to one number: f = failed, d = delivered."""

    def tell(peer: str, ends: str, days_ago: int = 0) -> None:
        at = timezone.now() - timedelta(days=days_ago, minutes=1)
        Message.objects.bulk_create(
            Message(
                workspace=workspace, phone=line, direction=Direction.OUT, peer=peer, text="Hello",
                status="failed" if end == "f" else "delivered", reason="expired" if end == "f" else "",
                created_at=at, ended_at=at, submission=uuid.uuid4(),
            )
            for end in ends
        )  # fmt: skip

    return tell


def test_only_what_fails_often_and_nearly_always_counts(workspace: Workspace, tell: Tell) -> None:
    tell(number(1), "ffff")
    tell(number(2), "fffddddd")
    tell(number(3), "ff")
    tell(number(4), "fff", days_ago=40)

    def found(**wanted: int) -> list[str]:
        return [line.number for line in failing.find(workspace, Wanted(**wanted)).lines]

    assert found() == [number(1)]
    assert found(times=2) == [number(1), number(3)]
    assert found(days=90) == [number(1), number(4)]


def test_another_workspace_has_its_own(as_charlie: Client, tell: Tell) -> None:
    tell(number(1), "ffff")

    assert as_charlie.get(reverse("campaigns_failing")).context["amount"] == 0


def test_ticked_numbers_get_no_more_and_undo_brings_them_back(
    as_bob: Client, tell: Tell, workspace: Workspace
) -> None:
    for place in (1, 2, 3):
        tell(number(place), "fff")
    OptOut.objects.create(workspace=workspace, number=number(9), source="person")
    stop = reverse("campaigns_failing_stop")

    asked = as_bob.get(stop, {"chosen": [number(1), number(2)]}).content.decode()
    answer = as_bob.post(stop, {"chosen": [number(1), number(2)], "what": "opt_out"})
    stopped = set(OptOut.objects.values_list("number", "source"))
    page = as_bob.get(answer["Location"])
    as_bob.post(reverse("campaigns_failing_undo"), {"done": page.context["done"]["mark"]})

    assert "Write no more to 2 numbers?" in asked
    assert {(number(1), "person"), (number(2), "person")} < stopped
    assert list(OptOut.objects.values_list("number", flat=True)) == [number(9)]


def test_all_that_match_are_marked_and_nobody_else(as_bob: Client, tell: Tell) -> None:
    tell(number(1), "fff")
    tell(number(2), "ff")

    as_bob.post(
        reverse("campaigns_failing_stop"),
        {"all": "1", "what": "invalid", "chosen": [number(2), "+33699999999"]},
    )

    assert list(OptOut.objects.values_list("number", "source")) == [(number(1), "invalid")]


def test_what_does_not_work_is_skipped_for_that_reason(
    workspace: Workspace, line: Phone, bob: User, tell: Tell
) -> None:
    failing.stop(workspace, [number(1)], invalid=True, by=bob)

    composed = composing.create(
        workspace=workspace, route=Route(line), numbers=[number(1)], text="Hello", by=bob,
        submission=uuid.uuid4(),
    )  # fmt: skip

    assert [message.reason for message in composed.skipped] == ["bad_number"]


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_the_report_is_a_file_too(as_vera: Client, tell: Tell, format_: str) -> None:
    tell(number(1), "fff")

    answer = as_vera.get(reverse("campaigns_failing_export"), {"format": format_})
    content: Any = b"".join(answer.streaming_content)

    assert content[:2] in (b"\xef\xbb", b"PK")
    assert format_ in answer["Content-Disposition"]
    if format_ == "csv":
        assert number(1) in content.decode()
