"""Which phone tells another one the carriers of its numbers."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Workspace
from lib.vault import Unreadable
from phones import registry
from phones.health import kind_of
from phones.models import Phone


def able(workspace: Workspace) -> QuerySet[Phone]:
    """Give the workspace's phones that can look numbers up, by name."""
    slugs = [slug for slug, kind in registry.all_types().items() if kind.can.look_up]
    return workspace.phones.living().filter(type__in=slugs).order_by("name")


def asker_of(phone: Phone) -> Phone | None:
    """Give the phone through which this one looks carriers up, without its settings.

    None where it needs none, or where nobody may be asked.
    """
    if phone.look_up_by_id is None:
        return None
    kind = kind_of(phone)
    try:
        if kind is None or not kind.by_carrier(phone.settings):
            return None
    except Unreadable:
        return None
    asker = Phone.objects.living().defer("settings").filter(pk=phone.look_up_by_id).first()
    able_kind = kind_of(asker) if asker else None
    return asker if able_kind and able_kind.can.look_up else None
