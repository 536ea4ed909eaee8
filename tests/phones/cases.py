"""The cases every phone type must be shown with: each type's test module fills in a `Cases`.

`tests/phones/test_cases.py` runs them for every type of the registry, and fails for a type that leaves
one out. What a provider cannot do is said with a reason: `Absent("It knows no …")`. A type that speaks
no HTTP at all gives `CASES = Absent("…")` and shows the same promises in its own test module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.http import Answer
from phones.base import (
    Callback,
    Delivery,
    IncomingSms,
    LookedUp,
    PhoneError,
)
from tests.fakes import Asked

BASE = "https://sms.example.org/callbacks/t0ken/"
TO = "+33612345678"
# Texts that every type must hand over whole: the encoding is the provider's business or the type's.
TEXTS = {
    "plain": "Hello",
    "unicode": "Bonjour 🎉 Привет",
    "long": "A long text. " * 30,
    "special": "[10 €] {a|b} ^~\\ é è à @ £ _",
}
# HTTP statuses of a refusal that each type must class.
REFUSALS = (400, 401, 402, 429, 500)


@dataclass(frozen=True)
class Absent:
    """Why a case does not exist for this provider."""

    why: str


@dataclass(frozen=True)
class Cases:
    """What one type is shown with.

    settings    what is stored for a phone; the values of secret fields must not appear anywhere
    route       where a message goes, as a key of `FakeHttp`: "POST https://api.example.net/messages"
    others      {route: answer} of requests that sending needs besides (a token, the time)
    accepted    the answer that takes a message, and `provider_id`, what `Sent` then says
    text_of     the text as it left in a request
    error_body  a 2xx answer that refuses in its body, and the error it is
    refusals    {400: (answer, error), …}, REFUSALS at least; 429 carries Retry-After
    reports     {name: (callback, Delivery, None or the exception class)}: every Delivery, "delivered"
                by this name, "unknown status", and "unknown message": not ours, read all the same
    incoming    {name: (callback, what it says or the exception class)}: valid, empty, unicode, no sender
    required    the codes of refusals that must be among them: HTTP's unless the type speaks otherwise
    too_fast    the refusal that says for how long to wait
    recorded    why what is recorded cannot be tried over HTTP; the module then tries it by itself
    signed      a callback that verifies; `unsigned` and `forged` are the same without, and with another
                signature
    """

    settings: Mapping[str, Any]
    route: str
    accepted: Answer
    provider_id: str
    text_of: Callable[[Asked], str]
    refusals: Mapping[int, tuple[Answer, type[PhoneError]]]
    error_body: tuple[Answer, type[PhoneError]] | Absent
    reports: Mapping[str, tuple[Callback, Delivery | type[Exception] | None]] | Absent
    incoming: Mapping[str, tuple[Callback, IncomingSms | type[Exception] | None]] | Absent
    signed: tuple[Callback, Callback, Callback] | Absent
    others: Mapping[str, Answer] = field(default_factory=dict)
    required: tuple[int, ...] = REFUSALS
    too_fast: int | Absent = 429
    recorded: Absent | None = None


# What each type that looks numbers up must be shown with.
LOOK_UPS = (
    "mobile",
    "landline",
    "no such number",
    "no carrier",
    "wrong account",
    "too fast",
    "down",
    "nonsense",
)


@dataclass(frozen=True)
class LookUps:
    """What one type that looks numbers up is shown with (`LOOK_UPS` in its test module).

    route     where the question goes, as a key of `FakeHttp`
    says      the number as it stands in the question, in its path or its query
    outcomes  {name: (answer, what it says or the error)}, the names of LOOK_UPS at least
    """

    route: str
    says: str
    outcomes: Mapping[str, tuple[Answer, LookedUp | type[PhoneError]]]


def callback(
    endpoint: str,
    *,
    form: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Callback:
    """Give a callback as the view makes it: header names in lower case, values in lists."""
    asked = "&".join(f"{key}={value}" for key, value in (query or {}).items())
    return Callback(
        method=method,
        url=f"{BASE}{endpoint}/" + (f"?{asked}" if asked else ""),
        headers=dict(headers or {}),
        query={key: [value] for key, value in (query or {}).items()},
        form={key: [value] for key, value in (form or {}).items()},
        body=body,
    )
