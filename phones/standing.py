"""What a limit leaves, in words."""

from __future__ import annotations

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from phones.models import Limit, Period, Unit
from phones.quotas import Standing


def left_words(standing: Standing) -> str:
    """Say what is left of a limit: 62 messages left today."""
    left = standing.left
    words = {
        Unit.MESSAGES: ngettext(
            "%(count)s message left %(when)s", "%(count)s messages left %(when)s", left
        ),
        Unit.SEGMENTS: ngettext(
            "%(count)s segment left %(when)s", "%(count)s segments left %(when)s", left
        ),
        Unit.PEOPLE: ngettext(
            "%(count)s more new person %(when)s", "%(count)s more new people %(when)s", left
        ),
    }[Unit(standing.limit.unit)]
    told = words % {"count": number_format(left), "when": _when(standing.limit.period)}
    if not standing.until:
        return told
    # Translators: “0 messages left today; it goes on Sunday 22 November, 00:00”
    return _("%(left)s; %(until)s") % {"left": told, "until": until_words(standing)}


def until_words(standing: Standing) -> str:
    """Say from when on something may leave again: it goes on 21 November, 00:00."""
    assert standing.until is not None
    at = timezone.localtime(standing.until)
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    told = date_format(at, pgettext("time to the minute", "l j F, H:i"))
    return _("it goes on %(time)s") % {"time": told}


def _when(period: str) -> str:
    words = {
        Period.DAY: _("today"),
        Period.HOURS_24: _("in 24 hours"),
        Period.WEEK: _("this week"),
        Period.DAYS_7: _("in 7 days"),
        Period.MONTH: _("this month"),
        Period.DAYS_28: _("in 28 days"),
        Period.DAYS_30: _("in 30 days"),
        Period.DAYS_31: _("in 31 days"),
    }
    return words[Period(period)]


def limit_words(limit: Limit) -> str:
    """Say a limit: 100 messages a day."""
    words = {
        "amount": number_format(limit.amount, force_grouping=True),
        "unit": limit.get_unit_display(),
    }
    if limit.period in (Period.DAY, Period.WEEK, Period.MONTH):
        return _("%(amount)s %(unit)s %(period)s") % {**words, "period": limit.get_period_display()}
    return _("%(amount)s %(unit)s in %(period)s") % {**words, "period": limit.get_period_display()}
