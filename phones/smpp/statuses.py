"""What a command_status means for the message it answers (SMPP 3.4 §5.1.3).

Operators give 0x100 and up their own meanings; a phone's settings may name them. What nobody named
fails the message, with the code and the words the specification has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from smpplib import consts

from phones.base import (
    BadNumber,
    Misconfigured,
    NoCredit,
    OptedOut,
    PhoneError,
    Rejected,
    Temporary,
    Throttled,
)

THROTTLED, QUEUE_FULL = consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL
# The bind must be made anew: it is not what this PDU needs.
WRONG_STATE = consts.SMPP_ESME_RINVBNDSTS
TEMPORARY_TROUBLE = consts.SMPP_ESME_RX_T_APPN

# The classes a setting can name, and the error each of them is.
CLASSES: dict[str, type[PhoneError]] = {
    "throttled": Throttled,
    "temporary": Temporary,
    "rejected": Rejected,
    "bad number": BadNumber,
    "opted out": OptedOut,
    "no credit": NoCredit,
    "misconfigured": Misconfigured,
}
_MEANINGS: dict[int, type[PhoneError]] = {
    THROTTLED: Throttled,
    QUEUE_FULL: Throttled,
    WRONG_STATE: Temporary,
    consts.SMPP_ESME_RSYSERR: Temporary,
    consts.SMPP_ESME_RSUBMITFAIL: Temporary,
    TEMPORARY_TROUBLE: Temporary,
    consts.SMPP_ESME_RDELIVERYFAILURE: Temporary,
    consts.SMPP_ESME_RUNKNOWNERR: Temporary,
    consts.SMPP_ESME_RINVDSTADR: BadNumber,
    consts.SMPP_ESME_RINVDSTTON: BadNumber,
    consts.SMPP_ESME_RINVDSTNPI: BadNumber,
}
# Seconds of rest after the first throttle; it doubles while they follow one another.
_REST: dict[int, float] = {THROTTLED: 1, QUEUE_FULL: 5}
# The account is wrong: insisting would lock it (checklist of docs/smpp.md).
_ACCOUNT = {
    consts.SMPP_ESME_RINVPASWD,
    consts.SMPP_ESME_RINVSYSID,
    consts.SMPP_ESME_RINVSYSTYP,
}


def words_of(status: int) -> str:
    """Give the words of the specification for a status."""
    words = consts.DESCRIPTIONS.get(status, "")
    if not words or words.startswith("<"):
        return "The operator refused it with a code of its own." if status >= 0x100 else "Refused."
    return str(words)


def code_of(status: int) -> str:
    """Give a status as operators write it: 0x00000058."""
    return f"0x{status:08X}"


def error_of(status: int, own: Mapping[int, str], told: str = "") -> PhoneError:
    """Give the error that a status of a submit_sm_resp is; `own` = a phone's classes by status.

    `told` = what the server itself said of it (additional_status_info_text).
    """
    kind = CLASSES[own[status]] if status in own else _MEANINGS.get(status, Rejected)
    words, code = told or words_of(status), code_of(status)
    if issubclass(kind, Temporary):
        make: Callable[..., PhoneError] = kind
        return make(words, code, retry_after=_REST.get(status))
    return kind(words, code)


def bind_error_of(status: int, told: str = "") -> PhoneError:
    """Give the error that a status of a bind response is: Misconfigured where the account is wrong."""
    kind = Misconfigured if status in _ACCOUNT else Temporary
    return kind(told or words_of(status), code_of(status))
