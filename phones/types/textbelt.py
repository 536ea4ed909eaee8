"""Textbelt: a key and nothing else, or an open-source server of one's own (docs/phones/textbelt.md).

https://docs.textbelt.com and https://github.com/typpo/textbelt, read 2026-11. Textbelt answers 200 to
everything and gives its errors as sentences, without codes. It calls back for replies only, so delivery
is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from lib.http import Answer, is_base
from phones.base import (
    BadAnswer,
    BadNumber,
    BadSignature,
    Balance,
    Callback,
    Capabilities,
    Delivery,
    Endpoint,
    Event,
    IncomingSms,
    Malformed,
    Misconfigured,
    NoCredit,
    OptedOut,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Polled,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
    no,
    yes,
)

HOSTED = "https://textbelt.com"
# Requests of one look: the rest has its turn in the next ones.
_ASKED_AT_ONCE = 50
# The only final states; SENT means that the carrier tells no more.
_STATES = {"DELIVERED": Delivery.DELIVERED, "FAILED": Delivery.FAILED}
# What Textbelt says, and what it means; the first that fits. Anything else is about this message.
_MEANINGS: tuple[tuple[str, type[PhoneError]], ...] = (
    (r"out of quota|only one (test )?text message", NoCredit),
    (r"invalid (phone )?number", BadNumber),
    (r"opted[ -]?out|unsubscribed", OptedOut),
    (r"incomplete request|invalid.*key|key.*invalid", Misconfigured),
    (r"too many|rate limit", Throttled),
    # Of the open-source server: some of its mails may have left.
    (r"communication with sms gateway failed", OutcomeUnknown),
)
# Appended to a key, nothing is sent. Replies are signed with the key itself.
_TRIAL = "_test"


class Textbelt(PhoneType):
    label = "Textbelt"
    what = _("a key and nothing else, best in the US and Canada; or your own open-source server")
    docs = "https://docs.textbelt.com"
    poll_every = 60
    can = Capabilities(
        send=yes(),
        receive=yes(_("Replies of US numbers, not with your own server")),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("Asked for each minute, not with your own server")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=no(),
        unicode=yes(),
        long=yes(_("Each segment counts as a message of the key")),
        balance=yes(_("As messages, not with your own server")),
        price=no(),
        polling=yes(),
        bulk=no(),
        safe_retry=no(),
        signed=yes(),
        opt_out=no(_("Textbelt heeds STOP by itself and does not tell us")),
    )
    setup = (
        _("Buy a key at textbelt.com. There is no account: who has the key has the messages."),
        _("Fill in the key, save, and test the connection. Nothing is sent."),
        _("Messages with links are refused until Textbelt has verified who you are."),
        _(
            "Or run the open-source server and write its address under More settings, without a key."
        ),
    )
    endpoints = (
        Endpoint(
            "incoming",
            _("Incoming messages"),
            _("Brings the replies to your messages. Without it, no reply arrives."),
            automatic=True,
        ),
    )

    class Settings(PhoneType.Settings):
        """A key of Textbelt, or the address of a server of one's own."""

        advanced = ("sender", "base_url", "region")

        key = forms.CharField(
            label=_("Key"),
            help_text=_(
                "From textbelt.com. With _test at its end everything is tried and nothing sent. "
                "Leave it empty with your own server."
            ),
            min_length=4,
            max_length=200,
            required=False,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        )
        sender = forms.CharField(
            label=_("Your organisation"),
            help_text=_("Some networks want to know who writes. The recipient does not see it."),
            max_length=40,
            required=False,
        )
        base_url = forms.CharField(
            label=_("Address of your own server"),
            help_text=_("Such as http://textbelt.example.org:9090. Leave it empty for Textbelt."),
            max_length=200,
            required=False,
        )
        region = forms.ChoiceField(
            label=_("Carriers of your own server"),
            help_text=_("Your own server writes e-mails to all carriers of this region."),
            choices=[
                ("text", _("United States")),
                ("canada", _("Canada")),
                ("intl", _("International")),
            ],
            required=False,
        )

        def clean_base_url(self) -> str:
            url: str = self.cleaned_data["base_url"].rstrip("/")
            if url and not is_base(url):
                raise forms.ValidationError(
                    gettext("Write an address such as http://textbelt.example.org:9090.")
                )
            return url

        def clean(self) -> dict[str, Any]:
            given = self.cleaned_data
            if "key" in given and not given["key"] and not given.get("base_url"):
                self.add_error(
                    "key", gettext("Textbelt needs a key; only your own server does not.")
                )
            return given

    @property
    def _own(self) -> str:
        """Give the address of the person's own server, "" for Textbelt itself."""
        return str(self.settings.get("base_url") or "")

    @property
    def _key(self) -> str:
        return str(self.settings.get("key") or "")

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        if self._own:
            return self._send_by_own(sms)
        order = {
            "phone": sms.to,
            "message": sms.text,
            "key": self._key,
            "replyWebhookUrl": self.addresses.of("incoming"),
        }
        if sender := str(self.settings.get("sender") or ""):
            order["sender"] = sender
        said = _said(self.http.request("POST", f"{HOSTED}/text", data=order), sending=True)
        if not said.get("textId"):
            raise BadAnswer(gettext("Textbelt took the message without naming it."))
        return Sent(str(said["textId"]))

    def _send_by_own(self, sms: OutgoingSms) -> Sent:
        region = str(self.settings.get("region") or "text")
        order = {"number": _digits(sms.to, region), "message": sms.text}
        _said(self.http.request("POST", f"{self._own}/{region}", data=order), sending=True)
        return Sent("")

    # ---- Delivery -------------------------------------------------------------------------------

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        """Ask what became of the next messages; `cursor` is the last one asked about."""
        if self._own:
            return Polled()
        start = pending.index(cursor) + 1 if cursor in pending else 0
        turn = [*pending[start:], *pending[:start]][:_ASKED_AT_ONCE]
        events = [event for name in turn if (event := self._outcome(name))]
        return Polled(tuple(events), turn[-1] if turn else "")

    def _outcome(self, name: str) -> StatusReport | None:
        answer = self.http.request("GET", f"{HOSTED}/status/{quote(name, safe='')}")
        status = str(_body(answer).get("status") or "").upper() if answer.status == 200 else ""
        state = _STATES.get(status)
        if state is None:
            return None
        failed = state is Delivery.FAILED
        return StatusReport(
            state,
            provider_id=name,
            reason=Reason.UNREACHABLE if failed else "",
            code=status if failed else "",
        )

    # ---- Replies --------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        stamp = callback.headers.get("x-textbelt-timestamp", "")
        given = callback.headers.get("x-textbelt-signature", "").lower()
        for key in {self._key, self._key.removesuffix(_TRIAL)} - {""}:
            signed = stamp.encode() + callback.body
            right = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
            if stamp and hmac.compare_digest(right.encode(), given.encode()):
                return
        raise BadSignature("X-textbelt-signature does not fit.")

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        try:
            said = json.loads(callback.body)
        except (ValueError, RecursionError):
            raise Malformed("The body is not JSON.") from None
        if not isinstance(said, dict) or not said.get("fromNumber"):
            raise Malformed("fromNumber is missing.")
        stamp = callback.headers.get("x-textbelt-timestamp", "")
        return [
            IncomingSms(
                sender=str(said["fromNumber"]),
                text=str(said.get("text") or ""),
                # `textId` names the message that was replied to, not the reply.
                provider_id=hashlib.sha256(stamp.encode() + callback.body).hexdigest(),
                at=_moment(stamp),
            )
        ]

    # ---- The key --------------------------------------------------------------------------------

    def check(self) -> str:
        if self._own:
            answer = self.http.request("GET", f"{self._own}/")
            if answer.status != 200:
                raise _refusal(answer, sending=False)
            return gettext("Your server answers: %(words)s") % {"words": _words(answer)}
        left = self._left()
        if left <= 0:
            raise NoCredit(gettext("Textbelt says that this key has no messages left."))
        words = ngettext(
            "Textbelt knows this key; it has %(count)s message left.",
            "Textbelt knows this key; it has %(count)s messages left.",
            left,
        )
        return words % {"count": left}

    def balance(self) -> Balance:
        if self._own:
            raise Rejected(gettext("Your own server counts no messages."))
        return Balance(self._left() * 1_000_000, gettext("messages"))

    def _left(self) -> int:
        key = quote(self._key.removesuffix(_TRIAL), safe="")
        said = _said(self.http.request("GET", f"{HOSTED}/quota/{key}"), sending=False)
        left = said.get("quotaRemaining")
        if not isinstance(left, int | float):
            raise BadAnswer(gettext("Textbelt did not say how many messages are left."))
        return int(left)


def _digits(number: str, region: str) -> str:
    """Give a number as the open-source server wants it: ten digits in the US and Canada."""
    if region == "intl":
        return number.lstrip("+")
    if not re.fullmatch(r"\+1\d{10}", number):
        raise BadNumber(gettext("Your server reaches numbers that begin with +1 only."))
    return number.removeprefix("+1")


def _said(answer: Answer, *, sending: bool) -> dict[str, Any]:
    """Give the body of a success. Raises a PhoneError for anything else."""
    if not 200 <= answer.status < 300:
        raise _refusal(answer, sending=sending)
    body = _body(answer)
    if body.get("success") is True:
        return body
    words = str(body.get("error") or body.get("message") or "")
    if body.get("success") is not False or not words:
        raise BadAnswer(_words(answer))
    kinds = (kind for pattern, kind in _MEANINGS if re.search(pattern, words, re.IGNORECASE))
    raise next(kinds, Rejected)(words)


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise BadAnswer(_words(answer))
    return body


def _refusal(answer: Answer, *, sending: bool) -> PhoneError:
    """Give the error for a status that is no success: of a proxy, or of a server in trouble."""
    words, status = _words(answer), answer.status
    if status == 429:
        return Throttled(words, retry_after=answer.retry_after)
    if status >= 500 or status == 408:
        return OutcomeUnknown(words) if sending else Temporary(words)
    if status == 402:
        return NoCredit(words)
    if status in (401, 403, 404, 405) or status < 400:
        return Misconfigured(words)
    return Rejected(words)


def _words(answer: Answer) -> str:
    """Give what was said in one line, without the tags of a web page."""
    said = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())[:300]
    return said or gettext("HTTP %(status)s, without a word") % {"status": answer.status}


def _moment(written: str) -> datetime | None:
    """Read seconds since 1970; None for anything else."""
    try:
        return datetime.fromtimestamp(int(written), UTC)
    except (ValueError, OverflowError, OSError):
        return None
