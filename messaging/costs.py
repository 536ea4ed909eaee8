"""What messages cost: what a provider says of one, and sums over many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from lib import gsm, money, stored
from phones.base import Sent, StatusReport
from phones.models import Phone
from phones.prices import Estimate, tariff_of

# What PostgreSQL's smallint and bigint hold; a provider may count as it likes.
_MOST_SEGMENTS, _MOST_COST = 2**15 - 1, 2**63 - 1


def counted(said: Sent | StatusReport) -> int | None:
    """Give the segments that the provider counts, None where it says nothing sensible."""
    return _within(said.segments, _MOST_SEGMENTS) or None


def told(said: Sent | StatusReport) -> tuple[int | None, str]:
    """Give cost and currency as the provider says them; without a currency an amount means nothing."""
    cost, currency = _within(said.cost, _MOST_COST), stored.text(said.currency, 3).upper()
    return (cost, currency) if cost is not None and currency else (None, "")


def changes(report: StatusReport) -> dict[str, object]:
    """Give the fields of a message that a report changes, besides its state."""
    cost, currency = told(report)
    found: dict[str, object] = {}
    if segments := counted(report):
        found["segments"] = segments
    if cost is not None:
        found |= {"cost": cost, "currency": currency, "cost_is_estimate": False}
    return found


def _within(count: object, most: int) -> int | None:
    return count if isinstance(count, int) and 0 <= count <= most else None


# ---- Many at once -------------------------------------------------------------------------------


def estimate(phone: Phone, numbers: Sequence[str], text: str) -> Estimate | None:
    """Estimate what a text to these numbers (E.164) costs, in one query; None without any price."""
    tariff = tariff_of(phone)
    if not tariff:
        return None
    segments = max(1, gsm.measure(text).segments)
    return tariff.estimate((number, segments) for number in numbers)


def in_words(estimate: Estimate) -> str:
    """Say an estimate: about 8.53 EUR + 0.20 USD, or that nothing is known."""
    if not estimate.amounts:
        return _("unknown")
    amounts = sorted(estimate.amounts.items())
    return _("about %(amount)s") % {"amount": " + ".join(money.about(m, c) for c, m in amounts)}


@dataclass(frozen=True, slots=True)
class Spent:
    """What messages cost in one currency (millionths): as providers told, and as we estimate the rest."""

    currency: str
    actual: int
    estimated: int

    @property
    def total(self) -> int:
        return self.actual + self.estimated
