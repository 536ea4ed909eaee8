"""The official SDK over our own HTTP client: guarded, timed, recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from lib.http import Http
from phones.base import BadAnswer
from phones.types.twilio.answers import refusal

logger = logging.getLogger(__name__)

API = "https://api.twilio.com"


@contextmanager
def client(
    http: Http,
    credentials: tuple[str, str],
    account: str,
    *,
    base_url: str,
    edge: str | None,
    region: str | None,
) -> Iterator[Any]:
    """Give the SDK's client; what it cannot read becomes BadAnswer."""
    user, password = credentials
    try:
        yield Client(
            user,
            password,
            account,
            http_client=_Wire(http, base_url),
            edge=edge,
            region=region,
            # Not empty, else the SDK reads credentials from ours.
            environment={"TWILIO_EDGE": ""},
        )
    # The SDK reads answers without looking first whether the fields are what it expects.
    except (TwilioException, ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadAnswer(str(error)) from error


class _Wire(HttpClient):  # type: ignore[misc]
    """Carries the SDK's requests through `lib.http`."""

    def __init__(self, http: Http, base_url: str) -> None:
        super().__init__(logger, is_async=False)
        self._http = http
        self._base_url = base_url

    def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Ask once. Raises a PhoneError for every answer but a success."""
        answer = self._http.request(
            method, self._place(uri), params=params, data=data, headers=headers, auth=auth
        )
        if answer.status >= 300:
            creating = method == "POST" and uri.endswith("/Messages.json")
            raise refusal(answer, creating=creating)
        return Response(answer.status, answer.text, answer.headers)

    def _place(self, uri: str) -> str:
        """Give the address at a compatible server; products other than `api` are folders there."""
        if not self._base_url:
            return uri
        parts = urlsplit(uri)
        product = parts.netloc.split(".")[0]
        folder = "" if product == "api" else f"/{product}"
        # The address of a list's next page comes with its query.
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._base_url}{folder}{parts.path}{query}"
