"""The hot queries use the indexes made for them, on SQLite and on PostgreSQL.

On empty tables PostgreSQL reads all there is; so it plans here as if that were dear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.models import Workspace
from campaigns import recipients, steering
from campaigns.models import Campaign
from lib import bulk
from messaging import reporting, retention, sending
from messaging.models import IS_HELD, Conversation, Message, Status
from messaging.quota import charging
from phones.models import Exchange, Phone

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.database,
    pytest.mark.usefixtures("first_day"),
]


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
    return recipients.find(Campaign(pk=1, workspace=workspace), recipients.Wanted(**wanted))


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
        lambda w, p: people_of(w, q="+33612345678")[:50], "one_message_per_submission",
    ),
    "what waits in a campaign": (
        lambda w, p: Message.objects.filter(IS_HELD, campaign=1).order_by("-send_at", "-id")[:1],
        "message_held",
    ),
    "what is kept no more": (
        lambda w, p: retention.over(
            Message.objects.filter(workspace=w, pk__gt=5, pk__lt=500), "messages", timezone.now()
        ).order_by("pk")[:200],
        "message_list",
    ),
    "whether anything waits for a quota": (
        lambda w, p: Workspace.objects.filter(
            Exists(charging.waiting(OuterRef("pk"))), pk=w.pk
        ), "message_awaits_quota",
    ),
    "how much waits for a quota": (lambda w, p: charging.waiting(w.pk)[:1000], "message_awaits_quota"),
    "what waits for a quota": (
        lambda w, p: charging.waiting(w.pk).order_by("priority", "id")[:500], "message_awaits_quota",
    ),
    "what a campaign has waiting for a quota": (
        lambda w, p: steering.awaiting(1).order_by("-id")[:500], "message_campaign_state",
    ),
    "old exchanges": (
        lambda w, p: Exchange.objects.filter(created_at__lt=timezone.now()).values("pk")[:500],
        "exchange_age",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_uses_its_index(name: str, workspace: Workspace, phone: Phone) -> None:
    query, index = HOT[name]

    plan = plan_of(query(workspace, phone))

    assert index in plan
    assert not reads_all(plan)


def test_a_receipt_finds_its_message_by_index(phone: Phone) -> None:
    Message.objects.bulk_create(
        Message(
            workspace_id=phone.workspace_id, phone=phone, direction="out", status="sent",
            peer=f"+336{number:08}", provider_id=f"x{number}",
        )
        for number in range(2000)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message")
    sql, names = bulk.each(["x1", "x2"], reporting._MESSAGES.format(phones="%s"))
    with large_tables(), connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN {'QUERY PLAN ' * (connection.vendor == 'sqlite')}{sql}", [names, phone.pk]
        )
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())

    assert re.search("message_provider_id|one_incoming_per_provider_id", plan)
    assert not reads_all(plan)
