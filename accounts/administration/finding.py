"""Finding people and workspaces of the whole site, a page at a time."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from accounts.factors import FACTORS
from accounts.models import Membership, Role, User, Workspace

PER_PAGE = 50
_FACTORS = Authenticator.objects.filter(user=OuterRef("pk"), type__in=list(FACTORS))
_STATES = {
    "active": Q(is_active=True),
    "suspended": Q(is_active=False),
    "administrators": Q(is_superuser=True),
    "unguarded": Q(has_factor=False),
    "never": Q(last_seen_at=None),
}


def people(q: str = "", state: str = "") -> QuerySet[User]:
    """Give people whose name or address holds `q`, by name, each with `has_factor` and `places`."""
    rows = User.objects.annotate(has_factor=Exists(_FACTORS), places=Count("memberships"))
    rows = rows.filter(Q(name__icontains=q) | Q(email__icontains=q)) if q else rows
    return rows.filter(_STATES.get(state, Q())).order_by(Lower("name"), "email")


def workspaces(q: str = "", state: str = "") -> QuerySet[Workspace]:
    """Give workspaces whose name, or whose owner's address, holds `q`, each with `people` (count)."""
    rows = Workspace.objects.annotate(people=Count("memberships"))
    owned = Membership.objects.filter(role=Role.OWNER, user__email__icontains=q)
    if q:
        rows = rows.filter(Q(name__icontains=q) | Q(pk__in=owned.values("workspace")))
    if state in ("open", "archived"):
        rows = rows.filter(archived_at__isnull=state == "open")
    return rows.order_by(Lower("name"), "pk")


def page_of(rows: QuerySet[User] | QuerySet[Workspace], number: str) -> Page[User | Workspace]:
    """Give a page of rows; one that does not exist gives the nearest."""
    pages: Paginator[User | Workspace] = Paginator(rows, PER_PAGE)
    return pages.get_page(number)
