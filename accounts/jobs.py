"""Work that is too long for a page."""

from __future__ import annotations

from accounts.models import Workspace
from accounts.signals import workspace_deleting
from lib.jobs import enqueue


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
