"""What campaigns hold about a person: their number where somebody pasted it, their rows in files."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils.translation import ngettext

from accounts.models import Workspace
from campaigns import rehearsing, sheets
from campaigns.models import Campaign, Sheet
from contacts.holdings import Holding
from contacts.signals import asked_for_holdings


@receiver(asked_for_holdings)
def holdings(*, workspace: Workspace, number: str, **_named: Any) -> list[Holding]:
    """Give the campaigns whose pasted lists name a number (E.164), and the files of recipients."""
    files = [
        sheet
        for sheet in Sheet.objects.filter(workspace=workspace).select_related("workspace")
        if sheets.mentions(sheet, number)
    ]
    named = [campaign for campaign in _with_lists(workspace) if number in _numbers(campaign)]
    return [
        Holding(
            key="campaigns",
            label=ngettext("list of a campaign", "lists of campaigns", len(named)),
            amount=len(named),
            rows=lambda: ({"name": campaign.name} for campaign in named),
            erase=lambda: _erase(named, number),
        ),
        Holding(
            key="files",
            label=ngettext("file of recipients", "files of recipients", len(files)),
            amount=len(files),
            rows=lambda: (
                {"file": sheet.name, "cells": row}
                for sheet in files
                for row in sheets.about(sheet, number)
            ),
            erase=lambda: _erase_from(files, workspace, number),
        ),
    ]


def _erase_from(files: list[Sheet], workspace: Workspace, number: str) -> None:
    """Take a number out of files once that is certain, and forget which numbers were rehearsed."""
    for sheet in files:
        transaction.on_commit(partial(sheets.erase, sheet, number))
    mine = Campaign.objects.filter(workspace=workspace)
    for submission in mine.values_list("submission", flat=True):
        transaction.on_commit(partial(rehearsing.forget, submission))
    for pk, plan in mine.exclude(plan={}).values_list("pk", "plan"):
        left = [repeat for repeat in plan.get("repeats", []) if repeat[0] != number]
        if len(left) < len(plan.get("repeats", [])):
            Campaign.objects.filter(pk=pk).update(plan=plan | {"repeats": left})


def _with_lists(workspace: Workspace) -> list[Campaign]:
    mine = Campaign.objects.filter(workspace=workspace).exclude(numbers=[], without_numbers=[])
    return list(mine.only("name", "numbers", "without_numbers"))


def _numbers(campaign: Campaign) -> set[str]:
    return {*campaign.numbers, *campaign.without_numbers}


def _erase(named: list[Campaign], number: str) -> None:
    """Take a number out of lists. Its place in those to be reached stays, empty: places are counted."""
    for found in named:
        with transaction.atomic():
            campaign = Campaign.objects.select_for_update(no_key=True).get(pk=found.pk)
            Campaign.objects.filter(pk=campaign.pk).update(
                numbers=["" if one == number else one for one in campaign.numbers],
                without_numbers=[one for one in campaign.without_numbers if one != number],
            )
