"""People from a CSV file: looked at first, then added, each with a mail."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts import administering, jobs, mail
from accounts.activity import record
from accounts.administration.forms import ImportForm
from accounts.http import PersonRequest, administrator
from accounts.models import Role, User, Workspace
from lib.jobs import enqueue

# Rows of one file; each costs a mail.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: what it says, and why it is not taken (`problem`), if so."""

    email: str
    name: str
    workspace: Workspace | None
    role: str
    problem: str = ""

    @property
    def role_name(self) -> str:
        return str(Role(self.role).label) if self.workspace else ""


def read(text: str) -> list[Row]:
    """Give the rows of a CSV text: e-mail, name, workspace, role; separated by commas or semicolons.

    A first line without @ is taken as headings.
    """
    first = text.partition("\n")[0]
    lines = list(csv.reader(io.StringIO(text), delimiter=";" if first.count(";") else ","))
    lines = [cells for cells in lines if any(cell.strip() for cell in cells)]
    if lines and "@" not in "".join(lines[0]):
        lines = lines[1:]
    known = set(User.objects.values_list("email", flat=True))
    rows = []
    for cells in lines[:MOST]:
        row = _row([cell.strip() for cell in cells], known)
        known.add(row.email)
        rows.append(row)
    return rows


def _row(cells: list[str], known: set[str]) -> Row:
    email, name, place, role = (cells + [""] * 4)[:4]
    email, name, role = email.lower(), name[:100], role.lower() or Role.SENDER.value
    named = list(Workspace.objects.filter(name__iexact=place, archived_at=None)[:2])
    workspace = named[0] if place and len(named) == 1 else None
    problem = _problem(email, known, place, len(named), role)
    return Row(email, name, workspace, role if role in Role.values else Role.SENDER, problem)


def _problem(email: str, known: set[str], place: str, named: int, role: str) -> str:
    try:
        validate_email(email)
    except ValidationError:
        return _("not an e-mail address")
    if email in known:
        return _("has an account already")
    if place and not named:
        return _("no workspace of this name")
    if place and named > 1:
        return _("several workspaces of this name")
    if role not in Role.values:
        return _("no such role: owner, admin, sender or viewer")
    return ""


@administrator
@require_http_methods(["GET", "HEAD", "POST"])
def users_import(request: PersonRequest) -> HttpResponse:
    """Show what a file says, then (`sure`) add the people it names."""
    form = ImportForm(request.POST or None, request.FILES or None)
    shown: dict[str, object] = {"form": form, "most": MOST}
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "accounts/administration/import.html", shown, status=status)
    rows = read(form.cleaned_data["text"])
    good = [row for row in rows if not row.problem]
    if request.POST.get("sure") and good:
        return _add(request, good)
    shown |= {
        "rows": rows,
        "good": len(good),
        "text": form.cleaned_data["text"],
        "mail_goes_out": mail.goes_out(),
    }
    return render(request, "accounts/administration/import.html", shown)


def _add(request: PersonRequest, rows: list[Row]) -> HttpResponse:
    added = 0
    for row in rows:
        try:
            person = administering.add_user(
                email=row.email, name=row.name, workspace=row.workspace, role=row.role
            )
        except administering.EmailTaken:
            continue
        enqueue(jobs.welcome, person.pk, request.user.pk)
        added += 1
    record("user.imported", count=added)
    words = ngettext(
        "%(count)s person is added; the mail is on its way.",
        "%(count)s people are added; the mails are on their way.",
        added,
    )
    messages.success(request, words % {"count": added})
    return redirect("admin_users")
