"""Segments: whoever a rule holds for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import MemberRequest, keeper, manager, member
from contacts import segments as rules
from contacts.models import Contact, Segment
from contacts.rules import building, compiling, language, tree
from contacts.rules.building import Node
from contacts.rules.subjects import DATE, Subject, subjects
from contacts.rules.tree import Rule
from contacts.views.people import listed
from lib import masks
from lib.words import fold

# People that are shown of those a rule holds for.
_SAMPLE = 8
_BUILD, _WRITE = "build", "write"
# What a rule calls the number.
_NUMBER = "number"


@dataclass(slots=True)
class _Form:
    """A segment being written: `rule` is None while something is wrong with it."""

    name: str
    mode: str
    root: Node
    text: str
    rule: Rule | None
    mistake: language.Mistake | None = None
    name_error: str = ""

    @property
    def before(self) -> str:
        """Give the text up to the mistake, the end of it at least."""
        return self.text[: self.mistake.at][-60:] if self.mistake else ""

    @property
    def blamed(self) -> str:
        return self.text[self.mistake.at :][:40] if self.mistake else ""


@member
@require_GET
def segments(request: MemberRequest) -> HttpResponse:
    """List the segments, each with its rule as text."""
    found = [
        {"segment": segment, "text": _written(segment)}
        for segment in request.workspace.segments.all()
    ]
    return render(request, "contacts/segments.html", {"segments": found})


@member
@require_GET
def segment(request: MemberRequest, pk: int) -> HttpResponse:
    """Show whom the rule holds for."""
    here = _find(request, pk)
    shown = listed(request, segment=here) | {
        "text": _written(here),
        "problem": rules.problem(here),
    }
    return render(request, "contacts/contacts.html", shown)


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def segment_add(request: MemberRequest) -> HttpResponse:
    return _edit(request, Segment(workspace=request.workspace))


@keeper
@require_http_methods(["GET", "HEAD", "POST"])
def segment_edit(request: MemberRequest, pk: int) -> HttpResponse:
    here = _find(request, pk)
    if masks.hiding() and _asks_for_numbers(here):
        messages.warning(request, _("This rule asks for numbers, which are hidden from you."))
        return redirect("segment", pk=pk)
    return _edit(request, here)


def _asks_for_numbers(here: Segment) -> bool:
    return any(test.what == _NUMBER for test in tree.tests(rules.rule_of(here)))


def _written(here: Segment) -> str:
    """Give the rule as text, but not what it says of numbers to whom these are hidden from."""
    if masks.hiding() and _asks_for_numbers(here):
        return _("This rule asks for numbers, which are hidden from you.")
    return language.write(rules.rule_of(here))


def _edit(request: MemberRequest, here: Segment) -> HttpResponse:
    """Show the form, do what one of its buttons says, or store what it says."""
    known = subjects(request.workspace)
    if masks.hiding():
        # Whoever may ask how numbers begin finds out all of each.
        del known[_NUMBER]
    if request.method != "POST":
        return _page(request, here, _begin(here, known), known)
    form = _posted(request, known)
    if request.POST.get("act") != "save":
        return _page(request, here, form, known)
    form.name_error = _wrong_name(request, here, form.name)
    if form.rule is None or form.name_error:
        return _page(request, here, form, known, status=422)
    here.name, here.folded = form.name, fold(form.name)[:100]
    here.rule = tree.dump(form.rule)
    here.save()
    messages.success(request, _("The segment %(name)s was saved.") % {"name": here.name})
    return redirect("segment", pk=here.pk)


def _begin(here: Segment, known: dict[str, Subject]) -> _Form:
    if here.pk is None:
        return _Form("", _BUILD, building.settle(building.new(), known), "", None)
    rule = rules.rule_of(here)
    return _Form(here.name, _BUILD, building.of_rule(rule, known), language.write(rule), rule)


def _posted(request: MemberRequest, known: dict[str, Subject]) -> _Form:
    """Read the form in the way it was written in, and say it in the other way, too."""
    asked = request.POST
    act, name = asked.get("act", ""), " ".join(asked.get("name", "").replace("\x00", "").split())
    text = asked.get("text", "").replace("\x00", "")
    written = asked.get("mode") == _WRITE
    mistake: language.Mistake | None = None
    rule: Rule | None = None
    if written:
        root = building.settle(building.new(), known)
        try:
            rule = language.read(text, known)
            root = building.of_rule(rule, known)
        except language.Mistake as error:
            mistake = error
    else:
        root = building.act(building.read(asked.dict(), known), act, known)
        rule = building.to_rule(root, known)
        text = language.write(rule) if rule else text
    mode = _WRITE if written else _BUILD
    # Who changes over takes along what was said; what cannot be said in the other way stays here.
    if act in (_BUILD, _WRITE) and (rule or act == _WRITE):
        mode = act
    return _Form(name[:100], mode, root, text, rule, mistake)


def _wrong_name(request: MemberRequest, here: Segment, name: str) -> str:
    if not name:
        return _("Give it a name.")
    same = request.workspace.segments.filter(folded=fold(name)[:100]).first()
    return _("There is a segment of this name already.") if same and same != here else ""


def _page(
    request: MemberRequest,
    here: Segment,
    form: _Form,
    known: dict[str, Subject],
    status: int = 200,
) -> HttpResponse:
    people = compiling.people(request.workspace, form.rule) if form.rule else Contact.objects.none()
    shown: dict[str, Any] = {
        "segment": here if here.pk else None,
        "form": form,
        "subjects": _offered(known),
        "amount": people.count() if form.rule else None,
        "sample": people.order_by("-pk")[:_SAMPLE],
        "judged": status == 422 or bool(request.POST),
    }
    template = "contacts/_segment_form.html" if request.htmx else "contacts/segment_form.html"
    # What is half-written is no failure, and htmx shows what comes with 422, too.
    return render(request, template, shown, status=status)


def _offered(known: dict[str, Subject]) -> list[tuple[str, str]]:
    """Give what may be asked for, each with its words; of a date, the age and the birthday, too."""
    found: list[tuple[str, str]] = []
    for name, subject in known.items():
        found.append((name, subject.label))
        if subject.type == DATE:
            found.append((f"{tree.AGE}:{name}", _("Age by %(field)s") % {"field": subject.label}))
            words = _("Birthday by %(field)s") % {"field": subject.label}
            found.append((f"{tree.BIRTHDAY}:{name}", words))
    return found


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def segment_delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then delete a segment; its people stay."""
    here = _find(request, pk)
    if request.method != "POST":
        return render(request, "contacts/segment_delete.html", {"segment": here})
    here.delete()
    messages.success(request, _("The segment %(name)s was deleted.") % {"name": here.name})
    return redirect("segments")


def _find(request: MemberRequest, pk: int) -> Segment:
    here = get_object_or_404(request.workspace.segments, pk=pk)
    here.workspace = request.workspace
    return here
