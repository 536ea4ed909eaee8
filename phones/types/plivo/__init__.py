"""Plivo: a number, a short code, a name or a Powerpack (docs/phones/plivo.md).

https://www.plivo.com/docs/messaging/api/message, read 2026-11. Plivo takes no id of ours, so whatever
may have made a message is never sent again by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import NoAnswer, NotSent
from lib.money import millionths
from phones.base import (
    BadAnswer,
    BadNumber,
    Balance,
    Callback,
    Capabilities,
    Event,
    Fetched,
    IncomingMedia,
    LookedUp,
    Misconfigured,
    Money,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Rejected,
    Reply,
    Sent,
    no,
    outcome_of,
    yes,
)
from phones.types.plivo import callbacks
from phones.types.plivo.answers import body_of, looked_up, outcomes, refusal
from phones.types.plivo.callbacks import digits
from phones.types.plivo.console import ENDPOINTS, SETUP
from phones.types.plivo.settings import POWERPACK, SettingsForm

_API = "https://api.plivo.com/v1/Account/"
# https://www.plivo.com/docs/lookup/api/; the fields of the answer are not verified.
_LOOKUP = "https://lookup.plivo.com/v1/Number/"
# Redirects followed from a picture to the store it is in.
_HOPS = 3


class Plivo(PhoneType):
    label = "Plivo"
    what = _("numbers, short codes and names; many in one request")
    docs = "https://www.plivo.com/docs/messaging/"
    Settings = SettingsForm
    endpoints = ENDPOINTS
    setup = SETUP
    bulk_size = 100
    can = Capabilities(
        send=yes(),
        receive=yes(_("Not with a name as sender")),
        phone_status=yes(),
        mms_out=yes(_("With numbers of the US and Canada")),
        mms_in=yes(_("With numbers of the US and Canada")),
        delivery=yes(),
        flash=no(),
        call=yes(_("With a number that can take calls")),
        call_end=yes(_("With a number that can take calls")),
        own_name=yes(_("Not to the US and Canada")),
        unicode=yes(),
        long=yes(_("Up to 1600 characters, 737 in other alphabets")),
        balance=yes(_("Of the main account")),
        price=yes(_("By its price list, and with each report")),
        look_up=yes(),
        polling=no(),
        bulk=yes(_("100 numbers in one request")),
        safe_retry=no(),
        signed=yes(_("For messages the signature covers the address, not what is said")),
        opt_out=yes(),
    )

    def address(self) -> str:
        return str(self.settings.get("sender", ""))

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        # Our reference travels with it: the report may arrive before we know Plivo's id.
        [outcome] = self._hand_over([sms], self.addresses.of("status", message=sms.reference))
        if isinstance(outcome, PhoneError):
            raise outcome
        return outcome

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        if len({sms.to for sms in batch}) < len(batch):
            # Plivo answers with one id for each number: which of the two would have it?
            return [self._alone(sms) for sms in batch]
        try:
            return self._hand_over(batch, self.addresses.of("status"))
        except Rejected:
            if len(batch) == 1:
                raise
            # The refusal names nobody, and nothing was taken: one number must not fail the others.
            return [self._alone(sms) for sms in batch]

    def _alone(self, sms: OutgoingSms) -> Sent | PhoneError:
        try:
            return self.send(sms)
        except PhoneError as error:
            return error
        except (NotSent, NoAnswer) as error:
            return outcome_of(error)

    def _hand_over(self, batch: Sequence[OutgoingSms], report_to: str) -> list[Sent | PhoneError]:
        """Give the outcome of each. `batch` has one text, and each number once."""
        by = "powerpack_uuid" if POWERPACK.fullmatch(self.address()) else "src"
        order: dict[str, Any] = {
            by: self.address().removeprefix("+"),
            "dst": "<".join(digits(sms.to) for sms in batch),
            "type": "mms" if batch[0].media else "sms",
            "url": report_to,
            "method": "POST",
        }
        if batch[0].text:
            order["text"] = batch[0].text
        if batch[0].media:
            order["media_urls"] = [item.url for item in batch[0].media]
        return outcomes(batch, self._ask("POST", "Message/", order))

    # ---- Callbacks ------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        callbacks.verify(callback, self._login[1])

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(endpoint, callback)

    def reply(self, endpoint: str) -> Reply:
        return callbacks.reply(endpoint)

    def fetch(self, media: IncomingMedia) -> Fetched:
        if not _is_plivos(media.url):
            raise Rejected(gettext("This picture is not on Plivo's own pages."))
        url = media.url
        for _hop in range(_HOPS + 1):
            # The store that Plivo points to must not get the credentials.
            answer = self.http.request("GET", url, auth=self._login if _is_plivos(url) else None)
            if answer.status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.headers.get("location", ""))
                continue
            if answer.status != 200:
                raise refusal(answer, creating=False)
            return Fetched(answer.body, answer.headers.get("content-type", ""))
        raise BadAnswer(gettext("Plivo redirects from one address of this picture to the next."))

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        account = self._ask("GET", "")
        left = millionths(account.get("cash_credits"))
        about = gettext("Plivo knows the account “%(name)s”.")
        if left is not None:
            about = gettext("Plivo knows the account “%(name)s”, balance %(amount)s USD.")
        amount = f"{Decimal(left or 0) / 1_000_000:.2f}"
        about %= {"name": account.get("name") or self.settings["auth_id"], "amount": amount}
        return f"{about} {self._about_sender()}"

    def _about_sender(self) -> str:
        sender = self.address()
        if POWERPACK.fullmatch(sender):
            pack = self._ask("GET", f"Powerpack/{sender}/")
            words = gettext("Messages leave through the Powerpack “%(name)s”.")
            return words % {"name": pack.get("name") or sender}
        if not sender.startswith("+"):
            return gettext("Messages come from %(name)s.") % {"name": sender}
        try:
            number = self._ask("GET", f"Number/{quote(sender[1:])}/")
        except Misconfigured as error:
            words = gettext("The account does not own the number %(number)s.")
            raise Misconfigured(words % {"number": sender}, error.code) from None
        if number.get("sms_enabled") is False:
            raise Misconfigured(gettext("This number cannot send SMS. Choose another at Plivo."))
        return gettext("The number can send SMS.")

    def balance(self) -> Balance:
        left = millionths(self._ask("GET", "").get("cash_credits"))
        if left is None:
            raise BadAnswer(gettext("Plivo told no balance."))
        # Plivo keeps its accounts in US dollars.
        return Balance(left, "USD")

    def price_to(self, country: str) -> Money:
        sms = self._ask("GET", f"Pricing/?country_iso={quote(country)}").get("message")
        sms = sms if isinstance(sms, dict) else {}
        networks = sms.get("outbound_networks_list")
        rated = [*(networks if isinstance(networks, list) else []), sms.get("outbound")]
        amounts = [millionths(item.get("rate")) for item in rated if isinstance(item, dict)]
        dearest = max((amount for amount in amounts if amount is not None), default=None)
        if dearest is None:
            raise Rejected(gettext("Plivo tells no price for this country."))
        return Money(dearest, "USD")

    def look_up(self, number: str) -> LookedUp:
        url = f"{_LOOKUP}{quote(number)}"
        answer = self.http.request("GET", url, params={"type": "carrier"}, auth=self._login)
        if answer.status == 404:
            raise BadNumber(gettext("Plivo says that there is no such number."), "404")
        if answer.status != 200:
            raise refusal(answer, creating=False)
        return looked_up(body_of(answer))

    @property
    def _login(self) -> tuple[str, str]:
        return str(self.settings["auth_id"]), str(self.settings["auth_token"])

    def _ask(
        self, method: str, path: str, order: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask Plivo. Raises a PhoneError for every answer but a success."""
        url = f"{_API}{quote(self._login[0])}/{path}"
        answer = self.http.request(method, url, json=order, auth=self._login)
        if not 200 <= answer.status < 300:
            raise refusal(answer, creating=method == "POST")
        body = body_of(answer)
        if not body:
            raise BadAnswer(gettext("Plivo answered something that is not JSON."))
        return body


def _is_plivos(url: str) -> bool:
    parts = urlsplit(url)
    return (
        parts.scheme == "https"
        and re.fullmatch(r"[a-z0-9-]+\.plivo\.com", parts.netloc) is not None
    )
