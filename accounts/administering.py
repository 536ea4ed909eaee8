"""What site administrators change about people and workspaces; pages and commands share it.

Sentences of NotAllowed are shown as they are. `by` is who does it, None for a command.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import services, sessions, welcoming
from accounts.activity import record
from accounts.jobs import delete_workspace as delete_workspace_job
from accounts.models import EmailChange, Invitation, Membership, Role, User, Workspace
from accounts.services import NotAllowed
from accounts.signals import workspace_archived
from lib.jobs import enqueue

_NEW_ADDRESS = gettext_lazy("An administrator gave your account another e-mail address")
_NO_FACTOR = gettext_lazy("An administrator has reset your second factor")

# ---- People ---------------------------------------------------------------------------------------


class EmailTaken(Exception):
    """Another person logs in with this address."""


@transaction.atomic
def add_user(
    *,
    email: str,
    name: str = "",
    administrator: bool = False,
    workspace: Workspace | None = None,
    role: str = Role.SENDER,
) -> User:
    """Add a person who chooses their password by the link of `send_welcome`. Raises EmailTaken."""
    if User.objects.filter(email=email.strip().lower()).exists():
        raise EmailTaken
    user = User.objects.create_user(email, name=name, is_superuser=administrator)
    record("user.added", subject=user, administrator=administrator)
    if workspace:
        add_member(workspace, user, role)
    return user


@transaction.atomic
def edit_user(user: User, *, name: str, email: str, administrator: bool, by: User | None) -> None:
    """Change a person. Raises EmailTaken, NotAllowed."""
    email = email.strip().lower()
    if user.is_superuser and not administrator:
        _keep_an_administrator(user)
    if by and by.pk == user.pk and not administrator:
        raise NotAllowed(_("Another administrator must take this right from you."))
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(
                name=name, email=email, is_superuser=administrator
            )
    except IntegrityError:
        raise EmailTaken from None
    if email != user.email:
        # The old address is told, while it is known.
        transaction.on_commit(lambda: welcoming.tell(user, _NEW_ADDRESS))
        EmailAddress.objects.filter(user=user).delete()
        EmailChange.objects.filter(user=user).delete()
    record("user.edited", subject=user, administrator=administrator)


@transaction.atomic
def suspend(user: User, by: User | None) -> None:
    """Close an account at once: its sessions end, its invitations close, its data stay.

    Raises NotAllowed.
    """
    _not_oneself(user, by)
    _keep_an_administrator(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    Invitation.objects.filter(invited_by=user, accepted_at=None).delete()
    sessions.end(user)
    record("user.suspended", subject=user)


def reactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=True)
    record("user.reactivated", subject=user)


def reset_factor(user: User) -> int:
    """Take all second factors away, so that the password alone lets in; say how many there were."""
    count: int = Authenticator.objects.filter(user=user).delete()[0]
    record("user.factor_reset", subject=user)
    if count:
        welcoming.tell(user, _NO_FACTOR)
    return count


def demand_password(user: User) -> None:
    """Let nothing be done before a new password is chosen."""
    User.objects.filter(pk=user.pk).update(must_change_password=True)
    record("user.password_forced", subject=user)


def log_out(user: User) -> int:
    """End all sessions; say how many there were."""
    count = sessions.end(user)
    record("user.logged_out", subject=user, count=count)
    return count


def owned_alone(user: User) -> list[Workspace]:
    """Give the workspaces that would have no owner without `user`."""
    mine = Workspace.objects.filter(memberships__user=user, memberships__role=Role.OWNER)
    owners = Membership.objects.filter(role=Role.OWNER).exclude(user=user)
    return list(mine.exclude(pk__in=owners.values("workspace")).order_by("name"))


@transaction.atomic
def delete_user(user: User, *, heir: User | None, by: User | None) -> None:
    """Delete a person. What they sent stays in its workspace, without a name beside it; workspaces
    that only they own go to `heir`. Raises NotAllowed.
    """
    _not_oneself(user, by)
    _keep_an_administrator(user)
    for workspace in owned_alone(user):
        if heir is None or heir.pk == user.pk:
            words = _("%(workspace)s has no other owner. Say who becomes its owner.")
            raise NotAllowed(words % {"workspace": workspace})
        _give(workspace, heir)
    sessions.end(user)
    name = str(user)
    User.objects.get(pk=user.pk).delete()
    record("user.deleted", subject=name, heir=str(heir or ""))


def _not_oneself(user: User, by: User | None) -> None:
    if by and by.pk == user.pk:
        raise NotAllowed(_("Nobody closes their own account: ask another administrator."))


def _keep_an_administrator(user: User) -> None:
    """Refuse what would leave the site to nobody. Within a transaction."""
    administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    if set(administrators.values_list("pk", flat=True)) == {user.pk}:
        words = _("%(person)s is the only administrator of this site. Make another one first.")
        raise NotAllowed(words % {"person": user})


# ---- Workspaces -----------------------------------------------------------------------------------


def add_workspace(*, name: str, owner: User, country: str, time_zone: str) -> Workspace:
    workspace = services.create_workspace(
        name=name, owner=owner, country=country, time_zone=time_zone
    )
    record("workspace.added", subject=workspace, workspace=workspace)
    return workspace


@transaction.atomic
def add_member(workspace: Workspace, user: User, role: str) -> Membership:
    """Let somebody in without an invitation. Raises NotAllowed when they are in."""
    membership, is_new = Membership.objects.get_or_create(
        workspace=workspace, user=user, defaults={"role": role}
    )
    if not is_new:
        raise NotAllowed(_("This person belongs to the workspace already."))
    record("member.added", subject=user, workspace=workspace, role=role)
    return membership


@transaction.atomic
def change_role(membership: Membership, role: str) -> None:
    """Give a member another role. Raises NotAllowed for the last owner."""
    Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    if role != Role.OWNER:
        services.refuse_last_owner(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    before, workspace = membership.role, membership.workspace
    record("member.role", subject=membership.user, workspace=workspace, before=before, role=role)


@transaction.atomic
def remove_member(membership: Membership) -> None:
    """Take a member away. Raises NotAllowed for the last owner."""
    Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    services.refuse_last_owner(membership)
    Invitation.objects.filter(
        workspace=membership.workspace_id, invited_by=membership.user_id, accepted_at=None
    ).delete()
    Membership.objects.filter(pk=membership.pk).delete()
    record("member.removed", subject=membership.user, workspace=membership.workspace)


@transaction.atomic
def transfer(workspace: Workspace, heir: User) -> None:
    """Make `heir` the only owner; who owned it before administers it."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    workspace.memberships.filter(role=Role.OWNER).exclude(user=heir).update(role=Role.ADMIN)
    _give(workspace, heir)


def _give(workspace: Workspace, heir: User) -> None:
    Membership.objects.update_or_create(
        workspace=workspace, user=heir, defaults={"role": Role.OWNER}
    )
    record("member.role", subject=heir, workspace=workspace, role=Role.OWNER)


@transaction.atomic
def archive(workspace: Workspace) -> None:
    """Close a workspace: nobody enters, its phones pause; what comes in is kept all the same."""
    unarchived = Workspace.objects.filter(pk=workspace.pk, archived_at=None)
    if unarchived.update(archived_at=timezone.now()):
        workspace_archived.send(Workspace, workspace=workspace)
        record("workspace.archived", subject=workspace, workspace=workspace)


def restore(workspace: Workspace) -> None:
    """Open an archived workspace again. Its phones stay paused until somebody starts them."""
    kept = Workspace.objects.filter(pk=workspace.pk, deleting_at=None)
    if kept.update(archived_at=None):
        record("workspace.restored", subject=workspace, workspace=workspace)


@transaction.atomic
def delete_workspace(workspace: Workspace) -> None:
    """Delete an archived workspace with all it holds, in a job: there may be millions of rows.

    Raises NotAllowed when it is not archived.
    """
    archived = Workspace.objects.filter(pk=workspace.pk, archived_at__isnull=False)
    if not archived.update(deleting_at=timezone.now()):
        raise NotAllowed(_("Archive the workspace first."))
    record("workspace.deleted", subject=workspace, workspace=workspace)
    enqueue(delete_workspace_job, workspace.pk)
