"""The page of a phone's limits and of how its failures are watched."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import MemberRequest, manager, member
from phones import quotas
from phones.limit_forms import LimitForm, WatchForm
from phones.models import Phone, Watch


@require_GET
@member
def page(request: MemberRequest, pk: int) -> HttpResponse:
    return _page(request, _phone(request, pk))


@require_POST
@manager
def set_limit(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Add a limit, or change that of the same period and unit."""
    phone, form = _phone(request, pk), LimitForm(request.POST)
    if not form.is_valid():
        return _page(request, phone, limit_form=form, status=422)
    data = form.cleaned_data
    quotas.set_limit(
        phone,
        period=data["period"],
        unit=data["unit"],
        amount=data["amount"],
        spill=bool(data["spill"]),
    )
    messages.success(request, _("The limit is saved. It counts what leaves from now on."))
    return redirect("phone_limits", pk=pk)


@require_POST
@manager
def remove_limit(request: MemberRequest, pk: int) -> HttpResponseBase:
    phone = _phone(request, pk)
    given = request.POST.get("limit", "")
    if (
        given.isascii()
        and given.isdigit()
        and len(given) < 19
        and quotas.remove_limit(phone, int(given))
    ):
        messages.success(request, _("The limit is removed."))
    return redirect("phone_limits", pk=pk)


@require_POST
@manager
def watch(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Set how failures are watched; what has happened before is forgiven."""
    phone, form = _phone(request, pk), WatchForm(request.POST)
    if not form.is_valid():
        return _page(request, phone, watch_form=form, status=422)
    Watch.objects.update_or_create(
        phone=phone,
        defaults={
            **form.cleaned_data,
            **quotas.WELL,
            "counts_from": timezone.now(),
            "webhook_problem": "",
        },
    )
    quotas.note_metered(phone)
    messages.success(request, _("Saved."))
    return redirect("phone_limits", pk=pk)


def _page(
    request: MemberRequest,
    phone: Phone,
    *,
    limit_form: LimitForm | None = None,
    watch_form: WatchForm | None = None,
    status: int = 200,
) -> HttpResponse:
    watched = Watch.objects.filter(phone=phone).first()
    initial = {name: getattr(watched, name) for name in WatchForm.base_fields} if watched else {}
    context: dict[str, Any] = {
        "phone": phone,
        "standings": quotas.standings([phone]).get(phone.pk, []),
        "watch": watched,
        "limit_form": limit_form or LimitForm(),
        "watch_form": watch_form or WatchForm(initial=initial),
    }
    return render(request, "phones/limits.html", context, status=status)


def _phone(request: MemberRequest, pk: int) -> Phone:
    """Give a living phone of the current workspace. Raises Http404."""
    phones = request.workspace.phones.living().select_related("workspace")
    return get_object_or_404(phones, pk=pk)
