"""The settings of an SMPP phone, as the protocol needs them."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from phones.base import Delivery
from phones.smpp import pdu, text
from phones.smpp.receipts import Habits, IdFormat
from phones.smpp.statuses import CLASSES

# TON and NPI (§5.2.5, §5.2.6).
_UNKNOWN, _INTERNATIONAL, _NATIONAL, _NETWORK, _ALPHANUMERIC = 0, 1, 2, 3, 5
_ISDN = 1
# Digits of a short code; longer numbers are whole ones, but for those that begin with a zero.
_SHORT = re.compile(r"[1-9][0-9]{2,7}")
_NUMBER = re.compile(r"\+?[0-9]+")


@dataclass(frozen=True)
class Tls:
    """How the connection is encrypted. `ca`, `certificate`, `key` are PEM texts, "" = none."""

    verify: bool = True
    name: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Profile:
    """One phone's SMPP. Times are seconds, `window` counts PDUs per bind."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str = ""
    version: int = 0x34
    tls: Tls | None = None
    pair: bool = False
    binds: int = 1
    window: int = 10
    source: tuple[int, int, str] = (_UNKNOWN, _UNKNOWN, "")
    destination: tuple[int, int] = (_INTERNATIONAL, _ISDN)
    plus: bool = False
    range: tuple[int, int, str] = (_UNKNOWN, _UNKNOWN, "")
    service_type: str = ""
    coding: text.Coding = text.Coding()
    registered: int = 1
    validity: str = ""
    tlvs: bytes = b""
    habits: Habits = Habits()
    statuses: Mapping[int, str] = field(default_factory=dict)
    enquire: float = 30
    answer_within: float = 60
    bind_within: float = 20
    first_pause: float = 1
    longest_pause: float = 60

    @property
    def roles(self) -> list[str]:
        """Give the role of each connection."""
        each = ["transmitter", "receiver"] if self.pair else ["transceiver"]
        return each * self.binds

    def submits(self) -> pdu.Submits:
        return pdu.Submits(
            service_type=self.service_type,
            source=self.source,
            destination=self.destination,
            registered_delivery=self.registered,
            tlvs=self.tlvs,
        )

    def written(self, number: str) -> str:
        """Give a recipient's E.164 number as this operator wants it."""
        return number if self.plus else number.removeprefix("+")

    @property
    def validity_field(self) -> bytes:
        return pdu.cstring(self.validity)


def address_of(sender: str, ton: int | None = None, npi: int | None = None) -> tuple[int, int, str]:
    """Give TON, NPI and address of a sender; what is None is found by its form.

    >>> address_of("+33612345678"), address_of("0612345678"), address_of("36123"), address_of("ACME")
    ((1, 1, '33612345678'), (2, 1, '0612345678'), (3, 0, '36123'), (5, 0, 'ACME'))
    """
    sender = sender.strip()
    digits = digits_of(sender)
    if not sender:
        found = (_UNKNOWN, _UNKNOWN, "")
    elif not digits or ton == _ALPHANUMERIC:
        found = (_ALPHANUMERIC, _UNKNOWN, sender)
    elif _SHORT.fullmatch(digits):
        found = (_NETWORK, _UNKNOWN, digits)
    elif digits.startswith("0") and not digits.startswith("00"):
        found = (_NATIONAL, _ISDN, digits)
    else:
        found = (_INTERNATIONAL, _ISDN, digits.lstrip("+0"))
    return (found[0] if ton is None else ton, found[1] if npi is None else npi, found[2])


def digits_of(sender: str) -> str:
    """Give a number without what people put between its digits, "" for a name."""
    digits = re.sub(r"[\s().-]", "", sender)
    return digits if _NUMBER.fullmatch(digits) else ""


def relative(minutes: int) -> str:
    """Give a validity period of so many minutes, counted from when the server gets it (§7.1.1.2).

    >>> relative(90), relative(3 * 24 * 60)
    ('000000013000000R', '000003000000000R')
    """
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    years, month = divmod(months, 12)
    return f"{years:02}{month:02}{day:02}{hour:02}{minute:02}00000R"


_TLV_LINE = re.compile(
    r"\s*(0x[0-9a-fA-F]{1,4}|[0-9]{1,5})\s*[=:]\s*"
    r"(text|cstring|hex|int1|int2|int4)\s*[=:]\s*(.*?)\s*"
)


def read_tlvs(lines: str) -> bytes:
    """Read an operator's own TLVs, one per line: `0x1400 = text: 1101…`. Raises ValueError."""
    written = b""
    for line in filter(str.strip, lines.splitlines()):
        found = _TLV_LINE.fullmatch(line)
        if not found:
            raise ValueError(line.strip())
        try:
            written += pdu.tlv(_code(found[1]), _tlv_value(found[2], found[3]))
        except (ValueError, OverflowError, struct.error):
            raise ValueError(line.strip()) from None
    return written


def _tlv_value(kind: str, value: str) -> bytes:
    if kind == "hex":
        return bytes.fromhex(value)
    if kind.startswith("int"):
        return int(value, 0).to_bytes(int(kind[3:]), "big")
    return value.encode("latin-1") + (b"\0" if kind == "cstring" else b"")


def _code(written: str) -> int:
    """Read 0x58 or 88; zeros in front are no other base."""
    return int(written, 16 if written.startswith("0x") else 10)


_STATUS_LINE = re.compile(r"\s*(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})\s*[=:]\s*([a-z ]+?)\s*")


def read_statuses(lines: str) -> dict[int, str]:
    """Read what further status codes mean, one per line: `0x0000040A = throttled`. Raises ValueError."""
    statuses = {}
    for line in filter(str.strip, lines.splitlines()):
        found = _STATUS_LINE.fullmatch(line.lower())
        if not found or found[2] not in CLASSES:
            raise ValueError(line.strip())
        statuses[_code(found[1])] = found[2]
    return statuses


def profile_of(settings: Mapping[str, Any]) -> Profile:
    """Give the profile of stored settings: those of `phones.types.smpp.Settings`, already cleaned."""
    get = settings.get
    validity = get("validity")
    first_pause = float(get("first_pause") or 1)
    registered = int(get("receipts") or 1) | (0x10 if get("intermediate") else 0)
    return Profile(
        host=get("host") or "",
        port=int(get("port") or 2775),
        system_id=get("system_id") or "",
        password=get("password") or "",
        system_type=get("system_type") or "",
        version=int(get("version") or "0x34", 0),
        tls=_tls(settings) if get("tls") else None,
        pair=get("mode") == "pair",
        binds=int(get("binds") or 1),
        window=int(get("window") or 10),
        source=address_of(
            get("source") or "", _number(get("source_ton")), _number(get("source_npi"))
        ),
        destination=(
            _or(_number(get("dest_ton")), _INTERNATIONAL),
            _or(_number(get("dest_npi")), _ISDN),
        ),
        plus=bool(get("plus")),
        range=address_of_range(get("address_range") or ""),
        service_type=get("service_type") or "",
        coding=text.Coding(
            alphabet=text.Alphabet(get("alphabet") or "gsm"),
            gsm_code=int(get("gsm_code") or "0", 0),
            latin1=bool(get("latin1")),
            long=text.Long(get("long") or "udh8"),
        ),
        registered=registered,
        validity=relative(int(validity)) if validity else "",
        tlvs=read_tlvs(get("tlvs") or ""),
        habits=Habits(
            ids=IdFormat(get("ids") or "auto"),
            zone=ZoneInfo(get("zone") or "UTC"),
            accepted=Delivery(get("accepted") or "sent"),
            unknown=Delivery(get("unknown") or "unknown"),
            by_text=bool(get("receipts_by_text")),
        ),
        statuses=read_statuses(get("statuses") or ""),
        enquire=float(get("enquire") or 30),
        answer_within=float(get("answer_within") or 60),
        first_pause=first_pause,
        longest_pause=max(float(get("longest_pause") or 60), first_pause),
    )


def address_of_range(range_: str) -> tuple[int, int, str]:
    return (_UNKNOWN, _UNKNOWN, range_) if not range_ else (_INTERNATIONAL, _ISDN, range_)


def _tls(settings: Mapping[str, Any]) -> Tls:
    return Tls(
        verify=not settings.get("tls_unverified"),
        name=settings.get("tls_name") or "",
        ca=settings.get("tls_ca") or "",
        certificate=settings.get("tls_certificate") or "",
        key=settings.get("tls_key") or "",
    )


def _number(value: object) -> int | None:
    return int(str(value)) if value not in (None, "") else None


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
