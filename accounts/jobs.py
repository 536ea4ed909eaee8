"""Work that is too long for a page."""

from __future__ import annotations

from accounts import welcoming
from accounts.models import User, Workspace
from accounts.signals import workspace_deleting
from lib.jobs import enqueue


def welcome(user_id: int, by_id: int) -> None:
    """Write to somebody new who has no password yet; what the mail server refuses fails and is seen."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user and not user.has_usable_password():
        welcoming.send_welcome(user, User.objects.filter(pk=by_id).first())


def delete_workspace(workspace_id: int) -> None:
    """Delete a part of what a workspace holds, and go on in another job until it is gone."""
    doomed = Workspace.objects.filter(pk=workspace_id, deleting_at__isnull=False).first()
    if doomed is None:
        return
    answers = workspace_deleting.send(Workspace, workspace=doomed)
    if any(more for _receiver, more in answers):
        enqueue(delete_workspace, workspace_id)
    else:
        doomed.delete()
