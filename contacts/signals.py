"""What contacts tell and ask the apps above them: who wants no more, what they hold about a person."""

from __future__ import annotations

from django.dispatch import Signal

# workspace, number (E.164): each receiver gives a list of contacts.holdings.Holding, or raises
# contacts.holdings.CannotErase later, when one of them is erased.
asked_for_holdings = Signal()
# workspace, number (E.164): somebody is to get no more messages.
wants_no_more = Signal()
