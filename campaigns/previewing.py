"""What one recipient of a campaign would read, before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns import sources, texts
from campaigns.birthdays import day_of
from campaigns.fields import offered
from campaigns.judging import Judge, Judged
from campaigns.models import Campaign
from campaigns.rehearsing import NO_DAY
from campaigns.sources import Place
from contacts.importing.reading import Unreadable
from contacts.services import names
from lib import masks
from phones.base import Reason

# People of one page of those left out, and for how many seconds they are looked for.
PAGE, _SECONDS = 50, 0.7
_CHUNK = 500
# Recipients among which the first one to show is looked for.
_LOOKED = 50


@dataclass(frozen=True, slots=True)
class Preview:
    """What a recipient would read. `missing` are the fields that nobody knows of them, as people call these;
    `problem` says why there is nothing to read: the text, or the file, is wrong."""

    judged: Judged | None = None
    missing: tuple[str, ...] = ()
    problem: str = ""

    @property
    def place(self) -> str:
        return str(self.judged.recipient.place) if self.judged else ""

    @property
    def person(self) -> str:
        """Give the name, or the number, or what was written in its place."""
        if self.judged is None:
            return ""
        recipient = self.judged.recipient
        name = recipient.contact.name if recipient.contact else ""
        return name or masks.shown(recipient.number) or masks.said(recipient.written)

    @property
    def why_not(self) -> str:
        """Say why this recipient gets nothing, "" where it gets the message."""
        if self.judged is None:
            return ""
        return masks.said(self.judged.words) or (
            str(Reason(self.judged.reason).label) if self.judged.reason else ""
        )


def preview(campaign: Campaign, written: str = "", step: str = "") -> Preview:
    """Give the recipient at a place (as an address has it), or the one `next` to it or `back` from it.

    Without a place it is the first who gets the message, where the first _LOOKED hold one.
    """
    try:
        judge = Judge(campaign, for_eyes=True)
        place = Place.read(written)
        judged = _at(campaign, judge, place, step) if place else _first(campaign, judge)
        if judged is None:
            return Preview()
        labels = _labels(campaign) if judged.missing else {}
        return Preview(judged, tuple(labels.get(name, name) for name in judged.missing))
    except (texts.Bad, Unreadable) as error:
        return Preview(problem=str(error))


def _first(campaign: Campaign, judge: Judge) -> Judged | None:
    first, looked = None, 0
    for _place, recipients in sources.chunks(campaign, _LOOKED):
        judged = judge(recipients)
        first = first or judged[0]
        if found := next((one for one in judged if not one.reason and not one.is_excluded), None):
            return found
        looked += len(recipients)
        if looked >= _LOOKED:
            break
    return first


def _at(campaign: Campaign, judge: Judge, place: Place, step: str) -> Judged | None:
    recipient = None
    if step == "next":
        recipient = sources.following(campaign, place)
    elif step == "back":
        recipient = sources.preceding(campaign, place)
    recipient = recipient or sources.at(campaign, place)
    recipient = recipient or sources.following(campaign, Place(0, 0))
    return judge.one(recipient) if recipient else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Some of those who would get nothing; `further` is the place to look on behind, "" at the end."""

    people: list[Judged]
    further: str


def left_out(campaign: Campaign, why: str, behind: str = "") -> LeftOut:
    """Look for recipients left out for a reason (`excluded`, NO_DAY or a Reason), for less than a second.

    Raises texts.Bad and Unreadable.
    """
    begun, found = time.monotonic(), []
    birthday = campaign.repeats.birthday if campaign.is_pattern else ""
    last = Place.read(behind)
    for judged in _judged(campaign, last):
        last = judged.recipient.place
        if _why(judged, birthday) == why:
            found.append(judged)
        if len(found) == PAGE or time.monotonic() - begun > _SECONDS:
            return LeftOut(found, str(last))
    return LeftOut(found, "")


def _why(judged: Judged, birthday: str) -> str:
    """Say why somebody gets nothing, "" where they get the message. `birthday` is the field of their day."""
    if judged.is_excluded:
        return "excluded"
    if not judged.reason and birthday and not day_of(judged.recipient.contact, birthday):
        return NO_DAY
    return str(judged.reason)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Somebody who is there again: their number, name ("" for nobody we know), and from where to where."""

    number: str
    name: str
    first: str
    again: str


def repeats(campaign: Campaign) -> list[Repeat]:
    """Give those whom the rehearsal met more than once; the first of them where there are very many."""
    found = campaign.plan.get("repeats", []) if campaign.planned_at else []
    people = names(campaign.workspace_id, [number for number, _first, _again in found])
    named = sources.named(campaign) if found else []
    return [
        Repeat(number, people.get(number, ""), _source(named, first), _source(named, again))
        for number, first, again in found
    ]


def _source(named: Sequence[str], written: str) -> str:
    place = Place.read(written)
    if place is None or place.step >= len(named):
        return "?"
    name = named[place.step]
    return _("%(file)s, row %(row)s") % {"file": name, "row": place.row} if place.row else name


def _judged(campaign: Campaign, behind: Place | None) -> Iterator[Judged]:
    judge = Judge(campaign, for_eyes=True)
    for _place, recipients in sources.chunks(campaign, _CHUNK, behind):
        yield from judge(recipients)


@dataclass(frozen=True, slots=True)
class Lack:
    """A field (what people call it) that `amount` people lack, and the place of one of them."""

    field: str
    amount: int
    place: str


def lacks(campaign: Campaign) -> list[Lack]:
    """Give the fields that people lack, as the rehearsal found them, the most frequent first."""
    found = campaign.plan.get("missing", {}) if campaign.planned_at else {}
    labels = _labels(campaign) if found else {}
    lacking = [
        Lack(labels.get(name, name), lack["count"], lack["places"][0])
        for name, lack in found.items()
    ]
    return sorted(lacking, key=lambda lack: -lack.amount)


def _labels(campaign: Campaign) -> dict[str, str]:
    """Give what people call the fields that a text names: contact.name → Name."""
    return {offer.name: offer.label for offer in offered(campaign.workspace, campaign.sheet)}


def longest(campaign: Campaign) -> str:
    """Give the place of who gets the longest text, "" before that was found out."""
    return str(campaign.plan.get("longest", (0, ""))[1]) if campaign.planned_at else ""
