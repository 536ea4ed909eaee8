"""Where a number is at home, by the clock."""

from __future__ import annotations

import phonenumbers
import pytest

from lib import zones


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+33612345678", "Europe/Paris"), ("+12125550123", "America/New_York"),
        ("+13105550123", "America/Los_Angeles"), ("+18005550123", "America/New_York"),
        ("+351912345678", "Europe/Lisbon"), ("+447911123456", "Europe/Guernsey"),
        ("+447400123456", "Europe/London"), ("+353851234567", "Europe/Dublin"),
        ("+79161234567", "Europe/Moscow"), ("+262692123456", "Indian/Reunion"),
        ("+88235123456", ""), ("12345", ""), ("Bank", ""),
    ],
)  # fmt: skip
def test_a_number_lives_by_the_clock_of_its_area_or_country(number: str, zone: str) -> None:
    assert zones.of_number(number) == zone


def test_every_country_with_numbers_has_a_zone_that_exists() -> None:
    lost = [c for c in phonenumbers.SUPPORTED_REGIONS if not zones.known(zones.of_country(c))]

    assert lost == []


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "Europe", "../../etc/localtime", "a\x00b", "x" * 9999]
)
def test_a_zone_that_does_not_exist_breaks_nothing(name: str) -> None:
    assert zones.known(name) is None
    assert zones.zone(name, "Europe/Paris").key == "Europe/Paris"
    assert zones.zone(name).key == "UTC"
