"""The page of a connected phone, as it is right now: its binds, and what is said on them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.http import MemberRequest, manager, member
from lib.jobs import QueueDown
from phones import live
from phones.connections import connection_of
from phones.health import kind_of
from phones.models import Phone


@never_cache
@require_GET
@member
def binds(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the binds; the phone's page asks for it again and again."""
    phone = _phone(request, pk)
    if not _is_connected(phone):
        return redirect("phone", phone.pk)
    context = {"phone": phone, "connection": connection_of(phone)}
    return render(request, "phones/_binds.html", context)


@require_POST
@manager
def trace(request: MemberRequest, pk: int) -> HttpResponse:
    """Begin a trace of what is said on the binds."""
    phone = _phone(request, pk)
    try:
        live.ask_trace(phone.pk)
    except QueueDown:
        messages.error(request, _("The queue server does not answer. Try again in a moment."))
    return redirect("phone", phone.pk)


def _phone(request: MemberRequest, pk: int) -> Phone:
    phones = Phone.objects.living().filter(workspace=request.workspace)
    return get_object_or_404(phones.defer("settings"), pk=pk)


def _is_connected(phone: Phone) -> bool:
    kind = kind_of(phone)
    return kind is not None and kind.connected
