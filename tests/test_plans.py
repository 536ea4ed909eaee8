"""The hot queries use the indexes made for them, on SQLite and on PostgreSQL.

PostgreSQL plans by what a table holds, by the size that earlier tests left it and by what it counted
last: so the tables are filled and counted first, and it plans as if reading them whole were dear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Workspace
from campaigns import recipients
from campaigns.models import Campaign
from lib import bulk
from messaging import reporting, retention, sending
from messaging.models import Conversation, Message, Status
from phones.models import Exchange, Phone

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@contextmanager
def large_tables() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        yield


def plan_of(query: QuerySet[Any]) -> str:
    with large_tables():
        return str(query.explain())


def reads_all(plan: str) -> bool:
    return bool(
        re.search(r"Seq Scan on messaging_message|SCAN (messaging_message|m|[UV]\d)$", plan, re.M)
    )


def people_of(workspace: Workspace, **wanted: Any) -> QuerySet[Any]:
    return recipients.find(Campaign.objects.get(workspace=workspace), recipients.Wanted(**wanted))


@pytest.fixture
def busy(phone: Phone) -> Phone:
    """Give a phone with a little of everything, strewn among ten times as much of others."""
    elsewhere = Workspace.objects.create(name="Elsewhere", country="GB", time_zone="Europe/London")
    other = Phone.objects.create(
        workspace=elsewhere, type="simulator", name="Theirs", settings={}, rate=1000
    )
    owners = [(phone, kinds_of(phone)), *[(other, kinds_of(other))] * 10]
    of = [owners[number % len(owners)] for number in range(3000)]
    Message.objects.bulk_create(message(*owner, number) for number, owner in enumerate(of))
    Exchange.objects.bulk_create(
        Exchange(phone=phone, direction="out", method="POST", url="https://example.org")
        for phone, _ in of
    )
    Conversation.objects.bulk_create(
        Conversation(
            workspace_id=phone.workspace_id,
            phone=phone,
            peer=f"+336{number:08}",
            last_at=timezone.now(),
        )
        for number, (phone, _) in enumerate(of)
    )
    with connection.cursor() as cursor:
        for model in (Message, Exchange, Conversation):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
    return phone


def kinds_of(phone: Phone) -> list[dict[str, Any]]:
    """Give what a message waits, is planned, is held, has left, has failed and has come in with."""
    campaign = Campaign.objects.create(workspace_id=phone.workspace_id, name="Flu")
    later = timezone.now() + timedelta(days=1)
    in_campaign = {"campaign": campaign, "submission": campaign.submission}
    return [
        {"status": "queued"},
        {"status": "queued", "send_at": later, "not_before": later},
        {"status": "queued", "held": True, **in_campaign},
        {"status": "sent", "provider_id": "s"},
        {"status": "failed", "reason": "expired", **in_campaign},
        {"status": "received", "direction": "in", "provider_id": "r"},
    ]


def message(phone: Phone, kinds: list[dict[str, Any]], number: int) -> Message:
    kind = {"direction": "out", **kinds[number % len(kinds)]}
    if "provider_id" in kind:
        kind["provider_id"] += str(number)
    return Message(workspace_id=phone.workspace_id, phone=phone, peer=f"+336{number:08}", **kind)


HOT: dict[str, tuple[Callable[[Workspace, Phone], QuerySet[Any]], str]] = {
    "what is due": (lambda w, p: sending.due(p)[:16], "message_due"),
    "what is before it in order": (lambda w, p: sending.due(p)[:16], "message_order"),
    "the list of messages": (lambda w, p: w.messages.order_by("-id")[:50], "message_list"),
    "messages in a state": (
        lambda w, p: w.messages.filter(status=Status.FAILED).order_by("-id")[:50], "message_status",
    ),
    "a conversation": (
        lambda w, p: w.messages.filter(peer="+33612345678").order_by("-id")[:50], "message_peer",
    ),
    "what is planned": (
        lambda w, p: w.messages.filter(status="queued", send_at__gt=timezone.now())
        .order_by("send_at", "id")[:60], "message_",
    ),
    "ended leases": (
        lambda w, p: Message.objects.filter(status="sending", lease_until__lt=timezone.now()),
        "message_lease",
    ),
    "the inbox": (
        lambda w, p: Conversation.objects.filter(workspace=w).order_by("-last_at", "-id")[:50],
        "conversation_list",
    ),
    "a phone's exchanges": (
        lambda w, p: Exchange.objects.filter(phone=p).order_by("-id")[:50], "exchange_phone",
    ),
    "people of a campaign": (lambda w, p: people_of(w)[:50], "message_campaign"),
    "people of a campaign in a state": (
        lambda w, p: people_of(w, status="failed")[:50], "message_campaign_state",
    ),
    "people of a campaign with a reason": (
        lambda w, p: people_of(w, reason="expired")[:50], "message_campaign_reason",
    ),
    "one of a campaign's people": (
        lambda w, p: people_of(w, q="+33612345678")[:50], "one_message_per_submission|message_peer",
    ),
    "what waits in a campaign": (
        lambda w, p: Message.objects.filter(campaign=1, held=True, status="queued").order_by(
            "-send_at", "-id"
        )[:1],
        "message_held",
    ),
    "what is kept no more": (
        lambda w, p: retention.over(
            Message.objects.filter(workspace=w, pk__gt=5, pk__lt=500), "messages", timezone.now()
        ).order_by("pk")[:200],
        "message_list",
    ),
    "old exchanges": (
        lambda w, p: Exchange.objects.filter(created_at__lt=timezone.now()).values("pk")[:500],
        "exchange_age",
    ),
}  # fmt: skip


def plan_of_reports(phone: Phone) -> str:
    """Give how the messages that delivery receipts name are found."""
    sql, names = bulk.each(["s33", "r11"], reporting._MESSAGES.format(phones="%s"))
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with large_tables(), connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}", [names, phone.pk])
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_hot_queries_use_their_indexes(workspace: Workspace, busy: Phone) -> None:
    plans = {name: plan_of(query(workspace, busy)) for name, (query, _) in HOT.items()}
    indexes = {name: index for name, (_, index) in HOT.items()}
    plans["receipts"] = plan_of_reports(busy)
    indexes["receipts"] = "message_provider_id|one_incoming_per_provider_id"

    wrong = {
        name: plan
        for name, plan in plans.items()
        if reads_all(plan) or not re.search(indexes[name], plan)
    }
    assert not wrong
