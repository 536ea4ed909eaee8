"""What a phone's own page lists: its callback addresses, its exchanges, reports that fit nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from phones.base import Endpoint, PhoneType, Words
from phones.lines import line
from phones.models import Exchange, Phone

# Lines of one page of exchanges, and of stray reports.
PAGE = 20


@dataclass(frozen=True, slots=True)
class Address:
    """A callback address, and when the provider last called it (or was refused there)."""

    endpoint: Endpoint
    url: str
    called_at: datetime | None
    refused_at: datetime | None

    @property
    def was_refused(self) -> bool:
        """Say whether the latest call was turned away."""
        return self.refused_at is not None and (
            self.called_at is None or self.refused_at > self.called_at
        )


@dataclass(frozen=True, slots=True)
class Exchanges:
    """A page of exchanges, newest first; `older` is what `before` must be for the next one."""

    rows: list[Exchange]
    older: int | None
    is_newest: bool


def is_only_here(phone: Phone) -> bool:
    """Say whether only this very machine can call the phone's addresses."""
    host = urlsplit(phone.addresses.base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def has_to_paste(kind: type[PhoneType]) -> bool:
    """Say whether people must give some of the addresses to the provider."""
    return any(not endpoint.automatic for endpoint in kind.endpoints)


def addresses_of(phone: Phone, kind: type[PhoneType] | None) -> list[Address]:
    endpoints: Iterable[Endpoint] = kind.endpoints if kind else ()
    calls = {call.endpoint: call for call in phone.endpoint_calls.all()}
    return [
        Address(
            endpoint=endpoint,
            url=phone.addresses.of(endpoint.name),
            called_at=calls[endpoint.name].last_at if endpoint.name in calls else None,
            refused_at=calls[endpoint.name].refused_at if endpoint.name in calls else None,
        )
        for endpoint in endpoints
    ]


def exchanges_of(phone: Phone, *, before: str = "") -> Exchanges:
    """Give the exchanges before the id `before`, or the newest ones."""
    exchanges = phone.exchanges.order_by("-pk")
    is_newest = not (before.isascii() and before.isdigit() and len(before) < 19)
    if not is_newest:
        exchanges = exchanges.filter(pk__lt=int(before))
    rows = list(exchanges[: PAGE + 1])
    older = rows[PAGE - 1].pk if len(rows) > PAGE else None
    return Exchanges(rows=rows[:PAGE], older=older, is_newest=is_newest)


def stray_reports(phone: Phone) -> list[Any]:
    """Give the newest status reports that fit no message."""
    return list(phone.reports.filter(message=None).order_by("-pk")[:PAGE])


def sheets_of(phone: Phone) -> list[tuple[Words, str]]:
    """Give what managers copy or check: configuration to paste, a sample of the request."""
    return line(phone).sheets()
