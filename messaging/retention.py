"""What is kept no more goes by itself: texts after N days, whole messages after M, a handful at a time.

1. A workspace is walked through by id, which follows time; how far it came is stored with what it did
   (`Sweep`), so that whoever is killed loses nothing, and the next look goes on.
2. Only what has ended goes: nothing that waits, is leaving or may still be heard of, and no message of a
   campaign that can go on, since its row is what keeps a second one from being written to the same person.
   What is passed over is found by the walk that begins anew every day.
3. Each transaction takes a few hundred rows, each look a fraction of a second, so that sending on SQLite,
   which has one writer, waits for no longer than that.
4. Figures stay: the database counts messages that are gone in an account of their own (lib.tallies).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts import site
from accounts.models import Workspace
from messaging import forgetting
from messaging.models import Call, Message, Report, Status, Sweep
from messaging.searching import first_id
from phones.models import Exchange, Phone

TEXTS, MESSAGES = "texts", "messages"
# Rows of one transaction, ids that one query looks through, seconds of one look.
_BATCH, _WINDOW, _RUN = 200, 20_000, 0.25
# When a workspace that is done is looked at again, and when from its beginning.
_AGAIN, _ANEW = timedelta(hours=1), timedelta(days=1)
# For how long a receipt may still come: networks give up earlier.
VALIDITY = timedelta(days=7)
# Reports that fit no message are tried for two days (reporting).
_PARKED = timedelta(days=3)
_ENDED = (
    Status.DELIVERED, Status.FAILED, Status.UNKNOWN, Status.CANCELLED, Status.SKIPPED,
    Status.RECEIVED,
)  # fmt: skip


def keep() -> int:
    """Remove some of what is kept no more; give how many steps were made. A duty of the tick."""
    ends, steps = time.monotonic() + _RUN, 0
    for kind in (MESSAGES, TEXTS):
        for workspace in due(kind):
            while _step(workspace, kind):
                steps += 1
                if time.monotonic() > ends:
                    return steps
    return steps


def due(kind: str) -> QuerySet[Workspace]:
    """Give the workspaces that do not keep everything, and were not looked through lately."""
    lately = Sweep.objects.filter(workspace=OuterRef("pk"), kind=kind, again_at__gt=timezone.now())
    chosen = Workspace.objects.exclude(Exists(lately))
    if getattr(site.current(), f"keep_{kind}_days") is None:
        chosen = chosen.filter(**{f"keep_{kind}_days__isnull": False})
    return chosen.order_by("pk")


def _step(workspace: Workspace, kind: str) -> bool:
    """Take the next handful of a workspace; say whether there may be more."""
    now, days = timezone.now(), site.keep_days(kind, workspace)
    if days is None:
        return False
    sweep, _new = Sweep.objects.get_or_create(workspace=workspace, kind=kind)
    mine = Sweep.objects.filter(pk=sweep.pk, after=sweep.after)
    before = now - timedelta(days=days)
    passed, found = _next(workspace, kind, sweep.after, before)
    if passed is not None:
        with transaction.atomic():
            if not mine.update(after=passed):
                return False  # another tick has done it
            _take(kind, _locked(found, kind, before), days)
        return True
    if _beside(workspace, kind, before):
        return True
    anew = {"after": 0, "begun_at": now} if now - sweep.begun_at > _ANEW else {}
    mine.update(again_at=now + _AGAIN, **anew)
    return False


def _next(
    workspace: Workspace, kind: str, after: int, before: datetime
) -> tuple[int | None, list[int]]:
    """Give (the last id that is looked at now, None at the end; the messages whose time has come)."""
    end = first_id(workspace, before)
    old = Message.objects.filter(workspace=workspace, pk__gt=after, pk__lt=end).order_by("pk")
    first = old.values_list("pk", flat=True).first()
    if first is None:
        return None, []
    until = min(end, first + _WINDOW)
    rows = over(old.filter(pk__lt=until), kind, before)
    found = list(rows.values_list("pk", flat=True)[:_BATCH])
    return (found[-1] if len(found) == _BATCH else until - 1), found


def over(messages: QuerySet[Message], kind: str, before: datetime) -> QuerySet[Message]:
    """Give those that ended before a moment, and that nothing is to come of any more."""
    heard = min(before, timezone.now() - VALIDITY)
    messages = messages.filter(
        Q(status__in=_ENDED) | Q(status=Status.SENT, sent_at__lt=heard),
        Q(ended_at=None) | Q(ended_at__lt=before),
        created_at__lt=before,
        send_at__lt=before,
    )
    if kind == TEXTS:
        return messages.filter(redacted_after=None)
    return messages.filter(Q(campaign=None) | Q(campaign__ended_at__lt=before))


def _locked(found: Sequence[int], kind: str, before: datetime) -> list[int]:
    """Give those for which it still holds, with nobody to change them until the transaction ends."""
    rows = over(Message.objects.filter(pk__in=found), kind, before).order_by("pk")
    return list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))


def _take(kind: str, messages: Sequence[int], days: int) -> None:
    if not messages:
        return
    if kind == TEXTS:
        forgetting.redact(messages, days)
    else:
        forgetting.delete(messages)


# ---- What is not part of a message --------------------------------------------------------------


def _beside(workspace: Workspace, kind: str, before: datetime) -> bool:
    """Delete some of what else is as old; say whether there may be more.

    What was said to providers holds texts, and goes with them.
    """
    phones = Phone.objects.filter(workspace=workspace).values("pk")
    kinds: dict[str, Callable[[], QuerySet[Any]]] = {
        TEXTS: lambda: Exchange.objects.filter(phone__in=phones, created_at__lt=before),
        MESSAGES: lambda: Call.objects.filter(workspace=workspace, started_at__lt=before),
    }
    strays = Report.objects.filter(
        phone__in=phones, message=None, created_at__lt=min(before, timezone.now() - _PARKED)
    )
    return any(_delete_some(rows) for rows in (kinds[kind](), strays))


def _delete_some(rows: QuerySet[Any]) -> int:
    pks = list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH])
    return int(rows.model._default_manager.filter(pk__in=pks).delete()[0]) if pks else 0


def is_older(workspace: Workspace, at: datetime | None) -> bool:
    """Say whether something that somebody sent then would be gone by now, had it come at once."""
    days = site.keep_days(MESSAGES, workspace)
    return bool(at and days is not None and at < timezone.now() - timedelta(days=days))
