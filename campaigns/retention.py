"""What campaigns keep no longer than their messages do: text, pictures and file, then lists of numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import site
from accounts.models import Workspace
from campaigns.models import ENDED, Campaign
from messaging import forgetting
from messaging.retention import MESSAGES, TEXTS

# Campaigns of one look.
_MOST = 50


def keep() -> int:
    """Remove what ended campaigns keep no more; give how many were changed. A duty of the tick."""
    return sum(_keep(workspace) for workspace in Workspace.objects.all())


def _keep(workspace: Workspace) -> int:
    texts, rows = site.keep_days(TEXTS, workspace), site.keep_days(MESSAGES, workspace)
    days = min((kept for kept in (texts, rows) if kept is not None), default=None)
    changed = 0
    if days is not None:
        old = _ended(workspace, days).filter(redacted_after=None)
        changed += sum(_redact(campaign, days) for campaign in old[:_MOST])
    if rows is not None:
        listed = _ended(workspace, rows).exclude(numbers=[], without_numbers=[])
        pks = list(listed.values_list("pk", flat=True)[:_MOST])
        gone: dict[str, Any] = {"numbers": [], "without_numbers": []}
        changed += Campaign.objects.filter(pk__in=pks, state__in=ENDED).update(**gone)
    return changed


def _ended(workspace: Workspace, days: int) -> QuerySet[Campaign]:
    before = timezone.now() - timedelta(days=days)
    return Campaign.objects.filter(workspace=workspace, state__in=ENDED, ended_at__lt=before)


def _redact(campaign: Campaign, days: int) -> bool:
    """Remove what a campaign said. Its file goes when no other campaign names it (sheets.prune)."""
    with transaction.atomic():
        mine = Campaign.objects.filter(pk=campaign.pk, state__in=ENDED)
        if not mine.update(text="", sheet=None, plan={}, redacted_after=days):
            return False
        files = list(campaign.media.all())
        campaign.media.clear()
        forgetting.remove_unused(files)
    return True
