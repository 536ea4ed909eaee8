"""Settings that are encrypted at rest.

`EncryptedJSONField` stores a dict as a Fernet token (AES-128-CBC with HMAC-SHA256, see
https://github.com/fernet/spec) under the newest of `settings.FIELD_KEYS`; older keys still read. A wrong
key raises `Unreadable`, it never gives ciphertext.
"""

from __future__ import annotations

import json
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


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


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
