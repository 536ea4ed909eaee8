"""Countries and prefixes tell the same story in both directions."""

from __future__ import annotations

import phonenumbers
import pytest

from lib import destinations


@pytest.mark.parametrize(
    ("country", "prefixes"),
    [
        ("FR", ("33",)),
        ("US", ("1",)),
        ("JM", ("1658", "1876")),
        ("RU", ("7",)),
        ("KZ", ("77",)),
        ("VA", ("3906698",)),
        # Its numbers cannot be told from those of Britain by how they begin.
        ("GG", ()),
        ("XX", ()),
    ],
)
def test_a_country_has_its_prefixes(country: str, prefixes: tuple[str, ...]) -> None:
    assert destinations.prefixes(country) == prefixes


def test_each_prefix_of_a_country_leads_back_to_it() -> None:
    wrong = [
        (country, prefix)
        for country in phonenumbers.SUPPORTED_REGIONS
        for prefix in destinations.prefixes(country)
        if destinations.country_of(prefix) != country
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("prefix", "country"),
    [
        ("336", "FR"),
        ("1", "US"),
        ("12", "US"),
        ("1204555", "CA"),
        ("441624", "IM"),
        ("800", ""),
        ("999", ""),
        ("2", ""),
        ("", ""),
    ],
)
def test_any_prefix_is_somewhere_or_nowhere(prefix: str, country: str) -> None:
    assert destinations.country_of(prefix) == country
