"""Settings that are encrypted at rest.

`EncryptedJSONField` stores a dict as a Fernet token (AES-128-CBC with HMAC-SHA256, see
https://github.com/fernet/spec) under the newest of our keys; older keys still read. A wrong key raises
`Unreadable`, it never gives ciphertext. Keys that lie in a file are read again when it changes, so that
`manage.py rotate-keys` needs nothing to be restarted.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unreadable(Exception):
    """The stored value was encrypted with a key that is not among FIELD_KEYS."""


class Confidential(dict[str, Any]):
    """A dict that tracebacks, logs and debuggers show as •••."""

    def __repr__(self) -> str:
        return "•••"


# A token inside of something else, such as a JSON document. All begin with the version and a time.
_TOKEN = re.compile(r"gAAAA[A-Za-z0-9_-]{60,}={0,2}")
# When the file of the keys was changed and which one it is, as we know it; what stood in it.
_read: tuple[tuple[int, int], tuple[str, ...]] = ((0, 0), ())


def keys() -> tuple[str, ...]:
    """Give our keys as they are now, newest first."""
    global _read  # noqa: PLW0603 - what a file holds is the same for all
    file = settings.FIELD_KEYS_FILE
    if not file:
        return tuple(settings.FIELD_KEYS)
    try:
        stat = file.stat()
        changed = (stat.st_mtime_ns, stat.st_ino)
        if changed != _read[0]:
            _read = changed, tuple(file.read_text().strip().split(","))
    except OSError:
        return _read[1] or tuple(settings.FIELD_KEYS)
    return _read[1]


def _fernet() -> MultiFernet:
    return _fernet_of(keys())


@functools.lru_cache(maxsize=4)
def _fernet_of(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(value: dict[str, Any]) -> str:
    """Give the token that stores `value`; two calls give two different tokens."""
    return _fernet().encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> Confidential:
    """Give back what `encrypt` was given. Raises Unreadable when no key fits."""
    try:
        return Confidential(json.loads(_fernet().decrypt(token.encode())))
    except InvalidToken:
        raise Unreadable(
            "A phone's settings cannot be decrypted: FIELD_KEYS has changed. Put the old key back."
        ) from None


def renewed(text: str) -> str:
    """Give `text` with every token in it that an older key wrote written by the newest."""
    newest = Fernet(keys()[0])

    def renew(found: re.Match[str]) -> str:
        token = found[0].encode()
        try:
            newest.decrypt(token)
        except InvalidToken:
            try:
                return _fernet().rotate(token).decode()
            except InvalidToken:
                pass  # not ours
        return found[0]

    return _TOKEN.sub(renew, text)


def opens(token: str) -> bool:
    """Say whether one of our keys fits."""
    try:
        decrypt(token)
    except Unreadable:
        return False
    return True


if TYPE_CHECKING:
    _DictField = models.TextField[dict[str, Any], dict[str, Any]]
else:
    _DictField = models.TextField


class EncryptedJSONField(_DictField):
    """A dict in Python, a Fernet token in the database. It cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else encrypt(value)

    def from_db_value(self, value: str | None, *_: Any) -> Confidential | None:
        return None if value is None else decrypt(value)

    def get_lookup(self, lookup_name: str) -> Any:
        raise TypeError("An encrypted field cannot be searched.")

    def value_to_string(self, obj: models.Model) -> str:
        # dumpdata writes the token, so that a dump does not give the secrets away.
        return encrypt(self.value_from_object(obj))
