"""What a sender may be limited to: some phones, some people, and what somebody approved.

Phones and people are named by marks that the apps above give and understand (12 a phone, g3 a group). What is
named stays named when it is deleted: who was limited to it may then send nothing, rather than everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import services
from accounts.activity import record
from accounts.models import Membership, Workspace
from accounts.roles import APPROVAL, PEOPLE, PHONES, Role
from accounts.signals import limits_asked

# Phones, or groups, that one limit holds, and that a line names.
_MOST, _NAMED = 200, 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Which phones and which people, by their marks; nothing named = all of them. False without any limit."""

    phones: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    approval: bool = False

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Limits:
        """Read what `dump` gave."""
        return cls(
            tuple(stored.get(PHONES, ())),
            tuple(stored.get(PEOPLE, ())),
            bool(stored.get(APPROVAL, False)),
        )

    def dump(self) -> dict[str, Any]:
        """Give it as a column keeps it: {} without any limit, and the same limits always alike."""
        phones, people = sorted(self.phones), sorted(self.people)
        found = {PHONES: phones, PEOPLE: people, APPROVAL: self.approval}
        return {name: value for name, value in found.items() if value}

    def __bool__(self) -> bool:
        return bool(self.phones or self.people or self.approval)


NONE = Limits()


def of(membership: Membership) -> Limits:
    """Give the limits that hold for a member: those of senders; nobody else has any."""
    return Limits.read(membership.limits) if membership.role == Role.SENDER else NONE


@transaction.atomic
def change(membership: Membership, role: str, limits: Limits, by: Membership) -> None:
    """Give somebody a role and, to a sender, limits. Raises services.NotAllowed."""
    if role != membership.role:
        services.change_role(membership, role, by)
    elif membership.role not in services.roles_given_by(by):
        raise services.NotAllowed(_("Only an owner can make or change owners."))
    kept = limits.dump() if role == Role.SENDER else {}
    if kept == membership.limits:
        return
    Membership.objects.filter(pk=membership.pk).update(limits=kept)
    membership.limits = kept
    record(
        "member.limited",
        subject=membership.user,
        workspace=by.workspace,
        phones=len(kept.get(PHONES, ())),
        groups=len(kept.get(PEOPLE, ())),
        approval=bool(kept.get(APPROVAL)),
    )


# ---- What there is to choose from, and in words -------------------------------------------------


def offered(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Give what senders can be limited to: {"phones": {mark: name}, "people": {mark: name}}."""
    found: dict[str, dict[str, str]] = {PHONES: {}, PEOPLE: {}}
    for _receiver, answer in limits_asked.send(Workspace, workspace=workspace):
        offer: Mapping[str, dict[str, str]] = answer  # type: ignore[assignment]
        for kind, named in offer.items():
            found[kind] |= named
    return found


def in_words(limits: Limits, known: Mapping[str, Mapping[str, str]]) -> str:
    """Say limits in a line; "" without any. `known` is what `offered` gave."""
    parts = []
    if limits.phones:
        named = _named(limits.phones, known[PHONES])
        parts.append(_("may send through %(phones)s only") % {"phones": named})
    if limits.people:
        parts.append(_("to %(groups)s only") % {"groups": _named(limits.people, known[PEOPLE])})
    if limits.approval:
        parts.append(_("needs approval"))
    return "; ".join(parts)


def _named(marks: Collection[str], known: Mapping[str, str]) -> str:
    names = [known[mark] for mark in marks if mark in known]
    is_whole = len(names) == len(marks)
    if len(names) > _NAMED:
        names = [*names[:_NAMED], _("others")]
    if not is_whole:
        names.append(_("something that was deleted"))
    return get_text_list(names, _("and"))


class LimitsForm(forms.Form):
    """The limits of a sender. What was chosen and is gone stays chosen until somebody takes it out."""

    phones = forms.MultipleChoiceField(
        label=gettext_lazy("Only through these phones"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: through all. A group of phones means those in it."),
    )
    people = forms.MultipleChoiceField(
        label=gettext_lazy("Only to people of these groups and segments"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "None chosen: to everybody. Who is limited to some people cannot change contacts, groups and "
            "segments."
        ),
    )
    approval = forms.BooleanField(
        label=gettext_lazy("What they write must be approved"),
        required=False,
        help_text=gettext_lazy("An owner or administrator looks at it before anything leaves."),
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        workspace: Workspace,
        limits: Limits = NONE,
    ) -> None:
        first = {PHONES: limits.phones, PEOPLE: limits.people, APPROVAL: limits.approval}
        super().__init__(data, initial=first, prefix="limit")
        self.known = offered(workspace)
        for name, chosen in ((PHONES, limits.phones), (PEOPLE, limits.people)):
            gone = {mark: _("Deleted") for mark in chosen if mark not in self.known[name]}
            if choices := [*self.known[name].items(), *gone.items()]:
                # What was chosen first: the rest may be a long way down.
                choices.sort(key=lambda choice: choice[0] not in chosen)
                self.fields[name].choices = choices  # type: ignore[attr-defined]
            else:
                del self.fields[name]

    @property
    def limits(self) -> Limits:
        """Give what a valid form says."""
        data = self.cleaned_data
        phones, people = (tuple(data.get(name, ())[:_MOST]) for name in (PHONES, PEOPLE))
        return Limits(phones, people, bool(data.get(APPROVAL)))
