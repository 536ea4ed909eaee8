"""Keeping drafts: what a form says that is right is stored, half-written as it may be."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from campaigns import sheets, steering
from campaigns.models import Campaign, Sheet, State
from campaigns.steering import Refused
from messaging import media, permitting
from messaging.models import Media


def keep(campaign: Campaign, changes: dict[str, Any], by: User) -> Campaign:
    """Store the changes of a draft, or begin one with them.

    Raises Refused where it is no draft any more, or not the version that was read.
    """
    limits = permitting.of(campaign.workspace, by, kept=campaign.limits).limits.dump()
    if campaign.pk is None:
        changes = {**changes, "limits": limits}
        return steering.create(campaign.workspace, by, submission=campaign.submission, **changes)
    with transaction.atomic():
        same = Campaign.objects.select_for_update().filter(
            pk=campaign.pk, state=State.DRAFT, updated_at=campaign.updated_at
        )
        if not same.exists():
            raise Refused(_("This is no draft any more, or it was changed elsewhere meanwhile."))
        # What recurs keeps the limits of who let it run.
        recurs = campaign.is_pattern and campaign.repeats.started_at
        steering.save(campaign, **changes, **({} if recurs else {"limits": limits}))
    return campaign


def take_picture(campaign: Campaign, upload: UploadedFile[Any], content_type: str) -> None:
    """Let its messages carry an uploaded picture, in place of any other."""
    picture: Media = media.store_upload(campaign.workspace, upload, content_type)
    steering.set_media(campaign, [picture])


def take_sheet(campaign: Campaign, upload: UploadedFile[Any]) -> None:
    """Add the people of a file, in place of another file's. Raises Unreadable, Refused."""
    steering.save(campaign, sheet=sheets.keep(campaign.workspace, upload))


def take_column(campaign: Campaign, column: int) -> None:
    """Say which column of its file holds the numbers. Raises Refused."""
    sheet = campaign.sheet
    if sheet is None or sheet.number == column or column >= len(sheet.keys):
        return
    if Campaign.objects.filter(sheet=sheet).exclude(pk=campaign.pk).exists():
        raise Refused(
            _("Another campaign uses this file too. Choose the file again to change its column.")
        )
    steering.save(campaign, updated_at=timezone.now())
    Sheet.objects.filter(pk=sheet.pk).update(number=column)
    sheet.number = column
