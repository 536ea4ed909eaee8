"""Numbers hidden from those who need not see them: what they see instead, and how they may name one.

The middleware says for the time of a request whose eyes read (`looking`); workers and the command line have
none, so that whatever is sent, stored or mailed holds whole numbers. A number in an address or a field of
somebody who may not see it is a mark: encrypted, the same for the same number, worth nothing in another
workspace.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.utils.encoding import force_bytes

from lib import e164

HIDDEN = "•"
# Whatever may be a number: seven digits or more, with what people put between them.
_NUMBER = re.compile(r"\+?\d(?:[\s().\-/]{0,2}\d){6,}")
_MARK = re.compile(r"~([A-Za-z0-9_-]{22,400})")
# What `written` puts before a mark: short, so that nothing long is searched for it.
_BEFORE, _LONGEST = re.compile(r"\+\d{1,3}(?: \d)?[^\w\n,;~]*•[^\w\n,;~]*\d\d $"), 40


@dataclass(frozen=True, slots=True)
class Eyes:
    """Who reads: a member of a workspace (its id, 0 without one) from whom numbers are hidden, or not."""

    workspace: int = 0
    is_hidden: bool = False


_EVERYTHING = Eyes()
_eyes: ContextVar[Eyes] = ContextVar("eyes", default=_EVERYTHING)


@contextmanager
def looking(eyes: Eyes) -> Iterator[None]:
    """Let what is shown meanwhile be for these eyes."""
    before = _eyes.set(eyes)
    try:
        yield
    finally:
        _eyes.reset(before)


def under(eyes: Eyes, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give the parts of an answer that is made while it is sent, each made for these eyes."""
    following = iter(parts)
    while True:
        with looking(eyes):
            part = next(following, None)
        if part is None:
            return
        yield part


def hiding() -> bool:
    """Say whether whoever reads may not see numbers."""
    return _eyes.get().is_hidden


def shown(number: str) -> str:
    """Give a number for people to read: +33 6 12 34 56 78, or +33 6 •• •• •• 78 where it is hidden.

    Names and short codes stay as they are.
    """
    spoken = e164.spoken(number)
    if not hiding():
        return spoken
    return _masked(spoken) if number.startswith("+") else said(number)


def _masked(spoken: str) -> str:
    """Leave the country, a first digit that stands alone, and the last two."""
    country, _space, rest = spoken.partition(" ")
    if not rest:
        country, rest = spoken[:2], spoken[2:]
    kept = 2 if rest[1:2] == " " else 0
    digits = [place for place, letter in enumerate(rest) if letter.isdigit()]
    last = digits[-2] if len(digits) > 4 else len(rest)
    middle = re.sub(r"\d", HIDDEN, rest[kept:last])
    return f"{country} {rest[:kept]}{middle}{rest[last:]}"


def plain(number: str) -> str:
    """Give a number as files hold it: E.164, or what is shown of it where it is hidden."""
    return shown(number) if hiding() else number


def said(text: str) -> str:
    """Give words of others (a provider's) with whatever may be a number hidden where numbers are."""
    if not hiding():
        return text
    return _NUMBER.sub(lambda found: HIDDEN * 4 + re.sub(r"\D", "", found[0])[-2:], text)


def mark(number: str) -> str:
    """Give what stands for a number in addresses and fields: itself, or a mark where it is hidden."""
    if not (hiding() and _NUMBER.search(number)):
        return number
    sealed = _ciphers(_keys())[0].encrypt(number.encode(), [_place()])
    return "~" + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def written(number: str) -> str:
    """Give a number as a field shows it and takes it back: for people to read, with its mark if hidden."""
    marked = mark(number)
    if not marked.startswith("~"):
        return e164.spoken(number)
    return f"{shown(number)} {marked}" if number.startswith("+") else marked


def opened(text: str) -> str:
    """Give what somebody wrote with the numbers that the marks in it stand for; wrong marks stay."""
    return _with(str, text)


def echoed(text: str) -> str:
    """Give what somebody wrote as a field shows it again: each mark with what may be seen of its number."""
    return _with(written, text)


def _with(give: Callable[[str], str], text: str) -> str:
    parts, end = [], 0
    for found in _MARK.finditer(text):
        if number := _number(found[1]):
            before = text[end : found.start()]
            seen = _BEFORE.search(before[-_LONGEST:])
            parts += [before.removesuffix(seen[0]) if seen else before, give(number)]
            end = found.end()
    return "".join([*parts, text[end:]])


def _number(token: str) -> str:
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for cipher in _ciphers(_keys()):
        try:
            return cipher.decrypt(sealed, [_place()]).decode()
        except (InvalidTag, ValueError):
            continue
    return ""


def _place() -> bytes:
    return str(_eyes.get().workspace).encode()


def _keys() -> tuple[bytes, ...]:
    return tuple(map(force_bytes, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]))


@lru_cache(maxsize=4)
def _ciphers(keys: tuple[bytes, ...]) -> tuple[AESSIV, ...]:
    """Give AES-SIV (RFC 5297) for each key: it needs no nonce, and the same text gives the same token."""
    return tuple(AESSIV(hmac.digest(key, b"lib.masks", hashlib.sha512)[:32]) for key in keys)
