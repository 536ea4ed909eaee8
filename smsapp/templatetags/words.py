"""How things are shown: icons, chips, numbers, times, money. In every template without {% load %}."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from lib import e164, masks
from lib import money as lib_money
from messaging.models import Status
from phones import reaching, standing
from phones.connections import is_connected
from phones.health import kind_of
from phones.models import Phone
from smsapp.usage import month_name

register = template.Library()

# What stands before a status' word, and its colour; "" is grey.
_CHIPS = {
    Status.QUEUED: ("clock", ""),
    Status.SENDING: ("loader-2", "is-blue"),
    Status.SENT: ("check", "is-blue"),
    Status.DELIVERED: ("checks", "is-green"),
    Status.FAILED: ("circle-x", "is-red"),
    Status.UNKNOWN: ("help-circle", "is-amber"),
    Status.CANCELLED: ("ban", ""),
    Status.SKIPPED: ("ban", ""),
    Status.RECEIVED: ("inbox", ""),
}
_STRUCK = {Status.CANCELLED, Status.SKIPPED}


@register.simple_tag
def icon(name: str, size: int = 20, classes: str = "") -> SafeString:
    """Draw an icon of static/icons.svg; it says nothing to screen readers, so put a word beside it."""
    look = " ".join(filter(None, ["icon", "icon-16" if size == 16 else "", classes]))
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        look,
        static("icons.svg"),
        name,
    )


@register.inclusion_tag("components/chip.html")
def chip(status: str) -> dict[str, Any]:
    """Draw a message's status: icon, word, colour. The same everywhere."""
    state = Status(status)
    name, look = _CHIPS[state]
    return {"icon": name, "look": look, "word": state.label, "struck": state in _STRUCK}


@register.inclusion_tag("components/chip.html")
def phone_chip(
    phone: Phone, slow: bool = False, rests: object = None, full: bool = False
) -> dict[str, Any]:
    """Draw a phone's state. `slow`: its provider asked us to slow down (`limits.pace(phone).is_slow`).

    `rests`: too many of its messages failed (`Watch.rests_until`); `full`: a limit of its is reached
    (`Standing.is_full`).
    """
    if phone.is_deleted:
        return {"icon": "ban", "look": "", "word": gettext_lazy("Deleted"), "struck": True}
    if phone.is_paused:
        return {"icon": "player-pause", "look": "is-amber", "word": gettext_lazy("Paused")}
    kind = kind_of(phone)
    if kind is None:
        return {"icon": "alert-triangle", "look": "is-red", "word": gettext_lazy("Out of order")}
    if rests:
        return {"icon": "clock-pause", "look": "is-amber", "word": gettext_lazy("Resting")}
    if full:
        return {"icon": "clock-pause", "look": "is-amber", "word": gettext_lazy("Limit reached")}
    if slow:
        return {"icon": "clock-pause", "look": "is-amber", "word": gettext_lazy("Slowed down")}
    if kind.connected and not is_connected(phone):
        return {"icon": "alert-circle", "look": "is-amber", "word": gettext_lazy("Not connected")}
    return {"icon": "circle-check", "look": "is-green", "word": gettext_lazy("Ready")}


@register.simple_tag(takes_context=True)
def place(context: Context, name: str) -> str:
    """Mark the link to the current place. The place follows from the URL's name (smsapp.context)."""
    return SafeString(' aria-current="page"') if context.get("place") == name else ""


register.filter("limit_words", standing.limit_words)
register.filter("left_words", standing.left_words)
register.filter("limit_until", standing.until_words)
register.filter("places", reaching.written)


@register.filter
def spoken(number: str) -> SafeString:
    """Draw somebody's number as people read it: +33 6 12 34 56 78, or with most of it hidden from those
    who may not see numbers. Names and short codes stay."""
    return format_html('<bdi class="num">{}</bdi>', masks.shown(number or ""))


@register.filter
def own_number(number: str) -> SafeString:
    """Draw a number of ours, which is hidden from nobody: that of a phone."""
    return format_html('<bdi class="num">{}</bdi>', e164.spoken(number or ""))


register.filter("plain", masks.plain)
register.filter("mark", masks.mark)


@register.filter
def said(words: object) -> str:
    """Give somebody else's words (a provider's), with the numbers in them hidden where they are."""
    return "" if words is None else masks.said(str(words))


register.filter("echoed", masks.echoed)


@register.filter
def called(number: str, names: dict[str, str] | str) -> SafeString:
    """Draw what somebody is called, the number where `names` (numbers → names) has none."""
    name = names.get(number or "") if isinstance(names, dict) else None
    return format_html("<bdi>{}</bdi>", name) if name else spoken(number)


@register.filter
def monogram(name: Any) -> str:
    """Give the initials of a name, two at most: Les Tilleuls → LT."""
    words = [word for word in str(name).split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def exact(at: datetime | None) -> str:
    """Give a time to the second, in the reader's zone: Thu 20 Nov 2025, 10:42:07."""
    if at is None:
        return ""
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return formats.date_format(
        timezone.localtime(at), pgettext("time to the second", "D j M Y, H:i:s")
    )


@register.filter
def day(at: datetime | None) -> str:
    """Give a day in full, without its year: Thursday 20 November."""
    if at is None:
        return ""
    # Translators: see https://docs.djangoproject.com/en/5.2/ref/templates/builtins/#date
    return formats.date_format(timezone.localtime(at), pgettext("day in full", "l j F"))


@register.filter
def short_day(at: datetime | None) -> str:
    """Give a day of this year in short: 20 Nov."""
    if at is None:
        return ""
    return formats.date_format(timezone.localtime(at), pgettext("day of this year", "j M"))


@register.filter
def figure(number: float) -> str:
    """Give a number with as many decimals as it needs, two at most, one from 10 on: 50, 17.5, 0.25."""
    most = 1 if number >= 10 else 2
    number = round(number, most)
    digits = len(f"{number:.{most}f}".rstrip("0").partition(".")[2])
    return formats.number_format(number, decimal_pos=digits, use_l10n=True, force_grouping=True)


@register.filter
def city(zone: str) -> str:
    """Give the place of an IANA zone: America/New_York → New York."""
    return zone.rpartition("/")[2].replace("_", " ")


@register.filter
def soon(at: datetime) -> str:
    """Draw a time to come: today 16:00, Fri 07:15 within a week, else 5 Dec 09:00."""
    local, today = timezone.localtime(at), timezone.localdate()
    if local.date() == today:
        words = _("today %(time)s") % {"time": formats.date_format(local, "H:i")}
    elif local.date() - today < timedelta(days=7):
        words = formats.date_format(local, pgettext("day of this week and time", "D H:i"))
    else:
        words = formats.date_format(local, pgettext("day and time", "j M H:i"))
    iso = at.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact(at), words)


@register.filter
def ago(at: datetime | None) -> str:
    """Draw how long ago it was (or how far it is), with the exact time on hover."""
    if at is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        exact(at),
        _distance(at, timezone.now()),
    )


def _distance(at: datetime, now: datetime) -> str:
    """Say it in seconds, minutes and hours within a day, in days within a week, else by its date."""
    ahead = at > now
    gap = abs(at - now)
    if gap >= timedelta(days=7):
        return _date(at, now)
    if gap >= timedelta(days=1):
        return _in_days(gap.days, ahead)
    seconds = int(gap.total_seconds())
    if seconds >= 3600:
        count, past, future = seconds // 3600, _("%(count)s h ago"), _("in %(count)s h")
    elif seconds >= 60:
        count, past, future = seconds // 60, _("%(count)s min ago"), _("in %(count)s min")
    elif seconds:
        count, past, future = seconds, _("%(count)s s ago"), _("in %(count)s s")
    else:
        return _("now")
    return (future if ahead else past) % {"count": count}


def _in_days(count: int, ahead: bool) -> str:
    if ahead:
        return ngettext("in %(count)s day", "in %(count)s days", count) % {"count": count}
    return ngettext("%(count)s day ago", "%(count)s days ago", count) % {"count": count}


def _date(at: datetime, now: datetime) -> str:
    local = timezone.localtime(at)
    if local.year == timezone.localtime(now).year:
        return formats.date_format(local, pgettext("day of this year", "j M"))
    return formats.date_format(local, pgettext("day of another year", "j M Y"))


@register.filter
def money(amount: int | None, currency: str) -> str:
    """Give millionths of a currency as an amount: 75000 and EUR → 0.075 EUR. Nothing when unknown."""
    return "" if amount is None else lib_money.spoken(amount, currency)


@register.filter
def about(amount: int, currency: str) -> str:
    """Give a sum, rounded to the small unit of its currency: 8526000 and EUR → 8.53 EUR."""
    return lib_money.about(amount, currency)


@register.filter
def month(first: date) -> str:
    """Give a month with its year: November 2026."""
    return month_name(first)
