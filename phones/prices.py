"""A phone's price table: what a segment to each prefix costs. The longest prefix wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction

from lib import destinations
from phones.base import Money
from phones.models import Phone, Price

# Prefixes of one table: every network of the world, several times over.
MOST = 10_000
_BATCH = 500
# What a segment may cost at most, in millionths: a typing error costs more.
MOST_AMOUNT = 10_000 * 1_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What messages will cost: millionths by currency, and the numbers whose price is not known."""

    amounts: Mapping[str, int]
    unknown: int


class Tariff:
    """A price table in memory, {prefix: price of a segment}; false without a single price."""

    def __init__(self, prices: Mapping[str, Money]) -> None:
        self._prices = dict(prices)
        self._lengths = sorted({len(prefix) for prefix in prices}, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._prices)

    def price_of(self, number: str) -> Money | None:
        """Give what a segment to a number (E.164) costs, None where the table does not say."""
        digits = number.removeprefix("+")
        found = (self._prices.get(digits[:length]) for length in self._lengths)
        return next((price for price in found if price), None)

    def estimate(self, messages: Iterable[tuple[str, int]]) -> Estimate:
        """Add up messages, each a number (E.164) and its segments."""
        amounts: dict[str, int] = {}
        unknown = 0
        for number, segments in messages:
            if price := self.price_of(number):
                amounts[price.currency] = amounts.get(price.currency, 0) + price.amount * segments
            else:
                unknown += 1
        return Estimate(amounts, unknown)


def table_of(phone: Phone) -> dict[str, Money]:
    """Give the whole table, in the order of its prefixes."""
    rows = Price.objects.filter(phone=phone).order_by("prefix")
    return {
        prefix: Money(amount, currency)
        for prefix, amount, currency in rows.values_list("prefix", "amount", "currency")
    }


def tariff_of(phone: Phone) -> Tariff:
    return Tariff(table_of(phone))


def prices_to(number: str, phones: Iterable[Phone]) -> dict[int, Money]:
    """Give what a segment to a number (E.164) costs by each phone, {phone id: price}, in one query."""
    digits = number.removeprefix("+")
    prefixes = [digits[:length] for length in range(len(digits) + 1)]
    rows = Price.objects.filter(phone__in=[phone.pk for phone in phones], prefix__in=prefixes)
    # The longest comes last and stays: of prefixes of one number, the longer one sorts later.
    return {row.phone_id: Money(row.amount, row.currency) for row in rows.order_by("prefix")}


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows of a new table are new, changed or the same, and how many old ones it lacks."""

    new: int
    changed: int
    same: int
    gone: int


def compare(old: Mapping[str, Money], new: Mapping[str, Money]) -> Difference:
    same = sum(old.get(prefix) == price for prefix, price in new.items())
    added = len(new.keys() - old.keys())
    return Difference(added, len(new) - added - same, same, len(old.keys() - new.keys()))


class TooMany(Exception):
    """The table would have more than MOST prefixes."""


def write(phone: Phone, prices: Mapping[str, Money], *, replace: bool = False) -> None:
    """Add prices or change them; `replace` = forget all others. Raises TooMany."""
    with transaction.atomic():
        if replace:
            Price.objects.filter(phone=phone).delete()
        Price.objects.bulk_create(
            [
                Price(phone=phone, prefix=p, amount=m.amount, currency=m.currency)
                for p, m in prices.items()
            ],
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["phone", "prefix"],
            update_fields=["amount", "currency"],
        )
        if Price.objects.filter(phone=phone).count() > MOST:
            raise TooMany


def spread(country: str, price: Money) -> dict[str, Money]:
    """Give the rows of a price for a whole country (ISO 3166 alpha-2), none where no prefix tells it."""
    return dict.fromkeys(destinations.prefixes(country), price)
