"""What Plivo's answers mean: messages taken, an amount of money, a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from phones.base import (
    BadAnswer,
    BadNumber,
    Line,
    LookedUp,
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
from phones.types.plivo.callbacks import digits

_BY_STATUS: dict[int, type[PhoneError]] = {
    401: Misconfigured,
    402: NoCredit,
    # 403 refuses one country, which the account has not enabled.
    404: Misconfigured,
    429: Throttled,
}

_LINES = {
    "mobile": Line.MOBILE,
    "fixed": Line.LANDLINE,
    "landline": Line.LANDLINE,
    "voip": Line.VOIP,
}


def outcomes(batch: Sequence[OutgoingSms], said: dict[str, Any]) -> list[Sent | PhoneError]:
    """Give what became of each message. Raises BadAnswer when the ids fit no messages."""
    refused = {digits(number) for number in _names(said.get("invalid_number"))}
    taken = [sms.to for sms in batch if digits(sms.to) not in refused]
    uuids = _names(said.get("message_uuid"))
    if len(uuids) != len(taken):
        words = gettext("Plivo named %(named)s of %(all)s messages.")
        words %= {"named": len(uuids), "all": len(taken)}
        raise BadAnswer(str(said.get("error") or words))
    # One id for each number it took, in the order of the numbers.
    ids = dict(zip(taken, uuids, strict=True))
    no_number = BadNumber(gettext("Plivo says that this is no number to send to."))
    return [Sent(ids[sms.to]) if sms.to in ids else no_number for sms in batch]


def looked_up(said: dict[str, Any]) -> LookedUp:
    """Read what Plivo knows of a number. Raises BadAnswer."""
    carrier, country = said.get("carrier"), said.get("country")
    if not isinstance(carrier, dict):
        raise BadAnswer(gettext("Plivo told nothing of this number's carrier."))
    names = ("mobile_country_code", "mobile_network_code")
    network = [str(carrier.get(name) or "") for name in names]
    return LookedUp(
        carrier=str(carrier.get("name") or ""),
        line=_LINES.get(str(carrier.get("type")), Line.UNKNOWN),
        country=str(country.get("code_iso2") or "") if isinstance(country, dict) else "",
        code="-".join(network) if all(network) else "",
    )


def _names(said: object) -> list[str]:
    if isinstance(said, str):
        return [said]
    return [str(name) for name in said if name] if isinstance(said, list) else []


def refusal(answer: Answer, *, creating: bool) -> PhoneError:
    """Give the error for an answer that is no success; `creating` = it may have made a message."""
    said = body_of(answer)
    words = (
        said.get("error")
        or said.get("message")
        or gettext("Plivo answered HTTP %(status)s.") % {"status": answer.status}
    )
    code = str(answer.status)
    if answer.status == 408 or answer.status >= 500:
        return OutcomeUnknown(str(words), code) if creating else Temporary(str(words), code)
    if answer.status == 429:
        return Throttled(str(words), code, retry_after=answer.retry_after)
    usual = Rejected if answer.status >= 400 else BadAnswer
    return _BY_STATUS.get(answer.status, usual)(str(words), code)


def body_of(answer: Answer) -> dict[str, Any]:
    """Give the JSON object of an answer, {} for anything else."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
