"""Finding messages, at a cost that does not grow with their number.

Each way of asking leans on an index of Message or on a bound:
- status, and "received" (a status too): `message_status`; nothing: `message_list`;
- a whole number: `message_peer`;
- a campaign: `message_campaign` and `message_campaign_state`;
- a submission: the constraint `one_message_per_submission`, which holds outgoing ones only;
- a phone: the index of the foreign key;
- a day: its first id is found by halving the range of ids, about 25 tiny look-ups;
- words and parts of numbers cannot be looked up in the order of the list, so only the newest DEPTH
  messages are read, unless somebody asks for all of them.
Pages are cut by id (keyset), so the last one costs what the first one does.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import BooleanField, Max, Min, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from accounts.models import Workspace
from contacts.services import numbers_called
from lib import e164, masks
from messaging.models import Direction, Message, Status
from phones.models import Phone

# Messages that are read one by one: some 50 ms.
DEPTH = 100_000
# Ids follow time closely but not exactly: a transaction may commit late.
_SLACK = timedelta(minutes=5)

# What is looked up as a number and not as words: digits and what people put between them.
_NUMBER = re.compile(r"[\d\s+().\-/]*\d[\d\s().\-/]*")
_FEWEST_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; `since` and `until` are days of the person's calendar, both included."""

    q: str = ""
    status: str = ""
    direction: str = ""
    phone: Phone | None = None
    submission: uuid.UUID | None = None
    campaign: int | None = None
    since: date | None = None
    until: date | None = None
    everything: bool = False

    @property
    def is_number(self) -> bool:
        return is_number(self.q)


@dataclass(frozen=True, slots=True)
class Found:
    """`messages` newest first, not yet cut; `is_partial` when only the newest DEPTH were read."""

    messages: QuerySet[Message]
    is_partial: bool = False


def find(workspace: Workspace, wanted: Wanted) -> Found:
    """Give the messages of a workspace that somebody wants to see."""
    messages = _plainly(workspace, wanted)
    if wanted.since:
        start = _midnight(wanted.since)
        messages = messages.filter(
            id__gte=first_id(workspace, start - _SLACK), created_at__gte=start
        )
    if wanted.until:
        end = _midnight(wanted.until + timedelta(days=1))
        messages = messages.filter(id__lt=first_id(workspace, end + _SLACK), created_at__lt=end)
    messages = messages.order_by("-id")
    if not wanted.q.strip():
        return Found(messages)
    if whole := _whole(wanted.q, workspace.country):
        return Found(messages.filter(peer=whole))
    read = messages.filter(_read_for(wanted, workspace))
    floor = 0 if wanted.everything else _floor(workspace)
    return Found(read.filter(id__gte=floor), is_partial=floor > 0)


def of_submission(workspace: Workspace, submission: uuid.UUID) -> QuerySet[Message]:
    """Give the messages that one form has made."""
    # SQLite uses a partial index only where its condition stands in the query word for word.
    outgoing = RawSQL("direction = 'out'", (), output_field=BooleanField())
    made = Message.objects.filter(outgoing, workspace=workspace, submission=submission)
    # Apart, so that no planner goes through the whole list for the sake of its order.
    return Message.objects.filter(pk__in=made.values("pk"))


def _plainly(workspace: Workspace, wanted: Wanted) -> QuerySet[Message]:
    messages = Message.objects.filter(workspace=workspace)
    if wanted.submission:
        messages = of_submission(workspace, wanted.submission)
    elif wanted.campaign:
        messages = _of_campaign(workspace, wanted.campaign)
    elif wanted.phone:
        # A phone belongs to one workspace; naming that too would lead the planner to all of it.
        mine = wanted.phone.workspace_id == workspace.pk
        messages = Message.objects.filter(phone=wanted.phone) if mine else messages.none()
    if wanted.status:
        messages = messages.filter(status=wanted.status)
    if wanted.direction == Direction.IN:
        messages = messages.filter(status=Status.RECEIVED)
    if wanted.direction == Direction.OUT:
        messages = messages.filter(direction=Direction.OUT)
    return messages


def _read_for(wanted: Wanted, workspace: Workspace) -> Q:
    if wanted.is_number:
        found = by_number(wanted.q, workspace.country)
        return found | Q(text__contains=wanted.q.strip()) if masks.hiding() else found
    words = wanted.q.strip()
    return Q(text__icontains=words) | Q(peer__in=numbers_called(workspace.pk, words))


def _of_campaign(workspace: Workspace, campaign: int) -> QuerySet[Message]:
    """Give the messages of a campaign; of another workspace's, none. It stands apart, so that no planner
    goes through the workspace for the sake of its order."""
    mine = Message.objects.filter(campaign=campaign)
    first = mine.values_list("workspace", flat=True)[:1]
    return mine if list(first) == [workspace.pk] else mine.none()


def is_number(written: str) -> bool:
    """Say whether somebody looks for a number, or the beginning of one, and not for words."""
    written = masks.opened(written)
    digits = sum(char.isdigit() for char in written)
    return digits >= _FEWEST_DIGITS and bool(_NUMBER.fullmatch(written.strip()))


def _whole(written: str, country: str) -> str:
    """Give the number that was written in full, "" where it is only a part of one, or words."""
    number = e164.normal(masks.opened(written), country)
    try:
        return e164.parse(number, country) if number.startswith("+") else ""
    except e164.Invalid:
        return ""


def by_number(written: str, country: str) -> Q:
    """Match the `peer` of messages or conversations: a whole number exactly, a part of one by how it
    begins, a short code as it is. From whom numbers are hidden finds none by its parts."""
    if whole := _whole(written, country):
        return Q(peer=whole)
    if masks.hiding():
        return Q(peer=masks.opened(written).strip())
    asked = Q()
    for prefix in e164.beginnings(written, country):
        asked |= _begins(prefix)
    digits = re.sub(r"\D", "", written)
    if not (digits.startswith("0") or written.strip().startswith("+")):
        asked |= _begins(digits)
    return asked


def _begins(prefix: str) -> Q:
    """Match numbers by their beginning, as a range that an index serves in any collation."""
    asked = Q(peer__startswith=prefix, peer__gte=prefix)
    kept = prefix.rstrip("9")
    if kept and kept[-1].isdigit():
        asked &= Q(peer__lt=f"{kept[:-1]}{int(kept[-1]) + 1}")
    return asked


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def first_id(workspace: Workspace, at: datetime) -> int:
    """Give the id from which messages were made at `at` or later."""
    mine = Message.objects.filter(workspace=workspace)
    # One by one: SQLite would read all of them to know both.
    low = mine.aggregate(low=Min("id"))["low"] or 0
    high = (mine.aggregate(high=Max("id"))["high"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = mine.filter(id__gte=middle).order_by("id").values_list("id", "created_at").first()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    return low


def _floor(workspace: Workspace) -> int:
    """Give the id of the oldest message that is read one by one, 0 when that is every one."""
    newest = Message.objects.filter(workspace=workspace).order_by("-id")
    beyond = newest.values_list("id", flat=True)[DEPTH : DEPTH + 1]
    return next((pk + 1 for pk in beyond), 0)
