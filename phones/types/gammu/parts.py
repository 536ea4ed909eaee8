"""A message in the parts that go over the air: cut as SMSD is given them, joined as it gives them.

3GPP TS 23.040 §9.2.3.24: the user data header of a part says which message it belongs to (a number
of 8 or 16 bits), how many parts there are, and which one it is, from 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from lib import gsm
from phones.base import OutgoingSms, Rejected

# What Gammu holds in memory for one message (GSM_MAX_MULTI_SMS).
MOST_PARTS = 50
GSM, UNICODE, BINARY = "Default_No_Compression", "Unicode_No_Compression", "8bit"


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `data` is the text in UTF-16BE, or the bytes of a binary one; `header` may be empty."""

    data: bytes
    header: bytes
    coding: str

    @property
    def place(self) -> tuple[int, int, int] | None:
        """Give (number of the whole, how many parts, which one); None for one that stands alone."""
        rest = self.header[1:]
        while len(rest) >= 2:
            kind, size = rest[0], rest[1]
            value, rest = rest[2 : 2 + size], rest[2 + size :]
            if (kind, len(value)) in ((0, 3), (8, 4)):
                return int.from_bytes(value[:-2]), value[-2], value[-1]
        return None

    @property
    def text(self) -> str:
        return self.data.decode("utf-16-be", errors="replace")


def cut(sms: OutgoingSms) -> list[Part]:
    """Give the parts of a message, the same ones at each try. Raises Rejected for too long a text."""
    texts = gsm.split(sms.text) or [""]
    if len(texts) > MOST_PARTS:
        words = gettext("Gammu sends at most %(count)s parts; this text has %(parts)s.")
        raise Rejected(words % {"count": MOST_PARTS, "parts": len(texts)})
    coding = GSM if gsm.encoding_of(sms.text) == "gsm7" else UNICODE
    if len(texts) == 1:
        return [Part(gsm.encode(texts[0], "ucs2"), b"", coding)]
    # A handset joins by it: two messages to one number at the same time should differ.
    number = hashlib.blake2b(sms.key.encode(), digest_size=1).digest()
    return [
        Part(
            gsm.encode(text, "ucs2"),
            b"\x05\x00\x03" + number + bytes([len(texts), position]),
            coding,
        )
        for position, text in enumerate(texts, 1)
    ]


def is_whole(parts: Sequence[Part]) -> bool:
    """Say whether every part is there."""
    places = [part.place for part in parts]
    if not places or places[0] is None:
        return bool(places)
    return {place[2] for place in places if place} >= set(range(1, places[0][1] + 1))


def joined(parts: Sequence[Part]) -> str:
    """Give the text of the parts in their order; in bytes first, as an emoji may lie across a cut."""
    if any(part.coding == BINARY for part in parts):
        size = sum(len(part.data) for part in parts)
        return gettext("[%(size)s bytes that are no text]") % {"size": size}
    ordered = {part.place[2] if part.place else 0: part for part in parts}
    data = b"".join(part.data for _position, part in sorted(ordered.items()))
    return Part(data, b"", UNICODE).text
