"""How Vonage signs: a JWT in the header (Messages and Voice), or `sig` among the fields (SMS API).

https://developer.vonage.com/messages/concepts/signed-webhooks and
https://developer.vonage.com/en/getting-started/concepts/signing-messages, read 2026-11. The age of a
signature is not looked at: Vonage repeats a callback for a day, and hearing one twice harms nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from django.utils.translation import gettext

from phones.base import BadSignature


def verify_token(header: str, body: bytes, secret: str) -> None:
    """Raise BadSignature unless `header` is a Bearer JWT over this body, signed with HS256."""
    head, dot, signature = header.removeprefix("Bearer ").rpartition(".")
    key = secret.encode()
    right = hmac.new(key, head.encode(), hashlib.sha256).digest()
    try:
        given = _decode(signature)
        kind, claims = (json.loads(_decode(part)) for part in head.split("."))
        # Signing by another method, or not at all, must not be the choice of who calls.
        fits = dot and kind["alg"] == "HS256" and hmac.compare_digest(given, right)
        hashed = str(claims.get("payload_hash") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _wrong() from None
    covered = hmac.compare_digest(hashed.encode(), hashlib.sha256(body).hexdigest().encode())
    if not fits or not (covered or not (body or hashed)):
        raise _wrong()


def verify_fields(fields: Mapping[str, str], method: str, secret: str) -> None:
    """Raise BadSignature unless `sig` is that of the other fields, by the account's method."""
    text = "".join(
        f"&{name}={_flat(value)}" for name, value in sorted(fields.items()) if name != "sig"
    )
    if method == "md5hash":
        right = hashlib.md5((text + secret).encode(), usedforsecurity=False).hexdigest()
    else:
        right = hmac.new(secret.encode(), text.encode(), method).hexdigest()
    if not hmac.compare_digest(fields.get("sig", "").lower().encode(), right.encode()):
        raise _wrong()


def _flat(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")


def _decode(part: str) -> bytes:
    # b64decode skips what is no Base64, unless told otherwise: two texts would mean one thing.
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _wrong() -> BadSignature:
    return BadSignature(gettext("Vonage's signature is missing or does not fit."))
