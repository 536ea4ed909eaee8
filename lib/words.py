"""Words as people look for them: without case and accents."""

from __future__ import annotations

import unicodedata


def fold(written: str) -> str:
    """Give a text without case, accents and doubled spaces: `Zoë  ŒUVRE` → `zoe oeuvre`."""
    if not written.isascii():
        apart = unicodedata.normalize("NFKD", written.replace("œ", "oe").replace("Œ", "OE"))
        written = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(written.casefold().split())
