"""What was sent and what it cost: by month, and in a month by workspace, phone, person or campaign tag.

Only counts that the database keeps by itself are read (messaging.activity, campaigns.tallying), never
messages. Those of tags belong to the month in which something changed, all others to that in which a message
was wanted; a campaign with several tags counts under each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, IntegerField, Min, Q, QuerySet, Sum, TextChoices, Value, When
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import site
from accounts.models import User, Workspace
from campaigns.models import Tag, Tally
from lib import zones
from messaging.activity import LEFT
from messaging.costs import Spent
from messaging.models import Activity, Status
from phones.models import Phone

# Months that can be looked back on, this one included.
MOST_MONTHS = 120


class By(TextChoices):
    """What the figures of a month are told apart by."""

    MONTH = "month", gettext_lazy("Month alone")
    WORKSPACE = "workspace", gettext_lazy("Workspace")
    PHONE = "phone", gettext_lazy("Phone")
    PERSON = "person", gettext_lazy("Person")
    TAG = "tag", gettext_lazy("Campaign tag")


# By what the rows of a month are grouped besides their currency.
_COLUMN: dict[By, Any] = {
    By.MONTH: Value(0, IntegerField()),
    By.WORKSPACE: "workspace",
    By.PHONE: "phone",
    By.PERSON: "person",
    By.TAG: "campaign__tags",
}
_LEFT = Q(status__in=LEFT)
# In the order of Figures, then money; named apart from the columns that they add up.
_SUMS = {
    "messages_": Sum("amount", filter=_LEFT, default=0),
    "segments_": Sum("segments", filter=_LEFT, default=0),
    "failed_": Sum("amount", filter=Q(status=Status.FAILED), default=0),
    "received_": Sum("amount", filter=Q(status=Status.RECEIVED), default=0),
    "cost_": Sum("cost", filter=_LEFT, default=0),
    "estimate_": Sum("estimate", filter=_LEFT, default=0),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What left, whatever became of it: messages, their segments, how many failed; and what came in."""

    messages: int
    segments: int
    failed: int
    received: int
    spent: tuple[Spent, ...]


_NOTHING = Figures(0, 0, 0, 0, ())


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of a month (its first day), and in it of what has the id `pk` and this name."""

    month: date
    pk: int
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Period:
    """Months by their first days, the earliest first, as the calendar has them in a zone."""

    months: tuple[date, ...]
    zone: ZoneInfo

    @property
    def edges(self) -> list[datetime]:
        """Give when each month begins, and when the last one ends."""
        firsts = [*self.months, _following(self.months[-1])]
        return [zones.moment(datetime.combine(day, time.min), self.zone) for day in firsts]


def months(workspace: Workspace | None, now: datetime) -> Period:
    """Give all months there is something of, up to this one; without a workspace those of the site."""
    zone = zone_of(workspace)
    mine = Activity.objects.filter(workspace=workspace) if workspace else Activity.objects.all()
    this = now.astimezone(zone).date().replace(day=1)
    first = mine.aggregate(first=Min("at"))["first"]
    month = min(first.astimezone(zone).date().replace(day=1), this) if first else this
    found = [max(month, _following(date(this.year - MOST_MONTHS // 12, this.month, 1)))]
    while found[-1] < this:
        found.append(_following(found[-1]))
    return Period(tuple(found), zone)


def zone_of(workspace: Workspace | None) -> ZoneInfo:
    """Give the zone whose calendar the months are of: the workspace's, or the site's."""
    own = workspace.time_zone if workspace else site.current().time_zone
    return zones.zone(own, settings.TIME_ZONE)


def month_name(month: date) -> str:
    """Give a month with its year: November 2026."""
    return date_format(month, "YEAR_MONTH_FORMAT")


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def lines(period: Period, by: By, workspace: Workspace | None) -> list[Line]:
    """Give what was used in each month, the latest and the most first; without a workspace by the site."""
    found: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for month, pk, *rest in _counted(period, by, workspace):
        found.setdefault((month, pk or 0), []).append(tuple(rest))
    names = _names(by, {pk for _month, pk in found}, is_site=workspace is None)
    made = [
        Line(period.months[month], pk, names.get(pk) or _deleted(f"#{pk}"), figures)
        for (month, pk), rows in found.items()
        if (figures := _figures(rows)) != _NOTHING
    ]
    return sorted(
        made, key=lambda line: (-line.month.toordinal(), -line.figures.messages, line.name)
    )


def _counted(period: Period, by: By, workspace: Workspace | None) -> Iterable[tuple[Any, ...]]:
    """Give (place of the month, id, currency, *sums), added up by the database."""
    rows: QuerySet[Any] = Activity.objects.all()
    if by == By.TAG:
        rows = Tally.objects.filter(status__in=LEFT)
    if workspace:
        of_workspace = "campaign__workspace" if by == By.TAG else "workspace"
        rows = rows.filter(**{of_workspace: workspace})
    begin, *ends = period.edges
    ends_of_months = [When(at__lt=end, then=Value(place)) for place, end in enumerate(ends)]
    rows = rows.filter(at__gte=begin, at__lt=ends[-1])
    rows = rows.annotate(month=Case(*ends_of_months, output_field=IntegerField()))
    column = _COLUMN[by]
    if not isinstance(column, str):
        rows, column = rows.annotate(whole=column), "whole"
    counted: Iterable[tuple[Any, ...]] = (
        rows.order_by().values_list("month", column, "currency").annotate(**_SUMS)
    )
    return counted


def _figures(rows: Iterable[Sequence[Any]]) -> Figures:
    """Add up rows of (currency, *sums)."""
    totals = [0, 0, 0, 0]
    spent: dict[str, tuple[int, int]] = {}
    for currency, *sums, cost, estimate in rows:
        totals = [one + more for one, more in zip(totals, sums, strict=True)]
        told, estimated = spent.get(currency, (0, 0))
        spent[currency] = (told + cost, estimated + estimate)
    told_in = [Spent(c, *amounts) for c, amounts in sorted(spent.items()) if c and any(amounts)]
    messages, segments, failed, received = totals
    return Figures(messages, segments, failed, received, tuple(told_in))


def total(found: Iterable[Line]) -> Figures:
    """Add up lines that have nothing in common."""
    rows: list[tuple[Any, ...]] = []
    for line in found:
        own = line.figures
        rows.append(("", own.messages, own.segments, own.failed, own.received, 0, 0))
        rows += [(s.currency, 0, 0, 0, 0, s.actual, s.estimated) for s in own.spent]
    return _figures(rows)


# ---- Names --------------------------------------------------------------------------------------


def _names(by: By, pks: set[int], *, is_site: bool) -> Mapping[int, str]:
    """Give {id: name}, deleted phones too; with the workspace's where there are several."""
    if by == By.MONTH:
        return {0: str(By.MONTH.label)}
    if by == By.PERSON:
        people = {pk: str(person) for pk, person in User.objects.in_bulk(pks - {0}).items()}
        return people | {0: _("Nobody in particular")}
    if by == By.WORKSPACE:
        return {pk: one.name for pk, one in Workspace.objects.in_bulk(pks).items()}
    if by == By.TAG:
        tags = Tag.objects.select_related("workspace").in_bulk(pks - {0})
        names = {pk: _within(tag.name, tag.workspace, is_site) for pk, tag in tags.items()}
        return names | {0: _("Without a tag")}
    phones = Phone.objects.select_related("workspace").defer("settings").in_bulk(pks)
    return {
        pk: _within(_deleted(one.name) if one.is_deleted else one.name, one.workspace, is_site)
        for pk, one in phones.items()
    }


def _deleted(name: str) -> str:
    return _("%(name)s (deleted)") % {"name": name}


def _within(name: str, workspace: Workspace, is_site: bool) -> str:
    return f"{name} · {workspace}" if is_site else name


# ---- As a file ----------------------------------------------------------------------------------


def table(found: Sequence[Line], by: By) -> Iterator[list[Any]]:
    """Give headings and rows for programs: months as 2026-11, two columns of decimals for each currency."""
    currencies = sorted({spent.currency for line in found for spent in line.figures.spent})
    grouped = by != By.MONTH
    yield [
        _("Month"),
        *([str(by.label)] if grouped else []),
        *(_("Messages"), _("Segments"), _("Failed")),
        *([] if by == By.TAG else [_("Received")]),
        *(words for currency in currencies for words in _headings(currency)),
    ]
    for line in found:
        own = line.figures
        spent = {one.currency: (one.actual, one.estimated) for one in own.spent}
        yield [
            f"{line.month:%Y-%m}",
            *([line.name] if grouped else []),
            *(own.messages, own.segments, own.failed),
            *([] if by == By.TAG else [own.received]),
            *(_decimal(one) for currency in currencies for one in spent.get(currency, (0, 0))),
        ]


def _headings(currency: str) -> tuple[str, str]:
    return (
        _("Cost (%(currency)s)") % {"currency": currency},
        _("Estimated (%(currency)s)") % {"currency": currency},
    )


def _decimal(amount: int) -> str:
    return format(Decimal(amount).scaleb(-6).normalize(), "f")
