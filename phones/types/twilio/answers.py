"""What Twilio's answers mean: a message taken, an amount of money, a refusal."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from phones.base import (
    BadAnswer,
    Misconfigured,
    Money,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
    Throttled,
)
from phones.types.twilio.codes import KINDS, WAIT


def sent(message: Any) -> Sent:
    if message.status in ("failed", "undelivered", "canceled"):
        code = str(message.error_code or "")
        words = message.error_message or gettext("Twilio took the message and gave it up at once.")
        raise _error(KINDS.get(code, Rejected), words, code, None)
    if not message.sid:
        raise BadAnswer(gettext("Twilio took the message without giving it an SID."))
    cost = millionths(message.price)
    return Sent(
        provider_id=message.sid,
        segments=segments_of(message),
        # Prices are written as debts: "-0.0075".
        cost=None if cost is None else abs(cost),
        currency="" if cost is None else str(message.price_unit or ""),
    )


def segments_of(message: Any) -> int | None:
    """Give the number of segments, None as long as a Messaging Service has not chosen a number."""
    written = str(message.num_segments or "")
    return (int(written) if written.isdecimal() else 0) or None


def price(country: Any) -> Money:
    """Give the dearest price of a country: it depends on the network and on the kind of our number.

    https://www.twilio.com/docs/messaging/api/pricing, read 2026-11.
    """
    amounts = [
        millionths(kind.get("current_price"))
        for network in country.outbound_sms_prices or []
        for kind in network.get("prices") or []
    ]
    dearest = max((amount for amount in amounts if amount is not None), default=None)
    if dearest is None:
        raise Rejected(gettext("Twilio tells no price for this country."))
    return Money(dearest, str(country.price_unit or "").upper())


def refusal(answer: Answer, *, creating: bool) -> PhoneError:
    """Give the error for an answer that is no success; `creating` = it may have made a message."""
    words, code = _said(answer)
    # Only 429 and 503 say that the request was not looked at. After any other failure of the server
    # the message may be on its way: trying again could send it twice.
    unsure = answer.status == 408 or answer.status >= 500
    if creating and unsure and answer.status != 503 and code != "20503":
        return OutcomeUnknown(words, code)
    return _error(KINDS.get(code) or _by_status(answer.status), words, code, answer.retry_after)


def _by_status(status: int) -> type[PhoneError]:
    if status in (401, 403, 404) or 300 <= status < 400:
        # Twilio's API never redirects: the address of the API is wrong.
        return Misconfigured
    if status == 402:
        return NoCredit
    if status == 429:
        return Throttled
    return Temporary if status == 408 or status >= 500 else Rejected


def _error(kind: type[PhoneError], words: str, code: str, after: float | None) -> PhoneError:
    if issubclass(kind, Temporary):
        return kind(words, code, retry_after=after or WAIT.get(code))
    return kind(words, code)


def _said(answer: Answer) -> tuple[str, str]:
    """Give Twilio's words and code, from its own JSON or from RFC 9457's."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    words = said.get("message") or said.get("detail") or said.get("title")
    if not words:
        words = gettext("Twilio answered HTTP %(status)s, without a word.")
        words = words % {"status": answer.status}
    return str(words), str(said.get("code") or "")


def millionths(written: Any) -> int | None:
    """Read an amount such as "12.34" in millionths; None for anything else."""
    try:
        return int(Decimal(str(written)) * 1_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        return None
