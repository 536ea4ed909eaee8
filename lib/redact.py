"""Hide secrets in what people may read: exchanges with providers, logs, errors."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

HIDDEN = "•••"
# Headers whose value is a credential whatever the provider.
_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"}
# Characters. Shorter values would blank out ordinary words.
_SHORTEST = 4
# What in an address of ours opens something to whoever knows it.
_OPENING = re.compile(r"/(callbacks|c/ex|join|media|signup|password/reset)/[^/\s?]+")


class Redactor:
    """Replace each of `secrets` wherever it appears: as it is, as URLs, HTML and JSON write it, and
    inside Base64 such as that of Basic credentials.

    >>> Redactor(["hunter22"]).text("password=hunter22")
    'password=•••'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = _all_forms(frozenset(secrets))

    def text(self, value: str) -> str:
        """Give `value` with every secret hidden."""
        for form in self._forms:
            value = value.replace(form, HIDDEN)
        return value

    def headers(self, values: Iterable[tuple[str, str]]) -> str:
        """Give headers as lines, credentials hidden."""
        return "\n".join(
            f"{name}: {HIDDEN if name.lower() in _HEADERS else self.text(value)}"
            for name, value in values
        )


@lru_cache(maxsize=64)
def _all_forms(secrets: frozenset[str]) -> tuple[str, ...]:
    """Give the forms of all, the longest first, so that a secret that contains another is hidden whole."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    return tuple(sorted(forms, key=len, reverse=True))


def _forms(secret: str) -> Iterator[str]:
    """Give every way in which a provider may write the secret back."""
    yield secret
    yield html.escape(secret)
    for ascii_only in (True, False):
        written = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (written, written.replace("/", "\\/"))
    yield from _in_urls(secret)
    for encoding in ("utf-8", "latin-1"):  # the latter is what Basic credentials use
        for inside in _inside_base64(secret.encode(encoding, "ignore")):
            yield from (inside, inside.translate(str.maketrans("+/", "-_")), *_in_urls(inside))


def _in_urls(text: str) -> Iterator[str]:
    for written in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield written
        yield re.sub("%..", lambda match: match.group().lower(), written)


def _inside_base64(secret: bytes) -> Iterator[str]:
    """Give the letters that stand for the secret alone, for each way it can lie across their borders.

    A letter holds 6 bits; which bytes come before the secret matters only by their number modulo 3.
    """
    for before in range(3):
        letters = base64.b64encode(bytes(before) + secret + bytes(2)).decode()
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        yield letters[first:end]


class HideOpenings(logging.Filter):
    """Keep out of the log what in an address opens something: tokens of callbacks and of links."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if _OPENING.search(said):
            record.msg, record.args = without_openings(said), ()
        return True


def without_openings(text: str) -> str:
    """Hide what in an address opens something."""
    return _OPENING.sub(rf"/\1/{HIDDEN}", text)
