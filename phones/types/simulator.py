"""The simulator: a provider without an account, on this machine (docs/phones/simulator.md).

It is spoken to over HTTP like any other: `POST /messages` takes a message, and its callbacks are
signed with a key that travels with each message. The provider itself is in phones/simulator.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import Answer, Http
from phones.base import (
    Addresses,
    BadAnswer,
    BadNumber,
    BadSignature,
    Balance,
    Callback,
    Capabilities,
    Delivery,
    Endpoint,
    Event,
    Fetched,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OptedOut,
    OptOutNotice,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
    no,
    yes,
)

# A number of the block that France keeps for films: nobody has it.
SENDER = "+33639980000"
_NUMBER = re.compile(r"\+?\d{3,15}")
# What networks allow: at most 11 Latin letters, digits and spaces, one of them a letter.
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
# Put behind the simulator's address, anything else might name another host: `@10.0.0.1/`.
_PATH = re.compile(r"/[\w./-]*", re.ASCII)

_ERRORS: dict[int, type[PhoneError]] = {
    400: Rejected,
    401: Misconfigured,
    402: NoCredit,
    410: OptedOut,
    422: BadNumber,
}
_REASONS = {
    "unreachable": Reason.UNREACHABLE,
    "expired": Reason.EXPIRED,
    "blocked": Reason.BLOCKED,
}


class Simulator(PhoneType):
    label = _("Simulator")
    what = _("For trying things out: free, reaches nobody")
    rate = 50
    pretends = True
    can = Capabilities(
        send=yes(_("No real handset gets it")),
        receive=yes(_("From numbers that end in 06, 08, 14 and 17")),
        phone_status=no(),
        mms_out=yes(),
        mms_in=yes(_("From numbers that end in 08")),
        delivery=yes(),
        flash=yes(),
        call=yes(_("From numbers that end in 07")),
        call_end=yes(_("From numbers that end in 07")),
        own_name=yes(_("At most 11 letters, digits and spaces")),
        unicode=yes(),
        long=yes(),
        balance=yes(_("Invented: always 100.00 EUR")),
        price=yes(_("Invented: 0.05 EUR for each segment")),
        polling=no(),
        bulk=no(),
        safe_retry=no(_("A second request is a second message, as with most providers")),
        signed=yes(),
        opt_out=yes(_("From numbers that end in 17")),
    )
    setup = (
        _("There is nothing to set up: the simulator runs beside this site and needs no account."),
        _("Write to any number. Its last two digits decide what happens; the table says how."),
    )
    endpoints = (
        Endpoint(
            "status",
            _("Delivery"),
            _("Without it, messages stay “sent” and nobody knows whether they arrived."),
            automatic=True,
        ),
        Endpoint(
            "incoming",
            _("Incoming messages"),
            _("Without it, replies and pictures never reach the inbox."),
            automatic=True,
        ),
        Endpoint(
            "call",
            _("Incoming calls"),
            _("Without it, nobody is told that somebody rang."),
            automatic=True,
        ),
        Endpoint(
            "call_end",
            _("End of calls"),
            _("Without it, nobody knows how long a call rang."),
            automatic=True,
        ),
    )
    # The endings are those of phones/simulator/behaviours.py; a test compares them.
    table = (
        ("01", _("Is delivered after 10 seconds.")),
        ("02", _("Is taken, then fails: the handset cannot be reached.")),
        ("03", _("Is refused at once: the number is not a mobile.")),
        ("04", _("Is taken, and its delivery is never reported.")),
        ("05", _("Is taken, but the answer never comes: the outcome is unknown.")),
        ("06", _("Is delivered; the person replies “Yes, thank you.”")),
        ("07", _("Is delivered; the person rings for 8 seconds.")),
        ("08", _("Is delivered; the person sends a picture.")),
        ("09", _("Is refused: the person asked for no more messages.")),
        ("10", _("Is told to come back in 2 seconds, then is delivered.")),
        ("11", _("Meets an error of the provider on the first try, then is delivered.")),
        ("12", _("Finds the account empty on the first try: the phone pauses. Start it again.")),
        ("13", _("Finds the account refused on the first try: the phone pauses. Start it again.")),
        ("14", _("Is delivered; the person replies with a long text in several alphabets.")),
        ("15", _("Is delivered; the reports come twice and in the wrong order.")),
        ("16", _("Is delivered; the report comes before the message is answered for.")),
        ("17", _("Is delivered; the person replies STOP.")),
        ("18", _("Is taken, then fails: it could not be delivered in time.")),
        ("19", _("Is taken, then fails: the network blocks it.")),
        (_("any other"), _("Is delivered after 1 second.")),
    )

    class Settings(forms.Form):
        """What people can choose. `base_url` is not among it: the operator sets it."""

        sender = forms.CharField(
            label=_("Sender"),
            help_text=_(
                "The number, or the name of at most 11 letters, that its messages come from."
            ),
            required=False,
            initial=SENDER,
            max_length=20,
        )
        key = forms.CharField(
            label=_("Signing key"),
            help_text=_(
                "Signs its callbacks. Leave it empty to use a key made from their address."
            ),
            required=False,
            max_length=200,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        )

        advanced = ("key",)

        def clean_sender(self) -> str:
            written = str(self.cleaned_data["sender"]).strip()
            number = re.sub(r"[\s().-]", "", written)
            if _NUMBER.fullmatch(number):
                return number
            if written and not _NAME.fullmatch(written):
                raise forms.ValidationError(
                    _("Write a number, or a name of at most 11 letters, digits and spaces.")
                )
            return written

    def __init__(self, settings: Mapping[str, Any], http: Http, addresses: Addresses) -> None:
        super().__init__(settings, http, addresses)
        # The callback address holds a secret of the phone; hashed, any key fits into a header.
        key = settings.get("key") or addresses.base
        self._key = hashlib.sha256(str(key).encode()).hexdigest()

    def address(self) -> str:
        return str(self.settings.get("sender") or SENDER)

    def send(self, sms: OutgoingSms) -> Sent:
        order = {
            "reference": sms.reference,
            "to": sms.to,
            "from": self.address(),
            "text": sms.text,
            "media": [item.url for item in sms.media],
            "flash": sms.flash,
            "callbacks": {item.name: self.addresses.of(item.name) for item in self.endpoints},
        }
        taken = _body(self._ask("POST", "/messages", order))
        if not taken.get("id"):
            raise BadAnswer("The simulator took the message without naming it.")
        return Sent(str(taken["id"]), taken.get("segments"), taken.get("cost"), "EUR")

    def verify(self, callback: Callback) -> None:
        signed = callback.url.encode() + callback.body
        right = hmac.new(self._key.encode(), signed, hashlib.sha256).hexdigest()
        given = callback.headers.get("x-simulator-signature", "")
        if not hmac.compare_digest(given.encode(), f"sha256={right}".encode()):
            raise BadSignature("X-Simulator-Signature does not fit.")

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        try:
            body = json.loads(callback.body)
            return _READERS[endpoint](body)
        except KeyError as missing:
            raise Malformed(f"{missing.args[0]} is missing.") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise Malformed(f"The body is not what was expected: {error}.") from None

    def check(self) -> str:
        self._ask("GET", "/health")
        return gettext("The simulator is running.")

    def balance(self) -> Balance:
        left = _body(self._ask("GET", "/balance"))
        try:
            return Balance(int(left["amount"]), str(left["currency"]))
        except (KeyError, TypeError, ValueError):
            raise BadAnswer("The simulator told no balance.") from None

    def fetch(self, media: IncomingMedia) -> Fetched:
        # Only the path counts: the simulator may have moved to another port since, and nothing that
        # a callback says makes us call another host.
        path = urlsplit(media.url).path
        if not _PATH.fullmatch(path):
            raise Rejected("This picture is not one of the simulator's.")
        answer = self._ask("GET", path)
        return Fetched(answer.body, answer.headers.get("content-type", ""))

    def _ask(self, method: str, path: str, order: dict[str, Any] | None = None) -> Answer:
        """Ask the simulator. Raises a PhoneError for every answer that is not a success."""
        base = str(self.settings.get("base_url") or "")
        if not base:
            raise Temporary(gettext("The simulator is not running. ./run starts it with the site."))
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self.http.request(method, f"{base}{path}", json=order, headers=headers)
        if not 200 <= answer.status < 300:
            raise _error(answer)
        return answer


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        raise BadAnswer("The simulator answered something that is not JSON.") from None
    if not isinstance(body, dict):
        raise BadAnswer("The simulator answered something that is not a JSON object.")
    return body


def _error(answer: Answer) -> PhoneError:
    body = _body(answer)
    words, code = str(body.get("message", "")), str(body.get("code", ""))
    if answer.status == 429:
        return Throttled(words, code, retry_after=answer.retry_after)
    if answer.status == 503:
        return Temporary(words, code, retry_after=answer.retry_after)
    return _ERRORS.get(answer.status, BadAnswer)(words or f"HTTP {answer.status}", code)


def _status(body: dict[str, Any]) -> list[Event]:
    code = str(body.get("code", ""))
    return [
        StatusReport(
            Delivery(body["status"]),
            provider_id=body["id"],
            reference=body["reference"],
            reason=_REASONS.get(code, Reason.REJECTED if code else ""),
            code=code,
            words=str(body.get("message", "")),
            at=_time(body),
        )
    ]


def _incoming(body: dict[str, Any]) -> list[Event]:
    media = tuple(IncomingMedia(item["url"], item["type"]) for item in body.get("media", ()))
    sms = IncomingSms(body["from"], body["text"], body["id"], body["to"], media, _time(body))
    if body.get("opt_out"):
        return [sms, OptOutNotice(body["from"], body["text"])]
    return [sms]


def _call(body: dict[str, Any]) -> list[Event]:
    return [IncomingCall(body["from"], body["id"], at=_time(body))]


def _call_end(body: dict[str, Any]) -> list[Event]:
    return [
        IncomingCall(
            body["from"],
            body["id"],
            ended=True,
            seconds=body["seconds"],
            outcome=body["outcome"],
            at=_time(body),
        )
    ]


def _time(body: dict[str, Any]) -> datetime:
    at = datetime.fromisoformat(body["at"])
    if at.tzinfo is None:
        raise ValueError("at has no time zone")
    return at


_READERS = {"status": _status, "incoming": _incoming, "call": _call, "call_end": _call_end}
