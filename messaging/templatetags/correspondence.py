"""What was said between a workspace and one person, on that person's page."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.models import Workspace
from messaging.models import Conversation, Message

register = template.Library()

# Messages shown of one person.
_SHOWN = 10


@register.inclusion_tag("messaging/_correspondence.html")
def correspondence(workspace: Workspace, number: str) -> dict[str, Any]:
    """Draw the newest messages with a number (E.164), and the way to all of them. Two queries."""
    mine = Message.objects.filter(workspace=workspace, peer=number).order_by("-id")
    shown = list(mine.select_related("phone").defer("phone__settings")[: _SHOWN + 1])
    talk = Conversation.objects.filter(workspace=workspace, peer=number)
    return {
        "rows": shown[:_SHOWN],
        "has_more": len(shown) > _SHOWN,
        "number": number,
        "conversation": talk.values_list("pk", flat=True).first(),
    }
