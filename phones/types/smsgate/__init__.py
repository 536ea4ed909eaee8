"""SMSGate: an Android phone with the app “SMS Gateway for Android” (docs/phones/smsgate.md).

Through its cloud, a private server, or the handset itself in the same network; all speak one API:
https://docs.sms-gate.app, read 2026-11. A message carries our own id. A handset takes an id once; the
servers compare ids per handset, so a repetition is only safe where the handset is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from lib.http import Answer, NoAnswer
from phones.base import (
    BadAnswer,
    Callback,
    Capabilities,
    Event,
    Misconfigured,
    OutgoingSms,
    PhoneType,
    Polled,
    Rejected,
    Sent,
    Temporary,
    in_turns,
    no,
    yes,
)
from phones.types.smsgate import news
from phones.types.smsgate.answers import (
    body_of,
    devices_of,
    is_repetition,
    object_of,
    refusal,
)
from phones.types.smsgate.console import ENDPOINTS, SETUP
from phones.types.smsgate.settings import SettingsForm

CLOUD = "https://api.sms-gate.app/3rdparty/v1"
# Where the API lies on a server of one's own, unless the address says so.
_PRIVATE_PATH = "/api/3rdparty/v1"
# Servers refuse longer ids, and the app joins the id with other things.
_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
# Messages asked about in one look of `poll`; each costs a request.
_ASKED = 50

# What the app tells → the endpoint it goes to. The later ones are unknown to older apps.
_EVENTS = {
    "sms:received": "incoming",
    "sms:sent": "status",
    "sms:delivered": "status",
    "sms:failed": "status",
}
_LATER_EVENTS = {
    "mms:received": "incoming",
    "mms:downloaded": "incoming",
    "sms:cancelled": "status",
}


class SmsGate(PhoneType):
    label = "SMSGate"
    what = _("an Android phone of yours as gateway")
    docs = "https://docs.sms-gate.app"
    Settings = SettingsForm
    rate = 0.2
    poll_every = 120
    can = Capabilities(
        send=yes(_("At the price of its SIM card")),
        receive=yes(),
        phone_status=yes(_("By “Test connection”")),
        mms_out=no(),
        mms_in=yes(_("From version 1.56 of the app; older ones say only that one came")),
        delivery=yes(_("Where the network reports it")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=no(_("It shows the number of its SIM card")),
        unicode=yes(),
        long=yes(),
        balance=no(),
        price=no(_("It depends on the plan of its SIM card")),
        polling=yes(_("What became of messages; incoming ones need the webhook")),
        bulk=no(_("Its reports could not be told apart")),
        safe_retry=yes(_("With the handset's ID, or its local server")),
        signed=yes(),
        opt_out=no(),
    )
    setup = SETUP
    endpoints = ENDPOINTS

    def address(self) -> str:
        return str(self.settings.get("number") or "")

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        order = self._order(sms)
        try:
            answer = self._request("POST", "/messages", order, skipPhoneValidation="true")
        except NoAnswer as error:
            if self._recognises(order):
                raise Temporary(str(error)) from None
            raise
        if "id" in order and is_repetition(answer):
            # Taken already: the answer to an earlier try did not reach us.
            return Sent(str(order["id"]))
        if not 200 <= answer.status < 300:
            raise refusal(answer, safe=self._recognises(order))
        taken = object_of(answer)
        if not taken.get("id"):
            raise BadAnswer(gettext("SMSGate took the message without naming it."))
        return Sent(str(taken["id"]))

    def _order(self, sms: OutgoingSms) -> dict[str, Any]:
        order: dict[str, Any] = {
            "textMessage": {"text": sms.text},
            "phoneNumbers": [sms.to],
            "withDeliveryReport": True,
        }
        if sms.key:
            order["id"] = _id(sms.key)
        if device := self._device:
            order["deviceId"] = device
        if sim := self.settings.get("sim"):
            order["simNumber"] = int(sim)
        if hours := self.settings.get("hours"):
            order["ttl"] = int(hours) * 3600
        return order

    def _recognises(self, order: Mapping[str, Any]) -> bool:
        """Say whether the same order twice is one message: it has an id, and one handset."""
        return "id" in order and (self._is_local or "deviceId" in order)

    # ---- News -----------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        news.verify(callback, str(self.settings["signing_key"]))

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return news.parse(endpoint, callback, self._device)

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        asked, mark = in_turns(pending, cursor, _ASKED)
        return Polled(tuple(event for name in asked for event in self._fate(name)), mark)

    def _fate(self, name: str) -> list[Event]:
        answer = self._request("GET", f"/messages/{quote(name, safe='')}")
        if answer.status == 404:
            return []  # old messages are forgotten
        return news.fate_of(name, object_of(self._good(answer)))

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        return self._about_handset() if self._is_local else self._about_account()

    def _about_handset(self) -> str:
        devices = devices_of(self._good(self._request("GET", "/device")))
        name = str(devices[0].get("name", "")) if devices else ""
        # Answered 500 when the handset is unwell: then, too, with the reasons.
        health = body_of(self._request("GET", "/health"))
        checks = health.get("checks") if isinstance(health, dict) else None
        level = checks.get("battery:level") if isinstance(checks, dict) else None
        charge = level.get("observedValue") if isinstance(level, dict) else None
        if charge is None:
            return gettext("The handset “%(name)s” answers.") % {"name": name}
        words = gettext("The handset “%(name)s” answers. Its battery is at %(charge)s %%.")
        return words % {"name": name, "charge": charge}

    def _about_account(self) -> str:
        devices = devices_of(self._good(self._request("GET", "/devices")))
        if not devices:
            raise Misconfigured(gettext("No handset is registered on this account."))
        if not self._device:
            names = ", ".join(f"{item.get('name')} ({item.get('id')})" for item in devices)
            return ngettext(
                "The account has one handset: %(names)s. Write its ID, in brackets, into the "
                "settings: then nothing can be sent twice.",
                "The account has %(count)s handsets: %(names)s. Messages leave by any of them "
                "until you write one's ID, in brackets, into the settings.",
                len(devices),
            ) % {"count": len(devices), "names": names}
        found = [item for item in devices if item.get("id") == self._device]
        if not found:
            words = gettext("The account has no handset with the ID %(id)s.")
            raise Misconfigured(words % {"id": self._device})
        return gettext("SMSGate knows the handset “%(name)s”. It was last online %(seen)s.") % {
            "name": found[0].get("name"),
            "seen": _readable(found[0].get("lastSeen")),
        }

    def connect(self) -> str:
        if not self.addresses.base.startswith("https://"):
            raise Misconfigured(
                gettext(
                    "The app calls https addresses only, and PUBLIC_URL is not one. Until the "
                    "operator changes that, we ask what became of messages, but none can come in."
                )
            )
        for event, endpoint in _EVENTS.items():
            self._register(event, endpoint)
        for event, endpoint in _LATER_EVENTS.items():
            try:
                self._register(event, endpoint)
            except Rejected:
                continue  # an older app or server does not know it
        return gettext(
            "SMSGate now tells us about incoming messages and deliveries. The handset may need a "
            "few minutes to learn it."
        )

    def _register(self, event: str, endpoint: str) -> None:
        webhook = {
            "id": self._webhook_id(event),
            "url": self.addresses.of(endpoint),
            "event": event,
        }
        if self._device:
            webhook["deviceId"] = self._device
        self._good(self._request("POST", "/webhooks", webhook))

    def _webhook_id(self, event: str) -> str:
        """Give an id that stays: registered anew with it, a webhook replaces the old one."""
        site = f"{urlsplit(self.addresses.base).netloc} {self._device}"
        return f"smsapp-{hashlib.sha256(site.encode()).hexdigest()[:8]}-{event.replace(':', '-')}"

    # ---- The way there --------------------------------------------------------------------------

    @property
    def _is_local(self) -> bool:
        return self.settings.get("where") == "local"

    @property
    def _device(self) -> str:
        # The handset itself knows only itself, by another id than the cloud's.
        return "" if self._is_local else str(self.settings.get("device_id") or "")

    @property
    def _base(self) -> str:
        base = str(self.settings.get("base_url") or "").rstrip("/")
        if not base:
            return CLOUD
        bare = not urlsplit(base).path
        return f"{base}{_PRIVATE_PATH}" if bare and not self._is_local else base

    def _request(self, method: str, path: str, json: Any = None, **params: str) -> Answer:
        login = str(self.settings["username"]), str(self.settings["password"])
        return self.http.request(
            method, f"{self._base}{path}", json=json, params=params or None, auth=login
        )

    def _good(self, answer: Answer) -> Answer:
        """Give the answer of a request that made no message. Raises a PhoneError unless good."""
        if not 200 <= answer.status < 300:
            raise refusal(answer, safe=True)
        return answer


def _id(key: str) -> str:
    return key if _ID.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:36]


def _readable(written: Any) -> str:
    at = news.moment(written)
    return f"{at:%Y-%m-%d %H:%M %Z}" if at else "—"
