"""What is left of quotas, on pages of others."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.models import Workspace
from messaging.quota import ledger
from messaging.quota.ledger import Balance
from messaging.quota.models import QuotaEntry
from messaging.quota.showing import day, left_words, quota_words, spoken

register = template.Library()
register.filter("what_is_left", left_words)
register.filter("quota_words", quota_words)


@register.filter
def of_quota(amount: int, unit: str) -> str:
    """Say an amount in the unit of a quota: 5,000 segments."""
    return spoken(amount, unit)


@register.filter
def begun(balance: Balance) -> str:
    """Give the day on which a period began."""
    return day(balance.period.starts_at, balance.quota.workspace)


@register.filter
def signed(entry: QuotaEntry) -> str:
    """Give what a line of a ledger adds, or takes (with a true minus)."""
    number = spoken(abs(entry.amount), entry.period.quota.unit)
    return f"+{number}" if entry.amount > 0 else f"\N{MINUS SIGN}{number}"


@register.inclusion_tag("messaging/_quota_left.html")
def workspace_quota(workspace: Workspace) -> dict[str, Any]:
    """Draw a line for the quota of a workspace."""
    return {"balances": ledger.standings(ledger.of_person(workspace, None))}
