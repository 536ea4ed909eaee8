"""Quotas in words."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from accounts.models import Workspace
from lib import zones
from messaging.quota.ledger import Balance
from messaging.quota.models import Quota
from messaging.quota.periods import ends


def spoken(amount: int, unit: str) -> str:
    """Say an amount with its unit: 5,000 segments."""
    words = (
        ngettext("%(count)s segment", "%(count)s segments", amount)
        if unit == Quota.Unit.SEGMENTS
        else ngettext("%(count)s message", "%(count)s messages", amount)
    )
    return words % {"count": _number(amount)}


def quota_words(quota: Quota) -> str:
    """Say a quota: 5,000 segments a month."""
    return _("%(amount)s %(every)s") % {
        "amount": spoken(quota.amount, quota.unit),
        "every": quota.get_every_display(),
    }


def left_words(balance: Balance) -> str:
    """Say what is left: 1,240 of 5,000 segments left until 1 December."""
    words = {
        "left": _number(max(0, balance.left)),
        "granted": spoken(max(0, balance.granted), balance.quota.unit),
    }
    if balance.has_ended:
        told = _("%(left)s of %(granted)s left. The quota has ended.")
    elif balance.period.ends_at:
        told = _("%(left)s of %(granted)s left until %(day)s")
        words["day"] = day(balance.period.ends_at, balance.quota.workspace)
    else:
        told = _("%(left)s of %(granted)s left")
    return told % words


def until_words(balance: Balance) -> str:
    """Say when what waits for a quota may leave."""
    ends_at = balance.period.ends_at
    if balance.quota.renews and ends_at:
        words = _("It leaves by itself when the quota has room again. It renews on %(day)s.")
        return words % {"day": day(ends_at, balance.quota.workspace)}
    if balance.quota.person_id:
        return _("It leaves by itself once an administrator of the workspace gives more.")
    return _("It leaves by itself once an administrator of this site gives more.")


def short_words(balance: Balance, people: int, segments: int) -> str:
    """Say what a quota does not let through of so many messages; "" where it lets all."""
    quota = balance.quota
    needed = segments if quota.unit == Quota.Unit.SEGMENTS else people
    over = needed - max(0, balance.left)
    if over <= 0:
        return ""
    named = {
        "over": _number(over),
        "needed": spoken(needed, quota.unit),
        "left": left_words(balance),
        "day": "",
    }
    if quota.over == Quota.Over.SKIP:
        mine = _("Your quota is too small (%(left)s): %(over)s of %(needed)s are left out.")
        shared = _("The quota is too small (%(left)s): %(over)s of %(needed)s are left out.")
    elif until := _room_at(balance, over):
        named["day"] = day(until, quota.workspace)
        mine = _(
            "Your quota is too small (%(left)s): %(over)s of %(needed)s have to wait, the last until %(day)s."
        )
        shared = _(
            "The quota is too small (%(left)s): %(over)s of %(needed)s have to wait, the last until %(day)s."
        )
    else:
        mine = _(
            "Your quota is too small (%(left)s): %(over)s of %(needed)s have to wait until you get more."
        )
        shared = _(
            "The quota is too small (%(left)s): %(over)s of %(needed)s have to wait until more is given."
        )
    return (mine if quota.person_id else shared) % named


# Renewals that are looked ahead.
_MOST_AHEAD = 60


def _room_at(balance: Balance, over: int) -> datetime | None:
    """Give the renewal by which there is room for so much more, None where none is in sight."""
    quota, at = balance.quota, balance.period.ends_at
    if not (quota.renews and quota.amount and at):
        return None
    times = -(-over // quota.amount)
    if times > _MOST_AHEAD:
        return None
    for _time in range(times - 1):
        at = ends(quota.every, zones.zone(quota.workspace.time_zone), at)  # type: ignore[arg-type]
    return at


def day(at: datetime, workspace: Workspace) -> str:
    """Give a day of the workspace's calendar, with its year where that is another one."""
    zone = zones.zone(workspace.time_zone)
    local = at.astimezone(zone)
    if local.year == timezone.now().astimezone(zone).year:
        # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
        return date_format(local, pgettext("a day of this year", "j F"))
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return date_format(local, pgettext("a day", "j F Y"))


def _number(amount: int) -> str:
    return number_format(amount, force_grouping=True)
