"""OVH's API: signed requests, and what a refusal means.

https://eu.api.ovh.com/1.0/sms.json and the signature of OVH's own clients, read 2026-11.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext

from lib.http import Answer, Http, NoAnswer
from phones.base import (
    BadAnswer,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    Rejected,
    Temporary,
    Throttled,
)

REGIONS = {
    "": "https://eu.api.ovh.com/1.0",
    "ovh-ca": "https://ca.api.ovh.com/1.0",
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
}
# What OVH says of an empty account and of a sender it does not accept; neither has a code of its own.
_CREDIT = re.compile(r"\bcredits?\b", re.IGNORECASE)
_SENDER = re.compile(r"\bsenders?\b", re.IGNORECASE)


class NotThere(Misconfigured):
    """OVH knows nothing at this address: the account, the number, the sender, the message."""


class Api:
    """Asks OVH in the name of one account."""

    def __init__(self, http: Http, settings: Mapping[str, Any]) -> None:
        self._http = http
        self._base = REGIONS[str(settings.get("region") or "")]
        self._key, self._secret, self._consumer = (
            str(settings[name]) for name in ("app_key", "app_secret", "consumer_key")
        )
        # OVH's time, and ours when it told it.
        self._told: tuple[int, float] | None = None

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Ask for something. Raises a PhoneError, NotSent or NoAnswer."""
        tail = f"?{urlencode(query)}" if query else ""
        return _json(self._ask("GET", path + tail))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something. Raises OutcomeUnknown where OVH may have made it."""
        return _json(self._ask("POST", path, body))

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Change something; OVH answers with nothing."""
        self._ask("PUT", path, body)

    def now(self) -> int:
        """Give OVH's time, in seconds of Unix: signatures count by it, and our clock may be wrong."""
        if self._told is None:
            self._told = self._time(), time.monotonic()
        told, at = self._told
        return told + int(time.monotonic() - at)

    def _time(self) -> int:
        try:
            answer = self._http.request("GET", f"{self._base}/auth/time")
            return int(answer.json())
        except NoAnswer as error:
            # It was only the time that was asked for.
            raise Temporary(str(error)) from None
        except (ValueError, TypeError):
            raise Temporary(gettext("OVH did not tell the time.")) from None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        url = f"{self._base}{path}"
        # Compact, because the signature is made over the very bytes that leave.
        written = "" if body is None else json.dumps(body, separators=(",", ":"))
        answer = self._http.request(
            method, url, data=written.encode() or None, headers=self._signed(method, url, written)
        )
        if not 200 <= answer.status < 300:
            raise refusal(answer, creating=method == "POST")
        return answer

    def _signed(self, method: str, url: str, body: str) -> dict[str, str]:
        now = str(self.now())
        whole = "+".join([self._secret, self._consumer, method, url, body, now])
        # SHA-1 is what OVH asks for.
        digest = hashlib.sha1(whole.encode()).hexdigest()  # noqa: S324
        return {
            "X-Ovh-Application": self._key,
            "X-Ovh-Consumer": self._consumer,
            "X-Ovh-Timestamp": now,
            "X-Ovh-Signature": f"$1${digest}",
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
        }


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise BadAnswer(gettext("OVH answered something that is not JSON.")) from None


def refusal(answer: Answer, *, creating: bool) -> PhoneError:
    """Give the error for an answer that is no success; `creating` = it may have made a message."""
    words, code = _said(answer)
    kind = _kind(answer.status, words)
    if creating and (answer.status == 408 or answer.status >= 500):
        kind = OutcomeUnknown
    if issubclass(kind, Temporary):
        return kind(words, code, retry_after=answer.retry_after)
    return kind(words, code)


def _kind(status: int, words: str) -> type[PhoneError]:
    if status in (400, 402, 403) and (status == 402 or _CREDIT.search(words)):
        return NoCredit
    # 460: the service has expired.
    if status in (401, 403, 460) or (status == 400 and _SENDER.search(words)):
        return Misconfigured
    if status in (404, 429):
        return NotThere if status == 404 else Throttled
    # 409: something else is being done with the account just now.
    if status in (408, 409) or status >= 500:
        return Temporary
    return Rejected if 400 <= status < 500 else BadAnswer


def _said(answer: Answer) -> tuple[str, str]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    words = str(said.get("message") or "")
    if not words:
        words = gettext("OVH answered HTTP %(status)s, without a word.")
        words = words % {"status": answer.status}
    return words, str(said.get("errorCode") or "")
