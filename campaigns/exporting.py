"""The people of a campaign as a file, written while it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.places import countries
from campaigns.models import Campaign
from campaigns.recipients import Wanted, everybody, why
from contacts.exporting import XLSX, csv_lines, xlsx_parts
from lib import masks
from messaging.models import Message


def parts(campaign: Campaign, wanted: Wanted, format_: str) -> Iterator[bytes]:
    """Give the people wanted as CSV or XLSX, a part at a time; times as the reader's clock shows them.

    In a workbook numbers and times keep their type.
    """
    # Known now and no more once the answer is on its way.
    rows = _rows(campaign, wanted, timezone.get_current_timezone())
    if format_ == XLSX:
        return xlsx_parts(rows, "Recipients")
    return csv_lines([_plain(cell) for cell in row] for row in rows)


def _rows(campaign: Campaign, wanted: Wanted, zone: tzinfo) -> Iterator[Sequence[Any]]:
    yield [
        _("Name"), _("Number"), _("Country"), _("State"), _("Why"), _("Provider's words"), _("Phone"),
        _("Segments"), _("Cost"), _("Currency"), _("Sent"), _("Delivered"), _("Ended"), _("Text"),
    ]  # fmt: skip
    places = dict(countries())
    for message, name in everybody(campaign, wanted):
        yield _row(message, name, places.get(message.country, message.country), zone)


def _row(message: Message, name: str, country: str, zone: tzinfo) -> list[Any]:
    left = message.sent_at is not None
    return [
        name, masks.plain(message.peer), country, message.get_status_display(), why(message),
        masks.said(message.words),
        message.phone.name if left else "", message.segments if left else 0,
        message.cost / 1_000_000 if message.will_cost and message.cost is not None else None,
        message.currency if message.will_cost else "", _local(message.sent_at, zone),
        _local(message.delivered_at, zone), _local(message.ended_at, zone), message.text or message.removed,
    ]  # fmt: skip


def _local(at: datetime | None, zone: tzinfo) -> datetime | None:
    """Give a time as the reader's clock shows it; workbooks know no zones."""
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0) if at else None


def _plain(cell: Any) -> Any:
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else "" if cell is None else cell


def name_of(campaign: Campaign, ending: str) -> str:
    """Give a file's name: the campaign's, as far as every system can write it."""
    return f"{slugify(campaign.name)[:60] or f'campaign-{campaign.pk}'}.{ending}"
