"""Infobip: a number, a short code or a name (docs/phones/infobip.md).

https://www.infobip.com/docs/api/channels/sms, version 3, read 2026-11. SMS carry our own id, and Infobip
refuses an id it has taken before: so whatever may have gone wrong, an SMS can be handed over again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import NoAnswer, NotSent
from lib.money import millionths
from phones.base import (
    BadAnswer,
    Balance,
    Callback,
    Capabilities,
    Endpoint,
    Event,
    Fetched,
    IncomingMedia,
    Misconfigured,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Rejected,
    Sent,
    Temporary,
    no,
    outcome_of,
    yes,
)
from phones.types.infobip import callbacks, codes
from phones.types.infobip.answers import (
    body_of,
    in_order,
    number_of,
    outcome,
    refusal,
    status_of,
)
from phones.types.infobip.settings import SettingsForm

_SMS, _MMS = "/sms/3/messages", "/mms/2/messages"
# Ids that one message has at most. It needs another one only when Infobip refused it under the last.
_NAMES = 9


class Infobip(PhoneType):
    label = "Infobip"
    what = _("numbers and names worldwide; never sends twice")
    docs = "https://www.infobip.com/docs/sms"
    Settings = SettingsForm
    bulk_size = 100
    can = Capabilities(
        send=yes(),
        receive=yes(_("Not with a name as sender")),
        phone_status=no(),
        mms_out=yes(_("Where your account has MMS")),
        mms_in=yes(_("Where your account has MMS")),
        delivery=yes(),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=yes(_("Some countries want it registered")),
        unicode=yes(),
        long=yes(_("Up to 4000 bytes")),
        balance=yes(),
        price=yes(_("Said with the delivery report")),
        polling=no(),
        bulk=yes(_("100 messages in one request")),
        safe_retry=yes(_("Not for pictures")),
        signed=no(),
        opt_out=yes(_("When it refuses a number that is on the block list")),
    )
    unsigned = _(
        "Infobip does not sign what it sends to an address that came with the message. Each address "
        "holds a secret instead: keep it to yourself."
    )
    setup = (
        _(
            "Open the Infobip portal (portal.infobip.com). Its home page shows base URL and API key."
        ),
        _("Get a number or register a sender name under Channels and Numbers."),
        _("Fill in the form, save it and test the connection. Nothing is sent."),
        _("To receive, paste this site's address at your number."),
    )
    endpoints = (
        Endpoint(
            "status",
            _("Delivery"),
            _("Tells what became of a message. Without it, messages stay at “sent”."),
            automatic=True,
        ),
        Endpoint(
            "incoming",
            _("Incoming messages"),
            _("Brings what people write to your number. Without it, no reply arrives."),
            paste=(
                _("In the Infobip portal open Channels and Numbers → Numbers and choose yours."),
                _("Under SMS (and MMS) add a keyword or the default action, Forward to HTTP."),
                _("Choose POST and JSON (MO), paste the address, and save."),
            ),
        ),
    )

    def address(self) -> str:
        return str(self.settings.get("sender", ""))

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        [became] = self._hand_over([sms])
        if isinstance(became, PhoneError):
            raise became
        return became

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        try:
            return self._hand_over(batch)
        except Rejected:
            if len(batch) == 1:
                raise
            # Nothing was taken: what is wrong with one message must not fail the others.
            return [self._alone(sms) for sms in batch]

    def _alone(self, sms: OutgoingSms) -> Sent | PhoneError:
        try:
            return self.send(sms)
        except PhoneError as error:
            return error
        except (NotSent, NoAnswer) as error:
            return outcome_of(error)

    def _hand_over(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        said = self._order(batch, [sms.key for sms in batch])
        return [
            self._once_more(sms) if number_of(item) == codes.DUPLICATE else outcome(item, sms.key)
            for sms, item in zip(batch, said, strict=True)
        ]

    def _once_more(self, sms: OutgoingSms) -> Sent | PhoneError:
        """Give what became of a message whose id Infobip had taken before; raises nothing.

        1. Its log says that it went on with it: it is sent.
        2. Its log says that it refused it then (the account was empty): it leaves under another id,
           and that one may have been refused, too.
        3. Its log says nothing: nobody knows.
        """
        try:
            # Pictures are in no log that we know of.
            found = None if sms.media else self._followed(sms)
        except PhoneError as error:
            return error
        except (NotSent, NoAnswer) as error:
            return outcome_of(error)
        return found or OutcomeUnknown(
            gettext("Infobip was given this message before and does not say what became of it.")
        )

    def _followed(self, sms: OutgoingSms) -> Sent | PhoneError | None:
        name = sms.key
        for number in range(2, _NAMES + 1):
            group = self._logged(name)
            if group != codes.REFUSED:
                return None if group == -1 else Sent(name)
            name = f"{sms.key}-{number}"
            [item] = self._order([sms], [name])
            if number_of(item) != codes.DUPLICATE:
                return outcome(item, name)
        return None

    def _logged(self, name: str) -> int:
        """Give the status group of a message in the log of the last 48 hours, -1 if not there."""
        try:
            results = self._ask("GET", "/sms/3/logs", params={"messageId": name}).get("results")
        except (Misconfigured, Rejected):
            # The key may send and not read: no reason to pause the phone.
            return -1
        for item in results if isinstance(results, list) else []:
            if isinstance(item, dict) and item.get("messageId") == name:
                return codes.number(status_of(item), "groupId")
        return -1

    def _order(self, batch: Sequence[OutgoingSms], names: Sequence[str]) -> list[dict[str, Any]]:
        """Hand messages over under these ids; give what is said of each, in order."""
        is_mms = bool(batch[0].media)
        orders = [self._written(sms, name) for sms, name in zip(batch, names, strict=True)]
        order: dict[str, Any] = {"messages": orders}
        if not is_mms:
            order["options"] = {"includeSmsCountInResponse": True}
        body = self._ask("POST", _MMS if is_mms else _SMS, order, safe=not is_mms and all(names))
        said = body.get("messages")
        if not isinstance(said, list) or len(said) != len(batch):
            raise BadAnswer(gettext("Infobip does not say what became of each message."))
        return in_order(said, names)

    def _written(self, sms: OutgoingSms, name: str) -> dict[str, Any]:
        destination = {"to": sms.to.removeprefix("+")} | ({"messageId": name} if name else {})
        order: dict[str, Any] = {
            "sender": self.address().removeprefix("+"),
            "destinations": [destination],
            "content": _pictures(sms) if sms.media else {"text": sms.text},
            "webhooks": {
                "delivery": {"url": self.addresses.of("status")},
                "contentType": "application/json",
                "callbackData": sms.reference,
            },
        }
        if sms.flash and not sms.media:
            order["options"] = {"flash": True}
        return order

    # ---- Callbacks ------------------------------------------------------------------------------

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(endpoint, callback)

    def fetch(self, media: IncomingMedia) -> Fetched:
        parts, ours = urlsplit(media.url), urlsplit(self._base_url)
        is_theirs = parts.scheme == "https" and re.fullmatch(
            r"([a-z0-9-]+\.)+infobip\.com", parts.netloc
        )
        if not is_theirs and (parts.scheme, parts.netloc) != (ours.scheme, ours.netloc):
            raise Rejected(gettext("This picture is not on Infobip's own pages."))
        answer = self.http.request("GET", media.url, headers=self._login)
        if answer.status != 200:
            raise refusal(answer, safe=True)
        return Fetched(answer.body, media.content_type or answer.headers.get("content-type", ""))

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        left = self.balance()
        return gettext("Infobip knows the API key; %(amount)s %(currency)s is left.") % {
            "amount": f"{Decimal(left.amount) / 1_000_000:.2f}",
            "currency": left.currency,
        }

    def balance(self) -> Balance:
        said = self._ask("GET", "/account/1/balance")
        amount = millionths(said.get("balance"))
        if amount is None:
            raise BadAnswer(gettext("Infobip told no balance."))
        return Balance(amount, str(said.get("currency") or ""))

    # ---- The way there --------------------------------------------------------------------------

    @property
    def _base_url(self) -> str:
        return str(self.settings["base_url"]).rstrip("/")

    @property
    def _login(self) -> dict[str, str]:
        return {"Authorization": f"App {self.settings['api_key']}", "Accept": "application/json"}

    def _ask(
        self,
        method: str,
        path: str,
        order: dict[str, Any] | None = None,
        *,
        params: dict[str, str] | None = None,
        safe: bool = True,
    ) -> dict[str, Any]:
        """Ask Infobip; `safe` = asking again does no harm. Raises a PhoneError, NotSent or NoAnswer."""
        try:
            answer = self.http.request(
                method, self._base_url + path, json=order, params=params, headers=self._login
            )
        except NoAnswer as error:
            if safe:
                raise Temporary(str(error)) from None
            raise
        if not 200 <= answer.status < 300:
            raise refusal(answer, safe=safe)
        body = body_of(answer)
        if not body:
            raise BadAnswer(gettext("Infobip answered something that is not JSON."))
        return body


def _pictures(sms: OutgoingSms) -> dict[str, Any]:
    text = [{"type": "TEXT", "text": sms.text}] if sms.text else []
    links = [
        {"type": "LINK", "contentUrl": item.url, "contentType": item.content_type}
        for item in sms.media
    ]
    return {"messageSegments": [*text, *links]}
