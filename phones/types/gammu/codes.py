"""What TP-Status of a delivery report means: 3GPP TS 23.040 §9.2.3.15."""

from __future__ import annotations

from phones.base import Delivery, Reason, StatusReport

# Up to 0x1f it is done, from 0x20 the network still tries, from 0x40 it has given up.
_DONE, _TRYING = 0x1F, 0x3F
_REASONS = {
    0x41: Reason.UNREACHABLE,  # incompatible destination
    0x42: Reason.BLOCKED,  # connection rejected by the handset
    0x43: Reason.BAD_NUMBER,  # not obtainable
    0x46: Reason.EXPIRED,
    0x47: Reason.REJECTED,  # deleted by the sender
    0x48: Reason.REJECTED,  # deleted by the service centre
    0x49: Reason.REJECTED,  # does not exist
    0x61: Reason.UNREACHABLE,  # handset busy
    0x62: Reason.UNREACHABLE,  # no response from the handset
    0x63: Reason.BLOCKED,  # service rejected
    0x65: Reason.UNREACHABLE,  # error in the handset
}


def state_of(status: int) -> Delivery:
    """Give what a TP-Status says of one part."""
    if status <= _DONE:
        return Delivery.DELIVERED
    return Delivery.SENT if status <= _TRYING else Delivery.FAILED


def failed(provider_id: str, status: int, words: str) -> StatusReport:
    """Give the report that a message failed; `status` is TP-Status, -1 where there was none."""
    return StatusReport(
        Delivery.FAILED,
        provider_id,
        reason=_REASONS.get(status & 0x7F if status >= 0 else -1, Reason.REJECTED),
        code=f"0x{status:02x}" if status >= 0 else "",
        words=words,
    )
