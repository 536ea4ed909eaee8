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
from dataclasses import dataclass
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
            walk = _Walk.of(workspace, kind)
            while walk and walk.step():
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


@dataclass(frozen=True, slots=True)
class _Walk:
    """One look at a workspace: what ended before `before`, `days` ago, goes; ids from `end` on are later."""

    workspace: Workspace
    kind: str
    days: int
    before: datetime
    end: int

    @classmethod
    def of(cls, workspace: Workspace, kind: str) -> _Walk | None:
        days = site.keep_days(kind, workspace)
        if days is None:
            return None
        before = timezone.now() - timedelta(days=days)
        return cls(workspace, kind, days, before, first_id(workspace, before))

    def step(self) -> bool:
        """Take the next handful; say whether there may be more."""
        now = timezone.now()
        sweep, _new = Sweep.objects.get_or_create(workspace=self.workspace, kind=self.kind)
        mine = Sweep.objects.filter(pk=sweep.pk, after=sweep.after)
        passed, found = self._next(sweep.after)
        if passed is not None:
            with transaction.atomic():
                if not mine.update(after=passed):
                    return False  # another tick has done it
                self._take(found)
            return True
        if _beside(self.workspace, self.kind, self.before):
            return True
        anew = {"after": 0, "begun_at": now} if now - sweep.begun_at > _ANEW else {}
        mine.update(again_at=now + _AGAIN, **anew)
        return False

    def _next(self, after: int) -> tuple[int | None, list[int]]:
        """Give (the last id that is looked at now, None at the end; the messages whose time has come)."""
        old = Message.objects.filter(workspace=self.workspace, pk__gt=after, pk__lt=self.end)
        first = old.order_by("pk").values_list("pk", flat=True).first()
        if first is None:
            return None, []
        until = min(self.end, first + _WINDOW)
        rows = over(old.filter(pk__lt=until), self.kind, self.before).order_by("pk")
        found = list(rows.values_list("pk", flat=True)[:_BATCH])
        return (found[-1] if len(found) == _BATCH else until - 1), found

    def _take(self, found: Sequence[int]) -> None:
        """Remove those for which it still holds, with nobody to change them meanwhile."""
        rows = over(Message.objects.filter(pk__in=found), self.kind, self.before).order_by("pk")
        messages = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
        if messages and self.kind == TEXTS:
            forgetting.redact(messages, self.days)
        elif messages:
            forgetting.delete(messages)


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


# ---- What is not part of a message --------------------------------------------------------------


def _beside(workspace: Workspace, kind: str, before: datetime) -> bool:
    """Delete some of what else is as old; say whether there may be more.

    What was said to providers holds texts, and goes with them.
    """
    phones = Phone.objects.filter(workspace=workspace).values("pk")
    kinds: dict[str, Callable[[], QuerySet[Any]]] = {
        TEXTS: lambda: Exchange.objects.filter(phone__in=phones, created_at__lt=before).order_by(
            "created_at"
        ),
        MESSAGES: lambda: Call.objects.filter(workspace=workspace, started_at__lt=before),
    }
    strays = Report.objects.filter(
        phone__in=phones, message=None, created_at__lt=min(before, timezone.now() - _PARKED)
    )
    return any(_delete_some(rows) for rows in (kinds[kind](), strays))


def _delete_some(rows: QuerySet[Any]) -> int:
    pks = list(rows.values_list("pk", flat=True)[:_BATCH])
    return int(rows.model._default_manager.filter(pk__in=pks).delete()[0]) if pks else 0


def is_older(workspace: Workspace, at: datetime | None) -> bool:
    """Say whether something that somebody sent then would be gone by now, had it come at once."""
    days = site.keep_days(MESSAGES, workspace)
    return bool(at and days is not None and at < timezone.now() - timedelta(days=days))
