"""The carrier of a number: https://www.twilio.com/docs/lookup/v2-api/line-type-intelligence, read 2026-11."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from phones.base import BadAnswer, BadNumber, Line, LookedUp, Rejected

FIELDS = "line_type_intelligence"
_LINES = {
    "mobile": Line.MOBILE,
    "landline": Line.LANDLINE,
    "fixedVoip": Line.VOIP,
    "nonFixedVoip": Line.VOIP,
}


def read(said: Any) -> LookedUp:
    """Read the SDK's record. Raises BadNumber, Rejected or BadAnswer."""
    if said.valid is False:
        why = ", ".join(map(str, said.validation_errors or []))
        raise BadNumber(gettext("Twilio says that there is no such number."), why)
    found = said.line_type_intelligence
    if not isinstance(found, dict):
        raise BadAnswer(gettext("Twilio told nothing of this number's carrier."))
    if code := found.get("error_code"):
        raise Rejected(gettext("Twilio could not look this number up."), str(code))
    network = [
        str(found.get(name) or "") for name in ("mobile_country_code", "mobile_network_code")
    ]
    return LookedUp(
        carrier=str(found.get("carrier_name") or ""),
        line=_LINES.get(str(found.get("type")), Line.UNKNOWN),
        country=str(said.country_code or ""),
        code="-".join(network) if all(network) else "",
    )
