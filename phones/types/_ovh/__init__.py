"""What the two OVH types share: sending, asking for news, and the account.

OVH recognises no repeated request. It keeps a tag of ours with each message instead: after a request
without a usable answer it is asked for that tag, and what it does not show stays unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from lib import gsm
from lib.http import Http, NoAnswer, NotSent
from lib.money import millionths
from phones.base import (
    Addresses,
    BadAnswer,
    BadNumber,
    Balance,
    Callback,
    Event,
    Misconfigured,
    Money,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Polled,
    Rejected,
    Sent,
)
from phones.types._ovh import news
from phones.types._ovh.api import Api
from phones.types._ovh.console import UNSIGNED
from phones.types._ovh.looking import Look
from phones.types._ovh.news import digits

# Minutes: OVH's own default, two days.
_VALIDITY = 2880


class Ovh(PhoneType):
    """Sends, reads callbacks and asks for news; its two types say who the messages come from."""

    docs = "https://docs.ovh.com/fr/sms/api_sms_cookbook/"
    unsigned = UNSIGNED
    rate = 10
    bulk_size = 500
    poll_every = 60

    def __init__(self, settings: Mapping[str, Any], http: Http, addresses: Addresses) -> None:
        super().__init__(settings, http, addresses)
        self.api = Api(http, settings)
        self.account = f"/sms/{settings['service_name']}"

    def home(self) -> str:
        """Give the path of what sends: the account, or one of its numbers."""
        return self.account

    def manner(self) -> dict[str, Any]:
        """Give the fields of a request that say who it comes from."""
        return {}

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        [outcome] = self.send_many([sms])
        if isinstance(outcome, PhoneError):
            raise outcome
        return outcome

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        job = self._job(batch)
        try:
            return self._outcomes(self.api.post(f"{self.home()}/jobs", job), batch)
        except (NoAnswer, OutcomeUnknown):
            if len(batch) == 1 and (name := self._taken(job.get("tag", ""))):
                return [Sent(name)]
            raise

    def _job(self, batch: Sequence[OutgoingSms]) -> dict[str, Any]:
        sms = batch[0]
        job: dict[str, Any] = {
            "message": sms.text,
            "receivers": [sms.to for sms in batch],
            "charset": "UTF-8",
            "coding": "7bit" if gsm.encoding_of(sms.text) == "gsm7" else "8bit",
            "class": "flash" if sms.flash else "phoneDisplay",
            "priority": "high",
            "validityPeriod": _VALIDITY,
            **self.manner(),
        }
        if all(sms.key for sms in batch):
            keys = "\n".join(sms.key for sms in batch)
            # OVH takes 20 characters.
            job["tag"] = hashlib.sha256(keys.encode()).hexdigest()[:20]
        return job

    def _taken(self, tag: str) -> str:
        """Give OVH's id of the one message with this tag, "" if it shows none or cannot say."""
        with suppress(PhoneError, NotSent, NoAnswer):
            found = self.api.get(f"{self.home()}/outgoing", {"tag": tag}) if tag else []
            if isinstance(found, list) and len(found) == 1:
                return str(found[0])
        return ""

    def _outcomes(self, said: Any, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        """Give the outcome of each from what OVH took and what it did not."""
        try:
            valid = [digits(str(item)) for item in said["validReceivers"]]
            invalid = {digits(str(item)) for item in said["invalidReceivers"]}
            names = self._names([str(item) for item in said["ids"]], valid)
        except (TypeError, KeyError):
            raise BadAnswer(gettext("OVH did not say which numbers it took.")) from None
        cost, currency = self._cost(said.get("totalCreditsRemoved"), len(valid))
        outcomes: list[Sent | PhoneError] = []
        for sms in batch:
            if (to := digits(sms.to)) in names:
                outcomes.append(Sent(names[to], cost=cost, currency=currency))
            elif to in invalid:
                outcomes.append(BadNumber(gettext("OVH does not send to this number.")))
            else:
                outcomes.append(BadAnswer(gettext("OVH did not say whether it took this number.")))
        return outcomes

    def _names(self, ids: list[str], valid: list[str]) -> dict[str, str]:
        """Give {number: id}; the ids are "" where OVH does not name them in the order of the numbers.

        The order is that of OVH's examples and not promised, so the last of several is looked up: a
        wrong id would tell one person's delivery as another's.
        """
        sure = len(ids) == len(valid)
        if sure and len(ids) > 1:
            sure = self._receiver(ids[-1]) in ("", valid[-1])
        return dict(zip(valid, ids if sure else [""] * len(valid), strict=True))

    def _receiver(self, name: str) -> str:
        """Give the number a message goes to, "" if OVH cannot say yet."""
        # It is a job as long as it waits to leave.
        for place in ("jobs", "outgoing"):
            with suppress(PhoneError, NotSent, NoAnswer):
                said = self.api.get(f"{self.home()}/{place}/{name}")
                return digits(str(said.get("receiver") or "")) if isinstance(said, dict) else ""
        return ""

    def _cost(self, removed: Any, messages: int) -> tuple[int | None, str]:
        """Give the cost of each message, where a credit has a price: an equal share of the whole."""
        price = self.settings.get("credit_price")
        if not price or not messages or not isinstance(removed, int | float):
            return None, ""
        return self._money(removed) // messages, self._currency()

    def _money(self, count: float) -> int:
        """Give what so many credits cost, in millionths."""
        return int(Decimal(str(count)) * Decimal(self.settings["credit_price"]) * 1_000_000)

    def _currency(self) -> str:
        return str(self.settings.get("currency") or "EUR")

    # ---- News -----------------------------------------------------------------------------------

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return news.parse(callback)

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        look = Look(self.api, cursor, account=self.account, home=self.home(), to=self.address())
        try:
            look.replies()
            look.states(pending)
            look.stops()
        except (PhoneError, NotSent, NoAnswer):
            # What was found before is not thrown away; the next look says what is wrong.
            if not look.events:
                raise
        return Polled(tuple(look.events), look.cursor)

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        said = self._standing()
        if said.get("status") == "disable":
            raise Misconfigured(gettext("OVH says that this SMS account is disabled."))
        words = gettext("OVH knows the account %(name)s, %(credits)s credits left.") % {
            "name": self.settings["service_name"],
            "credits": said["creditsLeft"],
        }
        return f"{words} {self.sender_words()}"

    def sender_words(self) -> str:
        """Give a sentence about the sender. Raises Misconfigured where OVH does not accept it."""
        raise NotImplementedError

    def balance(self) -> Balance:
        left = self._standing()["creditsLeft"]
        if self.settings.get("credit_price"):
            return Balance(self._money(left), self._currency())
        return Balance(int(Decimal(str(left)) * 1_000_000), gettext("credits"))

    def price_to(self, country: str) -> Money:
        said = self.api.get("/sms/rates/destinations", {"country": country.lower()})
        said = said if isinstance(said, dict) else {}
        needed, price = said.get("credit"), said.get("price")
        if self.settings.get("credit_price") and isinstance(needed, int | float):
            return Money(self._money(needed), self._currency())
        price = price if isinstance(price, dict) else {}
        amount = millionths(price.get("value"))
        if amount is None:
            raise Rejected(gettext("OVH tells no price for this country."))
        return Money(amount, str(price.get("currencyCode") or ""))

    def connect(self) -> str:
        self.api.put(self.account, {"callBack": self.addresses.of("status")})
        return gettext("OVH now reports the delivery of all messages of %(name)s here.") % {
            "name": self.settings["service_name"]
        }

    def _standing(self) -> dict[str, Any]:
        said = self.api.get(self.account)
        if not isinstance(said, dict) or not isinstance(said.get("creditsLeft"), int | float):
            raise BadAnswer(gettext("OVH did not say what is left on the account."))
        return said
