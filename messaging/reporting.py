"""Status reports: many at once, in any order, however often they are said.

States only rise: sent, unknown to the network, failed, delivered. So every permutation and repetition of
the same reports ends the same, and those about one message in one batch may be folded into the last of
that order. A report whose message is not known yet is parked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from lib import bulk, stored
from messaging import costs, tallies
from messaging.models import Attempt, Message, Report, Segment
from phones import accounts
from phones.base import Delivery, Reason, StatusReport
from phones.models import Phone

# Parked reports are matched for this long; then they stay listed on the phone's page.
_PARKED = timedelta(days=2)
# Reports that overtake the answer by so much are looked for by their other names, too, as it comes.
_EARLY = timedelta(minutes=1)
# Rows of one look through what is parked.
_LOOK = 500
_RANK = {
    Delivery.SENT: 0,
    Delivery.UNKNOWN: 1,
    Delivery.FAILED: 2,
    Delivery.DELIVERED: 3,
}
# Digits at the end by which two ways of writing a number are compared.
_COMPARED = 8
_NO_DIGITS = re.compile(r"\D")


@dataclass(frozen=True, slots=True)
class _Known:
    """A message that reports may be about. `segment` is the id of one of several, 0 for the whole."""

    id: int
    peer: str
    provider_id: str
    segment: int = 0


def apply(
    phone: Phone, reports: Sequence[StatusReport], *, beside: Sequence[int] = ()
) -> list[int]:
    """Raise what the reports are about, in the current transaction; give the messages' ids.

    They are looked for among those of the phone, and of the phones `beside` it that share its account.
    What fits no message is parked, once.
    """
    found = _find(phone, reports, beside)
    _raise(phone, [(known, report) for report, known in zip(reports, found, strict=True) if known])
    strays = [report for report, known in zip(reports, found, strict=True) if known is None]
    if strays:
        _park(phone, strays)
        # The send may have been recorded between our look and our note; one of the two sees the other.
        names = [report.provider_id for report in strays]
        transaction.on_commit(lambda: match_parked(phone, names, beside=beside), robust=True)
    return [known.id for known in found if known]


# ---- Finding the message ------------------------------------------------------------------------


def _find(
    phone: Phone, reports: Sequence[StatusReport], beside: Sequence[int]
) -> list[_Known | None]:
    """Give what each report is about: by our reference, else by the provider's ids."""
    phones = [phone.pk, *beside]
    found = [_by_reference(phone, report) for report in reports]
    found = _filled(phones, reports, found, lambda report: (report.provider_id,), _by_id)
    return _filled(phones, reports, found, lambda report: report.aliases, _by_alias)


def _filled(
    phones: Sequence[int],
    reports: Sequence[StatusReport],
    found: Sequence[_Known | None],
    names_of: Callable[[StatusReport], Iterable[str]],
    choose: Callable[[Mapping[str, Sequence[_Known]], StatusReport], _Known | None],
) -> list[_Known | None]:
    """Look by some names for those that are not found yet."""
    rest = [report for report, known in zip(reports, found, strict=True) if known is None]
    peers = {stored.name(name): report.peer for report in rest for name in names_of(report) if name}
    if not peers:
        return list(found)
    known = _by_names(phones, peers)
    return [
        already or choose(known, report) for report, already in zip(reports, found, strict=True)
    ]


def _by_reference(phone: Phone, report: StatusReport) -> _Known | None:
    reference = report.reference
    # A reference is a 64-bit id; anything else is foreign and must not reach the database.
    if not (reference.isascii() and reference.isdigit() and len(reference) < 19):
        return None
    with connection.cursor() as cursor:
        cursor.execute(_OURS, [int(reference), phone.workspace_id])
        row = cursor.fetchone()
    if row is None:
        return None
    # A message that was moved has left by this phone too, if its trail says so.
    elsewhere = row[3] != phone.pk
    if elsewhere and not Attempt.objects.filter(message=row[0], phone=phone).exists():
        return None
    return _Known(*row[:3])


def _by_names(phones: Sequence[int], peers: Mapping[str, str]) -> dict[str, list[_Known]]:
    """Give the messages, and segments of messages, that go by these names; the newest first.

    `peers` = by name, the number a report is about: one whole message to it is enough.
    """
    if not peers:
        return {}
    found: dict[str, list[_Known]] = {}
    cut = set(peers)
    for pk, peer, name, segments in _rows(_MESSAGES, phones, peers):
        found.setdefault(name, []).append(_Known(pk, peer, name))
        if segments == 1 and _same(peer, peers[name]):
            cut.discard(name)
    for segment, pk, peer, name in _rows(_SEGMENTS, phones, cut):
        # It says more than its message, which goes by the name of its first segment.
        others = [known for known in found.get(name, []) if known.id != pk]
        found[name] = [_Known(pk, peer, name, segment), *others]
    return found


# By hand, since this is done for every receipt: Django's query costs more than what it finds. SQLite
# uses a partial index only where the query has its condition in the same words, and a worse one to sort.
_OURS = """SELECT id, peer, provider_id, phone_id FROM messaging_message
    WHERE id = %s AND workspace_id = %s AND direction = 'out'"""
_MESSAGES = """SELECT m.id, m.peer, m.provider_id, m.segments FROM messaging_message m
    WHERE m.provider_id = names.value AND NOT (m.provider_id = '') AND m.phone_id IN ({phones})
    AND m.direction = 'out'"""
_SEGMENTS = """SELECT s.id, s.message_id, m.peer, s.provider_id FROM messaging_segment s
    JOIN messaging_message m ON m.id = s.message_id
    WHERE s.provider_id = names.value AND NOT (s.provider_id = '') AND s.phone_id IN ({phones})"""


def _rows(query: str, phones: Sequence[int], names: Collection[str]) -> list[tuple[Any, ...]]:
    """Give what is found under these names, the newest first."""
    if not names:
        return []
    sql, argument = bulk.each(names, query.format(phones=", ".join(["%s"] * len(phones))))
    with connection.cursor() as cursor:
        cursor.execute(sql, [argument, *phones])
        return sorted(cursor.fetchall(), key=lambda row: -int(row[0]))


def _by_id(known: Mapping[str, Sequence[_Known]], report: StatusReport) -> _Known | None:
    """Choose what a report means: ids are not unique for ever, so the number helps; else the newest.

    One that has aliases and is about another number means a message that goes by one of those.
    """
    fitting = known.get(stored.name(report.provider_id), ())
    for one in fitting:
        if _same(one.peer, report.peer):
            return one
    is_another = report.aliases and len(_NO_DIGITS.sub("", report.peer)) >= _COMPARED
    return fitting[0] if fitting and not is_another else None


def _by_alias(known: Mapping[str, Sequence[_Known]], report: StatusReport) -> _Known | None:
    """Choose by another way of writing the id, which may be another message's id: the number must fit."""
    for alias in report.aliases:
        for one in known.get(stored.name(alias), ()):
            if _same(one.peer, report.peer):
                return one
    return None


def _same(peer: str, other: str) -> bool:
    return bool(other) and peer[-_COMPARED:] == other[-_COMPARED:]


# ---- Raising its state --------------------------------------------------------------------------

# A message that waits again, after an unknown outcome, or was cancelled meanwhile, may still turn out to
# have arrived the first time: `claimed_at` tells. One that waits to be sent again by itself (`attempts`)
# is not, once anything is known of the first copy; what a person sends again is held back by its
# delivery only. What the network said it does not know is not made "sent" by older news.
_AGAIN_BY_ITSELF = "(m.status = 'queued' AND m.claimed_at IS NOT NULL AND m.attempts > 0)"
_MAY_FOLLOW = f"""CASE v.status
    WHEN 'sent' THEN m.status = 'sending'
        OR (m.status = 'unknown' AND m.reason <> 'not_known') OR {_AGAIN_BY_ITSELF}
    WHEN 'unknown' THEN m.status IN ('sending', 'sent')
        OR (m.status = 'unknown' AND m.reason <> 'not_known') OR {_AGAIN_BY_ITSELF}
    WHEN 'failed' THEN m.status IN ('sending', 'sent', 'unknown') OR {_AGAIN_BY_ITSELF}
    ELSE m.status IN ('sending', 'sent', 'unknown', 'failed')
        OR (m.status IN ('queued', 'cancelled') AND m.claimed_at IS NOT NULL)
    END"""
# What its segments say of a message may fall again: one that failed arrives after all, the others are
# still on their way. What a person settled stays.
_MAY_FOLLOW_SEGMENTS = f"""{_MAY_FOLLOW}
    OR (m.status IN ('unknown', 'failed') AND m.reason <> 'by_hand')"""
_ASSIGN = """
    status = v.status,
    sent_at = CASE WHEN v.status IN ('sent', 'delivered') THEN COALESCE(m.sent_at, v.sent_at)
        ELSE m.sent_at END,
    delivered_at = CASE WHEN v.status = 'delivered' THEN v.sent_at ELSE m.delivered_at END,
    ended_at = v.ended_at,
    reason = v.reason,
    code = v.code,
    words = v.words
"""
_COLUMNS = ("id", "status", "sent_at", "ended_at", "reason", "code", "words")


def _raise(phone: Phone, news: Iterable[tuple[_Known, StatusReport]]) -> None:
    """Raise messages where a report says more than we knew."""
    highest: dict[int, StatusReport] = {}
    segmented = []
    for known, report in news:
        if known.segment:
            segmented.append((known, report))
        else:
            _keep_highest(highest, known.id, report)
            # What it cost is news whatever its state; a report that says nothing takes nothing back.
            if (report.cost or report.segments) and (told := costs.changes(report)):
                Message.objects.filter(pk=known.id).update(**told)
            if report.provider_id and not known.provider_id:
                # The report came before the answer to our request: keep the name it goes by.
                name = stored.name(report.provider_id)
                Message.objects.filter(pk=known.id, provider_id="").update(provider_id=name)
    _write(phone, highest, _MAY_FOLLOW)
    _write(phone, dict(_of_segments(segmented)), _MAY_FOLLOW_SEGMENTS)


def _write(phone: Phone, reports: Mapping[int, StatusReport], may_follow: str) -> None:
    if reports:
        now = timezone.now()
        rows = [_row(pk, report, now) for pk, report in reports.items()]
        changed = bulk.update(Message, _COLUMNS, rows, assign=_ASSIGN, where=may_follow)
        tallies.reported(phone, [(pk, reports[pk].state.value) for pk in changed])


def _keep_highest(highest: dict[int, StatusReport], pk: int, report: StatusReport) -> None:
    before = highest.get(pk)
    if before is None or _RANK[report.state] > _RANK[before.state]:
        highest[pk] = report


def _row(pk: int, report: StatusReport, now: datetime) -> tuple[object, ...]:
    state = report.state
    at = min(report.at, now) if report.at else now
    reason = ""
    if state == Delivery.FAILED:
        reason = stored.text(report.reason, 20) or Reason.REJECTED
    elif state == Delivery.UNKNOWN:
        reason = Reason.NOT_KNOWN
    ended = None if state == Delivery.SENT else now
    code, words = report.code, report.words
    return (
        pk,
        state.value,
        at,
        ended,
        reason,
        stored.text(code, 40) if code else "",
        stored.text(words, 500) if words else "",
    )


# ---- Messages of several segments ---------------------------------------------------------------


def _of_segments(news: Sequence[tuple[_Known, StatusReport]]) -> list[tuple[int, StatusReport]]:
    """Note what is reported of segments; give what follows for their messages.

    Delivered once all are, failed once one has.
    """
    if not news:
        return []
    messages = sorted({known.id for known, _ in news})
    # Two that hear of two segments of one message at the same time must not both miss the other.
    list(Message.objects.select_for_update().filter(pk__in=messages).order_by("pk").values("pk"))
    rows = {
        segment.pk: segment
        for segment in Segment.objects.filter(message__in=messages).order_by("number")
    }
    for known, report in news:
        segment = rows[known.segment]
        if _RANK[report.state] > _RANK[Delivery(segment.state)]:
            segment.state = report.state
            segment.code, segment.words = (
                stored.text(report.code, 40),
                stored.text(report.words, 500),
            )
            segment.reason = stored.text(report.reason, 20)
            segment.reported_at = report.at or timezone.now()
            segment.save()
    return [
        (pk, _together([row for row in rows.values() if row.message_id == pk])) for pk in messages
    ]


def _together(segments: Sequence[Segment]) -> StatusReport:
    """Give what the states of a message's segments are for the message."""
    states = {Delivery(segment.state) for segment in segments}
    if states == {Delivery.DELIVERED}:
        times = [segment.reported_at for segment in segments if segment.reported_at]
        return StatusReport(Delivery.DELIVERED, at=max(times, default=None))
    for state in (Delivery.FAILED, Delivery.UNKNOWN):
        for segment in segments:
            if segment.state == state:
                return StatusReport(
                    state, reason=segment.reason, code=segment.code, words=segment.words
                )
    return StatusReport(Delivery.SENT)


# ---- Parked reports -----------------------------------------------------------------------------


def _park(phone: Phone, strays: Sequence[StatusReport]) -> None:
    names = {stored.name(report.provider_id) for report in strays}
    same = Report.objects.filter(phone=phone, message=None, provider_id__in=names)
    known = set(same.values_list("provider_id", "state", "code"))
    rows = []
    for report in strays:
        name, code = stored.name(report.provider_id), stored.text(report.code, 40)
        if (name, report.state.value, code) in known:
            continue
        known.add((name, report.state.value, code))
        cost, currency = costs.told(report)
        rows.append(
            Report(
                phone=phone,
                provider_id=name,
                aliases=[stored.name(alias) for alias in report.aliases],
                peer=stored.text(report.peer, 40),
                state=report.state,
                code=code,
                reason=stored.text(report.reason, 20),
                words=stored.text(report.words, 500),
                reported_at=report.at,
                segments=costs.counted(report),
                cost=cost,
                currency=currency,
            )
        )
    Report.objects.bulk_create(rows)


def match_parked(phone: Phone, provider_ids: Sequence[str], *, beside: Sequence[int] = ()) -> int:
    """Apply the parked reports about these provider ids; give how many found their message."""
    wanted = {stored.name(name) for name in provider_ids if name}
    if not wanted:
        return 0
    if not _is_any_parked([phone.pk, *beside]):
        return 0  # nearly always: receipts come after answers
    parked = Report.objects.filter(phone__in=[phone.pk, *beside], message=None)
    named = parked.filter(provider_id__in=wanted).values_list("pk", flat=True)
    since = timezone.now() - _EARLY
    lately = parked.filter(created_at__gt=since).order_by("-created_at")
    rows = lately.values_list("pk", "aliases")[:_LOOK]
    ids = {*named, *(pk for pk, aliases in rows if not wanted.isdisjoint(aliases))}
    return _match(phone, list(Report.objects.filter(pk__in=ids).order_by("id")), beside)


def _is_any_parked(phones: Sequence[int]) -> bool:
    # By hand: it is asked for each handful of messages.
    those = ", ".join(["%s"] * len(phones))
    sql = (
        f"SELECT 1 FROM messaging_report WHERE phone_id IN ({those}) AND message_id IS NULL LIMIT 1"  # noqa: S608
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, phones)
        return cursor.fetchone() is not None


def match_all_parked() -> int:
    """Look once more for the messages of lately parked reports, e.g. after a worker was killed."""
    lately = Report.objects.filter(message=None, created_at__gt=timezone.now() - _PARKED)
    # One phone whose settings cannot be decrypted must not hide the reports of the others.
    rows = lately.select_related("phone").defer("phone__settings").order_by("-id")[:_LOOK]
    by_phone: dict[Phone, list[Report]] = {}
    for row in rows:
        by_phone.setdefault(row.phone, []).append(row)
    return sum(
        _match(phone, parked, [other.pk for other in accounts.beside(phone)])
        for phone, parked in by_phone.items()
    )


def _match(phone: Phone, parked: Sequence[Report], beside: Sequence[int]) -> int:
    if not parked:
        return 0
    with transaction.atomic():
        reports = [_said(row) for row in parked]
        pairs = list(zip(parked, reports, _find(phone, reports, beside), strict=True))
        _raise(phone, [(known, report) for _, report, known in pairs if known])
        matched = [(row.pk, known.id) for row, _, known in pairs if known]
        if matched:
            bulk.update(
                Report,
                ("id", "message"),
                matched,
                assign="message_id = v.message_id",
                where="1 = 1",
            )
    return len(matched)


def _said(row: Report) -> StatusReport:
    return StatusReport(
        state=Delivery(row.state),
        provider_id=row.provider_id,
        reason=row.reason,
        code=row.code,
        words=row.words,
        at=row.reported_at,
        segments=row.segments,
        cost=row.cost,
        currency=row.currency,
        aliases=tuple(row.aliases),
        peer=row.peer,
    )
