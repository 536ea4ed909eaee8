"""The SMS API: https://developer.vonage.com/en/api/sms. It answers 200 whatever it thinks."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext

from lib import gsm
from lib.money import millionths
from phones.base import (
    BadAnswer,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
)
from phones.types.vonage.codes import KINDS

URL = "https://rest.nexmo.com/sms/json"
# Characters of an address that it takes along with a message; a longer one is left out.
_LONGEST_ADDRESS = 100
# “Throughput Rate Exceeded - please wait [ 250 ] and retry”: milliseconds.
_WAIT = re.compile(r"\[\s*(\d{1,7})\s*\]")


def order(sms: OutgoingSms, sender: str, report_to: str) -> dict[str, str]:
    """Give the fields of a message, without the credentials."""
    fields = {
        "from": sender,
        "to": sms.to.removeprefix("+"),
        "text": sms.text,
        # Unless told so, it replaces what GSM-7 does not have by question marks.
        "type": "text" if gsm.encoding_of(sms.text) == "gsm7" else "unicode",
        "status-report-req": "true",
        "client-ref": sms.reference,
    }
    if len(report_to) <= _LONGEST_ADDRESS:
        fields["callback"] = report_to
    if sms.flash:
        fields["message-class"] = "0"
    return fields


def sent(body: dict[str, Any]) -> Sent:
    """Read what became of each segment. Raises a PhoneError."""
    segments = body.get("messages")
    if not isinstance(segments, list) or not all(isinstance(item, dict) for item in segments):
        segments = []
    refused = [item for item in segments if str(item.get("status")) != "0"]
    if refused and len(refused) < len(segments):
        raise OutcomeUnknown(
            gettext("Vonage took a part of this message only: %(why)s")
            % {"why": _words(refused[0])},
            str(refused[0].get("status") or ""),
        )
    if refused:
        raise _refusal(refused[0])
    if not segments or not segments[0].get("message-id"):
        raise BadAnswer(gettext("Vonage does not say what became of this message."))
    prices = [millionths(item.get("message-price")) for item in segments]
    cost = None if None in prices else sum(price or 0 for price in prices)
    return Sent(
        str(segments[0]["message-id"]),
        segments=len(segments),
        cost=cost,
        # Vonage keeps its accounts in euros.
        currency="" if cost is None else "EUR",
    )


def _refusal(item: dict[str, Any]) -> PhoneError:
    code, words = str(item.get("status") or ""), _words(item)
    if not code:
        return BadAnswer(words)
    kind = KINDS.get(code, Rejected)
    if issubclass(kind, Temporary):
        wait = _WAIT.search(words)
        return kind(words, code, retry_after=int(wait[1]) / 1000 if wait else None)
    return kind(words, code)


def _words(item: dict[str, Any]) -> str:
    words = gettext("Vonage refused the message, without a word.")
    return str(item.get("error-text") or words)
