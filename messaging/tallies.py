"""What is counted of messages for those who watch the site: states, times, throttles."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from lib import counters
from messaging.models import Status
from phones.models import Phone

# One line per batch, by ids alone; only in logs for programs (LOG_FORMAT=json).
journal = logging.getLogger("journal.messages")

# Messages of one batch whose time to delivery is looked up.
_SAMPLE = 10
_TOOK = {
    "postgresql": "EXTRACT(EPOCH FROM delivered_at - sent_at)",
    "sqlite": "(julianday(delivered_at) - julianday(sent_at)) * 86400",
}


def recorded(
    phone: Phone,
    states: Sequence[tuple[int, str]],
    *,
    throttled: int = 0,
    seconds: Iterable[float] = (),
) -> None:
    """Count what became of (message's id, state), and how long each hand-over took, on commit."""
    taken = list(seconds)

    def tell() -> None:
        _count(phone, states)
        if throttled:
            counters.count("throttles", phone.pk, by=throttled)
        if any(state != Status.QUEUED for _, state in states):
            counters.note("handed_over_at", phone.pk)
        for one in taken:
            counters.observe("send_seconds", phone.pk, seconds=one)

    if states:
        transaction.on_commit(tell)


def reported(phone: Phone, states: Sequence[tuple[int, str]]) -> None:
    """Count what reports made of (message's id, state), and how long delivery took, on commit."""
    if not states:
        return
    arrived = [pk for pk, state in states if state == Status.DELIVERED]
    times = _times(arrived[:_SAMPLE])

    def tell() -> None:
        _count(phone, states)
        for seconds in times:
            weight = len(arrived) / len(times)
            counters.observe(
                "receipt_seconds", phone.pk, seconds=seconds, bounds=counters.SLOW, times=weight
            )

    transaction.on_commit(tell)


def _count(phone: Phone, states: Sequence[tuple[int, str]]) -> None:
    for state, many in Counter(str(state) for _, state in states).items():
        counters.count("messages", phone.pk, state, by=many)
    if journal.isEnabledFor(logging.INFO):
        by_state: dict[str, list[int]] = {}
        for pk, state in states:
            by_state.setdefault(str(state), []).append(pk)
        for state, ids in by_state.items():
            journal.info(state, extra={"phone": phone.pk, "messages": ids})


def _times(ids: Sequence[int]) -> list[float]:
    if not ids:
        return []
    # By hand, as all that is done for each receipt: Django's query costs more than what it finds.
    places = ", ".join(["%s"] * len(ids))
    sql = f"SELECT {_TOOK[connection.vendor]} FROM messaging_message WHERE id IN ({places})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, ids)
        return [float(seconds) for (seconds,) in cursor.fetchall() if seconds is not None]
