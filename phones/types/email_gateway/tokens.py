"""What ties a reply or a bounce to its message: a token that only we can make.

It is the message's reference, the digits of the recipient and a proof, an HMAC-SHA256 under a key of the
phone (80 bits of it), and travels in the Message-ID and in the part of our address behind the plus.
Mail servers change the case of addresses, so it is in lower case and read in any.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

_TOKEN = re.compile(r"(?<![0-9a-z])(\d{1,18})\.(\d{3,15})\.([0-9a-f]{20})(?![0-9a-f])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """What a genuine token says: our reference, and the recipient (E.164)."""

    reference: str
    number: str


def make(secret: str, reference: str, number: str) -> str:
    """Give the token of a message to `number` (E.164): `42.15551234567.0123456789abcdef0123`."""
    digits = number.removeprefix("+")
    return f"{reference}.{digits}.{_proof(secret, reference, digits)}"


def find(secret: str, text: str) -> Token | None:
    """Give the first genuine token in a text, such as an address or a Message-ID."""
    for reference, digits, proof in _TOKEN.findall(text.lower()):
        if hmac.compare_digest(proof, _proof(secret, reference, digits)):
            return Token(reference, f"+{digits}")
    return None


def _proof(secret: str, reference: str, digits: str) -> str:
    said = f"{reference}.{digits}".encode()
    return hmac.new(f"mail {secret}".encode(), said, hashlib.sha256).hexdigest()[:20]
