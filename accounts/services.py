"""What changes about people and workspaces. Sentences of NotAllowed are shown as they are."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import mail, roles
from accounts.activity import record
from accounts.adapter import public_url
from accounts.models import INVITATION_LIFE, Invitation, Membership, Role, User, Workspace
from accounts.signals import workspace_created


class NotAllowed(Exception):
    """The change is against a rule; the message says which, in the reader's language."""


class InvitationClosed(Exception):
    """The invitation was used, revoked or has expired."""


class WrongPerson(Exception):
    """The invitation is for another e-mail address."""


@transaction.atomic
def create_workspace(
    *, name: str, owner: User, country: str, time_zone: str, description: str = ""
) -> Workspace:
    """Add a workspace that `owner` owns, and announce it."""
    workspace = Workspace.objects.create(
        name=name, description=description, country=country, time_zone=time_zone
    )
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    workspace_created.send(Workspace, workspace=workspace)
    return workspace


@transaction.atomic
def sign_up(*, name: str, email: str, password: str | None, country: str, time_zone: str) -> User:
    """Add a person with a workspace of their own, which has the person's name at first."""
    user = User.objects.create_user(email, password, name=name)
    record("person.joined", actor=user)
    create_workspace(name=name, owner=user, country=country, time_zone=time_zone)
    return user


def roles_given_by(membership: Membership) -> list[Role]:
    """Give the roles this member may hand out: nobody makes somebody greater than themselves."""
    if membership.may(roles.OWN):
        return list(Role)
    return [Role.ADMIN, Role.SENDER, Role.VIEWER] if membership.may_manage else []


# ---- Invitations --------------------------------------------------------------------------------


@transaction.atomic
def invite(
    by: Membership, *, email: str, role: str, limits: dict[str, Any] | None = None
) -> tuple[Invitation, str]:
    """Open the door of `by`'s workspace: (invitation, its token, which is not kept anywhere).

    `limits` are those of a sender, as accounts.limits stores them.

    An earlier invitation of the same address closes, so that one person holds one key.
    """
    if role not in roles_given_by(by):
        raise NotAllowed(_("Only an owner can invite another owner."))
    if email:
        by.workspace.invitations.filter(email=email, accepted_at=None).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        workspace=by.workspace,
        email=email,
        role=role,
        limits=(limits or {}) if role == Role.SENDER else {},
        token_hash=_hash(token),
        invited_by=by.user,
    )
    record("member.invited", subject=email, workspace=by.workspace, role=role)
    return invitation, token


def renew(invitation: Invitation, by: Membership) -> str:
    """Give a new token, good for another fourteen days; the old one opens nothing any more."""
    if invitation.role not in roles_given_by(by):
        raise NotAllowed(_("Only an owner can invite another owner."))
    token = secrets.token_urlsafe(32)
    fresh = {"token_hash": _hash(token), "created_at": timezone.now(), "invited_by": by.user}
    waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at=None)
    if not waiting.update(**fresh):
        raise NotAllowed(_("This invitation has been accepted in the meantime."))
    record("member.renewed", subject=invitation.email, workspace=by.workspace)
    return token


def find_invitation(token: str) -> Invitation | None:
    """Give the invitation that `token` belongs to, open or not."""
    found = Invitation.objects.select_related("workspace", "invited_by")
    return found.filter(token_hash=_hash(token)).first()


def invitation_link(token: str) -> str:
    return public_url(reverse("invitation", args=[token]))


def send_invitation(invitation: Invitation, token: str) -> None:
    """Write to the invited person. Raises OSError when the mail server does not take it."""
    names = {"person": invitation.invited_by, "workspace": invitation.workspace}
    subject = _("%(person)s invites you to %(workspace)s") % names
    link, days = invitation_link(token), INVITATION_LIFE.days
    template = "accounts/mail/invitation.txt"
    mail.send(invitation.email, subject, template, **names, link=link, days=days)


@transaction.atomic
def accept(invitation: Invitation, user: User) -> Membership:
    """Let `user` in. Of two who come at once with one link, one gets in.

    Raises WrongPerson, InvitationClosed.
    """
    if invitation.email and invitation.email != user.email:
        raise WrongPerson
    now = timezone.now()
    still_open = Invitation.objects.filter(
        pk=invitation.pk,
        accepted_at=None,
        created_at__gt=now - INVITATION_LIFE,
        workspace__archived_at=None,
    )
    if not still_open.update(accepted_at=now, accepted_by=user):
        raise InvitationClosed
    given = {"role": invitation.role, "limits": invitation.limits}
    membership, _new = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=user, defaults=given
    )
    record("member.joined", actor=user, workspace=invitation.workspace, role=membership.role)
    return membership


@transaction.atomic
def join(invitation: Invitation, *, name: str, email: str, password: str) -> User:
    """Make an account for the invited person and let it in. Raises as `accept`."""
    user = User.objects.create_user(invitation.email or email, password, name=name)
    record("person.joined", actor=user)
    accept(invitation, user)
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# ---- Members ------------------------------------------------------------------------------------


@transaction.atomic
def change_role(membership: Membership, role: str, by: Membership) -> None:
    """Give `membership` another role. Raises NotAllowed."""
    _lock(membership, by)
    if not {membership.role, role} <= set(roles_given_by(by)):
        raise NotAllowed(_("Only an owner can make or change owners."))
    if role != Role.OWNER:
        refuse_last_owner(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    record(
        "member.role",
        subject=membership.user,
        workspace=by.workspace,
        before=membership.role,
        role=role,
    )
    membership.role = role
    _close_invitations_of(membership, but=roles_given_by(membership))


@transaction.atomic
def remove_member(membership: Membership, by: Membership) -> None:
    """Take `membership` away; people may take away their own. Raises NotAllowed."""
    _lock(membership, by)
    if membership.pk != by.pk and membership.role not in roles_given_by(by):
        raise NotAllowed(_("Only an owner can remove an owner."))
    refuse_last_owner(membership)
    _close_invitations_of(membership, but=[])
    Membership.objects.filter(pk=membership.pk).delete()
    action = "member.left" if membership.pk == by.pk else "member.removed"
    record(action, subject=membership.user, workspace=by.workspace)


def _lock(membership: Membership, by: Membership) -> None:
    """Let one change of roles happen at a time: two owners must not demote each other."""
    Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    try:
        membership.refresh_from_db(fields=["role"])
        by.refresh_from_db(fields=["role"])
    except Membership.DoesNotExist:
        raise NotAllowed(_("Somebody was faster: this person no longer belongs here.")) from None


def refuse_last_owner(membership: Membership) -> None:
    """Raise NotAllowed when nobody but `membership` owns its workspace."""
    owners = Membership.objects.filter(workspace=membership.workspace_id, role=Role.OWNER)
    if set(owners.values_list("pk", flat=True)) == {membership.pk}:
        words = _("%(person)s is the only owner. Make somebody else an owner first.")
        raise NotAllowed(words % {"person": membership.user})


def _close_invitations_of(membership: Membership, but: Collection[Role]) -> None:
    """Whoever may not invite (to such a role) any more leaves no open door behind."""
    theirs = Invitation.objects.filter(invited_by=membership.user_id, accepted_at=None)
    theirs.filter(workspace=membership.workspace_id).exclude(role__in=but).delete()
