"""What becomes of each recipient of a campaign: what it would read, or why it gets nothing.

The same judgement serves the preview, the rehearsal and the real thing, so that none of them can promise
what another does not keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import prefetch_related_objects

from accounts.limits import Limits
from accounts.models import Workspace
from campaigns import sources, texts
from campaigns.fields import workspace_values
from campaigns.models import Campaign
from campaigns.sources import Recipient
from campaigns.when import Clocks
from contacts import keeping
from contacts.models import Kind
from contacts.services import stopped
from lib import gsm, masks
from messaging import routing
from messaging.carrying import Load
from messaging.composing import why_not
from messaging.media import with_links
from messaging.permitting import Permit
from messaging.routing import Route
from phones.base import Reason

# Characters of a message, in its row.
MOST_TEXT = 1600


@dataclass(frozen=True, slots=True)
class Judged:
    """A recipient and its text; with a `reason` it gets nothing. `missing` are fields without a value."""

    recipient: Recipient
    text: str
    length: gsm.Length
    reason: Reason = Reason.NONE
    words: str = ""
    missing: tuple[str, ...] = ()
    is_excluded: bool = False


def permit_of(campaign: Campaign) -> Permit:
    """Give what may be sent of a campaign, by the limits that it keeps."""
    return Permit(campaign.workspace, Limits.read(campaign.limits))


def _hidden(cell: Any) -> Any:
    said = masks.said(str(cell))
    return said if said != str(cell) else cell


class Judge:
    """Judges recipients of one campaign. Raises texts.Bad where its text cannot be read at all.

    `for_eyes`: the texts are for whoever asks now, who may not see numbers, and not for the recipients.
    """

    def __init__(self, campaign: Campaign, *, for_eyes: bool = False) -> None:
        self.campaign = campaign
        self._hides_numbers = for_eyes and masks.hiding()
        self.permit = permit_of(campaign)
        self.route = self.permit.narrowed(Route(campaign.phone, campaign.pool))
        self.clocks = Clocks(campaign)
        self._compiled = texts.compiled(campaign.text)
        self._fields = keeping.fields_of(campaign.workspace) if self._compiled.fields else []
        self._workspace = workspace_values(campaign.workspace, campaign.created_by)
        self._lengths: dict[str, gsm.Length] = {}
        found = routing.candidates(campaign.workspace, self.route)
        self.phones = [item.phone for item in found if not item.phone.is_deleted]
        # Where no phone sends pictures, they go as links in the text.
        self._links = list(campaign.media.all()) if routing.links(found) else []

    @property
    def is_priced(self) -> bool:
        """Say whether tables of prices know what it costs: pictures have prices of their own."""
        return bool(self._links) or not self.campaign.has_picture

    @staticmethod
    def route_of(campaign: Campaign) -> Route:
        """Give through what a campaign goes: no phone that who sends it may not use."""
        return permit_of(campaign).narrowed(Route(campaign.phone, campaign.pool))

    def load(self, text: str) -> Load:
        """Give what a phone must carry."""
        return Load(text, picture=self.campaign.has_picture, flash=self.campaign.flash)

    def __call__(self, recipients: Sequence[Recipient]) -> list[Judged]:
        """Judge a chunk in a few queries, however many there are."""
        workspace = self.campaign.workspace
        numbers = [recipient.number for recipient in recipients if recipient.number]
        if "contact.tags" in self._compiled.fields:
            people = [recipient.contact for recipient in recipients if recipient.contact]
            prefetch_related_objects(people, "tags")
        excluded = sources.excluded(self.campaign, numbers)
        stops = stopped(workspace, numbers)
        outside = self.permit.outside(numbers)
        judged = [self._judge(recipient, excluded, stops, outside) for recipient in recipients]
        return [self._in_time(item) for item in self._with_reach(workspace, judged)]

    def one(self, recipient: Recipient) -> Judged:
        return self([recipient])[0]

    def _judge(
        self,
        recipient: Recipient,
        excluded: set[str],
        stops: dict[str, str],
        outside: set[str],
    ) -> Judged:
        text, missing, words = self._text(recipient)
        length = self._measure(text)
        reason = Reason.NONE
        if not recipient.number:
            reason = Reason.NOT_A_NUMBER
        elif recipient.number in stops:
            reason = why_not(stops[recipient.number])
        elif recipient.number in outside:
            reason = Reason.NOT_PERMITTED
        elif recipient.kind == Kind.LANDLINE:
            reason = Reason.LANDLINE
        elif words:
            reason = Reason.BAD_TEXT
        elif not text.strip() and not self.campaign.has_picture:
            reason = Reason.EMPTY
        return Judged(
            recipient,
            text,
            length,
            reason,
            words if reason == Reason.BAD_TEXT else "",
            missing,
            is_excluded=recipient.number in excluded,
        )

    def _text(self, recipient: Recipient) -> tuple[str, tuple[str, ...], str]:
        """Give (text, fields without a value, what keeps the text from being made)."""
        if not self._compiled.fields:
            values: dict[str, Any] = {}
        else:
            contact = texts.contact_values(
                recipient.contact, recipient.number, recipient.country, self._fields
            )
            row = recipient.row
            if self._hides_numbers:
                contact |= {"number": masks.shown(recipient.number)}
                row = {key: _hidden(cell) for key, cell in row.items()}
            values = {"contact": contact, "row": row, "workspace": self._workspace}
        try:
            rendered = self._compiled.render(values)
        except texts.Unmakeable as error:
            return "", (), error.words
        text = rendered.text[:MOST_TEXT]
        return with_links(text, self._links), rendered.missing, ""

    def _measure(self, text: str) -> gsm.Length:
        """Measure each text once: most campaigns say the same to many."""
        length = self._lengths.get(text)
        if length is None:
            if len(self._lengths) > 1000:
                self._lengths.clear()
            length = self._lengths[text] = gsm.measure(text)
        return length

    def _in_time(self, item: Judged) -> Judged:
        """Leave out for whom its time has passed already, by their own clock."""
        recipient = item.recipient
        if item.reason or not self.clocks.is_past(recipient.number, recipient.contact_zone):
            return item
        return replace(item, reason=Reason.TOO_LATE)

    def _with_reach(self, workspace: Workspace, judged: list[Judged]) -> list[Judged]:
        """Say of whom no phone can reach. Phones are asked once for all texts that need the same."""
        alike: defaultdict[tuple[str, ...], list[Judged]] = defaultdict(list)
        for item in judged:
            if not item.reason and not item.is_excluded:
                alike[item.length.encoding, str(item.length.segments > 1)].append(item)
        unreached: set[str] = set()
        for items in alike.values():
            numbers = {item.recipient.number for item in items}
            load = self.load(items[0].text)
            unreached |= numbers - routing.reachable(workspace, self.route, load, numbers)
        return [
            replace(item, reason=Reason.NO_PHONE)
            if not item.reason and item.recipient.number in unreached
            else item
            for item in judged
        ]
