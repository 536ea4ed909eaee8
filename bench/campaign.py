"""How fast campaigns are checked and expanded, in how much memory, and how fast their pages are afterwards.

    .venv/bin/python -m bench.campaign [how many, 100000 unless told] [--after MORE] [--postgresql]
                                       [--quota SEGMENTS]

With `--postgresql`, on a PostgreSQL of its own with the settings it comes with, else on SQLite. The people of
each size are new ones; `--after` lets so many messages of other campaigns be there before. With `--quota`
workspace and person have a quota of so many segments each.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from tests.peers.postgres import start_postgres

TEXT = (
    "Hello {{ contact.firstname | default: 'friend' }}, your appointment is on "
    "{% if contact.number %}Monday{% else %}Tuesday{% endif %}."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("many", nargs="?", type=int, default=100_000)
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--quota", type=int)
    given = parser.parse_args()
    plain = {"listen_addresses": "127.0.0.1"}
    server: Any = start_postgres(plain) if given.postgresql else nullcontext()
    with tempfile.TemporaryDirectory(prefix="smsapp-bench-") as folder, server as peer:
        os.environ |= {"DATA_DIR": folder, "DJANGO_BUILD": "1", "LOG_LEVEL": "ERROR"}
        if peer:
            os.environ["DATABASE_URL"] = peer.database_url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
        import django  # noqa: PLC0415

        django.setup()
        measure(given.many, given.after, given.quota)


def measure(many: int, after: int, quota: int | None) -> None:
    from django.core.management import call_command  # noqa: PLC0415

    from accounts.models import Membership, User, Workspace  # noqa: PLC0415
    from campaigns import expanding, feeding, rehearsing  # noqa: PLC0415
    from campaigns.models import Campaign  # noqa: PLC0415
    from messaging.quota import ledger  # noqa: PLC0415
    from phones.models import Phone  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    # No queue server: the bench is the worker.
    for module in (expanding, rehearsing, feeding):
        module.wake = lambda *_given, **_named: None  # type: ignore[attr-defined]
        module.awake = lambda *_given: None  # type: ignore[attr-defined]
    feeding.rouse = lambda *_given: None  # type: ignore[attr-defined]
    workspace = Workspace.objects.create(name="Bench")
    user = User.objects.create_user("bench@example.org", "x")
    Membership.objects.create(workspace=workspace, user=user, role="owner")
    phone = Phone.objects.create(
        workspace=workspace, type="simulator", name="Simulator", settings={}, rate=100_000
    )
    print(f"{many:,} people, {os.environ.get('DATABASE_URL', 'SQLite').partition(':')[0]}")
    if after:
        crowd(workspace, phone, user, after, first=many)
        print(f"{after:,} messages of other campaigns are there")
    campaign = Campaign.objects.create(
        workspace=workspace,
        name="Bench",
        text=TEXT,
        phone=phone,
        created_by=user,
        who=[f"g{people(workspace, many).pk}"],
    )
    if quota is not None:
        for person in (None, user):
            ledger.grant(workspace, person, None, unit="segments", every="month", amount=quota)
        print(f"{quota:,} segments are the quota of both")
    before = memory()
    rehearse(campaign)
    told("rehearsal", many, rehearse_all(campaign), before)
    told("expansion", many, expand_all(campaign, user), before)
    told("feeding", min(many, feeding.MOST), feed(campaign), before)
    proof(campaign)
    settle(campaign)
    pages(user, campaign)


def people(workspace: Any, many: int, first: int = 0) -> Any:
    """Make people and a group of them, in SQL: making them is not what is measured."""
    from django.db import connection  # noqa: PLC0415

    from contacts.models import Group  # noqa: PLC0415

    group = Group.objects.create(workspace=workspace, name=f"G{first}", folded=f"g{first}")
    numbers = (
        f"SELECT value FROM generate_series({first}, {first + many - 1}) AS value"
        if connection.vendor == "postgresql"
        else f"WITH RECURSIVE n (value) AS (SELECT {first} UNION ALL SELECT value + 1 FROM n "
        f"WHERE value < {first + many - 1}) SELECT value FROM n"
    )
    padded = (
        "lpad(n.value::text, 8, '0')"
        if connection.vendor == "postgresql"
        else "printf('%%08d', n.value)"
    )
    values = "'{}'::jsonb" if connection.vendor == "postgresql" else "'{}'"
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO contacts_contact (workspace_id, name, number, "values", notes, language, '
            "time_zone, carrier, kind, country, sorted_name, searched, created_at, updated_at) "
            f"SELECT %s, 'Jo Person ' || n.value, '+336' || {padded}, {values}, '', '', '', '', "
            f"'mobile', 'FR', 'jo person', 'jo person', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP "
            f"FROM ({numbers}) AS n",
            [workspace.pk],
        )
        cursor.execute(
            "INSERT INTO contacts_group_contacts (group_id, contact_id) "
            "SELECT %s, id FROM contacts_contact WHERE workspace_id = %s AND number >= %s",
            [group.pk, workspace.pk, f"+336{first:08d}"],
        )
    return group


def crowd(workspace: Any, phone: Any, user: Any, many: int, first: int) -> None:
    """Put messages of other campaigns there, a million each, through no code of ours."""
    from django.db import connection  # noqa: PLC0415

    from campaigns.models import Campaign  # noqa: PLC0415

    for start in range(first, first + many, 1_000_000):
        other = Campaign.objects.create(workspace=workspace, name=f"Other {start}", state="done")
        _crowd(connection, workspace, phone, other, start, min(1_000_000, first + many - start))


def _crowd(connection: Any, workspace: Any, phone: Any, other: Any, start: int, many: int) -> None:
    from messaging.models import Message  # noqa: PLC0415

    is_postgresql = connection.vendor == "postgresql"
    numbers = (
        f"generate_series({start}, {start + many - 1}) AS n (value)"
        if is_postgresql
        else f"(WITH RECURSIVE s (value) AS (SELECT {start} UNION ALL SELECT value + 1 FROM s "
        f"WHERE value < {start + many - 1}) SELECT value FROM s) AS n"
    )
    peer = "'+337' || " + (
        "lpad((n.value %% 100000000)::text, 8, '0')"
        if is_postgresql
        else "printf('%%08d', n.value %% 100000000)"
    )
    status = "CASE WHEN n.value %% 50 = 0 THEN 'failed' ELSE 'delivered' END"
    reason = "CASE WHEN n.value %% 50 = 0 THEN 'expired' ELSE '' END"
    hexes = f"'{other.submission}'::uuid" if is_postgresql else f"'{other.submission.hex}'"
    written = {
        "direction": "'out'",
        "status": status,
        "reason": reason,
        "peer": peer,
        "text": "'Hello'",
        "priority": "9",
        "submission": hexes,
        "country": "'FR'",
        "provider_id": "'x' || n.value",
        **dict.fromkeys(("created_at", "send_at", "not_before", "sent_at"), "CURRENT_TIMESTAMP"),
    }
    owned = {"workspace_id": workspace.pk, "phone_id": phone.pk, "campaign_id": other.pk}
    columns, values, arguments = [], [], []
    for field in Message._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(str(field.column))
        values.append(written.get(str(field.column), "%s"))
        if str(field.column) not in written:
            arguments.append(owned.get(str(field.column), field.get_default()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO messaging_message ({', '.join(columns)}) "
            f"SELECT {', '.join(values)} FROM {numbers}",
            arguments,
        )


def rehearse(campaign: Any) -> None:
    from campaigns import rehearsing  # noqa: PLC0415

    rehearsing.begin(campaign)


def rehearse_all(campaign: Any) -> Callable[[], bool]:
    from campaigns import rehearsing  # noqa: PLC0415
    from campaigns.models import Campaign  # noqa: PLC0415

    def turn() -> bool:
        rehearsing.run(campaign.pk)
        return Campaign.objects.filter(pk=campaign.pk, planned_at=None).exists()

    return turn


def expand_all(campaign: Any, user: Any) -> Callable[[], bool]:
    from campaigns import expanding, steering  # noqa: PLC0415
    from campaigns.models import Campaign  # noqa: PLC0415

    steering.wake = lambda *_given, **_named: None  # type: ignore[attr-defined]
    campaign.refresh_from_db()
    steering.start(campaign, user)

    def turn() -> bool:
        expanding.run(campaign.pk)
        return Campaign.objects.filter(pk=campaign.pk, expanded_at=None).exists()

    return turn


def feed(campaign: Any) -> Callable[[], bool]:
    from campaigns import feeding  # noqa: PLC0415

    return lambda: feeding.feed(campaign.pk) > 0


def told(what: str, many: int, turn: Callable[[], bool], before: float) -> None:
    """Take turns until it is done; print the rate, the longest turn and the memory."""
    began, busy, longest = time.perf_counter(), time.process_time(), 0.0
    go_on = True
    while go_on:
        start = time.perf_counter()
        go_on = turn()
        longest = max(longest, time.perf_counter() - start)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    print(
        f"{what:10} {took:7.1f} s ({busy:.1f} s busy) {many / took:9,.0f} recipients/s, "
        f"longest turn {longest:.1f} s, {memory():.0f} MB ({memory() - before:+.0f})"
    )


def proof(campaign: Any) -> None:
    from campaigns import tallying  # noqa: PLC0415

    print(f"counters   {'equal the rows' if tallying.agrees(campaign) else 'DIFFER FROM THE ROWS'}")


def settle(campaign: Any) -> None:
    """Let some be delivered and some fail, as workers and callbacks would: a thousand at a time."""
    from django.utils import timezone  # noqa: PLC0415

    from messaging.models import Message  # noqa: PLC0415

    for state, amount in (("delivered", 8000), ("failed", 2000)):
        open_ = Message.objects.filter(campaign=campaign, status="queued").order_by("pk")
        for _ in range(amount // 1000):
            pks = list(open_.values_list("pk", flat=True)[:1000])
            Message.objects.filter(pk__in=pks).update(
                status=state, held=False, sent_at=timezone.now(), ended_at=timezone.now()
            )


def pages(user: Any, campaign: Any) -> None:
    """Ask for each page several times; print the middle time."""
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    page = reverse("campaign", args=[campaign.pk])
    found = {
        "home": "/",
        "campaigns": reverse("campaigns"),
        "campaign": page,
        "campaign, failed": f"{page}?state=failed",
        "campaign, a number": f"{page}?q=0600000500",
        "messages": reverse("messages"),
        "messages, failed": reverse("messages") + "?status=failed",
    }
    for name, address in found.items():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            answer = client.get(address)
            times.append(time.perf_counter() - start)
            assert answer.status_code == 200, (name, answer.status_code)
        print(f"{name:20} {statistics.median(times) * 1000:7.0f} ms")


def memory() -> float:
    """Give the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
