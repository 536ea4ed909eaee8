"""The pages of groups of phones: the list, adding, changing and deleting one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import MemberRequest, manager, member
from phones import pools
from phones.models import Pool
from phones.pool_forms import PoolForm
from phones.pools import InUse, NameTaken

_GET_POST = require_http_methods(["GET", "HEAD", "POST"])


@require_GET
@member
def table(request: MemberRequest) -> HttpResponse:
    """Show all groups, each with its phones in the order in which they go."""
    found = request.workspace.pools.prefetch_related("places__phone")
    shown = [
        (pool, sorted(pool.places.all(), key=lambda p: (-p.priority, -p.weight, p.phone.name)))
        for pool in found
    ]
    return render(request, "phones/pools.html", {"pools": shown})


@_GET_POST
@manager
def add(request: MemberRequest) -> HttpResponseBase:
    return _write(request, None)


@_GET_POST
@manager
def edit(request: MemberRequest, pk: int) -> HttpResponseBase:
    return _write(request, _pool(request, pk))


@_GET_POST
@manager
def delete(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask, naming what uses it, then delete."""
    pool = _pool(request, pk)
    if request.method == "POST":
        try:
            pools.delete(pool, by=request.user)
        except InUse:
            pass  # the page says what uses it
        else:
            messages.success(request, _("The group %(pool)s is deleted.") % {"pool": pool.name})
            return redirect("pools")
    uses = pools.uses_of(pool)
    blocked = any(use.blocks for use in uses)
    context = {"pool": pool, "uses": uses, "blocked": blocked}
    status = 422 if request.method == "POST" else 200
    return render(request, "phones/pool_delete.html", context, status=status)


def _write(request: MemberRequest, pool: Pool | None) -> HttpResponseBase:
    form = PoolForm(request.workspace, pool, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            pools.save(
                request.workspace,
                pool,
                name=form.cleaned_data["name"],
                places=form.cleaned_data["places"],
                by=request.user,
            )
        except NameTaken:
            form.add_error("name", form.name_taken())
        else:
            messages.success(request, _("The group is saved."))
            return redirect("pools")
    status = 422 if request.method == "POST" else 200
    return render(request, "phones/pool_form.html", {"form": form, "pool": pool}, status=status)


def _pool(request: MemberRequest, pk: int) -> Pool:
    return get_object_or_404(request.workspace.pools, pk=pk)
