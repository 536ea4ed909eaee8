"""The request to the service: templates filled in once, each value encoded for where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from phones.base import OutgoingSms

# What may stand in a template: {{text}} or {{ text }}.
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
FORM, JSON, XML, PLAIN = "form", "json", "xml", "plain"
CONTENT_TYPES = {
    FORM: "application/x-www-form-urlencoded",
    JSON: "application/json",
    XML: "text/xml; charset=utf-8",
    PLAIN: "text/plain; charset=utf-8",
}


def _json(value: str) -> str:
    """Give a JSON string with its quotes, as RapidPro does: {"text": {{text}}}."""
    return json.dumps(value, ensure_ascii=False)


def _xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


ENCODERS: Mapping[str, Callable[[str], str]] = {
    FORM: quote_plus,
    JSON: _json,
    XML: _xml,
    PLAIN: str,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What leaves: `body` is None where the method has none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


def values(
    sms: OutgoingSms, *, sender: str, channel: str, status_url: str, secret: str
) -> dict[str, str]:
    """Give the value of each variable for a message."""
    return {
        "text": sms.text,
        "to": sms.to,
        "to_no_plus": sms.to.lstrip("+"),
        "from": sender,
        "from_no_plus": sender.lstrip("+"),
        "id": sms.reference,
        "uuid": sms.reference,
        "channel": channel,
        "status_url": status_url,
        "secret": secret,
    }


def filled(template: str, given: Mapping[str, str], encode: Callable[[str], str]) -> str:
    """Fill a template in one pass: a text that says {{to}} stays as it is written.

    Raises KeyError for a variable that does not exist.
    """
    return VARIABLE.sub(lambda match: encode(given[match[1]]), template)


def request(settings: Mapping[str, Any], given: Mapping[str, str]) -> Request:
    method, kind = str(settings["method"]), str(settings["content_type"])
    url = filled(str(settings["url"]), given, lambda value: quote(value, safe=""))
    headers = {}
    body = None
    if method != "GET":
        headers["Content-Type"] = CONTENT_TYPES[kind]
        body = filled(str(settings["body"]), given, ENCODERS[kind]).encode()
    name = str(settings.get("auth_header") or "")
    if name and given["secret"]:
        headers[name] = given["secret"]
    for key, value in header_lines(str(settings.get("headers") or "")):
        replaced = next((known for known in headers if known.lower() == key.lower()), key)
        headers[replaced] = value
    return Request(method, url, headers, body)


def header_lines(written: str) -> list[tuple[str, str]]:
    """Read lines of `Name: value`."""
    pairs = (line.partition(":") for line in written.splitlines() if line.strip())
    return [(name.strip(), value.strip()) for name, _colon, value in pairs]
