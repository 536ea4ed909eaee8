"""Numbers that keep failing: the report, its file, and writing no more to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.contrib import messages as notices
from django.core.paginator import Paginator
from django.http import (
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import activity
from accounts.http import MemberRequest, member, sender
from campaigns import failing as report
from campaigns.failing import DAYS, PERCENT, TIMES, Line, Wanted
from campaigns.views.finding import query_of
from contacts.exporting import CSV, FORMATS, XLSX, csv_lines, xlsx_parts
from contacts.services import names
from lib import masks

# Numbers of one page, and that one form may name.
_PAGE, _MOST = 50, 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FILTERS = ("days", "times", "percent")


@require_GET
@member
def failing(request: MemberRequest) -> HttpResponse:
    """List the numbers that keep failing, the worst first."""
    wanted = _wanted(request.GET)
    found = report.find(request.workspace, wanted)
    pages = Paginator(found.lines, _PAGE)
    page = pages.get_page(request.GET.get("page"))
    shown = {
        "wanted": wanted,
        "page": page,
        "amount": len(found.lines),
        "open": sum(not line.stopped for line in found.lines),
        "is_partial": found.is_partial,
        "names": names(request.workspace.pk, [line.number for line in page.object_list]),
        "filters": [
            ("days", _("In the last"), [(n, _days(n)) for n in sorted(DAYS)], wanted.days),
            ("times", _("Failed"), [(n, _times(n)) for n in sorted(TIMES)], wanted.times),
            (
                "percent",
                _("Of what ended"),
                [(n, _percent(n)) for n in sorted(PERCENT)],
                wanted.percent,
            ),
        ],
        "asked": list(QueryDict(query_of(request.GET, *_FILTERS)).items()),
        "query": query_of(request.GET, *_FILTERS),
        "done": _done(request),
        "depth": report.DEPTH,
    }
    return render(request, "campaigns/failing.html", shown)


def _wanted(asked: QueryDict) -> Wanted:
    def one_of(name: str, known: Sequence[int]) -> int:
        return next((value for value in known if str(value) == asked.get(name)), known[0])

    return Wanted(one_of("days", DAYS), one_of("times", TIMES), one_of("percent", PERCENT))


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def _times(count: int) -> str:
    return ngettext("%(count)s time or more", "%(count)s times or more", count) % {"count": count}


def _percent(count: int) -> str:
    return _("all") if count == 100 else _("%(count)s %% or more") % {"count": count}


def _done(request: MemberRequest) -> dict[str, Any] | None:
    """Give what this person has just stopped, and may undo."""
    at = _moment(request.GET.get("done", ""))
    amount = report.stopped_at(request.workspace, at, request.user).count() if at else 0
    return {"mark": request.GET["done"], "amount": amount} if amount else None


def _moment(written: str) -> datetime | None:
    """Read a time in microseconds, as the address has it; None where it is none, or long past."""
    if not (written.isascii() and written.isdigit() and len(written) < 18):
        return None
    at = _EPOCH + timedelta(microseconds=int(written))
    return at if timezone.now() - at < timedelta(days=1) else None


@require_GET
@member
def export(request: MemberRequest) -> HttpResponseBase:
    """Give the whole report as a file."""
    lines = report.find(request.workspace, _wanted(request.GET)).lines
    known = names(request.workspace.pk, [line.number for line in lines])
    format_ = XLSX if request.GET.get("format") == XLSX else CSV
    ending, kind = FORMATS[format_]
    name = f"failing-{timezone.localdate().isoformat()}.{ending}"
    # The zone is known now and no more once the answer is on its way.
    cells = _cells(lines, known, timezone.get_current_timezone())
    return StreamingHttpResponse(
        xlsx_parts(cells, "Numbers") if format_ == XLSX else csv_lines(cells),
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cells(lines: Sequence[Line], known: dict[str, str], zone: tzinfo) -> Iterator[list[Any]]:
    yield [
        _("Name"), _("Number"), _("Failed"), _("Of"), _("Percent"), _("Last reason"),
        _("Last failure"), _("Gets no more messages"),
    ]  # fmt: skip
    for line in lines:
        at = line.at.astimezone(zone).isoformat(sep=" ", timespec="seconds") if line.at else ""
        yield [
            known.get(line.number, ""), masks.plain(line.number), line.failed, line.ended, line.percent,
            line.why, at, _("yes") if line.stopped else "",
        ]  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def stop(request: MemberRequest) -> HttpResponseBase:
    """Ask, naming the number, then write no more to those chosen: ticked ones, or all that match."""
    asked = request.POST if request.method == "POST" else request.GET
    numbers = _chosen(request, asked)
    query = query_of(asked, *_FILTERS)
    if not numbers:
        notices.warning(request, _("No number was chosen. Tick some first."))
        return redirect(f"{reverse('campaigns_failing')}?{query}")
    is_invalid = asked.get("what") != "opt_out"
    if request.method != "POST":
        shown = {
            "numbers": numbers,
            "shown": numbers[:10],
            "names": names(request.workspace.pk, numbers[:10]),
            "what": "invalid" if is_invalid else "opt_out",
            "query": query,
            "asked": list(QueryDict(query).items()),
            "is_all": bool(asked.get("all")),
        }
        return render(request, "campaigns/failing_stop.html", shown)
    at = report.stop(request.workspace, numbers, invalid=is_invalid, by=request.user)
    activity.record("contacts.stopped", workspace=request.workspace, amount=len(numbers))
    mark = (at - _EPOCH) // timedelta(microseconds=1)
    return redirect(f"{reverse('campaigns_failing')}?{query}{'&' if query else ''}done={mark}")


def _chosen(request: MemberRequest, asked: QueryDict) -> list[str]:
    """Give the numbers that a form names and that the report has, those already stopped left out."""
    found = report.find(request.workspace, _wanted(asked)).lines
    ticked = None if asked.get("all") else {*map(masks.opened, asked.getlist("chosen")[:_MOST])}
    return [
        line.number
        for line in found
        if not line.stopped and (ticked is None or line.number in ticked)
    ]


@require_POST
@sender
def undo(request: MemberRequest) -> HttpResponseBase:
    """Allow messages again to what this person has just stopped."""
    at = _moment(request.POST.get("done", ""))
    gone = report.stopped_at(request.workspace, at, request.user).delete()[0] if at else 0
    if gone:
        words = ngettext(
            "%(count)s number gets messages again.", "%(count)s numbers get messages again.", gone
        )
        notices.success(request, words % {"count": number_format(gone, force_grouping=True)})
    else:
        notices.warning(request, _("There is nothing to undo any more."))
    return redirect(f"{reverse('campaigns_failing')}?{query_of(request.POST, *_FILTERS)}")
