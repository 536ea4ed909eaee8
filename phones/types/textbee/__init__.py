"""textbee: an Android phone with the app textbee (docs/phones/textbee.md).

https://textbee.dev/docs, read 2026-11. A request becomes a batch with an id; its messages are told apart
by their number only, so each request holds one. A repetition is not recognised: what may have made a
message is never sent again by itself. One webhook takes all events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import Answer
from phones.base import (
    BadAnswer,
    Callback,
    Capabilities,
    Event,
    Misconfigured,
    OutgoingSms,
    PhoneType,
    Polled,
    Sent,
    in_turns,
    no,
    yes,
)
from phones.types.textbee import news
from phones.types.textbee.answers import data_of, refusal, sent
from phones.types.textbee.news import moment
from phones.types.textbee.settings import ENDPOINTS, SETUP, SettingsForm

API = "https://api.textbee.dev/api/v1"
# Items in one page, the most that textbee gives; and the pages that one look turns at most.
_PAGE, _PAGES = 100, 10
# Messages asked about in one look of `poll`; each costs a request.
_ASKED = 50
# A look goes back by more than the pause between two, for what was stored late.
_OVERLAP = timedelta(minutes=15)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class TextBee(PhoneType):
    label = "textbee"
    what = _("an Android phone of yours as gateway, free for a few messages")
    docs = "https://textbee.dev/docs"
    Settings = SettingsForm
    rate = 0.2
    poll_every = 300
    can = Capabilities(
        send=yes(_("At the price of its SIM card")),
        receive=yes(),
        phone_status=yes(_("By “Test connection”")),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("Where the network reports it")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=no(_("It shows the number of its SIM card")),
        unicode=yes(),
        long=yes(),
        balance=no(),
        price=no(_("It depends on the plan of its SIM card")),
        polling=yes(_("Finds what a webhook missed")),
        bulk=no(_("Its reports could not be told apart")),
        safe_retry=no(),
        signed=yes(),
        opt_out=no(),
    )
    setup = SETUP
    endpoints = ENDPOINTS

    def address(self) -> str:
        return str(self.settings.get("number") or "")

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        order: dict[str, Any] = {"message": sms.text, "recipients": [sms.to]}
        if (sim := self.settings.get("sim")) is not None:
            order["simSubscriptionId"] = int(sim)
        answer = self._request("POST", f"{self._handset}/send-sms", order)
        return sent(self._good(answer, sending=True))

    # ---- News -----------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        news.verify(callback, str(self.settings["signing_secret"]))

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return news.parse(callback, self._device)

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        last, _space, asked_last = cursor.partition(" ")
        asked, going_on = in_turns(pending, asked_last, _ASKED)
        events = [event for name in asked for event in self._fate(name)]
        came, newest = self._came_in(moment(last))
        return Polled((*events, *came), f"{newest.isoformat()} {going_on}".rstrip())

    def _fate(self, name: str) -> list[Event]:
        answer = self._request("GET", f"{self._handset}/sms-batch/{quote(name, safe='')}")
        if answer.status == 404:
            return []
        batch = data_of(self._good(answer))
        messages = batch.get("messages") if isinstance(batch, dict) else None
        first = messages[0] if isinstance(messages, list) and messages else None
        return news.fate_of(name, first) if isinstance(first, dict) else []

    def _came_in(self, last: datetime | None) -> tuple[list[Event], datetime]:
        """Give what came in since about `last`, and when the newest of it was stored.

        The first look, without a `last`, only notes where it begins.
        """
        since = last - _OVERLAP if last else _BEGINNING
        found: list[tuple[datetime, dict[str, Any]]] = []
        for page in range(1, _PAGES + 1 if last else 2):
            place = f"{self._handset}/get-received-sms"
            items = self._list(place, page=page, limit=_PAGE)
            times = [(moment(item.get("createdAt")), item) for item in items]
            new = [(at, item) for at, item in times if at and at >= since]
            found += new
            if len(items) < _PAGE or not new:
                break
        newest = max([at for at, _item in found] + [last or since])
        if last is None:
            return [], newest
        return [event for _at, item in found for event in news.came_in(item)], newest

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        found = [item for item in self._list("/gateway/devices") if item.get("_id") == self._device]
        if not found:
            words = gettext("The account has no handset with the ID %(id)s.")
            raise Misconfigured(words % {"id": self._device})
        handset = found[0]
        name = handset.get("name") or f"{handset.get('brand', '')} {handset.get('model', '')}"
        if handset.get("enabled") is False:
            words = gettext("The handset “%(name)s” is switched off in textbee's app.")
            raise Misconfigured(words % {"name": name})
        seen = moment(handset.get("lastHeartbeat"))
        if seen is None:
            return gettext("textbee knows the handset “%(name)s”.") % {"name": name}
        words = gettext("textbee knows the handset “%(name)s”. It was last online %(seen)s.")
        return words % {"name": name, "seen": f"{seen:%Y-%m-%d %H:%M %Z}"}

    def connect(self) -> str:
        hook = {
            "name": self._hook_name,
            "deliveryUrl": self.addresses.of("incoming"),
            "signingSecret": str(self.settings["signing_secret"]),
            "events": news.EVENTS,
        }
        ours = [item for item in self._list("/webhooks") if self._is_ours(item)]
        if ours:
            place = f"/webhooks/{quote(str(ours[0].get('_id')), safe='')}"
            # textbee switches off what failed for long.
            self._good(self._request("PATCH", place, {**hook, "isActive": True}))
        else:
            self._good(self._request("POST", "/webhooks", hook))
        return gettext("textbee now tells us about incoming messages and deliveries.")

    def _is_ours(self, hook: Mapping[str, Any]) -> bool:
        """Say whether a webhook was made for this handset by this site, under any token."""
        url = str(hook.get("deliveryUrl"))
        site = self.addresses.base.rstrip("/").rpartition("/")[0]
        named = hook.get("name") == self._hook_name and url.startswith(f"{site}/")
        return named or url == self.addresses.of("incoming")

    @property
    def _hook_name(self) -> str:
        return f"smsapp {self._device}"

    # ---- The way there --------------------------------------------------------------------------

    @property
    def _device(self) -> str:
        return str(self.settings["device_id"])

    @property
    def _handset(self) -> str:
        return f"/gateway/devices/{quote(self._device, safe='')}"

    @property
    def _base(self) -> str:
        return str(self.settings.get("base_url") or API).rstrip("/")

    def _request(self, method: str, path: str, json: Any = None, **params: Any) -> Answer:
        headers = {"x-api-key": str(self.settings["api_key"])}
        return self.http.request(
            method, f"{self._base}{path}", json=json, params=params or None, headers=headers
        )

    def _list(self, path: str, **params: Any) -> list[dict[str, Any]]:
        found = data_of(self._good(self._request("GET", path, **params)))
        if not isinstance(found, list):
            raise BadAnswer(gettext("textbee answered something that is not a list."))
        return [item for item in found if isinstance(item, dict)]

    def _good(self, answer: Answer, *, sending: bool = False) -> Answer:
        if not 200 <= answer.status < 300:
            raise refusal(answer, sending=sending)
        return answer
