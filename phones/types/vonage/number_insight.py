"""The carrier of a number, by Number Insight Standard. It answers 200 and says in a status what happened.

https://developer.vonage.com/en/api/number-insight, read 2026-11. Vonage ends it on 4 February 2027.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from phones.base import (
    BadAnswer,
    BadNumber,
    Line,
    LookedUp,
    Misconfigured,
    NoCredit,
    PhoneError,
    Temporary,
    Throttled,
)

URL = "https://api.nexmo.com/ni/standard/json"
_STATUS: dict[int, type[PhoneError]] = {
    1: Throttled,
    3: BadNumber,
    4: Misconfigured,
    5: Temporary,
    9: NoCredit,
    19: Misconfigured,
}
# The network itself was not asked, and what its numbering plan says is there.
_BY_PLAN = (0, 43, 44, 45)
_LINES = {
    "mobile": Line.MOBILE,
    "landline": Line.LANDLINE,
    "landline_premium": Line.LANDLINE,
    "landline_tollfree": Line.LANDLINE,
    "virtual": Line.VOIP,
}


def read(said: dict[str, Any]) -> LookedUp:
    """Read an answer. Raises what its status means, BadAnswer for one that is not known."""
    status = said.get("status")
    if status not in _BY_PLAN:
        words = str(said.get("status_message") or said.get("error_text") or "")
        known = _STATUS.get(status, BadAnswer) if isinstance(status, int) else BadAnswer
        code = "" if status is None else str(status)
        raise known(words or gettext("Vonage does not say whose number this is."), code)
    carrier = said.get("current_carrier")
    carrier = carrier if isinstance(carrier, dict) else {}
    network = str(carrier.get("network_code") or "")
    return LookedUp(
        carrier=str(carrier.get("name") or ""),
        line=_LINES.get(str(carrier.get("network_type")), Line.UNKNOWN),
        country=str(carrier.get("country") or said.get("country_code") or ""),
        # Of a number that has none it says a word in its place, such as “US-FIXED”.
        code=f"{network[:3]}-{network[3:]}" if network.isdecimal() and len(network) > 3 else "",
    )
