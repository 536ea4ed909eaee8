"""What somebody may send: the one place that judges it, whichever door it comes through.

Owners, administrators and most senders may all; a sender with limits (accounts.limits) may use some phones,
or write to some people, or only what was approved. Whatever queues a message asks here, below its forms:
`composing.create`, `actions.resend` and `move`, and what starts campaigns. What leaves later by itself keeps
the limits with it: a route names the phones that it may choose from (`Route.only`), a campaign its `limits`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import limits as member_limits
from accounts.limits import NONE, Limits
from accounts.models import Membership, User, Workspace
from accounts.roles import PEOPLE
from contacts import circles
from contacts.services import names
from lib import masks
from messaging.models import Message
from messaging.routing import Route
from phones.models import Phone, PoolPhone

# Numbers, and groups, that a refusal names.
_NAMED = 3


class NotPermitted(Exception):
    """Somebody may not send this; the text says why, and what to do instead."""


class Permit:
    """What somebody may send in a workspace. Queries are asked once, where there are limits at all."""

    def __init__(self, workspace: Workspace, limits: Limits = NONE) -> None:
        self.workspace = workspace
        self.limits = limits

    @property
    def must_ask(self) -> bool:
        """Say whether it has to be approved first."""
        return self.limits.approval

    @property
    def circles(self) -> tuple[str, ...] | None:
        """Give the groups and segments that may be written to, None = everybody."""
        return self.limits.people or None

    @cached_property
    def phones(self) -> frozenset[int] | None:
        """Give the ids of the phones that may be used, None = all. One query where groups are named."""
        if not self.limits.phones:
            return None
        marks = [mark for mark in self.limits.phones if mark.isdecimal()]
        pools = [int(mark[1:]) for mark in self.limits.phones if mark[:1] == "g"]
        found = {int(mark) for mark in marks}
        if pools:
            places = PoolPhone.objects.filter(pool__in=pools, pool__workspace=self.workspace)
            found.update(places.values_list("phone_id", flat=True))
        return frozenset(found)

    def may_use(self, phone: Phone) -> bool:
        return self.phones is None or phone.pk in self.phones

    def narrowed(self, route: Route) -> Route:
        """Let a route choose among the phones that may be used."""
        return replace(route, only=self.phones)

    def outside(self, numbers: Collection[str]) -> set[str]:
        """Give those of `numbers` (E.164) that may not be written to."""
        if self.circles is None or not numbers:
            return set()
        return set(numbers) - circles.numbers_within(self.workspace, self.circles, numbers)

    def check(self, route: Route, numbers: Sequence[str]) -> Route:
        """Judge a message before it is queued; give its route, narrowed. Raises NotPermitted."""
        if self.must_ask:
            raise NotPermitted(must_ask_words())
        if route.phone and not self.may_use(route.phone):
            words = _(
                "You may not send through %(phone)s. Choose another phone, or ask an administrator."
            )
            raise NotPermitted(words % {"phone": route.phone})
        if refusal := self.people_refusal(numbers):
            raise NotPermitted(refusal)
        return self.narrowed(route)

    def people_refusal(self, numbers: Sequence[str]) -> str:
        """Say who of `numbers` may not be written to, and what to do; "" where all may."""
        outside = self.outside(numbers)
        if not outside:
            return ""
        those = [number for number in numbers if number in outside][:_NAMED]
        known = names(self.workspace.pk, those)
        first = [known.get(number) or masks.shown(number) for number in those]
        more = len(outside) - len(first)
        words = ngettext(
            "You may write to %(groups)s only, and %(numbers)s does not belong there. Take it out, or ask an "
            "administrator.",
            "You may write to %(groups)s only, and %(numbers)s do not belong there. Take them out, or ask an "
            "administrator.",
            len(outside),
        )
        if more > 0:
            words = _(
                "You may write to %(groups)s only, and %(numbers)s and %(more)s more do not belong there. "
                "Take them out, or ask an administrator."
            )
        return words % {"groups": self.circle_names, "numbers": ", ".join(first), "more": more}

    @property
    def circle_names(self) -> str:
        """Name the groups and segments that may be written to."""
        known = member_limits.offered(self.workspace)[PEOPLE]
        called = [known[mark] for mark in self.circles or () if mark in known]
        if len(called) > _NAMED:
            called = [*called[:_NAMED], _("others")]
        return get_text_list(called or [_("nobody")], _("and"))


def must_ask_words() -> str:
    return _("What you write must be approved before it leaves. Ask for approval instead.")


def of_member(membership: Membership, workspace: Workspace) -> Permit:
    """Give what a member may send, without a query."""
    return Permit(workspace, member_limits.of(membership))


def of(workspace: Workspace, by: User | None, kept: Mapping[str, Any] | None = None) -> Permit:
    """Give what `by` may send now, by one query; None is the site itself, which may all.

    `kept` are the limits that something of theirs was stored with: they hold for who has left the workspace
    meanwhile, or only looks. Raises NotPermitted where nothing was kept, and they may not send.
    """
    membership = (
        Membership.objects.filter(workspace=workspace, user=by).first() if by is not None else None
    )
    if membership and membership.may_send:
        return of_member(membership, workspace)
    if kept is None and by is not None:
        raise NotPermitted(_("You may not send from this workspace. Ask an administrator."))
    return Permit(workspace, Limits.read(kept or {}))


def phones_by_message(
    workspace: Workspace, messages: Sequence[Message]
) -> dict[int, frozenset[int] | None]:
    """Give the phones that each message may move to by itself, by its id; None = any of its route.

    Those of a campaign keep its limits; others have those of who wrote them, as they are now.
    """
    limited = {
        row.user_id: of_member(row, workspace)
        for row in Membership.objects.filter(workspace=workspace).exclude(limits={})
    }
    by_campaign: dict[int, Permit] = {}
    campaigns = {message.campaign_id for message in messages if message.campaign_id}
    if campaigns:
        rows = Message.objects.filter(pk__in=[message.pk for message in messages])
        rows = rows.exclude(campaign=None).exclude(campaign__limits={})
        stored = dict(rows.values_list("campaign_id", "campaign__limits").order_by())
        by_campaign = {pk: Permit(workspace, Limits.read(kept)) for pk, kept in stored.items()}
    found: dict[int, frozenset[int] | None] = {}
    for message in messages:
        if message.campaign_id:
            permit = by_campaign.get(message.campaign_id)
        else:
            permit = limited.get(message.created_by_id) if message.created_by_id else None
        found[message.pk] = permit.phones if permit else None
    return found
