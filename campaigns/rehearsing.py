"""Going through a whole campaign without sending anything: how many, who not and why, what it costs.

Runs in the background like the expansion it rehearses, with the same judgement, and keeps what it finds in
`Campaign.plan`. Whatever is changed on the draft voids it. The numbers that were seen lie in a file of their
own (DATA_DIR/rehearsals), so that a million of them need no memory; it holds, too, the place that it belongs
to: a run that was killed is known by it, and its successor begins anew.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns import birthdays, sources, texts
from campaigns.judging import Judge, Judged
from campaigns.models import EDITABLE, Campaign
from campaigns.sources import Place
from contacts.importing.reading import Unreadable
from lib.jobs import DEFAULT, awake, stopping, wake
from phones.models import Phone
from phones.prices import Tariff, tariff_of

# Recipients of one step; seconds of one run, and between two notes of how far it is; life of a lease.
_CHUNK, _RUN, _NOTE, _LEASE = 1000, 5.0, 1.0, timedelta(seconds=60)
# Places that are kept for each field that somebody lacks, countries, problems of texts, and doubles.
_PLACES, _COUNTRIES, _PROBLEMS, _REPEATS = 20, 50, 5, 500
# Who has no birthday, among the reasons for being left out.
NO_DAY = "no_day"
# Rehearsals that nobody waits for any more are not taken up again.
_DAY = timedelta(days=1)


def begin(campaign: Campaign) -> None:
    """Rehearse a draft from the start. What is under way for an older version ends by itself."""
    plan = {"state": "running", "seen": 0, "expected": sources.expected(campaign)}
    Campaign.objects.filter(pk=campaign.pk, state__in=EDITABLE).update(
        plan=plan, planned_at=None, lease_until=None
    )
    campaign.plan, campaign.planned_at = plan, None
    wake(run, campaign.pk, queue=DEFAULT)


def resume() -> int:
    """Wake the rehearsals whose run was lost. A duty of the tick."""
    since = timezone.now() - _DAY
    left = list(_open().filter(updated_at__gt=since).values_list("pk", flat=True)[:50])
    for pk in left:
        wake(run, pk, queue=DEFAULT)
    return len(left)


def _open() -> QuerySet[Campaign]:
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return Campaign.objects.filter(free, state__in=EDITABLE, planned_at=None, plan__state="running")


def run(pk: int) -> None:
    """Rehearse a campaign for some seconds. A job."""
    awake(run, pk)
    if not _open().filter(pk=pk).update(lease_until=timezone.now() + _LEASE):
        return
    related = Campaign.objects.select_related("workspace", "created_by", "sheet", "phone", "pool")
    campaign = related.select_related("repeats").get(pk=pk)
    language = (campaign.created_by.language if campaign.created_by else "") or ""
    with translation.override(language or settings.LANGUAGE_CODE):
        rehearsal = _Rehearsal(campaign)
        try:
            rehearsal.go_on()
        except (Unreadable, texts.Bad) as error:
            rehearsal.end(str(error))
        except Exception:
            rehearsal.end(_("Something went wrong on our side. Check again."))
            raise
        finally:
            rehearsal.close()


class _Rehearsal:
    """One run: goes on where the last one ended, if nothing was lost meanwhile."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self._numbers = _Numbers(campaign)
        plan = campaign.plan
        if plan.get("place", "") != self._numbers.place:
            self._numbers.forget()
            plan = {"expected": plan.get("expected", 0)}
        self._place = Place.read(plan.get("place", "")) or Place(0, 0)
        self._expected: int = plan.get("expected", 0)
        self._sums = Counter({name: plan.get(name, 0) for name in _SUMS})
        self._out: Counter[str] = Counter(plan.get("out", {}))
        self._countries: Counter[str] = Counter(plan.get("countries", {}))
        self._costs: Counter[str] = Counter(plan.get("costs", {}))
        self._problems: Counter[str] = Counter(plan.get("problems", {}))
        self._missing: dict[str, dict[str, Any]] = plan.get("missing", {})
        self._repeats: list[list[str]] = plan.get("repeats", [])
        self._birthday: str = campaign.repeats.birthday if campaign.is_pattern else ""
        self._days: dict[str, dict[str, Any]] = plan.get("days", {})
        self._longest: list[Any] = plan.get("longest", [0, ""])

    def go_on(self) -> None:
        """Go through recipients until the end, or until it is time to let others work."""
        campaign = self.campaign
        judge = Judge(campaign)
        is_priced = judge.phones and judge.is_priced
        tariff = tariff_of(judge.phones[0]) if is_priced else Tariff({})
        begun = noted = time.monotonic()
        for place, recipients in sources.chunks(campaign, _CHUNK, self._place):
            for item in judge(recipients):
                self._count(item, tariff)
            self._sums["seen"] += len(recipients)
            self._place = place
            now = time.monotonic()
            if stopping.is_set() or now - begun > _RUN:
                return self._pause()
            if now - noted > _NOTE:
                noted = now
                # Says how far it is; the place stays that of the file.
                if not self._write(lease_until=timezone.now() + _LEASE):
                    return None
        return self.end()

    def _count(self, item: Judged, tariff: Tariff) -> None:
        recipient = item.recipient
        if item.is_excluded:
            self._out["excluded"] += 1
            return
        place = str(recipient.place)
        if first := self._numbers.first(recipient.peer, place):
            self._out["repeated"] += 1
            if len(self._repeats) < _REPEATS:
                self._repeats.append([recipient.peer, first, place])
            return
        if item.reason:
            self._out[str(item.reason)] += 1
            if item.words:
                self._problems[item.words] += 1
            return
        if not self._cost(item, tariff):
            self._out[NO_DAY] += 1
            return
        self._countries[recipient.country] += 1
        if len(item.text) > self._longest[0]:
            self._longest = [len(item.text), place]
        for name in item.missing:
            lack = self._missing.setdefault(name, {"count": 0, "places": []})
            lack["count"] += 1
            if len(lack["places"]) < _PLACES:
                lack["places"].append(place)

    def _cost(self, item: Judged, tariff: Tariff) -> bool:
        """Add a message to the figures, and to those of its day; False where it never is that day."""
        sums, costs, segments = self._sums, self._costs, max(1, item.length.segments)
        price = tariff.price_of(item.recipient.number)
        added = {"people": 1, "segments": segments, "unpriced": int(price is None)}
        if self._birthday:
            day = birthdays.day_of(item.recipient.contact, self._birthday)
            if not day:
                return False
            figures = self._days.setdefault(day, {**dict.fromkeys(added, 0), "costs": {}})
            for name, more in added.items():
                figures[name] += more
            if price:
                spent = figures["costs"].get(price.currency, 0)
                figures["costs"][price.currency] = spent + price.amount * segments
        sums.update(added)
        if price:
            costs[price.currency] += price.amount * segments
        return True

    def _pause(self) -> None:
        self._numbers.keep(str(self._place))
        if self._write(place=str(self._place), lease_until=None):
            wake(run, self.campaign.pk, queue=DEFAULT)

    def end(self, problem: str = "") -> None:
        """Write down what was found, or what kept it from going on."""
        self._write(state="done", problem=problem, lease_until=None, planned_at=timezone.now())
        self._numbers.forget()

    def close(self) -> None:
        self._numbers.close()

    def _write(
        self,
        *,
        state: str = "running",
        place: str = "",
        problem: str = "",
        **columns: datetime | None,
    ) -> bool:
        """Store what was found so far; False where the draft was changed meanwhile."""
        plan = {
            "state": state,
            "place": place,
            "problem": problem,
            "expected": max(self._sums["seen"], self._expected),
            **{name: self._sums[name] for name in _SUMS},
            "out": dict(self._out),
            "costs": dict(self._costs),
            "countries": dict(self._countries.most_common(_COUNTRIES)),
            "longest": self._longest,
            "missing": self._missing,
            "repeats": self._repeats,
            "days": self._days,
            "problems": dict(self._problems.most_common(_PROBLEMS)),
        }
        mine = Campaign.objects.filter(
            pk=self.campaign.pk,
            state__in=EDITABLE,
            updated_at=self.campaign.updated_at,
            planned_at=None,
            lease_until__isnull=False,
        )
        return bool(mine.update(plan=plan, **columns))


_SUMS = ("seen", "people", "segments", "unpriced")


def forget(submission: uuid.UUID) -> None:
    """Forget the numbers that a rehearsal has seen; one that is under way begins anew."""
    _path(submission).unlink(missing_ok=True)


def _path(submission: uuid.UUID) -> Path:
    return Path(settings.DATA_DIR) / "rehearsals" / str(submission)


class _Numbers:
    """The numbers that were seen, in a file; what a run adds counts when it says `keep`."""

    def __init__(self, campaign: Campaign) -> None:
        self._path = _path(campaign.submission)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._known = sqlite3.connect(self._path, isolation_level=None)
        self._known.execute("PRAGMA synchronous = OFF")
        self._known.executescript(
            "CREATE TABLE IF NOT EXISTS seen (number TEXT PRIMARY KEY, place TEXT) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS kept (place TEXT)"
        )
        self._known.execute("BEGIN")

    @property
    def place(self) -> str:
        """Give the place that they belong to, "" for none."""
        row = self._known.execute("SELECT place FROM kept").fetchone()
        return str(row[0]) if row else ""

    def first(self, number: str, place: str) -> str:
        """Note a number; give the place where it was seen before, "" where it is new."""
        if self._known.execute(_ADD, (number, place)).rowcount == 1:
            return ""
        row = self._known.execute("SELECT place FROM seen WHERE number = ?", (number,)).fetchone()
        return str(row[0])

    def keep(self, place: str) -> None:
        self._known.execute("DELETE FROM kept")
        self._known.execute("INSERT INTO kept VALUES (?)", (place,))
        self._known.execute("COMMIT")

    def forget(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)
        self._open()

    def close(self) -> None:
        self._known.close()
        if not self._path.stat().st_size:
            self._path.unlink(missing_ok=True)


_ADD = "INSERT OR IGNORE INTO seen VALUES (?, ?)"


def seconds(campaign: Campaign, phones: Sequence[Phone]) -> float | None:
    """Say how long a rehearsed campaign takes at the rates of its phones; None without any."""
    rate = sum(phone.rate for phone in phones if not phone.is_paused)
    if not rate:
        return None
    return max(float(campaign.spread), float(campaign.plan.get("segments", 0)) / rate)
