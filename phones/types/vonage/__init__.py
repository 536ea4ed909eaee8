"""Vonage, once Nexmo: a number, a short code or a name, by either of its APIs (docs/phones/vonage.md).

Vonage takes no id of ours to recognise a message by, so whatever may have made one is never sent again
by itself.
"""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.money import millionths
from phones.base import (
    BadAnswer,
    BadSignature,
    Balance,
    Callback,
    Capabilities,
    Event,
    Fetched,
    IncomingMedia,
    LookedUp,
    Malformed,
    Money,
    OutgoingSms,
    PhoneType,
    Rejected,
    Reply,
    Sent,
    no,
    yes,
)
from phones.types.vonage import callbacks, messages_api, number_insight, signatures, sms_api
from phones.types.vonage.console import ENDPOINTS, SETUP
from phones.types.vonage.messages_api import body_of, refusal
from phones.types.vonage.settings import SMS, SettingsForm

_BALANCE = "https://rest.nexmo.com/account/get-balance"
# https://developer.vonage.com/en/api/pricing, read 2026-11: one request per second.
_PRICE = "https://rest.nexmo.com/account/get-pricing/outbound/sms"


class Vonage(PhoneType):
    label = "Vonage"
    what = _("numbers and names worldwide, calls; was Nexmo")
    docs = "https://developer.vonage.com/en/messages/overview"
    Settings = SettingsForm
    endpoints = ENDPOINTS
    setup = SETUP
    can = Capabilities(
        send=yes(),
        receive=yes(_("Not with a name as sender")),
        phone_status=no(),
        mms_out=yes(_("With the Messages API and a number of the US")),
        mms_in=yes(_("With the Messages API and a number of the US")),
        delivery=yes(),
        flash=yes(_("With the SMS API")),
        call=yes(_("With a number that can take calls")),
        call_end=yes(_("With a number that can take calls")),
        own_name=yes(_("Not to the US and Canada")),
        unicode=yes(),
        long=yes(),
        balance=yes(),
        price=yes(_("By its price list, and with each message")),
        look_up=yes(_("By Number Insight, which Vonage ends on 4 February 2027")),
        polling=no(),
        bulk=no(),
        safe_retry=no(),
        signed=yes(_("With the SMS API only where Vonage has switched it on")),
        opt_out=yes(_("When a message fails for it")),
    )

    def address(self) -> str:
        return str(self.settings.get("sender", ""))

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        return self._by_sms_api(sms) if self._has_sms_api else self._by_messages_api(sms)

    def _by_sms_api(self, sms: OutgoingSms) -> Sent:
        if sms.media:
            raise Rejected(gettext("The SMS API sends no pictures. Choose the Messages API."))
        user, secret = self._login
        fields = sms_api.order(sms, self._sender, self.addresses.of("status"))
        fields |= {"api_key": user, "api_secret": secret}
        answer = self.http.request("POST", sms_api.URL, data=fields)
        if not 200 <= answer.status < 300:
            raise refusal(answer, creating=True)
        return sms_api.sent(body_of(answer))

    def _by_messages_api(self, sms: OutgoingSms) -> Sent:
        if sms.flash:
            raise Rejected(gettext("The Messages API sends no flash SMS. Choose the SMS API."))
        order = messages_api.order(sms, self._sender, self.addresses.of("status"))
        answer = self.http.request("POST", messages_api.URL, json=order, auth=self._login)
        if not 200 <= answer.status < 300:
            raise refusal(answer, creating=True)
        return messages_api.sent(body_of(answer))

    # ---- Callbacks ------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        secret = str(self.settings.get("signature_secret") or "")
        if not secret and self._has_sms_api:
            # Vonage signs these only where it was asked to; the address holds a secret, too.
            return
        token = callback.headers.get("authorization", "")
        if secret and token.startswith("Bearer "):
            signatures.verify_token(token, callback.body, secret)
            return
        if not self._has_sms_api:
            raise BadSignature(gettext("Vonage's signature is missing."))
        try:
            said = callbacks.fields_of(callback)
        except Malformed as error:
            raise BadSignature(str(error)) from None
        fields = {name: str(value) for name, value in said.items()}
        method = str(self.settings.get("signature_method") or "md5hash")
        signatures.verify_fields(fields, method, secret)

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(endpoint, callback)

    def reply(self, endpoint: str) -> Reply:
        # Nothing to do with the call: it is not taken.
        return Reply(content_type="application/json", body="[]") if endpoint == "call" else Reply()

    def fetch(self, media: IncomingMedia) -> Fetched:
        parts = urlsplit(media.url)
        theirs = re.fullmatch(r"([a-z0-9-]+\.)+(nexmo|vonage)\.com", parts.netloc)
        if parts.scheme != "https" or not theirs:
            raise Rejected(gettext("This picture is not on Vonage's own pages."))
        # They are open to whoever knows the address.
        answer = self.http.request("GET", media.url)
        if answer.status != 200:
            raise refusal(answer, creating=False)
        return Fetched(answer.body, media.content_type or answer.headers.get("content-type", ""))

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        left = self.balance()
        return gettext("Vonage knows the account; %(amount)s %(currency)s is left.") % {
            "amount": f"{Decimal(left.amount) / 1_000_000:.2f}",
            "currency": left.currency,
        }

    def balance(self) -> Balance:
        answer = self.http.request("GET", _BALANCE, auth=self._login)
        if answer.status != 200:
            raise refusal(answer, creating=False)
        amount = millionths(body_of(answer).get("value"))
        if amount is None:
            raise BadAnswer(gettext("Vonage told no balance."))
        # Vonage keeps its accounts in euros.
        return Balance(amount, "EUR")

    def price_to(self, country: str) -> Money:
        answer = self.http.request("GET", _PRICE, params={"country": country}, auth=self._login)
        if answer.status != 200:
            raise refusal(answer, creating=False)
        said = body_of(answer)
        networks = said.get("networks")
        mobile = [
            network.get("price")
            for network in (networks if isinstance(networks, list) else [])
            if isinstance(network, dict) and network.get("type") == "mobile"
        ]
        amounts = [millionths(price) for price in mobile or [said.get("defaultPrice")]]
        dearest = max((amount for amount in amounts if amount is not None), default=None)
        if dearest is None:
            raise Rejected(gettext("Vonage tells no price for this country."))
        return Money(dearest, str(said.get("currency") or "EUR"))

    def look_up(self, number: str) -> LookedUp:
        asked = {"number": number.removeprefix("+")}
        answer = self.http.request("GET", number_insight.URL, params=asked, auth=self._login)
        if answer.status != 200:
            raise refusal(answer, creating=False)
        return number_insight.read(body_of(answer))

    @property
    def _has_sms_api(self) -> bool:
        return bool(self.settings.get("api") == SMS)

    @property
    def _sender(self) -> str:
        return self.address().removeprefix("+")

    @property
    def _login(self) -> tuple[str, str]:
        return str(self.settings["account"]), str(self.settings["api_secret"])
