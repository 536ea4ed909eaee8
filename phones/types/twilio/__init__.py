"""Twilio: a number, a name or a Messaging Service (docs/phones/twilio.md).

Through the official SDK, over our HTTP client: https://www.twilio.com/docs/messaging/api.
Twilio offers no idempotency key, so whatever may have made a message is never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from twilio.base import values

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
    Polled,
    Rejected,
    Reply,
    Sent,
    no,
    yes,
)
from phones.types.twilio import asking, callbacks, looking_up, pictures
from phones.types.twilio.answers import millionths, price, sent
from phones.types.twilio.console import ENDPOINTS, SETUP
from phones.types.twilio.settings import NUMBER, SERVICE, SettingsForm
from phones.types.twilio.wire import API, client

# Numbers of a Messaging Service that are asked for incoming messages; each costs a request.
_POOL = 20


class Twilio(PhoneType):
    label = "Twilio"
    what = _("numbers in 100 countries, names, pictures, calls")
    docs = "https://www.twilio.com/docs/messaging"
    Settings = SettingsForm
    can = Capabilities(
        send=yes(),
        receive=yes(_("Not with a name as sender")),
        phone_status=yes(),
        mms_out=yes(_("Mostly with numbers of the US and Canada")),
        mms_in=yes(_("Mostly with numbers of the US and Canada")),
        delivery=yes(),
        flash=no(),
        call=yes(_("With a number that can take calls")),
        call_end=yes(_("With a number that can take calls")),
        own_name=yes(_("Not to the US and Canada")),
        unicode=yes(),
        long=yes(_("Up to 1600 characters")),
        balance=yes(_("Of the main account")),
        price=yes(_("By its price list")),
        look_up=yes(_("By Line Type Intelligence; for Canada Twilio must allow it first")),
        polling=yes(_("For what Twilio told us in vain while we were away")),
        bulk=no(),
        safe_retry=no(),
        signed=yes(),
        opt_out=yes(_("With Advanced Opt-Out")),
    )
    endpoints = ENDPOINTS
    setup = SETUP
    poll_every = 300
    # Its report comes within seconds; one that is late may still be on its way.
    ask_after = 600

    def address(self) -> str:
        return str(self.settings.get("sender", ""))

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        sender = self.address()
        by = "messaging_service_sid" if SERVICE.fullmatch(sender) else "from_"
        with self._twilio() as twilio:
            message = twilio.messages.create(
                to=sms.to,
                body=sms.text or values.unset,
                media_url=[item.url for item in sms.media] or values.unset,
                # Our reference travels with it: the report may arrive before we know Twilio's SID.
                status_callback=self.addresses.of("status", message=sms.reference),
                **{by: sender},
            )
        return sent(message)

    # ---- Callbacks ------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        callbacks.verify(
            callback,
            token=self._owner[1],
            shared=str(self.settings.get("webhook_secret") or ""),
        )

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(endpoint, callback)

    def reply(self, endpoint: str) -> Reply:
        return callbacks.reply(endpoint)

    def fetch(self, media: IncomingMedia) -> Fetched:
        hosts = [self._base_url] if self._base_url else [API, self._regional]
        if not pictures.is_of_account(self._account, media.url, hosts):
            raise Rejected(gettext("This picture is not on the account's own pages at Twilio."))
        return pictures.fetch(self.http, media, self._login)

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        with self._twilio() as twilio:
            place = self._base_url or API
            return asking.look(twilio, self._numbers(twilio), place, cursor, pending)

    def _numbers(self, twilio: Any) -> list[str]:
        """Give the numbers that people can write to: ours, or those of the Messaging Service."""
        sender = self.address()
        if SERVICE.fullmatch(sender):
            pool = twilio.messaging.v1.services(sender).phone_numbers.list(limit=_POOL)
            return [str(number.phone_number) for number in pool]
        return [sender] if NUMBER.fullmatch(sender) else []

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        # API keys may not read the account itself, so this is asked with the auth token.
        with self._twilio(as_owner=True) as twilio:
            account = twilio.api.accounts(self._account).fetch()
        if account.status not in (None, "active"):
            words = gettext("Twilio says that this account is %(status)s.")
            raise Misconfigured(words % {"status": account.status})
        return f"{self._about_account(account.friendly_name)} {self._about_sender()}"

    def _about_account(self, name: str) -> str:
        try:
            left = self.balance()
        except PhoneError:
            # Subaccounts have none of their own.
            return gettext("Twilio knows the account “%(name)s”.") % {"name": name}
        return gettext("Twilio knows the account “%(name)s”, balance %(amount)s %(currency)s.") % {
            "name": name,
            "amount": f"{Decimal(left.amount) / 1_000_000:.2f}",
            "currency": left.currency,
        }

    def _about_sender(self) -> str:
        sender = self.address()
        with self._twilio() as twilio:
            if SERVICE.fullmatch(sender):
                service = twilio.messaging.v1.services(sender).fetch()
                words = gettext("Messages leave through the Messaging Service “%(name)s”.")
                return words % {"name": service.friendly_name}
            if not NUMBER.fullmatch(sender):
                # Only to try the credentials: names are not listed.
                twilio.incoming_phone_numbers.list(limit=1)
                return gettext("Messages show the name %(name)s.") % {"name": sender}
        able = {name.lower() for name, can in (self._number().capabilities or {}).items() if can}
        if "sms" not in able:
            raise Misconfigured(gettext("This number cannot send SMS. Choose another at Twilio."))
        if "mms" in able:
            return gettext("The number can send SMS and MMS.")
        return gettext("The number can send SMS, but no MMS.")

    def _number(self) -> Any:
        """Give the SDK's record of our number. Raises Misconfigured when the account has it not."""
        with self._twilio() as twilio:
            found = twilio.incoming_phone_numbers.list(phone_number=self.address(), limit=1)
        if not found:
            words = gettext("The account does not own the number %(number)s.")
            raise Misconfigured(words % {"number": self.address()})
        return found[0]

    def balance(self) -> Balance:
        with self._twilio(as_owner=True) as twilio:
            left = twilio.balance.fetch()
        amount = millionths(left.balance)
        if amount is None:
            raise BadAnswer(gettext("Twilio told no balance."))
        return Balance(amount, str(left.currency or ""))

    def price_to(self, country: str) -> Money:
        with self._twilio() as twilio:
            said = twilio.pricing.v1.messaging.countries(country).fetch()
        return price(said)

    def look_up(self, number: str) -> LookedUp:
        try:
            with self._twilio() as twilio:
                said = twilio.lookups.v2.phone_numbers(number).fetch(fields=looking_up.FIELDS)
        except Misconfigured as error:
            # The page of a number that cannot exist is “not found”.
            raise BadNumber(error.words, error.code) if error.code == "20404" else error from None
        return looking_up.read(said)

    def connect(self) -> str:
        if SERVICE.fullmatch(self.address()):
            return self._connect_service()
        if not NUMBER.fullmatch(self.address()):
            raise Rejected(
                gettext(
                    "Nobody can answer or call a name, so there is no address to set at Twilio."
                )
            )
        number = self._number()
        with self._twilio() as twilio:
            twilio.incoming_phone_numbers(number.sid).update(
                sms_url=self.addresses.of("incoming") + callbacks.RETRY,
                sms_method="POST",
                voice_url=self.addresses.of("call") + callbacks.RETRY,
                voice_method="POST",
                status_callback=self.addresses.of("call_end") + callbacks.RETRY,
                status_callback_method="POST",
                # An application of the number would be asked instead of these addresses.
                sms_application_sid="",
                voice_application_sid="",
            )
        words = gettext("Twilio now sends the messages and calls of %(number)s here.")
        return words % {"number": self.address()}

    def _connect_service(self) -> str:
        with self._twilio() as twilio:
            twilio.messaging.v1.services(self.address()).update(
                inbound_request_url=self.addresses.of("incoming") + callbacks.RETRY,
                inbound_method="POST",
                use_inbound_webhook_on_number=False,
            )
        return gettext(
            "Twilio now sends the messages of this Messaging Service here. Calls belong to its "
            "numbers: paste those addresses at each number."
        )

    # ---- The way there --------------------------------------------------------------------------

    @property
    def _account(self) -> str:
        return str(self.settings["account_sid"])

    @property
    def _base_url(self) -> str:
        return str(self.settings.get("base_url") or "").rstrip("/")

    @property
    def _owner(self) -> tuple[str, str]:
        return self._account, str(self.settings["auth_token"])

    @property
    def _login(self) -> tuple[str, str]:
        if key := self.settings.get("api_key_sid"):
            return str(key), str(self.settings["api_key_secret"])
        return self._owner

    @property
    def _regional(self) -> str:
        with self._twilio() as twilio:
            return str(twilio.get_hostname(API))

    def _twilio(self, *, as_owner: bool = False) -> AbstractContextManager[Any]:
        return client(
            self.http,
            self._owner if as_owner else self._login,
            self._account,
            base_url=self._base_url,
            edge=self.settings.get("edge") or None,
            region=self.settings.get("region") or None,
        )
