"""The pages /usage/ and /administration/usage/, and what they show as a file."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.http import MemberRequest, PersonRequest, administrator, manager
from accounts.models import Workspace
from contacts.exporting import csv_lines
from smsapp import usage
from smsapp.usage import By, Period

PER_PAGE = 100
# Months that are shown unless others are wanted, this one included.
_USUAL_MONTHS = 12


class UsageForm(forms.Form):
    """Which months, from `since` to `until` (2026-11), and what they are told apart `by`."""

    since = forms.ChoiceField(label=_("From"), required=False)
    until = forms.ChoiceField(label=_("To"), required=False)
    by = forms.ChoiceField(label=_("By"), required=False)

    def __init__(self, data: QueryDict, period: Period, choices: list[By]) -> None:
        known = [(f"{month:%Y-%m}", usage.month_name(month)) for month in reversed(period.months)]
        ways = [(str(by.value), str(by.label)) for by in choices]
        places = {
            "since": known[:_USUAL_MONTHS][-1][0],
            "until": known[0][0],
            "by": ways[0][0],
        }
        named = {"since": known, "until": known, "by": ways}
        # What is not on offer is as good as nothing, so that an old address still shows something.
        asked = {
            name: data.get(name, "") if data.get(name, "") in dict(named[name]) else usual
            for name, usual in places.items()
        }
        super().__init__(asked)
        for name, offered in named.items():
            self.fields[name].choices = offered  # type: ignore[attr-defined]
        self.told_by = By(asked["by"])
        first, last = sorted((asked["since"], asked["until"]))
        wanted = [month for month in period.months if first <= f"{month:%Y-%m}" <= last]
        self.period = Period(tuple(wanted), period.zone)
        self.asked = asked


@manager
@require_GET
def workspace_usage(request: MemberRequest) -> HttpResponse:
    return _page(request, request.workspace)


@manager
@require_GET
def workspace_usage_export(request: MemberRequest) -> HttpResponseBase:
    return _file(request, request.workspace)


@administrator
@require_GET
def site_usage(request: PersonRequest) -> HttpResponse:
    workspace = _wanted(request)
    return _page(request, workspace, is_site=True)


@administrator
@require_GET
def site_usage_export(request: PersonRequest) -> HttpResponseBase:
    return _file(request, _wanted(request))


def _wanted(request: PersonRequest) -> Workspace | None:
    """Give the one workspace that is asked for, None for all."""
    pk = request.GET.get("workspace", "")
    if not pk:
        return None
    found = Workspace.objects.filter(pk=pk) if pk.isdecimal() and len(pk) < 19 else None
    if found is None or not (workspace := found.first()):
        raise Http404
    return workspace


def _form(request: MemberRequest | PersonRequest, workspace: Workspace | None) -> UsageForm:
    several = [By.WORKSPACE] if workspace is None else []
    choices = [*several, By.MONTH, By.PHONE, By.PERSON, By.TAG]
    return UsageForm(request.GET, usage.months(workspace, timezone.now()), choices)


def _page(
    request: MemberRequest | PersonRequest,
    workspace: Workspace | None,
    *,
    is_site: bool = False,
) -> HttpResponse:
    form = _form(request, workspace)
    found = usage.lines(form.period, form.told_by, workspace)
    # The one workspace that an administrator looks at, to stay there.
    among = workspace.pk if is_site and workspace else None
    shown: dict[str, Any] = {
        "form": form,
        "by": form.told_by,
        "grouped": form.told_by != By.MONTH,
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        # Who has several tags counts several times.
        "total": usage.total(found) if found and form.told_by != By.TAG else None,
        "workspace": workspace,
        "zone": form.period.zone.key,
        "among": among,
        "period": urlencode({**form.asked, "by": By.PHONE}),
        "query": urlencode({**form.asked, **({"workspace": str(among)} if among else {})}),
    }
    return render(request, "usage/site.html" if is_site else "usage/workspace.html", shown)


def _file(request: MemberRequest | PersonRequest, workspace: Workspace | None) -> HttpResponseBase:
    form = _form(request, workspace)
    found = usage.lines(form.period, form.told_by, workspace)
    months = form.period.months
    name = f"usage-{form.told_by.value}-{_span(months[0], months[-1])}.csv"
    return StreamingHttpResponse(
        csv_lines(usage.table(found, form.told_by)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _span(first: date, last: date) -> str:
    return f"{first:%Y-%m}" if first == last else f"{first:%Y-%m}-{last:%Y-%m}"
