"""When each recipient's message is wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaigns import when
from campaigns.models import Campaign


def campaign(own_zone: bool = True) -> Campaign:
    """A campaign for nine in the morning of a winter's day in Paris."""
    nine = datetime(2026, 12, 1, 9, 0, tzinfo=ZoneInfo("Europe/Paris"))
    return Campaign(send_at=nine, time_zone="Europe/Paris", own_zone=own_zone)


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("Europe/Paris", 8), ("America/New_York", 14), ("Asia/Tokyo", 0), ("", 8), ("Mars/Base", 8)],
)
def test_in_their_own_zone_everybody_reads_it_at_nine(zone: str, hour: int) -> None:
    expected = datetime(2026, 12, 1, hour, tzinfo=UTC)

    assert when.moment_for(campaign(), zone) == expected


def test_without_it_everybody_gets_it_at_once() -> None:
    plain = campaign(own_zone=False)

    assert when.moment_for(plain, "Asia/Tokyo") == plain.send_at
    assert when.starts_at(plain) == plain.send_at


def test_it_begins_before_the_first_place_on_earth_reaches_the_hour() -> None:
    begins = when.starts_at(campaign())
    assert begins is not None

    for zone in ("Pacific/Kiritimati", "Pacific/Auckland", "Asia/Tokyo", "Pacific/Pago_Pago"):
        assert begins <= when.moment_for(campaign(), zone)
    assert begins == when.moment_for(campaign(), "Pacific/Kiritimati")


def test_what_leaves_now_leaves_when_it_began() -> None:
    at_once = Campaign(started_at=datetime(2026, 12, 1, tzinfo=UTC))

    assert when.starts_at(at_once) is None
    assert when.moment_for(at_once, "Asia/Tokyo") == at_once.started_at


def test_a_person_lives_where_their_contact_says_then_where_their_number_does() -> None:
    number = "+819012345678"

    assert when.zone_of(number, "America/Lima", "Europe/Paris") == "America/Lima"
    assert when.zone_of(number, "", "Europe/Paris") == "Asia/Tokyo"
    assert when.zone_of(number, "Nowhere", "Europe/Paris") == "Asia/Tokyo"
    assert when.zone_of("+88235123456", "", "Europe/Paris") == "Europe/Paris"


def test_a_restart_makes_nothing_late_and_a_chosen_delay_counts() -> None:
    due = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)

    assert not when.is_too_late(due, 0, due + timedelta(minutes=14))
    assert when.is_too_late(due, 0, due + timedelta(minutes=16))
    assert not when.is_too_late(due, 6, due + timedelta(hours=6))
    assert when.is_too_late(due, 6, due + timedelta(hours=6, seconds=1))
