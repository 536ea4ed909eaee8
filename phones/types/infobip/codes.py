"""What Infobip's statuses and errors mean.

https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes, read 2026-11. By
number: some of the names have changed over the years.
"""

from __future__ import annotations

from typing import Any

from phones.base import (
    BadNumber,
    Delivery,
    Misconfigured,
    NoCredit,
    OptedOut,
    PhoneError,
    Reason,
    Rejected,
    Temporary,
)

# Groups: 0 accepted, 1 pending, 2 undeliverable, 3 delivered, 4 expired, 5 rejected.
TAKEN = {0, 1, 3}
REFUSED = 5
# An id that it has taken before.
DUPLICATE = 23
# Handed to the network: waiting for its report, on the way, with the operator.
_ON_ITS_WAY = {2, 3, 7}
_STATES = {
    2: Delivery.FAILED,
    3: Delivery.DELIVERED,
    4: Delivery.FAILED,
    5: Delivery.FAILED,
}

_REFUSALS: dict[int, type[PhoneError]] = {
    **dict.fromkeys([8, 51, 52], BadNumber),
    # Sender not registered, sender on the account's block list.
    **dict.fromkeys([11, 13], Misconfigured),
    **dict.fromkeys([12, 17], NoCredit),
    # On the block list, where STOP puts people.
    14: OptedOut,
    # A mistake of its own.
    21: Temporary,
}
_BY_STATUS = {
    4: Reason.BLOCKED,
    9: Reason.UNREACHABLE,
    **dict.fromkeys([8, 51, 52], Reason.BAD_NUMBER),
    **dict.fromkeys([10, 20, 87], Reason.BLOCKED),
    14: Reason.OPTED_OUT,
    **dict.fromkeys([15, 29], Reason.EXPIRED),
}
# The network's own error says more than the status.
_BY_ERROR = {
    **dict.fromkeys([1, 11, 629], Reason.BAD_NUMBER),
    **dict.fromkeys([5, 6, 8, 13, 27, 31, 32, 256, 502, 628], Reason.UNREACHABLE),
    **dict.fromkeys([9, 12, 565], Reason.BLOCKED),
    573: Reason.OPTED_OUT,
}


def number(said: dict[str, Any], name: str) -> int:
    """Give a field that should be a whole number, -1 for anything else."""
    value = said.get(name)
    return value if isinstance(value, int) else -1


def refusal(status: dict[str, Any]) -> PhoneError:
    """Give the error for a message that was refused at once."""
    kind = _REFUSALS.get(number(status, "id"), Rejected)
    name = str(status.get("name") or "")
    return kind(str(status.get("description") or name), name)


def state(status: dict[str, Any]) -> Delivery | None:
    """Give what a report says, None when it is no news."""
    if number(status, "id") in _ON_ITS_WAY:
        return Delivery.SENT
    return _STATES.get(number(status, "groupId"))


def reason(status: dict[str, Any], error: dict[str, Any]) -> Reason:
    return _BY_ERROR.get(number(error, "id")) or _BY_STATUS.get(
        number(status, "id"), Reason.REJECTED
    )
