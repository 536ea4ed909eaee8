"""Quiet hours: when people are not to be written to, by the clock where they live.

Messages wait until the hours end. Urgent ones do not, nor does what answers somebody in the inbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.models import Workspace
from lib import zones
from lib.destinations import country_of
from messaging.models import Attempt, Message, Priority, QuietHours, Status
from phones.models import Phone

_DAY = timedelta(days=1)
# Stretches of quiet that follow one another, at most: a week's days and nights.
_MOST = 16
# Messages that are held in one transaction.
_BATCH, _MINUTE = 500, timedelta(minutes=1)
# {phone's id: the minute for which its messages were looked at}
_kept: dict[int, datetime] = {}
# Digits of a number that tell its country.
_TELLING = 8


def allowed_at(workspace: Workspace, country: str, at: datetime, number: str = "") -> datetime:
    """Give `at`, or when the quiet hours end that it falls into. A query; `of` answers many with one."""
    return of(workspace).allowed_at(country, at, number)


def of(workspace: Workspace) -> Quiet:
    """Give the quiet hours of a workspace. One query."""
    return Quiet(workspace.quiet_hours.all(), workspace.time_zone)


def held(workspace: Workspace, numbers: Sequence[str], at: datetime) -> dict[str, datetime]:
    """Give {number (E.164): when its quiet hours end} of those for whom `at` is quiet. One query."""
    quiet = of(workspace)
    if not quiet:
        return {}
    allowed = {number: quiet.allowed_at(country(number), at, number) for number in numbers}
    return {number: until for number, until in allowed.items() if until > at}


def waits(message: Message, now: datetime) -> bool:
    """Say whether a message that is for later waits for the end of quiet hours. Two queries."""
    moved = message.trail.filter(kind=Attempt.Kind.QUIET, next_at=message.send_at)
    if message.priority == Priority.URGENT:
        return False
    if moved.exists():
        return True
    where = message.country or country(message.peer)
    return allowed_at(message.workspace, where, now, message.peer) == message.send_at


def keep(phone: Phone, now: datetime) -> int:
    """Hold what this phone would send now though quiet hours have begun since it was to leave.

    It waited for a paused or slow phone, or for another try. What was let through in quiet hours stays so.
    Once a minute at most, and one query where there are no quiet hours. Gives how many were held.
    """
    minute = now.replace(second=0, microsecond=0)
    if _kept.get(phone.pk) == minute:
        return 0
    _kept[phone.pk] = minute
    rows = QuietHours.objects.filter(workspace=phone.workspace_id).select_related("workspace")
    own = list(rows)
    if not own:
        return 0
    quiet, later = Quiet(own, own[0].workspace.time_zone), {}
    soon = minute + _MINUTE
    waiting = Message.objects.filter(
        phone=phone, status=Status.QUEUED, held=False, not_before__lt=soon
    ).exclude(priority=Priority.URGENT)
    columns = waiting.values_list("pk", "country", "peer", "send_at")
    for pk, known, peer, wanted in columns.iterator(chunk_size=2000):
        if until := quiet.begun(known, peer, wanted, now):
            later[pk] = until
    pks = list(later)
    return sum(_hold(phone, pks[i : i + _BATCH], later) for i in range(0, len(pks), _BATCH))


def _hold(phone: Phone, pks: Sequence[int], later: Mapping[int, datetime]) -> int:
    with transaction.atomic():
        queued = Message.objects.select_for_update().filter(
            pk__in=pks, phone=phone, status=Status.QUEUED
        )
        held = list(queued.order_by("pk").values_list("pk", flat=True))
        for until in {later[pk] for pk in held}:
            these = [pk for pk in held if later[pk] == until]
            Message.objects.filter(pk__in=these).update(send_at=until, not_before=until)
        Attempt.objects.bulk_create(
            Attempt(message_id=pk, kind=Attempt.Kind.QUIET, phone=phone, next_at=later[pk])
            for pk in held
        )
    return len(held)


def country(number: str) -> str:
    """Give the country of a number (E.164), quickly: the first of those that share a code."""
    digits = number[1:_TELLING]
    return country_of(digits) if digits.isdigit() else ""


class Quiet:
    """The quiet hours of a workspace; false where there are none."""

    def __init__(self, rows: Iterable[QuietHours], time_zone: str) -> None:
        self._rows = {row.country: row for row in rows}
        self._zone = time_zone
        self._found: dict[tuple[str, str, datetime], datetime] = {}

    def __bool__(self) -> bool:
        return any(not row.is_off for row in self._rows.values())

    def begun(self, known: str, number: str, wanted: datetime, now: datetime) -> datetime | None:
        """Give when the quiet hours end that have begun since a message was wanted; None where none have."""
        where, leaves = known or country(number), max(now, wanted)
        until = self.allowed_at(where, leaves, number)
        is_quiet = until > leaves and self.allowed_at(where, wanted, number) == wanted
        return until if is_quiet else None

    def allowed_at(self, country: str, at: datetime, number: str = "") -> datetime:
        """Give `at`, or the end of the quiet hours that it falls into where somebody lives.

        The number tells the area in countries of several zones; where nothing is known the workspace's
        own clock counts.
        """
        hours = self._rows.get(country) or self._rows.get("")
        if hours is None or hours.is_off:
            return at
        zone = zones.of(country, number) or self._zone
        key = (hours.country, zone, at)
        if key not in self._found:
            self._found[key] = _end_of_quiet(hours, zone, at)
        return self._found[key]


def _end_of_quiet(hours: QuietHours, zone: str, at: datetime) -> datetime:
    for _stretch in range(_MOST):
        ends = [end for begin, end in _stretches(hours, zone, at) if begin <= at < end]
        if not ends:
            break
        at = max(ends)
    return at


def _stretches(hours: QuietHours, zone: str, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Give the quiet stretches (begin, end) around a moment."""
    where = zones.zone(zone)
    today = zones.shown(at, where).date()
    for day in (today - _DAY, today):
        if day.weekday() in hours.whole_days:
            midnight = datetime.combine(day, datetime.min.time())
            yield zones.moment(midnight, where), zones.moment(midnight + _DAY, where)
        if _has_nights(hours) and day.weekday() in hours.days:
            begins = datetime.combine(day, hours.begins or datetime.min.time())
            ends = datetime.combine(day, hours.ends or datetime.min.time())
            ends += _DAY if ends <= begins else timedelta()
            yield zones.moment(begins, where), zones.moment(ends, where)


def _has_nights(hours: QuietHours) -> bool:
    return None not in (hours.begins, hours.ends) and hours.begins != hours.ends


# ---- Words --------------------------------------------------------------------------------------


def in_words(hours: QuietHours) -> str:
    """Say when it is quiet: 20:00 to 08:00 · all day on Sunday."""
    if hours.is_off:
        return _("No quiet hours")
    parts = []
    if hours.begins is not None and hours.ends is not None and hours.days:
        words = _("%(begins)s to %(ends)s")
        if len(hours.days) < len(WEEKDAYS):
            words = _("%(begins)s to %(ends)s on %(days)s")
        parts.append(
            words
            % {
                "begins": date_format(datetime.combine(date.min, hours.begins), _clock()),
                "ends": date_format(datetime.combine(date.min, hours.ends), _clock()),
                "days": _named(hours.days),
            }
        )
    if hours.whole_days:
        parts.append(_("all day on %(days)s") % {"days": _named(hours.whole_days)})
    return " · ".join(parts)


def _clock() -> str:
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return pgettext("time of today", "H:i")


def _named(days: Iterable[int]) -> str:
    return ", ".join(str(WEEKDAYS[day]) for day in sorted(days) if day in WEEKDAYS)
