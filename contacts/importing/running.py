"""Checking and storing a file of people, a thousand rows at a time.

1. A run takes the import's lease, so that there is one at a time; one that was killed leaves it to end.
2. Each chunk is one transaction with what it changed and with `Import.row`: killed anywhere, the next
   run goes on behind the last chunk that counts, without a row lost or doubled.
3. The report (one line of JSON per row) is written before that transaction ends; what lies behind
   `Import.told` belongs to a chunk that did not, and is cut off.
4. After some seconds a run gives its worker back and wakes the next one.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from contacts import carriers, changing, keeping
from contacts.importing import files, guessing
from contacts.importing.reading import Row, Shape, Unreadable, rows
from contacts.importing.rows import Person, Reader, Rejected
from contacts.models import Contact, Group, Import, NumberCarrier, Tag, searched
from lib import bulk
from lib.jobs import DEFAULT, awake, stopping, wake
from lib.words import fold

logger = logging.getLogger(__name__)

State, Known = Import.State, Import.Known
ADDED, UPDATED, SAME, SKIPPED, REJECTED = "added", "updated", "same", "skipped", "rejected"
MOVING = (State.CHECKING, State.RUNNING)
# Rows of one transaction; seconds of one run, of a lease, and times that a chunk is tried anew when
# somebody adds the same number at the same moment.
_CHUNK, _RUN, _LEASE, _TRIES = 1000, 20.0, timedelta(seconds=90), 3


class _TakenOver(Exception):
    """Somebody stopped the import, or another run has it."""


@dataclass(slots=True)
class _Verdict:
    row: Row
    what: str
    why: str = ""
    person: Person | None = None


@dataclass(slots=True)
class _Work:
    """What one run knows: the names it has seen, so that each is looked up once."""

    import_: Import
    reader: Reader
    tags: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    @property
    def is_check(self) -> bool:
        return self.import_.state == State.CHECKING


def begin(import_: Import, state: str) -> bool:
    """Start a check, or the import itself, from the first row; False when it is no time for that."""
    before = (State.UPLOADED, State.CHECKED) if state == State.CHECKING else (State.CHECKED,)
    counters = dict.fromkeys((ADDED, UPDATED, SAME, SKIPPED, REJECTED, "row", "told"), 0)
    begun = Import.objects.filter(pk=import_.pk, state__in=before).update(
        **counters, state=state, started_at=timezone.now(), ended_at=None, lease_until=None
    )
    if begun:
        wake(run, import_.pk, queue=DEFAULT)
    return bool(begun)


def resume() -> int:
    """Wake the imports whose run was lost. A duty of the tick."""
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    left = list(Import.objects.filter(free, state__in=MOVING).values_list("pk", flat=True)[:50])
    for pk in left:
        wake(run, pk, queue=DEFAULT)
    return len(left)


def run(pk: int) -> None:
    """Work on an import for some seconds, in the language of who chose the file. A job."""
    awake(run, pk)
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    mine = Import.objects.filter(free, pk=pk, state__in=MOVING)
    if not mine.update(lease_until=now + _LEASE):
        return
    import_ = Import.objects.select_related("workspace", "by").get(pk=pk)
    language = (import_.by.language if import_.by else "") or settings.LANGUAGE_CODE
    with translation.override(language):
        try:
            is_whole = _go_on(import_)
        except _TakenOver:
            return
        except Unreadable as error:
            _end(import_, State.FAILED, problem=str(error))
            return
        except Exception:
            _end(import_, State.FAILED, problem=_("Something went wrong on our side."))
            raise
    if is_whole:
        _end(import_, State.CHECKED if import_.state == State.CHECKING else State.DONE)
    else:
        Import.objects.filter(pk=pk).update(lease_until=None)
        wake(run, pk, queue=DEFAULT)


def _go_on(import_: Import) -> bool:
    """Work until the end (True) or until it is time to let others work (False)."""
    work = _Work(import_, reader_for(import_))
    shape = Shape(**import_.shape)
    if work.is_check:
        # Nobody is stored yet, so the numbers of earlier rows are known by the report alone.
        work.seen.update(line.number for line, _end in files.lines(import_, only=ADDED))
    left = islice(rows(files.upload(import_), shape), import_.row, None)
    until = time.monotonic() + _RUN
    while chunk := list(islice(left, _CHUNK)):
        for attempt in range(_TRIES):
            try:
                _one(work, chunk)
                break
            except IntegrityError:
                if attempt + 1 == _TRIES:
                    raise
        if time.monotonic() > until or stopping.is_set():
            return False
    return True


def reader_for(import_: Import) -> Reader:
    """Give what reads the rows of an import as its mapping says."""
    return Reader(
        import_.mapping,
        import_.shape["columns"],
        keeping.fields_of(import_.workspace),
        country=import_.options.get("country") or import_.workspace.country,
        month_first=bool(import_.options.get("month_first")),
    )


def _one(work: _Work, chunk: list[Row]) -> None:
    """Do one chunk. Raises _TakenOver, and IntegrityError when a number was added meanwhile."""
    import_ = work.import_
    with transaction.atomic():
        verdicts = _judge(work, chunk)
        told = files.tell(import_, _lines(import_.row, verdicts))
        counts = Counter(verdict.what for verdict in verdicts)
        mine = Import.objects.filter(pk=import_.pk, state=import_.state, row=import_.row)
        changed = mine.update(
            **{name: F(name) + amount for name, amount in counts.items()},
            row=import_.row + len(chunk),
            told=told,
            lease_until=timezone.now() + _LEASE,
        )
        if not changed:
            raise _TakenOver
    import_.row += len(chunk)
    import_.told = told


def _judge(work: _Work, chunk: list[Row]) -> list[_Verdict]:
    """Say what becomes of each row and, unless it is a check, do it."""
    verdicts = [_read(work.reader, row) for row in chunk]
    people = [verdict.person for verdict in verdicts if verdict.person]
    known = {
        contact.number: contact
        for contact in Contact.objects.living().filter(
            workspace=work.import_.workspace_id, number__in={person.number for person in people}
        )
    }
    new: dict[str, Contact] = {}
    changed: dict[str, Contact] = {}
    for verdict in verdicts:
        if verdict.person:
            verdict.what = _decide(work, verdict.person, known, new, changed)
    if work.is_check:
        work.seen.update(new)
    else:
        _store(work, list(new.values()), list(changed.values()))
        _join(work, verdicts, known | new)
    return verdicts


def _read(reader: Reader, row: Row) -> _Verdict:
    try:
        return _Verdict(row, ADDED, person=reader.read(row))
    except Rejected as error:
        return _Verdict(row, REJECTED, str(error))


def _decide(
    work: _Work,
    person: Person,
    known: dict[str, Contact],
    new: dict[str, Contact],
    changed: dict[str, Contact],
) -> str:
    contact = known.get(person.number) or new.get(person.number)
    if contact is None and person.number not in work.seen:
        new[person.number] = _fresh(work.import_.workspace_id, person)
        return ADDED
    if work.import_.options.get("known") == Known.SKIP:
        return SKIPPED
    if contact is None:
        return UPDATED  # a check, of a number that an earlier row has added
    if not _apply(contact, person):
        return SAME
    if person.number not in new:
        changed[person.number] = contact
    return UPDATED


def _fresh(workspace_id: int, person: Person) -> Contact:
    return Contact(
        workspace_id=workspace_id,
        number=person.number,
        name=person.name,
        values=person.values,
        kind=person.kind,
        country=person.country,
        sorted_name=fold(person.name)[:200],
        searched=searched(person.name, person.number, person.values),
        **person.plain,
    )


def _apply(contact: Contact, person: Person) -> bool:
    """Write what the row says over what is known; say whether that changes anything."""
    said = {name: value for name, value in {"name": person.name, **person.plain}.items() if value}
    together = {**contact.values, **person.values}
    if together == contact.values and all(getattr(contact, n) == v for n, v in said.items()):
        return False
    for name, value in said.items():
        setattr(contact, name, value)
    contact.values = together
    contact.sorted_name = fold(contact.name)[:200]
    contact.searched = searched(contact.name, contact.number, together)
    return True


_COLUMNS = (
    "id", "name", "values", "notes", "carrier", "language", "time_zone", "sorted_name", "searched",
    "updated_at",
)  # fmt: skip


def _store(work: _Work, new: list[Contact], changed: list[Contact]) -> None:
    now = timezone.now()
    Contact.objects.bulk_create(new)
    for contact in changed:
        contact.updated_at = now
    assign = ", ".join(f'"{name}" = v."{name}"' for name in _COLUMNS[1:])
    rows = [[getattr(contact, name) for name in _COLUMNS] for contact in changed]
    if rows:
        bulk.update(Contact, _COLUMNS, rows, assign=assign, where="TRUE")
    said = {contact.number: contact.carrier for contact in [*new, *changed] if contact.carrier}
    carriers.remember(work.import_.workspace, said, NumberCarrier.Source.IMPORT)


def _join(work: _Work, verdicts: Sequence[_Verdict], contacts: dict[str, Contact]) -> None:
    """Give people their tags and groups. Who is left as they are joins the group for everybody only."""
    into, mark = work.import_.options.get("group"), work.import_.options.get("tag")
    tagged: set[tuple[int, int]] = set()
    grouped: set[tuple[int, int]] = set()
    for verdict in verdicts:
        if not (person := verdict.person):
            continue
        pk = contacts[person.number].pk
        own = verdict.what != SKIPPED
        for name in [*(person.groups if own else []), *([into] if into else [])]:
            grouped.add((_group(work, name), pk))
        for name in [*(person.tags if own else []), *([mark] if mark else [])]:
            tagged.add((_tag(work, name), pk))
    changing.join(Tag, tagged)
    changing.join(Group, grouped)


def _group(work: _Work, name: str) -> int:
    if name not in work.groups:
        work.groups[name] = keeping.group_named(work.import_.workspace, name).pk
    return work.groups[name]


def _tag(work: _Work, name: str) -> int:
    if name not in work.tags:
        work.tags[name] = keeping.tag_named(work.import_.workspace, name).pk
    return work.tags[name]


def _lines(before: int, verdicts: Sequence[_Verdict]) -> Iterator[bytes]:
    for place, verdict in enumerate(verdicts, start=before + 1):
        number = verdict.person.number if verdict.person else ""
        line: dict[str, Any] = {
            "v": verdict.what, "n": place, "w": verdict.why, "c": verdict.row, "k": number,
        }  # fmt: skip
        yield (
            json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":")).encode(
                "utf-8", "replace"
            )
            + b"\n"
        )


def _end(import_: Import, state: str, problem: str = "") -> None:
    moving = Import.objects.filter(pk=import_.pk, state=import_.state)
    ended = moving.update(
        state=state,
        problem=problem[:300],
        total=F("row"),
        lease_until=None,
        ended_at=timezone.now(),
    )
    if ended and state in (State.DONE, State.FAILED):
        files.forget_upload(import_)


def stop(import_: Import) -> bool:
    """Stop an import; what was stored stays. False when it was over already."""
    stopped = Import.objects.filter(pk=import_.pk, state__in=MOVING).update(
        state=State.STOPPED, ended_at=timezone.now(), lease_until=None
    )
    if stopped:
        files.forget_upload(import_)
    return bool(stopped)


def make_fields(import_: Import) -> None:
    """Make the fields that the mapping calls new, and let it name them."""
    taken: list[str] = []
    mapping = list(import_.mapping)
    for place, target in enumerate(mapping):
        if not target.startswith(guessing.NEW):
            continue
        label = " ".join(str(import_.shape["columns"][place]).split())[:80]
        known = {fold(f.label): f for f in keeping.fields_of(import_.workspace)}
        made = known.get(fold(label))
        if made is None and len(known) < keeping.MOST_FIELDS:
            key = keeping.key_for(import_.workspace, label, taken)
            made = import_.workspace.fields.create(
                key=key, label=label, type=target.removeprefix(guessing.NEW)
            )
            taken.append(key)
        mapping[place] = f"{guessing.FIELD}{made.key}" if made else ""
    Import.objects.filter(pk=import_.pk).update(mapping=mapping)
    import_.mapping = mapping
