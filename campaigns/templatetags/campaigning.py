"""How campaigns are drawn: their state, their people's, and a text with its fields marked."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from campaigns import recipients
from campaigns.models import Campaign, State
from lib import money
from messaging.models import Message

register = template.Library()

# What stands before a state's word, and its colour; "" is grey.
_CHIPS = {
    State.DRAFT: ("pencil", ""),
    State.ASKED: ("clipboard-check", "is-amber"),
    State.SCHEDULED: ("calendar", ""),
    State.RUNNING: ("loader-2", "is-blue"),
    State.PAUSED: ("player-pause", "is-amber"),
    State.DONE: ("circle-check", "is-green"),
    State.CANCELLED: ("ban", ""),
}
_FIELD = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


@register.inclusion_tag("components/chip.html")
def campaign_chip(campaign: Campaign) -> dict[str, Any]:
    """Draw a campaign's state: icon, word, colour."""
    state = State(campaign.state)
    name, look = _CHIPS[state]
    return {
        "icon": name,
        "look": look,
        "word": state.label,
        "struck": state == State.CANCELLED,
    }


@register.filter
def fields_marked(text: str) -> SafeString:
    """Draw a text with what is filled in for each person (`{{ … }}`, `{% … %}`) marked."""
    parts = enumerate(_FIELD.split(text))
    return format_html_join(
        "",
        "{}",
        ((format_html('<span class="field">{}</span>', p) if n % 2 else p,) for n, p in parts),
    )


@register.filter
def why(message: Message) -> str:
    """Say in a few words why a message of a campaign is where it is."""
    return recipients.why(message)


@register.filter
def last_change(message: Message) -> datetime | None:
    """Give when a message came to where it is, None while it waits."""
    return message.delivered_at or message.ended_at or message.sent_at or message.claimed_at


@register.filter
def lately(at: datetime | None) -> str:
    """Give a time of today to the second, 10:41:58, and one of another day as 12 Nov 16:42."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    if local.date() == timezone.localdate():
        return date_format(local, pgettext("time of today to the second", "H:i:s"))
    return date_format(local, pgettext("day and time", "j M H:i"))


@register.filter
def about(amount: int, currency: str) -> str:
    """Give an estimate in millionths of a currency, rounded: 8526000 and EUR → 8.53 EUR."""
    return money.about(amount, currency)
