"""Placeholder until the when helper's lands."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from campaigns.models import Campaign


def starts_at(campaign: Campaign) -> datetime | None:
    return campaign.send_at


def moment_for(campaign: Campaign, zone: str) -> datetime:
    return campaign.send_at or timezone.now()


def zone_of(number: str, contact_zone: str, workspace_zone: str) -> str:
    return workspace_zone
