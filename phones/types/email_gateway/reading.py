"""From a mail to what it means: a reply, a bounce (RFC 3464), or nothing that is ours.

Carriers answer in odd ways: the text stands in the body, in a part of HTML, in an attached text file or
in the subject, with the old message quoted under it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.utils import parseaddr

from lib import e164
from lib.mail import parse
from phones.base import Delivery, Event, IncomingMedia, IncomingSms, Reason, StatusReport
from phones.types.email_gateway import tokens
from phones.types.email_gateway.tokens import Token

# Characters of a reply. Ten long SMS; more is a newsletter. And bytes of a part that is looked at.
_LONGEST, _LONGEST_PART = 10_000, 200_000
# Characters of a sender: an address has 254 at most (RFC 5321 §4.5.3.1).
_LONGEST_SENDER = 320
# Where our address, with its token, may stand in what comes back.
_RECIPIENTS = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Forwarded-To", "Cc")
_ANSWERED = ("In-Reply-To", "References", "X-Failed-Recipients", "Message-ID")
# What begins the old message under a reply, in the words of mail programs and gateways.
_QUOTE = re.compile(
    r"""^(
        [ \t]*>.*
      | -{2,}\s*(Original|Forwarded|Message|Mensaje)\b.*
      | _{8,}\s*
      | --\ ?
      | (On|Le|El)\b.{0,200}\b(wrote|a\ écrit|escribió)\s*:?\s*
      | (From|De|Von)\s*:\s.*@.*
    )$""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_HIDDEN = re.compile(
    r"<(style|script|head|title)\b(?:(?!<\1\b).)*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_BREAK = re.compile(r"<(br|/p|/div|/tr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# Names that MMS gateways give to the attached text, and pictures that are only their decoration.
_TEXT_FILE = re.compile(r"text[-_ ]?\d*\.(txt|plain)|.*\.txt", re.IGNORECASE)
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_BOUNCERS = ("mailer-daemon", "postmaster")


@dataclass(frozen=True, slots=True)
class Ours:
    """How we know what is ours.

    `secret` makes our tokens. `countries`: {domain: country} of the gateways whose customers may write
    without a token, "" = as the address says it; `country` explains digits where they do not.
    """

    secret: str
    countries: Mapping[str, str]
    country: str


def event_of(mail: EmailMessage, ours: Ours, *, pictures: bool = False) -> Event | None:
    """Give what a mail tells us, None if it is not about our messages.

    `pictures` = those of a reply can be fetched from the mailbox later.
    """
    if _is_report(mail):
        return _reported(mail, ours)
    token = _token(_values(mail, (*_RECIPIENTS, *_ANSWERED)), ours)
    # Gateways send replies with an empty Return-Path too: a number at one of ours does not bounce.
    if _is_bounce(mail) and not _sender(mail, ours):
        return _bounced(mail, token, ours)
    if _is_automatic(mail):
        return None
    sender = token.number if token else _sender(mail, ours)
    if not sender:
        return None
    return IncomingSms(
        sender=sender,
        text=text_of(mail),
        provider_id=name_of(mail),
        media=tuple(_media(mail)) if pictures else (),
        at=_date(mail),
    )


# ---- Bounces ------------------------------------------------------------------------------------


def _is_report(mail: EmailMessage) -> bool:
    kind = str(mail.get_param("report-type", "")).lower()
    return mail.get_content_type() == "multipart/report" and kind == "delivery-status"


def _reported(mail: EmailMessage, ours: Ours) -> StatusReport | None:
    """Read a delivery status notification; None unless it says that one of our mails failed."""
    said = [_values(mail, (*_RECIPIENTS, *_ANSWERED))]
    failed: Message | None = None
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            blocks = part.get_payload()
            for block in blocks if isinstance(blocks, list) else []:
                if not isinstance(block, Message):
                    continue
                said.append(str(block.get("Original-Envelope-Id", "")))
                if failed is None and str(block.get("Action", "")).strip().lower() == "failed":
                    failed = block
        elif kind in ("message/rfc822", "text/rfc822-headers", "message/global-headers"):
            said.append(_values(_returned(part), ("Message-ID", "Reply-To", "From")))
    token = _token("\n".join(said), ours)
    if failed is None or token is None:
        return None
    code = str(failed.get("Status", "")).split(" ")[0]
    words = re.sub(r"^\s*\w+\s*;\s*", "", str(failed.get("Diagnostic-Code", "")))
    return StatusReport(
        Delivery.FAILED,
        reference=token.reference,
        reason=reason_of(code),
        code=code,
        words=" ".join(words.split()) or f"The mail to {token.number} came back.",
        at=_date(mail),
    )


def _returned(part: Message) -> Message:
    """Give the mail, or its headers, that a report brings back."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload:
        return payload[0] if isinstance(payload[0], Message) else Message()
    content = part.get_payload(decode=True)
    return parse(content if isinstance(content, bytes) else str(payload).encode())


def _is_bounce(mail: EmailMessage) -> bool:
    """Recognise the notices of servers older than RFC 3464, which are plain text."""
    local = _from(mail).partition("@")[0].lower()
    return local in _BOUNCERS or str(mail.get("Return-Path", "")).strip() == "<>"


def _bounced(mail: EmailMessage, token: Token | None, ours: Ours) -> StatusReport | None:
    text = _plain(mail)
    token = token or _token(text, ours)
    if token is None:
        return None
    code = (re.search(r"\b[45]\.\d{1,3}\.\d{1,3}\b", text) or [""])[0]
    words = " ".join(text.split())[:500] or str(mail.get("Subject", ""))
    return StatusReport(
        Delivery.FAILED,
        reference=token.reference,
        reason=reason_of(code),
        code=code,
        words=words,
        at=_date(mail),
    )


def reason_of(code: str) -> str:
    """Give the reason that an enhanced status code stands for (RFC 3463)."""
    kind, _, rest = code.partition(".")
    if rest in ("1.1", "1.2", "1.3", "1.6", "1.10", "2.1"):
        return Reason.BAD_NUMBER
    if rest.startswith("7."):
        return Reason.BLOCKED
    if kind == "4" or rest == "4.7":
        return Reason.EXPIRED
    return Reason.REJECTED


# ---- Replies ------------------------------------------------------------------------------------


def _is_automatic(mail: EmailMessage) -> bool:
    """Recognise holiday notices, lists and newsletters (RFC 3834 §2)."""
    automatic = str(mail.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(mail.get("Precedence", "")).strip().lower()
    return automatic != "no" or precedence in ("bulk", "list", "junk") or "List-Id" in mail


def _sender(mail: EmailMessage, ours: Ours) -> str:
    """Give the number (E.164) that a mail without a token comes from, "" if it is no gateway's."""
    local, _, domain = _from(mail).rpartition("@")
    country = ours.countries.get(domain.lower())
    digits = "".join(letter for letter in local if letter.isdecimal() or letter == "+")
    if country is None or not digits:
        return ""
    try:
        return e164.parse(digits, country or ours.country)
    except e164.Invalid:
        return ""


def text_of(mail: EmailMessage) -> str:
    """Give what somebody wrote, without the old message under it."""
    text = _unquoted(_plain(mail)) or " ".join(str(mail.get("Subject", "")).split())
    return text[:_LONGEST]


def _plain(mail: EmailMessage) -> str:
    """Give the text of the body; else that of an attached text file, else of HTML."""
    inline: list[str] = []
    attached: list[str] = []
    marked: list[str] = []
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "text/plain":
            name = part.get_filename() or ""
            (attached if name and _TEXT_FILE.fullmatch(name) else inline).append(_content(part))
        elif kind == "text/html":
            marked.append(_without_tags(_content(part)))
    for found in (inline, attached, marked):
        if text := "\n".join(filter(None, map(str.strip, found))):
            return text
    return ""


def _content(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    content = content[:_LONGEST_PART]
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that nobody knows, or that is none
        return content.decode("utf-8", "replace")


def _without_tags(marked: str) -> str:
    text = _TAG.sub("", _BREAK.sub("\n", _HIDDEN.sub("", marked)))
    return "\n".join(line.strip() for line in html.unescape(text).splitlines())


def _unquoted(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    quote = _QUOTE.search(text)
    own = text[: quote.start()] if quote else text
    # A gateway that puts the old message first leaves nothing: then all of it is better.
    return own.strip() or text.strip()


def pictures_of(mail: EmailMessage) -> list[tuple[bytes, str]]:
    """Give the pictures of a mail as (content, MIME type), in order."""
    found = []
    for part in mail.walk():
        content = part.get_payload(decode=True)
        if part.get_content_type() in _PICTURES and isinstance(content, bytes) and content:
            found.append((content, part.get_content_type()))
    return found


def _media(mail: EmailMessage) -> Iterable[IncomingMedia]:
    name = str(mail.get("Message-ID", "")).strip()
    for index, (content, kind) in enumerate(pictures_of(mail)):
        # A mail without a name could not be found again.
        yield (
            IncomingMedia(f"mail:{index}:{name}", kind)
            if name
            else IncomingMedia(content_type=kind, content=content)
        )


# ---- Small parts --------------------------------------------------------------------------------


def name_of(mail: EmailMessage) -> str:
    """Give what a mail is known by: its Message-ID, else a digest of what does not change."""
    name = str(mail.get("Message-ID", "")).strip()
    said = f"{mail.get('From')}\n{mail.get('Date')}\n{_plain(mail)}"
    return name or hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def _from(mail: EmailMessage) -> str:
    return parseaddr(str(mail.get("From", ""))[:_LONGEST_SENDER])[1]


def _values(mail: Message, names: Iterable[str]) -> str:
    return "\n".join(str(value) for name in names for value in mail.get_all(name, []))


def _token(text: str, ours: Ours) -> Token | None:
    return tokens.find(ours.secret, text)


def _date(mail: EmailMessage) -> datetime | None:
    try:
        found = getattr(mail.get("Date"), "datetime", None)
    except (ValueError, TypeError, OverflowError):
        return None
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
