"""Phones that share one account at their provider, such as two senders over one SMPP system ID.

The provider counts them as one: it slows all of them down, and tells news of any of them to whichever
it likes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lib.vault import Unreadable
from phones.base import PhoneType
from phones.health import kind_of
from phones.lines import line
from phones.models import Phone, PhoneQuerySet

_NOT_OF_AN_ADDRESS = re.compile(r"[\W_]")


def name_of(phone: Phone) -> str:
    """Give the name of the phone's account, "" where it has one of its own."""
    kind = kind_of(phone)
    if kind is None or kind.account_name is PhoneType.account_name:
        return ""
    try:
        name = line(phone).account_name()
    except Unreadable:
        return ""
    return f"{phone.type}:{name}" if name else ""


def all_of(phone: Phone) -> list[Phone]:
    """Give the living phones of its account, in whatever workspace, itself among them."""
    return [phone, *_others(phone, Phone.objects.living())]


def beside(phone: Phone) -> list[Phone]:
    """Give the other living phones of its account in its workspace."""
    return _others(phone, Phone.objects.living().filter(workspace=phone.workspace_id))


def addressee(phone: Phone, others: Sequence[Phone], to: str) -> Phone:
    """Give the phone, of one and those beside it, whose address this is; the first where nobody's."""
    wanted = _plain(to)
    found = (one for one in (phone, *others) if wanted and _plain(one.address) == wanted)
    return next(found, phone)


def _others(phone: Phone, among: PhoneQuerySet) -> list[Phone]:
    if not (account := name_of(phone)):
        return []
    alike = among.filter(type=phone.type).exclude(pk=phone.pk).select_related("workspace")
    return [other for other in alike.order_by("pk") if name_of(other) == account]


def _plain(address: str) -> str:
    """Give an address as it is compared: +33 6 and 00336 are one."""
    return _NOT_OF_AN_ADDRESS.sub("", address).casefold().lstrip("0")
