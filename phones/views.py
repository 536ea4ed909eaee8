"""The pages of phones: the list, adding one, one phone, and what can be done to it."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, manager, member
from phones import matrix, needs, registry, services
from phones.base import PhoneType
from phones.connections import connection_of
from phones.details import (
    addresses_of,
    exchanges_of,
    has_to_paste,
    is_only_here,
    sheets_of,
    stray_reports,
)
from phones.forms import PauseForm, PhoneForms, forms_for_edit, forms_for_new
from phones.health import health_of, kind_of, pace_of
from phones.models import PauseReason, Phone, Watch
from phones.quotas import standings
from phones.services import NameTaken, Result

_GET_POST = require_http_methods(["GET", "HEAD", "POST"])


# ---- Looking ------------------------------------------------------------------------------------


@require_GET
@member
def phones(request: MemberRequest) -> HttpResponse:
    cards = health_of(request.workspace)
    troubled = sum(card.is_troubled for card in cards)
    return render(request, "phones/phones.html", {"cards": cards, "troubled": troubled})


@require_GET
@member
def types(request: MemberRequest) -> HttpResponse:
    """Show the whole matrix, and under it what each type's yes or no depends on."""
    context = {"columns": matrix.columns(), "rows": matrix.rows()}
    return render(request, "phones/types.html", context)


@require_GET
@member
def phone(request: MemberRequest, pk: int) -> HttpResponse:
    shown = _phone(request, pk)
    kind, pace = kind_of(shown), pace_of(shown)
    context = {
        "phone": shown,
        "kind": kind,
        "row": kind and matrix.row(kind),
        "pace": pace,
        "is_slow": pace is not None and pace.is_slow,
        "waiting": shown.messages.filter(status="queued").count() if shown.is_paused else 0,
        "prices": shown.prices.count(),
        "standings": standings([shown]).get(shown.pk, []),
        "watch": Watch.objects.filter(phone=shown).first(),
        "pools": shown.pools.all(),
        "addresses": addresses_of(shown, kind),
        "is_only_here": kind is not None and has_to_paste(kind) and is_only_here(shown),
        "exchanges": exchanges_of(shown, before=request.GET.get("before", "")),
        "reports": stray_reports(shown),
        "sheets": sheets_of(shown) if request.membership.may_manage and kind else [],
        "connection": connection_of(shown) if kind and kind.connected else None,
        "pause_form": PauseForm(),
        "may_check": kind is not None and services.can_check(kind),
    }
    return render(request, "phones/phone.html", context)


@never_cache
@require_GET
@manager
def addresses(request: MemberRequest, pk: int) -> HttpResponse:
    """Show what has to be pasted at the provider: the last step of adding a phone."""
    shown = _phone(request, pk)
    kind = _kind(shown)
    context = {
        "phone": shown,
        "kind": kind,
        "addresses": addresses_of(shown, kind),
        "is_only_here": has_to_paste(kind) and is_only_here(shown),
    }
    return render(request, "phones/addresses.html", context)


# ---- Adding and editing -------------------------------------------------------------------------


@require_GET
@manager
def choose(request: MemberRequest) -> HttpResponse:
    chosen = needs.known(request.GET.getlist("need"))
    rows = needs.rows(chosen)
    context = {
        "needs": needs.NEEDS,
        "chosen": chosen,
        "columns": needs.columns(chosen),
        "rows": rows,
        "fitting": needs.fitting(rows),
    }
    return render(request, "phones/choose.html", context)


@_GET_POST
@manager
def new(request: MemberRequest, slug: str) -> HttpResponseBase:
    kind = _type(slug)
    forms = forms_for_new(request.workspace, kind, _posted(request))
    if request.method == "POST" and forms.is_valid():
        try:
            added = services.add(request.workspace, slug, by=request.user, **forms.cleaned)
        except NameTaken:
            forms.phone.add_error("name", forms.phone.name_taken())
        else:
            _check_aloud(request, added)
            return redirect("phone_addresses" if has_to_paste(kind) else "phone", pk=added.pk)
    return _form_page(request, forms, kind, None)


@_GET_POST
@manager
def edit(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown = _phone(request, pk)
    kind = _kind(shown)
    forms = forms_for_edit(shown, _posted(request))
    if request.method == "POST" and forms.is_valid():
        try:
            services.edit(shown, by=request.user, **forms.cleaned)
        except NameTaken:
            forms.phone.add_error("name", forms.phone.name_taken())
        else:
            _check_aloud(request, _phone(request, pk))
            return redirect("phone", pk=pk)
    return _form_page(request, forms, kind, shown)


@require_POST
@manager
def try_new(request: MemberRequest, slug: str) -> HttpResponse:
    """Test what was typed without saving it."""
    kind = _type(slug)
    return _try(request, forms_for_new(request.workspace, kind, request.POST), kind, None)


@require_POST
@manager
def try_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Test what was typed, and the secrets that are kept, without saving."""
    shown = _phone(request, pk)
    return _try(request, forms_for_edit(shown, request.POST), _kind(shown), shown)


def _try(
    request: MemberRequest, forms: PhoneForms, kind: type[PhoneType], shown: Phone | None
) -> HttpResponse:
    result = None
    if forms.provider_is_valid():
        settings = forms.provider.cleaned_data
        result = services.check_settings(request.workspace, kind.slug, settings)
    if request.htmx:
        return render(request, "phones/_result.html", {"result": result, "forms": forms})
    return _form_page(request, forms, kind, shown, result, was_tried=True)


def _form_page(
    request: MemberRequest,
    forms: PhoneForms,
    kind: type[PhoneType],
    shown: Phone | None,
    result: Result | None = None,
    *,
    was_tried: bool = False,
) -> HttpResponse:
    context = {
        "forms": forms,
        "kind": kind,
        "phone": shown,
        "result": result,
        "was_tried": was_tried,
        "has_to_paste": has_to_paste(kind),
        "may_check": services.can_check(kind),
    }
    wrong = request.method == "POST" and result is None
    return render(request, "phones/form.html", context, status=422 if wrong else 200)


# ---- Doing --------------------------------------------------------------------------------------


@require_POST
@manager
def check(request: MemberRequest, pk: int) -> HttpResponseBase:
    _check_aloud(request, _phone(request, pk))
    return redirect("phone", pk=pk)


@require_POST
@manager
def balance(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown = _phone(request, pk)
    if not _kind(shown).can.balance:
        raise Http404
    _say(request, services.balance(shown))
    return redirect("phone", pk=pk)


@require_POST
@manager
def connect(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Set the callback addresses at the provider."""
    shown = _phone(request, pk)
    if not _kind(shown).connects():
        raise Http404
    _say(request, services.connect(shown))
    return redirect("phone", pk=pk)


@require_POST
@manager
def pause(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown, form = _phone(request, pk), PauseForm(request.POST)
    words = form.cleaned_data["words"] if form.is_valid() else request.POST.get("words", "")
    if services.pause(shown, reason=PauseReason.PERSON, words=words, by=request.user):
        messages.success(request, _("%(phone)s is paused. Its messages wait.") % {"phone": shown})
    else:
        messages.info(request, _("%(phone)s was paused already.") % {"phone": shown})
    return _back(request, pk)


@require_POST
@manager
def start(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown = _phone(request, pk)
    services.start(shown, by=request.user)
    messages.success(request, _("%(phone)s sends again.") % {"phone": shown})
    return _back(request, pk)


@_GET_POST
@manager
def rotate(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask, then give the phone new callback addresses."""
    shown = _phone(request, pk)
    if request.method != "POST":
        return render(request, "phones/rotate.html", {"phone": shown, "kind": _kind(shown)})
    services.rotate_token(shown, by=request.user)
    messages.success(request, _("The old addresses have stopped. Here are the new ones."))
    return redirect("phone_addresses", pk=pk)


@_GET_POST
@manager
def delete(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask, naming what is lost, then delete."""
    shown = _phone(request, pk)
    if request.method != "POST":
        queued = shown.messages.filter(status="queued")
        moving = queued.filter(Q(any_phone=True) | Q(pool__isnull=False)).count()
        context = {"phone": shown, "waiting": queued.count() - moving, "moving": moving}
        return render(request, "phones/delete.html", context)
    services.delete(shown, by=request.user)
    messages.success(
        request, _("%(phone)s is deleted. Its messages are still here.") % {"phone": shown}
    )
    return redirect("phones")


# ---- Small parts --------------------------------------------------------------------------------


def _phone(request: MemberRequest, pk: int) -> Phone:
    """Give a living phone of the current workspace. Raises Http404."""
    phones = request.workspace.phones.living().select_related("workspace")
    return get_object_or_404(phones, pk=pk)


def _kind(phone: Phone) -> type[PhoneType]:
    return _type(phone.type)


def _type(slug: str) -> type[PhoneType]:
    try:
        return registry.get(slug)
    except KeyError:
        raise Http404 from None


def _posted(request: MemberRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _back(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Go back to where the button was pressed."""
    return redirect("phones") if request.POST.get("back") == "phones" else redirect("phone", pk=pk)


def _check_aloud(request: MemberRequest, phone: Phone) -> None:
    """Test the connection, for a type that can, and say what came of it."""
    if services.can_check(_kind(phone)):
        _say(request, services.check(phone))
    else:
        messages.success(request, _("%(phone)s is saved.") % {"phone": phone})


def _say(request: MemberRequest, result: Result) -> None:
    if result.ok:
        messages.success(request, result.words)
    else:
        messages.error(request, result.sentence)
