"""Taking people out as a file."""

from __future__ import annotations

from django.http import HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.activity import record
from accounts.http import MemberRequest, manager
from contacts import exporting, finding, keeping
from contacts.forms import FilterForm
from contacts.views.people import query_of


@manager
@require_GET
def contacts_export(request: MemberRequest) -> HttpResponseBase:
    """Offer the formats, or give the file of one: all people, or those that the filters want."""
    people = finding.find(request.workspace, FilterForm(request.workspace, request.GET).wanted)
    format_ = request.GET.get("format", "")
    if format_ not in exporting.FORMATS:
        query = query_of(request.GET)
        shown = {
            "amount": people.count(),
            "query": query,
            "asked": list(QueryDict(query).items()),
        }
        return render(request, "contacts/export.html", shown)
    record("contacts.exported", workspace=request.workspace, count=people.count(), format=format_)
    fields = keeping.fields_of(request.workspace)
    ending, kind = exporting.FORMATS[format_]
    name = f"contacts-{timezone.localdate().isoformat()}.{ending}"
    return StreamingHttpResponse(
        exporting.stream(people, fields, format_),
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
