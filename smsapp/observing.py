"""What is noted of every request: an id of its own, how long it took, what it was answered."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from lib import counters, logs

# One line per request; only in logs for programs (LOG_FORMAT=json). Never an address: they hold tokens.
journal = logging.getLogger("journal.requests")

_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Observed:
    """The outermost middleware. X-Request-ID is taken over where it is sane, and answered back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        name = given if _SANE.fullmatch(given) else uuid.uuid4().hex
        began = time.monotonic()
        with logs.about(request=name):
            response = self.get_response(request)
            response["X-Request-ID"] = name
            self._note(request, response.status_code, time.monotonic() - began)
        return response

    def _note(self, request: HttpRequest, status: int, seconds: float) -> None:
        match = request.resolver_match
        route = (match and match.url_name) or "-"
        method = request.method if request.method in _METHODS else "-"
        counters.count("http", route, method, status)
        counters.observe("http_seconds", route, seconds=seconds)
        if journal.isEnabledFor(logging.INFO):
            said = {"method": method, "status": status, "ms": round(seconds * 1000, 1)}
            journal.info(route, extra={"route": route, **said})


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
