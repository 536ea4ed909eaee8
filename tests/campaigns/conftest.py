from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User, Workspace
from campaigns import expanding, feeding, rehearsing, steering
from campaigns.models import Campaign
from messaging.models import Message
from phones.models import Phone
from tests.messaging.conftest import line, number, scripted, send

__all__ = ["line", "scripted", "send"]


@pytest.fixture
def draft(workspace: Workspace, line: Phone, bob: User) -> Callable[..., Campaign]:
    """Write a campaign: to three numbers unless something else is said."""

    def draft(**fields: Any) -> Campaign:
        if not {"who", "sheet", "numbers"} & fields.keys():
            fields["numbers"] = [number(1), number(2), number(3)]
        values = {"name": "Flu", "text": "Come on Monday", "phone": line, **fields}
        return steering.create(workspace, bob, **values)

    return draft


@pytest.fixture
def begin(draft: Callable[..., Campaign], bob: User) -> Callable[..., Campaign]:
    """Write a campaign and start it; nothing is expanded before `work`."""

    def begin(**fields: Any) -> Campaign:
        campaign = draft(**fields)
        steering.start(campaign, bob)
        return campaign

    return begin


def work(campaign: Campaign) -> Campaign:
    """Do what the workers would do for a campaign, until there is nothing left but sending."""
    for _ in range(50):
        before = campaign.state, campaign.seen, campaign.plan
        rehearsing.run(campaign.pk)
        expanding.run(campaign.pk)
        steering.go_on(campaign.pk)
        let = feeding.feed(campaign.pk)
        feeding.finish()
        campaign.refresh_from_db()
        if not let and (campaign.state, campaign.seen, campaign.plan) == before:
            break
    return campaign


def messages(campaign: Campaign) -> list[Message]:
    return list(Message.objects.filter(campaign=campaign).order_by("pk"))


def by_state(campaign: Campaign) -> dict[str, int]:
    """Count its messages, by asking each."""
    found: dict[str, int] = {}
    for message in messages(campaign):
        found[message.status] = found.get(message.status, 0) + 1
    return found
