"""What Twilio's error codes mean: https://www.twilio.com/docs/api/errors, read 2026-11."""

from __future__ import annotations

from phones.base import (
    BadNumber,
    Misconfigured,
    OptedOut,
    PhoneError,
    Reason,
    Rejected,
    Temporary,
    Throttled,
)

# For codes that are not here, answers.py goes by the status of the answer.
_CODES: dict[type[PhoneError], str] = {
    BadNumber: "21211 21214 21217 21614 21635 30005 30006",
    OptedOut: "21610",
    Rejected: (
        # Of this recipient: trial, region not enabled, no route, switched off, blocked, filtered …
        "21219 21408 21608 21612 30003 30004 30007 30011 30018 30024 "
        # … or of this message: empty, too long, its pictures, its validity, its time.
        "21602 21617 21618 21620 21623 21624 30019 35114 35115 35116 35117 35118"
    ),
    Misconfigured: (
        # The account, the sender, the Messaging Service …
        "20003 20005 30002 21212 21603 21606 21607 21621 21622 21659 21660 21661 30032 30034 "
        "21701 21702 21703 21704 21705 21709 21712 "
        # … or the address we are called back at, the same for every message: PUBLIC_URL.
        "21609"
    ),
    Throttled: "20429 14107 21611 30001 30022 63018",
    Temporary: "20500 20503 30008 30017 30023 30027",
}
KINDS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
# Seconds until another try. These are limits per day.
WAIT = {"30023": 6 * 3600.0, "30027": 6 * 3600.0}

_REASONS: dict[str, Reason] = {
    **{code: Reason.BAD_NUMBER for code, kind in KINDS.items() if kind is BadNumber},
    "21610": Reason.OPTED_OUT,
    **dict.fromkeys(["21612", "30003"], Reason.UNREACHABLE),
    **dict.fromkeys(["30004", "30007"], Reason.BLOCKED),
    "30036": Reason.EXPIRED,
    "30008": Reason.NONE,
}


def reason_for(code: str) -> Reason:
    """Give why a message was not delivered; "" is a failure without a code."""
    return _REASONS.get(code, Reason.REJECTED if code else Reason.NONE)
