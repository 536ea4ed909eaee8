"""Phone numbers: any usual way of writing them → E.164 (`+` and 7 to 15 digits)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    country_code_for_region,
)

# What nobody sees: soft hyphen, zero widths, direction marks that address books copy along.
_INVISIBLE = str.maketrans(
    dict.fromkeys([0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0xFEFF])
    | dict.fromkeys(range(0x2060, 0x2070))
    | {"\uff0b": "+"}
)
# What always stands between two entries. A space does not: 06 12 34 56 78 is one.
_BETWEEN_ENTRIES = re.compile("[,;|&\n\r\t\v\f\x85\u2028\u2029،؛，；、]+")
# Inside an entry, words that touch no digit are somebody's name; a plus begins a number.
_AROUND_NUMBERS = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)|[<>\"]|(?=\(?\+\s*\(?\d)")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_CHUNK = re.compile(r"\+?\d+")
# Stands between two numbers, if there is one on each side: 0612345678 - 0698765432.
_APART = re.compile(r"\s+[-–—/]+\s+|\s{2,}")

_FEWEST_DIGITS = 7
# 15 of E.164, 00 before and (0) in the middle.
_MOST_DIGITS = 18
# A pasted novel is named by its beginning.
_MOST_SHOWN = 60


class Invalid(ValueError):
    """`written` is no phone number; `why` is one of too_short, too_long, country, not_a_number.

    `written` is cut after 60 characters.
    """

    def __init__(self, written: str, why: str) -> None:
        written = written if len(written) <= _MOST_SHOWN else f"{written[:_MOST_SHOWN]}…"
        super().__init__(f"{written}: {why}")
        self.written = written
        self.why = why


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pasted text held.

    `numbers`: E.164, in order, each once. `invalid`: what is no number, and why. `repeated`: one
    entry for each number left out because it was there before. `doubtful`: those of `numbers` in
    no known range; ranges newer than our data exist, so warn and do not refuse.
    """

    numbers: tuple[str, ...]
    invalid: tuple[Invalid, ...]
    repeated: tuple[str, ...]
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    number: str
    in_known_range: bool


_WHY_NOT_PARSED = {
    NumberParseException.INVALID_COUNTRY_CODE: "country",
    # Of digits alone, only one or none is not a number to the library.
    NumberParseException.NOT_A_NUMBER: "too_short",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too_short",
    NumberParseException.TOO_SHORT_NSN: "too_short",
    NumberParseException.TOO_LONG: "too_long",
}
_WHY_IMPOSSIBLE = {
    ValidationResult.TOO_SHORT: "too_short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too_short",
    ValidationResult.INVALID_LENGTH: "too_short",
    ValidationResult.TOO_LONG: "too_long",
    ValidationResult.INVALID_COUNTRY_CODE: "country",
}


def parse(written: str, country: str) -> str:
    """Give the E.164 form of one number; `country` (ISO 3166 alpha-2) explains national ones.

    >>> parse("06 12 34 56 78", "FR")
    '+33612345678'

    Takes a number of the right length in a range that we do not know. Raises Invalid.
    """
    return _only(written, country).number


def read(pasted: str, country: str) -> Reading:
    """Find the numbers in what somebody typed or pasted, separated in any usual way.

    1. Commas, semicolons, tabs and line breaks end an entry. One without a digit is invalid: who
       typed a name must see that nobody of that name gets the message.
    2. Names around a number are left out: `Nadia <+33 6 12 34 56 78>`.
    3. What is a number as a whole is one number, whatever stands between its digits.
    4. Else it is several, where that can be read in one way only.
    """
    numbers: dict[str, None] = {}
    doubtful: dict[str, None] = {}
    invalid: list[Invalid] = []
    repeated: list[str] = []
    for found in _findings(pasted, country):
        if isinstance(found, Invalid):
            invalid.append(found)
            continue
        if found.number in numbers:
            repeated.append(found.number)
        numbers[found.number] = None
        if not found.in_known_range:
            doubtful[found.number] = None
    return Reading(tuple(numbers), tuple(invalid), tuple(repeated), tuple(doubtful))


def spoken(number: str) -> str:
    """Give a number as people read it, +33 6 12 34 56 78; anything else as it is."""
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


_KINDS = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "either",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "mobile",
    PhoneNumberType.UNKNOWN: "unknown",
}


def describe(number: str) -> tuple[str, str]:
    """Give what a number (E.164) is, as far as its range tells, and its country.

    The first is mobile, landline, either, voip, other or unknown; the second an ISO 3166 alpha-2
    code, "" where there is none.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return "unknown", ""
    country = phonenumbers.region_code_for_number(parsed) or ""
    kind = _KINDS.get(phonenumbers.number_type(parsed), "other")
    return kind, country if len(country) == 2 and country.isalpha() else ""


def beginnings(written: str, country: str) -> tuple[str, ...]:
    """Give how numbers begin that somebody may mean by the part of one: 06 12 in France → +33612."""
    digits = re.sub(r"\D", "", written)
    if written.strip().startswith("+"):
        return (f"+{digits}",)
    if digits.startswith("00"):
        return (f"+{digits[2:]}",)
    if digits.startswith("0"):
        # Italy keeps the zero.
        code = country_code_for_region(country)
        return f"+{code}{digits[1:]}", f"+{code}{digits}"
    return (f"+{digits}",)


def normal(address: str, country: str) -> str:
    """Give the E.164 form where `address` has one, else itself: short codes and names stay."""
    address = address.strip()
    if _LETTER.search(address):
        return address
    try:
        found = _only(address, country)
    except Invalid:
        return address
    # Where numbers may be of any length, as in Germany, a short code looks like a possible number.
    return found.number if found.in_known_range or address.startswith("+") else address


def core(number: str) -> str:
    """Give the digits that every way of writing a number has: +33612345678 → 612345678, as in 06 12 34 56 78.

    What is no number in E.164 is given as it is.
    """
    try:
        return str(phonenumbers.parse(number).national_number)
    except NumberParseException:
        return number


def international(written: str) -> str:
    """Give the E.164 form of digits that begin with a country, with or without their plus.

    Names and short codes stay as they are. For providers that write 33612345678.
    """
    try:
        return parse(f"+{written.strip().removeprefix('+')}", "")
    except Invalid:
        return written


def _only(written: str, country: str) -> _Found:
    found = list(_findings(written, country))
    if len(found) != 1:
        raise Invalid(written.strip(), "not_a_number")
    if isinstance(found[0], Invalid):
        raise found[0]
    return found[0]


def _findings(pasted: str, country: str) -> Iterator[_Found | Invalid]:
    for entry in _BETWEEN_ENTRIES.split(pasted.translate(_INVISIBLE)):
        if _DIGIT.search(entry):
            for run in _AROUND_NUMBERS.split(entry):
                if _DIGIT.search(run):
                    yield from _in_run(run.strip(), country)
        elif _LETTER.search(entry):
            yield Invalid(entry.strip(), "not_a_number")


def _in_run(run: str, country: str) -> Sequence[_Found | Invalid]:
    """Read digits and what stands between them: one number, or several."""
    if _LETTER.search(run):
        return [Invalid(run, "not_a_number")]
    chunks = _CHUNK.findall(run)
    whole = _look_up(run, chunks, country)
    if len(chunks) == 1:
        return [whole]
    is_number = isinstance(whole, _Found) and whole.in_known_range
    for parts in (_APART.split(run), chunks):
        # Where numbers may be long, as in Germany, two short ones can look like one.
        if _are_numbers(parts) and (not is_number or _each_from_zero(parts)):
            return [found for part in parts for found in _in_run(part, country)]
    return [whole] if is_number else _grouped(chunks, country) or [whole]


def _are_numbers(parts: list[str]) -> bool:
    return len(parts) > 1 and all(len(_DIGIT.findall(part)) >= _FEWEST_DIGITS for part in parts)


def _each_from_zero(parts: list[str]) -> bool:
    return all(part.lstrip("( ").startswith("0") for part in parts)


def _grouped(chunks: list[str], country: str) -> list[_Found]:
    """Read `06 12 34 56 78 06 98 76 54 32`; nothing unless there is one way, without a rest.

    A guess here would send somebody's message to somebody else.
    """
    numbers: list[_Found] = []
    start = 0
    while start < len(chunks):
        ways = _beginnings(chunks, start, country)
        if len(ways) != 1:
            return []
        [(start, number)] = ways
        numbers.append(number)
    return numbers


def _beginnings(chunks: list[str], start: int, country: str) -> list[tuple[int, _Found]]:
    """Give each number in a known range that begins at `start`, and where it ends."""
    ways = []
    digits = 0
    for end in range(start + 1, len(chunks) + 1):
        digits += len(chunks[end - 1])
        if digits > _MOST_DIGITS:
            break
        if not _may_end(chunks[start], digits, country):
            continue
        found = _look_up("", chunks[start:end], country)
        if isinstance(found, _Found) and found.in_known_range:
            ways.append((end, found))
    return ways


def _may_end(first: str, digits: int, country: str) -> bool:
    """Rule most lengths out: asking the library for each would take it seconds."""
    if first.startswith(("+", "00")):
        return digits >= _FEWEST_DIGITS
    return digits in _usual_lengths(country.upper())


# Where numbers keep their leading 0 in international form.
_ITALY = 39


@cache
def _usual_lengths(country: str) -> frozenset[int]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    described = metadata.general_desc if metadata else None
    lengths = described.possible_length if described else ()
    # A national number may have up to three digits before it: its 0, or the code of the country.
    return frozenset(length + before for length in lengths for before in range(4))


def _look_up(written: str, chunks: list[str], country: str) -> _Found | Invalid:
    try:
        # Given digits, spaces and a plus only, the library has no extension or word to find.
        number = phonenumbers.parse(" ".join(chunks), country.upper())
    except NumberParseException as error:
        return Invalid(written, _WHY_NOT_PARSED.get(error.error_type, "not_a_number"))
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != ValidationResult.IS_POSSIBLE:
        return Invalid(written, _WHY_IMPOSSIBLE.get(reason, "not_a_number"))
    is_known = phonenumbers.is_valid_number(number)
    # "06 98 76 54 3" lacks a digit: read with its 0 it is as long as a French number, and another one.
    if number.italian_leading_zero and not is_known and number.country_code != _ITALY:
        return Invalid(written, "too_short")
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(e164) <= _FEWEST_DIGITS:
        return Invalid(written, "too_short")
    return _Found(e164, is_known)
