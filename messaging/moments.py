"""Times in running sentences, as the person's own clock and calendar show them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext


def moment(at: datetime) -> str:
    """Give a day and a time to the minute: Friday 28 November, 10:15."""
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return date_format(timezone.localtime(at), pgettext("time to the minute", "l j F, H:i"))


def soon(at: datetime) -> str:
    """Give a time that is near to the second, 10:28:40, and one of another day as a moment."""
    local = timezone.localtime(at)
    if local.date() != timezone.localdate():
        return moment(at)
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return date_format(local, pgettext("time of today to the second", "H:i:s"))


def lately(at: datetime) -> str:
    """Give the time alone where it is today's: 08:12."""
    local = timezone.localtime(at)
    if local.date() != timezone.localdate():
        return moment(at)
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return date_format(local, pgettext("time of today", "H:i"))
