"""From a message to the mail that a gateway turns into an SMS: plain text, no subject, nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from lib import gsm
from phones.base import Attachment

# Characters of "(12/34) ", what a numbered part begins with at most.
_NUMBERED = 8
# A line of a mail has 998 characters at most (RFC 5322 §2.1.1).
_LINE = 998


def address(pattern: str, digits: str, number: str) -> str:
    """Put a number (E.164) into an address pattern, written as `carriers.DIGITS` names it.

    Raises ValueError for a number that has no national form.
    """
    bare = number.removeprefix("+")
    if digits == "national":
        bare = _national(number)
    elif digits == "plus":
        bare = f"+{bare}"
    elif digits == "zeros":
        bare = f"00{bare}"
    return pattern.replace("{number}", bare)


def _national(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException as error:
        raise ValueError(str(error)) from None
    written = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    return "".join(letter for letter in written if letter.isdecimal())


def tagged(address: str, tag: str) -> str:
    """Give the address with a tag behind a plus: sms@example.org → sms+tag@example.org."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{tag}@{domain}"


def ascii_of(text: str) -> str:
    """Give a text in ASCII: é → e, « → <, what has no like becomes a question mark."""
    parted = unicodedata.normalize("NFKD", gsm.replaceable(text))
    kept = "".join(letter for letter in parted if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode()


def parts(text: str, length: int) -> list[str]:
    """Cut a text into numbered parts of at most `length` characters, between words where it can.

    What fits is one part, without a number.
    """
    if len(text) <= length:
        return [text]
    room = max(1, length - _NUMBERED)
    pieces: list[str] = []
    left = text
    while left:
        cut = _end(left, room)
        pieces.append(left[:cut].rstrip())
        left = left[cut:].lstrip()
    return [f"({index}/{len(pieces)}) {piece}" for index, piece in enumerate(pieces, 1)]


def _end(text: str, room: int) -> int:
    if len(text) <= room:
        return len(text)
    space = max(text.rfind(" ", 1, room + 1), text.rfind("\n", 1, room + 1))
    return space if space > room // 2 else room


def mail(
    *,
    sender: str,
    reply_to: str,
    to: str,
    subject: str,
    message_id: str,
    text: str,
    media: Sequence[Attachment] = (),
) -> EmailMessage:
    """Write the mail. Raises ValueError for an address or a subject that would make a second header."""
    written = EmailMessage(policy=SMTP)
    written["From"] = sender
    written["To"] = to
    if reply_to != sender:
        written["Reply-To"] = reply_to
    if subject:
        written["Subject"] = subject
    written["Message-ID"] = message_id
    plain = text.isascii() and max(map(len, text.splitlines()), default=0) <= _LINE
    # Gateways that cannot read Base64 show it; most read quoted-printable.
    written.set_content(
        text,
        charset="us-ascii" if text.isascii() else "utf-8",
        cte="7bit" if plain else "quoted-printable",
    )
    for index, item in enumerate(media, 1):
        main, _, sub = item.content_type.partition("/")
        name = f"picture-{index}.{sub}"
        written.add_attachment(item.read(), maintype=main, subtype=sub, filename=name)
    return written
