"""Texts that are kept: the list, writing one, what is wrong with it while it is written."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notices
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, member, sender
from campaigns import fields
from campaigns import texts as language
from campaigns.models import Text
from campaigns.text_forms import TextForm, known
from lib import gsm
from lib.words import fold
from messaging.counting import Count, count, patterns

# Texts on one page, and in the menu of an editor.
_PAGE, _MENU = 50, 20


@member
@require_GET
def texts(request: MemberRequest) -> HttpResponse:
    """List the texts by name, from `after` on, as far as their name or words match `q`."""
    searched = request.GET.get("q", "").strip()[:100]
    after = request.GET.get("after", "")[:100]
    rows = request.workspace.texts.all()
    if searched:
        rows = rows.filter(Q(folded__contains=fold(searched)) | Q(source__icontains=searched))
    page = list(rows.filter(folded__gt=after)[: _PAGE + 1])
    shown = {
        "texts": [(text, language.has_fields(text.source)) for text in page[:_PAGE]],
        "following": page[_PAGE - 1].folded if len(page) > _PAGE else "",
        "after": after,
        "searched": searched,
    }
    return render(request, "campaigns/texts.html", shown)


@require_GET
@sender
def texts_menu(request: MemberRequest) -> HttpResponse:
    """List the first texts, to put one into an editor."""
    shown = {"texts": request.workspace.texts.all()[:_MENU]}
    return render(request, "campaigns/_texts_menu.html", shown)


@sender
@require_http_methods(["GET", "HEAD", "POST"])
def text_add(request: MemberRequest) -> HttpResponse:
    """Keep a text; what the address says of it fills the form."""
    form = _form(request)
    if request.method != "POST":
        form.initial = {"source": request.GET.get("text", "")[: language.MOST_SOURCE]}
    if form.is_bound and form.is_valid():
        Text.objects.create(workspace=request.workspace, **_kept(form))
        notices.success(request, _("The text %(name)s is kept.") % {"name": _name(form)})
        return redirect("texts")
    return _page(request, form)


@sender
@require_http_methods(["GET", "HEAD", "POST"])
def text_edit(request: MemberRequest, pk: int) -> HttpResponse:
    text = _find(request, pk)
    form = _form(request, text)
    if form.is_bound and form.is_valid():
        request.workspace.texts.filter(pk=pk).update(updated_at=timezone.now(), **_kept(form))
        notices.success(request, _("The text %(name)s is kept.") % {"name": _name(form)})
        return redirect("texts")
    return _page(request, form, text)


@require_POST
@sender
def text_check(request: MemberRequest) -> HttpResponse:
    """Say what is wrong with a half-written text, and how somebody would read it."""
    source = request.POST.get("source", "")[: 2 * language.MOST_SOURCE].replace("\r\n", "\n")
    problems = language.problems(source, known(fields.offered(request.workspace)))
    shown = {"problems": problems, "reading": _reading(request, source)}
    return render(request, "campaigns/_text_check.html", shown)


@sender
@require_http_methods(["GET", "HEAD", "POST"])
def text_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then delete a text; campaigns that began with it have their own."""
    text = _find(request, pk)
    if request.method != "POST":
        return render(request, "campaigns/text_delete.html", {"text": text})
    text.delete()
    notices.success(request, _("The text %(name)s was deleted.") % {"name": text.name})
    return redirect("texts")


def _form(request: MemberRequest, text: Text | None = None) -> TextForm:
    if request.method == "POST" and "replace" not in request.POST:
        return TextForm(request.workspace, text, request.POST)
    form = TextForm(request.workspace, text)
    if request.method == "POST":
        source = gsm.replaceable(request.POST.get("source", "")[: language.MOST_SOURCE])
        form.initial = {"name": request.POST.get("name", "")[:100], "source": source}
    return form


def _find(request: MemberRequest, pk: int) -> Text:
    return get_object_or_404(request.workspace.texts, pk=pk)


def _name(form: TextForm) -> str:
    return str(form.cleaned_data["name"])


def _kept(form: TextForm) -> dict[str, str]:
    data = form.cleaned_data
    return {**data, "folded": fold(data["name"])[:100]}


def _page(request: MemberRequest, form: TextForm, text: Text | None = None) -> HttpResponse:
    shown = {
        "form": form,
        "text": text,
        "problems": form.problems,
        "reading": _reading(request, form.written),
        "count": count(form.written),
        "patterns": patterns(),
    }
    return render(request, "campaigns/text_form.html", shown, status=422 if form.is_bound else 200)


def _reading(request: MemberRequest, source: str) -> dict[str, Any]:
    """Give how the newest person with a name would read a text: who, text, length, missing fields."""
    if not language.has_fields(source):
        return {"text": source}
    person = request.workspace.contacts.living().exclude(name="").order_by("-pk").first()
    number, country = (person.number, person.country) if person else ("", "")
    values = {
        "contact": fields.contact_values(person, number, country),
        "workspace": fields.workspace_values(request.workspace, request.user),
    }
    try:
        said = language.compiled(source).render(values)
    except (language.Bad, language.Unmakeable) as error:
        return {"who": person, "words": error.words}
    length: Count = count(said.text)
    return {"who": person, "text": said.text, "length": length, "missing": said.missing}
