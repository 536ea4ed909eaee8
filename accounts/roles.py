"""Who may do what in a workspace: one table, which the gates ask, a page shows and a test walks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

LOOK, SEND, MANAGE, OWN = "look", "send", "manage", "own"
# What a sender may be limited to (see accounts.limits).
PHONES, PEOPLE, APPROVAL = "phones", "people", "approval"


class Role(TextChoices):
    """What a member may do. Each role may do all that the ones after it may."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    SENDER = "sender", _("Sender")
    VIEWER = "viewer", _("Viewer")


class Hidden(TextChoices):
    """From whom a workspace hides the numbers of the people it writes to."""

    NOBODY = "", _("Nobody")
    VIEWERS = "viewers", _("Viewers")
    SENDERS = "senders", _("Viewers and senders")


_HIDDEN_FROM: dict[str, frozenset[str]] = {
    Hidden.NOBODY: frozenset(),
    Hidden.VIEWERS: frozenset({Role.VIEWER}),
    Hidden.SENDERS: frozenset({Role.VIEWER, Role.SENDER}),
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something that roles allow: its name in code, what it holds in words, and which roles do."""

    name: str
    words: Any
    holds: tuple[Any, ...]
    roles: frozenset[Role]


MATRIX = (
    Action(
        LOOK,
        _("Look"),
        (
            _("read messages, conversations and calls"),
            _("see campaigns, contacts, groups, opt-outs and phones"),
            _("see who belongs to the workspace, and leave it"),
        ),
        frozenset(Role),
    ),
    Action(
        SEND,
        _("Send"),
        (
            _("write, reply, and cancel or resend messages"),
            _("write, send, steer and export campaigns"),
            _("add and change contacts, groups and segments"),
            _("add opt-outs"),
        ),
        frozenset({Role.OWNER, Role.ADMIN, Role.SENDER}),
    ),
    Action(
        MANAGE,
        _("Manage"),
        (
            _("add, edit, pause and delete phones, and set prices"),
            _("import, export, delete and erase contacts, and take opt-outs back"),
            _("invite people, give roles, limit senders and remove members"),
            _("approve what senders ask for"),
            _("change the workspace, see its activity and what it used"),
            _("give people quotas of their own"),
        ),
        frozenset({Role.OWNER, Role.ADMIN}),
    ),
    Action(
        OWN,
        _("Own"),
        (_("make, change and remove owners"),),
        frozenset({Role.OWNER}),
    ),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that a sender may be limited to: its name in code, in words, and what follows from it."""

    name: str
    words: Any
    means: tuple[Any, ...]


LIMITS = (
    Limit(
        PHONES,
        _("Some phones"),
        (
            _("they see and choose these only"),
            _("“any phone”, or a group of phones, is one of these"),
            _("replies, too, leave by these"),
        ),
    ),
    Limit(
        PEOPLE,
        _("Some groups and segments"),
        (
            _("they write, and reply, to people of these only, whoever else is typed or chosen"),
            _("in a campaign the others are left out, and the check says how many"),
            _("they cannot change contacts, groups and segments"),
        ),
    ),
    Limit(
        APPROVAL,
        _("What was approved"),
        (
            _("they ask, an owner or administrator approves: messages, replies and campaigns"),
            _("what is changed has to be approved again"),
            _("they send nothing again, and no tests"),
        ),
    ),
)
_ROLES = {action.name: action.roles for action in MATRIX}


def hides(hidden: str, role: str) -> bool:
    """Say whether numbers are hidden from `role` where a workspace's setting is `hidden`."""
    return role in _HIDDEN_FROM[hidden]


def allows(role: str, action: str) -> bool:
    """Say whether `role` may do `action`. Raises KeyError for one that is not in the table."""
    return role in _ROLES[action]
