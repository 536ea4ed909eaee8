"""When a campaign leaves: for everybody at once, or as the clock of each recipient shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from campaigns.models import Campaign
from lib import zones

# Nobody on earth is further ahead: Kiritimati.
_FURTHEST_AHEAD = timedelta(hours=14)
# The tick looks every few seconds, and a machine restarts in minutes: so much is on time.
_ON_TIME = timedelta(minutes=15)


def starts_at(campaign: Campaign) -> datetime | None:
    """Give when its messages must begin to be made, None for at once.

    With `own_zone` that is when the first zone on earth reaches the wall clock it is meant for.
    """
    if campaign.send_at is None or not campaign.own_zone:
        return campaign.send_at
    return wall_of(campaign.send_at, campaign.time_zone).replace(tzinfo=UTC) - _FURTHEST_AHEAD


def moment_for(campaign: Campaign, zone: str) -> datetime:
    """Give when the message of a recipient who lives in `zone` (an IANA name) is wanted.

    Without `send_at` that is when the campaign began.
    """
    if campaign.send_at is None:
        return campaign.started_at or timezone.now()
    if not campaign.own_zone:
        return campaign.send_at
    wall = wall_of(campaign.send_at, campaign.time_zone)
    return zones.moment(wall, zones.zone(zone, campaign.time_zone))


class Clocks:
    """When each recipient of a campaign is to get its message, and for whom that has passed.

    Counted from when it began; of one that has not, from when it would.
    """

    def __init__(self, campaign: Campaign) -> None:
        now = timezone.now()
        self._campaign = campaign
        self._begun = campaign.started_at or max(now, starts_at(campaign) or now)
        self._zone = campaign.time_zone or campaign.workspace.time_zone
        self._moments: dict[str, datetime] = {}

    def moment(self, number: str, contact_zone: str) -> datetime:
        """Give when a message is wanted: not before it began, so that a spread is one after an outage too."""
        return max(self._moment(number, contact_zone), self._begun)

    def is_past(self, number: str, contact_zone: str) -> bool:
        """Say whether it was too late for somebody already when it began, by their own clock."""
        campaign = self._campaign
        if not (campaign.own_zone and campaign.send_at):
            return False
        return is_too_late(self._moment(number, contact_zone), campaign.late, self._begun)

    def _moment(self, number: str, contact_zone: str) -> datetime:
        campaign = self._campaign
        if campaign.send_at is None:
            return self._begun
        zone = zone_of(number, contact_zone, self._zone) if campaign.own_zone else self._zone
        if zone not in self._moments:
            self._moments[zone] = moment_for(campaign, zone)
        return self._moments[zone]


def zone_of(number: str, contact_zone: str, workspace_zone: str) -> str:
    """Give where somebody lives: as their contact says, else as their number does, else the workspace's."""
    if contact_zone and zones.known(contact_zone):
        return contact_zone
    return zones.of_number(number) or workspace_zone


def is_too_late(due: datetime, late: int, now: datetime) -> bool:
    """Say whether what was due is not to leave any more: `late` hours have passed since."""
    return now > due + lateness(late)


def lateness(late: int) -> timedelta:
    """Give how much later than it was due something may leave that may be `late` hours late."""
    return max(timedelta(hours=late), _ON_TIME)


def wall_of(at: datetime, zone: str) -> datetime:
    """Give what clocks in a zone show at a moment, as a naive time."""
    return zones.shown(at, zones.zone(zone))
