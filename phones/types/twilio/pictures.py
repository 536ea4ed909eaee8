"""Pictures of incoming messages, which Twilio keeps in a store behind the account's own pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

from django.utils.translation import gettext

from lib.http import Http
from phones.base import BadAnswer, Fetched, IncomingMedia, Rejected
from phones.types.twilio.answers import refusal

# Redirects followed from a picture to the store it is in.
_HOPS = 3


def is_of_account(account: str, url: str, hosts: Iterable[str]) -> bool:
    """Say whether credentials may go to `url`: a picture of this account, at one of these hosts."""
    place = f"/2010-04-01/Accounts/{account}/Messages/"
    return any(
        url.startswith(host + place) and re.fullmatch(r"[\w/]+", url[len(host + place) :])
        for host in hosts
    )


def fetch(http: Http, media: IncomingMedia, credentials: tuple[str, str]) -> Fetched:
    """Follow a picture to its store. Raises Rejected when it is gone."""
    url = media.url
    login: tuple[str, str] | None = credentials
    for _hop in range(_HOPS + 1):
        answer = http.request("GET", url, auth=login)
        if answer.status in (301, 302, 303, 307, 308):
            place = urljoin(url, answer.headers.get("location", ""))
            # The store that Twilio points to must not get the credentials.
            login = login if _origin(place) == _origin(url) else None
            url = place
            continue
        if answer.status == 404 or (login is None and 400 <= answer.status < 500):
            raise Rejected(gettext("Twilio no longer has this picture."))
        if answer.status != 200:
            raise refusal(answer, creating=False)
        kind = media.content_type or answer.headers.get("content-type", "")
        return Fetched(answer.body, kind)
    raise BadAnswer(gettext("Twilio redirects from one address of this picture to the next."))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
