"""What the two Octopush types share: its JSON API v1 and its callbacks.

https://dev.octopush.com/en/sms-gateway-api-documentation/, read 2026-11. A request carries a
`request_id` that Octopush remembers for 24 hours: so a request without a usable answer is made once
more, at once and unchanged, and nobody gets the message twice. It is not left to a later try: by then
the message may travel in another batch, whose id would be another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext

from lib.http import Answer, NoAnswer, NotSent
from lib.money import millionths
from phones.base import (
    BadAnswer,
    Balance,
    Callback,
    Event,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Rejected,
    Sent,
    Temporary,
    outcome_of,
)
from phones.types._octopush import callbacks
from phones.types._octopush.answers import (
    OF_THE_TEXT,
    REPEATED,
    body_of,
    refusal,
    sent,
    spoken,
)
from phones.types._octopush.console import UNSIGNED

API = "https://api.octopush.com/v1/public"
# Requests spent on finding who of a refused batch was meant, so that they end within a lease.
_SEARCH = 30


class Octopush(PhoneType):
    """Sends and reads callbacks; its two types say who the messages come from."""

    docs = "https://dev.octopush.com/en/sms-gateway-api-documentation/"
    unsigned = UNSIGNED
    rate = 10
    bulk_size = 500

    def sender(self) -> dict[str, Any]:
        """Give the fields of a request that say who it comes from."""
        raise NotImplementedError

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        [taken] = self._take([sms])
        return taken

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        try:
            return [*self._take(batch)]
        except Rejected as refused:
            if len(batch) == 1 or refused.code in OF_THE_TEXT:
                raise
            return self._apart(batch)

    def _apart(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        """Hand a refused batch over in ever smaller parts, so that one number spoils no other.

        What is not reached within _SEARCH requests, or after a failure, was not sent and waits.
        """
        outcomes: list[Sent | PhoneError] = []
        middle = len(batch) // 2
        parts = [batch[middle:], batch[:middle]]
        left = _SEARCH
        while parts:
            part = parts.pop()
            if not left:
                waits = gettext("Octopush refused a batch. The rest of it is sent later.")
                outcomes += [Temporary(waits)] * len(part)
                continue
            left -= 1
            try:
                outcomes += self._take(part)
            except Rejected as refused:
                if len(part) == 1:
                    outcomes.append(refused)
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
            except (PhoneError, NotSent, NoAnswer) as error:
                failed = error if isinstance(error, PhoneError) else outcome_of(error)
                outcomes += [failed] * len(part)
                left = 0
        return outcomes

    def _take(self, batch: Sequence[OutgoingSms]) -> list[Sent]:
        """Hand several over in one request, asking twice where the first answer tells nothing."""
        order = self._order(batch)
        try:
            return self._ordered(order, batch)
        except (NoAnswer, OutcomeUnknown) as unclear:
            if "request_id" not in order:
                raise
            try:
                return self._ordered(order, batch)
            except (PhoneError, NotSent, NoAnswer):
                # It says nothing about the first request, which may have been taken.
                raise unclear from None

    def _ordered(self, order: dict[str, Any], batch: Sequence[OutgoingSms]) -> list[Sent]:
        answer = self._ask("POST", "/sms-campaign/send", order)
        said = body_of(answer)
        if 200 <= answer.status < 300 and said.get("sms_ticket"):
            return sent(said, batch)
        error = refusal(answer, said)
        if error.code == REPEATED:
            # Taken before. Its ticket was in the answer that never came.
            return [Sent("") for _sms in batch]
        raise error

    def _order(self, batch: Sequence[OutgoingSms]) -> dict[str, Any]:
        order: dict[str, Any] = {
            "recipients": [{"phone_number": sms.to} for sms in batch],
            "text": self._text(batch[0].text),
            "type": self.settings.get("quality") or "sms_premium",
            "purpose": self.settings.get("purpose") or "alert",
            # Otherwise Octopush rewrites the text.
            "auto_optimize_text": False,
            **self.sender(),
        }
        if self.settings.get("simulation"):
            order["simulation_mode"] = True
        if all(sms.key for sms in batch):
            keys = "\n".join(sms.key for sms in batch)
            order["request_id"] = hashlib.sha256(keys.encode()).hexdigest()[:40]
        return order

    def _text(self, text: str) -> str:
        """Give the text with the STOP mention that marketing needs."""
        if self.settings.get("purpose") != "wholesale":
            return text
        premium = self.settings.get("quality") != "sms_low_cost"
        usual = "STOP au XXXXX" if premium else "no PUB=STOP"
        mention = str(self.settings.get("stop_mention") or usual)
        return text if mention in text else f"{text}\n{mention}"

    # ---- Callbacks ------------------------------------------------------------------------------

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(callback.body)

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        words = gettext("Octopush knows the account %(login)s, balance %(balance)s.") % {
            "login": self.settings["login"],
            "balance": spoken(self.balance()),
        }
        if self.settings.get("simulation"):
            words += " " + gettext("It only simulates: messages reach nobody.")
        return words

    def balance(self) -> Balance:
        answer = self._ask("GET", "/wallet/check-balance")
        said = body_of(answer)
        amount = millionths(said.get("amount"))
        if not 200 <= answer.status < 300:
            error = refusal(answer, said)
            # Nothing was to be sent, so nothing is unclear: it can be asked again.
            raise Temporary(error.words) if isinstance(error, OutcomeUnknown) else error
        if amount is None:
            raise BadAnswer(gettext("Octopush did not say what is left on the account."))
        unit = str(said.get("unit") or "euros")
        return Balance(amount, "EUR" if unit.startswith("euro") else unit)

    def _ask(self, method: str, path: str, order: dict[str, Any] | None = None) -> Answer:
        headers = {
            "api-login": str(self.settings["login"]),
            "api-key": str(self.settings["api_key"]),
            "Accept": "application/json",
        }
        return self.http.request(method, f"{API}{path}", json=order, headers=headers)
