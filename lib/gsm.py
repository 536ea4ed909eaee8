"""How long a text is on the air: its encoding, its segments, and what made it Unicode.

Source: 3GPP TS 23.038 §6.2.1 (alphabet, extension table, UCS-2) and TS 23.040 §9.2.3.24 (segments).
`gsm_table.json` is the one table; `static/js/segments.js` carries it for the browser. What phones of
Turkey, Spain and Portugal change in it (TS 23.038 Annex A) is in `gsm_national.json`, for reading only.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

Encoding = Literal["gsm7", "ucs2"]

_TABLE = json.loads(Path(__file__).with_name("gsm_table.json").read_text(encoding="utf-8"))
# What a language's tables (TS 23.038 §6.2.1.2.4) have at the place of a basic character.
_NATIONAL = json.loads(Path(__file__).with_name("gsm_national.json").read_text(encoding="utf-8"))

_ESC = "\x1b"
# The position of a character is its septet.
_BASIC: str = _TABLE["basic"]
# Each is sent as escape and the septet of a basic character.
_EXTENSION: dict[str, str] = _TABLE["extension"]
_UNESCAPED = {basic: char for char, basic in _EXTENSION.items()}
_REPLACEMENTS = str.maketrans(
    {char: new for new, chars in _TABLE["replacements"].items() for char in chars}
)
_SEPTETS = str.maketrans(
    {char: chr(septet) for septet, char in enumerate(_BASIC)}
    | {char: _ESC + chr(_BASIC.index(basic)) for char, basic in _EXTENSION.items()}
)

# The septets of Latin-1, _NO_SEPTET where there is none or there are two.
_NO_SEPTET = b"\xff"
_PLAIN = bytes(
    _BASIC.index(char) if char in _BASIC and char != _ESC else _NO_SEPTET[0]
    for char in map(chr, range(256))
)

# Escape itself is no character: in a text it would swallow the next one.
_ALPHABET = "".join(map(re.escape, _BASIC.replace(_ESC, "") + "".join(_EXTENSION)))
_GSM_TEXT = re.compile(f"[{_ALPHABET}]*")
_NOT_GSM = re.compile(f"[^{_ALPHABET}]")
_ACCENTED = re.compile("[A-Za-z][\u0300-\u036f]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Limits(NamedTuple):
    """Units in a text of one segment, and in each segment of a longer one (6 octets of header)."""

    alone: int
    joined: int


_LIMITS: dict[Encoding, _Limits] = {"gsm7": _Limits(160, 153), "ucs2": _Limits(70, 67)}
# What counts two: an escape and its septet, or a surrogate pair.
_DOUBLE: dict[Encoding, re.Pattern[str]] = {
    "gsm7": re.compile("[" + "".join(map(re.escape, _EXTENSION)) + "]"),
    "ucs2": re.compile("[\U00010000-\U0010ffff]"),
}


@dataclass(frozen=True, slots=True)
class Culprit:
    """A character outside GSM-7, at `index` first; None where nothing harmless replaces it."""

    char: str
    index: int
    replacement: str | None


@dataclass(frozen=True, slots=True)
class Length:
    """What a text costs on the air.

    `units` are septets or UTF-16 code units, `limit` how many a segment of this text holds,
    `left` how many more the last one takes; `culprits` are what forces UCS-2, each once, in order.
    """

    encoding: Encoding
    segments: int
    units: int
    limit: int
    left: int
    culprits: tuple[Culprit, ...]


def measure(text: str) -> Length:
    """Give the length of a text as the networks count it; an empty one has 0 segments."""
    encoding = encoding_of(text)
    parts = split(text)
    limits = _LIMITS[encoding]
    limit = limits.joined if len(parts) > 1 else limits.alone
    return Length(
        encoding=encoding,
        segments=len(parts),
        units=_units(text, encoding),
        limit=limit,
        left=limit - _units(parts[-1], encoding) if parts else limit,
        culprits=() if encoding == "gsm7" else _culprits(text),
    )


def encoding_of(text: str) -> Encoding:
    """Give gsm7 where every character has its septets, else ucs2."""
    return "gsm7" if _GSM_TEXT.fullmatch(text) else "ucs2"


def split(text: str) -> list[str]:
    """Cut a text into the segments it is sent as; joined again they are the text.

    A character of two units that does not fit whole begins the next segment, so there can be more
    segments than units divided by the limit: 153 € are 3 segments, not 2.
    """
    encoding = encoding_of(text)
    limits = _LIMITS[encoding]
    if _units(text, encoding) <= limits.alone:
        return [text] if text else []
    parts = []
    start = 0
    while start < len(text):
        part = _fitting(text[start : start + limits.joined], encoding, limits.joined)
        parts.append(part)
        start += len(part)
    return parts


def replaceable(text: str) -> str:
    """Give the text with what has a harmless GSM replacement replaced: ’ by ', … by three dots.

    Worth it only when no culprit is left without replacement: else accents are lost for nothing.
    """
    # Texts copied from a Mac may hold é as e and a loose accent: put together, it is GSM.
    composed = _ACCENTED.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)
    return composed.translate(_REPLACEMENTS)


def encode(text: str, encoding: Encoding) -> bytes:
    """Give one septet per byte for gsm7 (unpacked), UTF-16BE for ucs2.

    Half a surrogate pair becomes U+FFFD, which is as long. Raises ValueError for a text that GSM-7
    cannot hold.
    """
    if encoding == "ucs2":
        return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-16-be")
    if (found := septets(text)) is None:
        raise ValueError("This text has characters outside the GSM alphabet.")
    return found


def septets(text: str) -> bytes | None:
    """Give one septet per byte (unpacked), None for a text that GSM-7 cannot hold."""
    try:
        found = text.encode("latin-1").translate(_PLAIN)
    except UnicodeEncodeError:
        found = _NO_SEPTET
    if _NO_SEPTET not in found:
        return found  # most texts, in a tenth of the time
    return text.translate(_SEPTETS).encode("latin-1") if _GSM_TEXT.fullmatch(text) else None


def decode(data: bytes, encoding: Encoding, *, locking: int = 0, single: int = 0) -> str:
    """Read what `encode` wrote; never raises, what means nothing becomes U+FFFD.

    `locking` and `single` are the languages whose shift tables the text uses (TS 23.038 §6.2.1.2.4):
    1 Turkish, 2 Spanish, 3 Portuguese; any other is read by the basic tables, as §6.2.1.2.2 asks.
    """
    if encoding == "ucs2":
        return data.decode("utf-16-be", errors="replace")
    basic, unescaped = _tables(locking, single)
    text = "".join(basic[byte] if byte < len(basic) else "\ufffd" for byte in data)
    # §6.2.1.1: an escape with no meaning shows the basic character, two show a space.
    return re.sub(f"{_ESC}(.?)", lambda match: unescaped.get(match[1], match[1]), text, flags=re.S)


@lru_cache(maxsize=32)
def _tables(locking: int, single: int) -> tuple[str, dict[str, str]]:
    """Give the character of each septet, and what such a character means behind an escape."""
    changed: dict[str, str] = _NATIONAL["locking"].get(str(locking), {})
    basic = "".join(changed.get(char, char) for char in _BASIC)
    shifted = {**_UNESCAPED, **_NATIONAL["single"].get(str(single), {}), _ESC: " "}
    return basic, {basic[_BASIC.index(char)]: meant for char, meant in shifted.items()}


def _units(text: str, encoding: Encoding) -> int:
    return len(text) + len(_DOUBLE[encoding].findall(text))


def _fitting(text: str, encoding: Encoding, limit: int) -> str:
    """Give the longest beginning of at most `limit` units."""
    while (excess := _units(text, encoding) - limit) > 0:
        # A character has two units at most: so many have to go, and never one too many.
        text = text[: -((excess + 1) // 2)]
    return text


def _culprits(text: str) -> tuple[Culprit, ...]:
    first: dict[str, int] = {}
    for match in _NOT_GSM.finditer(text):
        first.setdefault(match[0], match.start())
    return tuple(
        Culprit(char, index, _REPLACEMENTS.get(ord(char))) for char, index in first.items()
    )
