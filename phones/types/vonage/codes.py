"""What Vonage's numbers mean, read 2026-11.

https://developer.vonage.com/en/api-errors/sms and …/messages for refusals; for reports the err-code of
https://developer.vonage.com/messaging/sms/guides/delivery-receipts and again …/messages.
"""

from __future__ import annotations

from phones.base import (
    BadNumber,
    Misconfigured,
    NoCredit,
    OptedOut,
    PhoneError,
    Reason,
    Temporary,
    Throttled,
)

# Refusals of the SMS API (1 to 101) and of the Messages API (from 1000, and in words).
KINDS: dict[str, type[PhoneError]] = {
    **dict.fromkeys(["1", "1000"], Throttled),
    # A failure of its own, too many connections, not submitted.
    **dict.fromkeys(["5", "10", "1100"], Temporary),
    # Credentials, suspended account, not enabled, signature, sender, callback address …
    **dict.fromkeys(["4", "8", "11", "14", "15", "23", "32"], Misconfigured),
    **dict.fromkeys(["1060", "1080", "1110", "1120", "1140"], Misconfigured),
    **dict.fromkeys(["account-suspended", "unprovisioned"], Misconfigured),
    **dict.fromkeys(["9", "1070", "low-balance", "out-of-credit"], NoCredit),
    **dict.fromkeys(["7", "33", "34", "1170"], BadNumber),
    **dict.fromkeys(["101", "1240"], OptedOut),
}
# Refusals that say that nothing was submitted, whatever the status of the answer.
NOT_TAKEN = {"1100"}

REASONS: dict[str, Reason] = {
    **dict.fromkeys(["3", "1170", "1190", "1310"], Reason.BAD_NUMBER),
    **dict.fromkeys(["2", "5", "7", "8", "12", "15"], Reason.UNREACHABLE),
    **dict.fromkeys(["1180", "1200", "1220", "1230", "1260", "1290"], Reason.UNREACHABLE),
    **dict.fromkeys(["4", "6", "13", "14", "1050"], Reason.BLOCKED),
    **dict.fromkeys(["1210", "1270", "1280"], Reason.BLOCKED),
    **dict.fromkeys(["9", "1240"], Reason.OPTED_OUT),
    "1360": Reason.EXPIRED,
}
