"""The people of a campaign as a file: CSV as a stream, XLSX through a file of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import IO, Any

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from openpyxl import Workbook

from accounts.places import countries
from campaigns.models import Campaign
from campaigns.recipients import Wanted, everybody, why
from contacts.exporting import MOST_IN_SHEET, csv_lines, safe
from messaging.models import Message


def lines(campaign: Campaign, wanted: Wanted) -> Iterator[bytes]:
    """Give the people wanted as CSV, a part at a time; times as the reader's clock shows them."""
    return csv_lines([_plain(cell) for cell in row] for row in _rows(campaign, wanted))


def workbook(campaign: Campaign, wanted: Wanted) -> IO[bytes]:
    """Give an open file with the people wanted as a workbook; numbers and times keep their type."""
    return sheet_of(islice(_rows(campaign, wanted), MOST_IN_SHEET + 1), "Recipients")


def sheet_of(rows: Iterator[Sequence[Any]], title: str) -> IO[bytes]:
    """Write rows, the headings first, into a workbook of one sheet; give the open file."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append([safe(cell) for cell in row])
    file = tempfile.TemporaryFile()  # noqa: SIM115  the answer closes it
    book.save(file)
    file.seek(0)
    return file


def _rows(campaign: Campaign, wanted: Wanted) -> Iterator[Sequence[Any]]:
    yield [
        _("Name"), _("Number"), _("Country"), _("State"), _("Why"), _("Provider's words"), _("Phone"),
        _("Segments"), _("Cost"), _("Currency"), _("Sent"), _("Delivered"), _("Ended"), _("Text"),
    ]  # fmt: skip
    places = dict(countries())
    for message, name in everybody(campaign, wanted):
        yield _row(message, name, places.get(message.country, message.country))


def _row(message: Message, name: str, country: str) -> list[Any]:
    left = message.sent_at is not None
    return [
        name, message.peer, country, message.get_status_display(), why(message), message.words,
        message.phone.name if left else "", message.segments if left else 0,
        message.cost / 1_000_000 if message.will_cost and message.cost is not None else None,
        message.currency if message.will_cost else "", _local(message.sent_at),
        _local(message.delivered_at), _local(message.ended_at), message.text,
    ]  # fmt: skip


def _local(at: datetime | None) -> datetime | None:
    """Give a time as the reader's clock shows it; workbooks know no zones."""
    return timezone.localtime(at).replace(tzinfo=None, microsecond=0) if at else None


def _plain(cell: Any) -> Any:
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else "" if cell is None else cell


def name_of(campaign: Campaign, ending: str) -> str:
    """Give a file's name: the campaign's, as far as every system can write it."""
    return f"{slugify(campaign.name)[:60] or f'campaign-{campaign.pk}'}.{ending}"
