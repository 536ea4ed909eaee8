"""What Octopush's answers mean: messages taken, an amount of money, a refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from lib.money import millionths
from phones.base import (
    BadAnswer,
    BadNumber,
    Balance,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
    Throttled,
)

# "A SMS with the same request_id has already been sent."
REPEATED = "120"
_REPEATED_WORDS = re.compile(r"request[_ ]id.*already", re.IGNORECASE)
# https://octopush.com/en/sms-gateway-api-documentation/return-codes/
_CODES: dict[type[PhoneError], str] = {
    # Login, sender, quality, an account not validated or blocked, the STOP mention.
    Misconfigured: "101 106 108 109 112 113 114 121 122",
    NoCredit: "104 105",
    BadNumber: "117",
    # The route is congested.
    Temporary: "153",
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
# Refusals of the text, which is the same for a whole batch.
OF_THE_TEXT = {"102", "107", "119"}


def body_of(answer: Answer) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def sent(said: dict[str, Any], batch: Sequence[OutgoingSms]) -> list[Sent]:
    """Give what became of each: one ticket serves all, and the price is that of all together."""
    cost = millionths(said.get("total_cost"))
    share = None if cost is None else cost // len(batch)
    segments = said.get("number_of_sms_needed")
    alone = len(batch) == 1 and isinstance(segments, int) and segments > 0
    return [
        Sent(
            name_of(str(said["sms_ticket"]), sms.to),
            segments=segments if alone else None,
            cost=share,
            currency="" if share is None else "EUR",
        )
        for sms in batch
    ]


def name_of(ticket: str, number: str) -> str:
    """Give the name of one message: its ticket is shared by all numbers of the request."""
    return f"{ticket}/{re.sub(r'[^0-9]', '', number)}"


def refusal(answer: Answer, said: dict[str, Any]) -> PhoneError:
    words, code = _words(answer, said), str(said.get("code") or "")
    if _REPEATED_WORDS.search(words):
        code = REPEATED
    kind = _KINDS.get(code) or _by_status(answer.status)
    if answer.status >= 500 or answer.status == 408:
        kind = OutcomeUnknown
    if issubclass(kind, Temporary):
        return kind(words, code, retry_after=answer.retry_after)
    return kind(words, code)


def _by_status(status: int) -> type[PhoneError]:
    if status in (401, 403):
        return Misconfigured
    if status == 402:
        return NoCredit
    if status == 429:
        return Throttled
    return Rejected if 400 <= status < 500 else BadAnswer


def _words(answer: Answer, said: dict[str, Any]) -> str:
    """Give Octopush's words, with what it says of single fields."""
    errors = said.get("errors")
    details = [
        str(item)
        for found in (errors.values() if isinstance(errors, dict) else ())
        for item in (found if isinstance(found, list) else [found])
    ]
    words = " ".join([str(said.get("message") or ""), *details]).strip()
    if words:
        return words
    without = gettext("Octopush answered HTTP %(status)s, without a word.")
    return without % {"status": answer.status}


def spoken(balance: Balance) -> str:
    return f"{Decimal(balance.amount) / 1_000_000:.2f} {balance.currency}"
